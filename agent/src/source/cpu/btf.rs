//! Reads member offsets and type numbers from the kernel's BTF, piece by piece.
//!
//! The kernel's BTF (<https://docs.kernel.org/bpf/btf.html>) holds some 10^5 types. A full parse would take more memory than the
//! rest of the agent, and some C libraries never return such memory to the system.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use agent_common::{KernelOffsets, UNKNOWN_OFFSET};

const MAGIC: u16 = 0xeb9f;
/// `struct btf_header`.
const HEADER_SIZE: usize = 24;
/// `struct btf_type`: name, info, size or type.
const TYPE_SIZE: usize = 12;
/// `struct btf_member`: name, type, offset.
const MEMBER_SIZE: usize = 12;
/// `struct btf_enum`: name, value.
const ENUMERATOR_SIZE: usize = 8;
/// A pointer of a 64-bit kernel.
const POINTER_SIZE: u32 = 8;
/// Anonymous members are nested in one or two levels in practice; this bound only ends hostile input.
const MAX_NESTING: usize = 8;
/// Longer than any name in the kernel's BTF; ends hostile input.
const MAX_NAME: u64 = 1024;

const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_TYPEDEF: u32 = 8;
const KIND_FUNCTION: u32 = 12;

const STRUCTURES: [&str; 10] = [
    "task_struct",
    "sched_entity",
    "signal_struct",
    "css_set",
    "cgroup",
    "cgroup_subsys_state",
    "kernfs_node",
    "cgroup_root",
    "file",
    "inode",
];

/// The enumeration of cgroup controllers, which depends on the kernel's configuration.
const CONTROLLERS: &str = "cgroup_subsys_id";

const MEMBERS: [&str; 20] = [
    "flags",
    "exit_code",
    "signal",
    "live",
    "kn",
    "id",
    "root",
    "hierarchy_id",
    "pid",
    "tgid",
    "cgroups",
    "dfl_cgrp",
    "se",
    "exec_start",
    "comm",
    "subsys",
    "cgroup",
    "f_inode",
    "i_mode",
    "i_rdev",
];

/// Type information that the agent needs from the kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KernelTypes {
    /// Offsets of members; missing members stay unknown.
    pub offsets: KernelOffsets,
    /// Number of the wanted typedef.
    pub typedef: Option<u32>,
    /// Number of the wanted function.
    pub function: Option<u32>,
}

/// Names of the types to look up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    pub typedef: &'a str,
    pub function: &'a str,
    /// The enumerator of the followed controller of cgroup v1, if any.
    pub controller: Option<&'static str>,
}

impl KernelTypes {
    /// Of a kernel without type information.
    pub(crate) const UNKNOWN: Self = Self { offsets: KernelOffsets::UNKNOWN, typedef: None, function: None };

    /// Looks up the members of [`KernelOffsets`] and the wanted types.
    pub(crate) fn read(btf: impl Read + Seek, wanted: Wanted<'_>) -> io::Result<Self> {
        let mut btf = Btf::open(btf, wanted)?;
        let offsets = btf.kernel_offsets();
        let set_legacy = btf.legacy_offset().unwrap_or(UNKNOWN_OFFSET);
        Ok(Self {
            offsets: KernelOffsets { set_legacy, ..offsets },
            typedef: btf.typedef,
            function: btf.function,
        })
    }
}

struct Btf<R> {
    input: BufReader<R>,
    /// Position of the types.
    types: u64,
    /// Offset of every type behind `types`; type numbers begin at 1.
    positions: Vec<u32>,
    /// The wanted names, by their offsets in the string section. A string may be the end of another.
    names: HashMap<u32, &'static str>,
    structs: HashMap<&'static str, u32>,
    /// The enumeration of controllers.
    controllers: Option<u32>,
    /// The enumerator of the wanted controller: `cpuacct_cgrp_id`.
    controller: Option<&'static str>,
    typedef: Option<u32>,
    function: Option<u32>,
}

/// Positions of the wanted names in the string section, which may hold each more than once.
#[derive(Default)]
struct NamePositions {
    typedef: Vec<u32>,
    function: Vec<u32>,
}

impl<R: Read + Seek> Btf<R> {
    fn open(input: R, wanted: Wanted<'_>) -> io::Result<Self> {
        let mut input = BufReader::new(input);
        let mut header = [0; HEADER_SIZE];
        input.read_exact(&mut header)?;
        if u16::from_le_bytes([header[0], header[1]]) != MAGIC {
            return Err(invalid());
        }
        let field = |index: usize| word(&header, 4 + 4 * index).map(u64::from).ok_or_else(invalid);
        let (length, type_offset, type_length) = (field(0)?, field(1)?, field(2)?);
        let (strings, strings_length) = (length + field(3)?, field(4)?);
        let mut btf = Self {
            input,
            types: length + type_offset,
            positions: Vec::new(),
            names: HashMap::new(),
            structs: HashMap::new(),
            controllers: None,
            controller: wanted.controller,
            typedef: None,
            function: None,
        };
        let positions = btf.find_names(strings, strings_length, wanted)?;
        btf.index(type_length, &positions)?;
        Ok(btf)
    }

    /// Finds the wanted names in the string section.
    fn find_names(&mut self, start: u64, length: u64, wanted: Wanted<'_>) -> io::Result<NamePositions> {
        let mut positions = NamePositions::default();
        self.input.seek(SeekFrom::Start(start))?;
        let (mut at, mut string) = (0, Vec::new());
        while at < length {
            string.clear();
            if self.input.by_ref().take(MAX_NAME).read_until(0, &mut string)? == 0 {
                return Err(invalid());
            }
            at += string.len() as u64;
            let text = string.strip_suffix(&[0]).ok_or_else(invalid)?;
            let place = |name: &str| (at as u32).wrapping_sub(name.len() as u32 + 1);
            for name in STRUCTURES.into_iter().chain(MEMBERS).chain([CONTROLLERS]).chain(self.controller) {
                if text.ends_with(name.as_bytes()) {
                    self.names.insert(place(name), name);
                }
            }
            for (name, positions) in
                [(wanted.typedef, &mut positions.typedef), (wanted.function, &mut positions.function)]
            {
                if text.ends_with(name.as_bytes()) {
                    positions.push(place(name));
                }
            }
        }
        Ok(positions)
    }

    fn index(&mut self, length: u64, wanted: &NamePositions) -> io::Result<()> {
        self.input.seek(SeekFrom::Start(self.types))?;
        let mut position = 0;
        while position < length {
            let mut entry = [0; TYPE_SIZE];
            self.input.read_exact(&mut entry)?;
            let (name, info) = (word(&entry, 0).ok_or_else(invalid)?, word(&entry, 4).ok_or_else(invalid)?);
            let (kind, members) = (kind_of(info), (info & 0xffff) as usize);
            self.positions.push(position as u32);
            if kind == KIND_STRUCT
                && let Some(name) = self.names.get(&name)
            {
                self.structs.entry(name).or_insert(position as u32);
            }
            if kind == KIND_ENUM && self.names.get(&name) == Some(&CONTROLLERS) {
                self.controllers = self.controllers.or(Some(position as u32));
            }
            let number = self.positions.len() as u32;
            if kind == KIND_TYPEDEF && wanted.typedef.contains(&name) {
                self.typedef = self.typedef.or(Some(number));
            }
            if kind == KIND_FUNCTION && wanted.function.contains(&name) {
                self.function = self.function.or(Some(number));
            }
            let trailer = trailer(kind, members).ok_or_else(invalid)?;
            self.input.seek_relative(i64::try_from(trailer).map_err(|_too_long| invalid())?)?;
            position += (TYPE_SIZE + trailer) as u64;
        }
        Ok(())
    }

    fn kernel_offsets(&mut self) -> KernelOffsets {
        let mut member = |structure, member| self.member_offset(structure, member).unwrap_or(UNKNOWN_OFFSET);
        KernelOffsets {
            task_flags: member("task_struct", "flags"),
            task_exit_code: member("task_struct", "exit_code"),
            task_signal: member("task_struct", "signal"),
            signal_live: member("signal_struct", "live"),
            cgroup_kn: member("cgroup", "kn"),
            kernfs_id: member("kernfs_node", "id"),
            cgroup_root: member("cgroup", "root"),
            root_hierarchy: member("cgroup_root", "hierarchy_id"),
            task_pid: member("task_struct", "pid"),
            task_tgid: member("task_struct", "tgid"),
            task_cgroups: member("task_struct", "cgroups"),
            set_cgroup: member("css_set", "dfl_cgrp"),
            task_comm: member("task_struct", "comm"),
            set_legacy: UNKNOWN_OFFSET,
            css_cgroup: member("cgroup_subsys_state", "cgroup"),
            file_inode: member("file", "f_inode"),
            inode_mode: member("inode", "i_mode"),
            inode_device: member("inode", "i_rdev"),
            task_exec_start: nested(member("task_struct", "se"), member("sched_entity", "exec_start")),
        }
    }

    /// Offset in a `css_set` of the pointer to its state under the wanted controller.
    fn legacy_offset(&mut self) -> Option<u32> {
        let (position, controller) = (self.controllers?, self.controller?);
        let info = word(&self.read(position, TYPE_SIZE)?, 4)?;
        let count = (info & 0xffff) as usize;
        let enumerators = self.read(position + TYPE_SIZE as u32, ENUMERATOR_SIZE * count)?;
        let is_it =
            |entry: &&[u8]| word(entry, 0).is_some_and(|name| self.names.get(&name) == Some(&controller));
        let index = word(enumerators.chunks_exact(ENUMERATOR_SIZE).find(is_it)?, 4)?;
        self.member_offset("css_set", "subsys")?.checked_add(index.checked_mul(POINTER_SIZE)?)
    }

    fn member_offset(&mut self, structure: &str, member: &str) -> Option<u32> {
        debug_assert!(STRUCTURES.contains(&structure) && MEMBERS.contains(&member), "{structure}.{member}");
        let position = *self.structs.get(structure)?;
        self.find(position, member, 0)
    }

    /// Offset in bytes of a member of the structure at `position`, anonymous members included.
    fn find(&mut self, position: u32, wanted: &str, depth: usize) -> Option<u32> {
        let info = word(&self.read(position, TYPE_SIZE)?, 4)?;
        let has_bitfields = info >> 31 == 1;
        let members = self.read(position + TYPE_SIZE as u32, MEMBER_SIZE * (info & 0xffff) as usize)?;
        for member in members.chunks_exact(MEMBER_SIZE) {
            let (name, inner, offset) = (word(member, 0)?, word(member, 4)?, word(member, 8)?);
            let bits = if has_bitfields { offset & 0x00ff_ffff } else { offset };
            if self.names.get(&name) == Some(&wanted) {
                return (bits % 8 == 0).then_some(bits / 8);
            }
            if name == 0 && depth < MAX_NESTING {
                let inner = *self.positions.get(inner.checked_sub(1)? as usize)?;
                let kind = kind_of(word(&self.read(inner, TYPE_SIZE)?, 4)?);
                if matches!(kind, KIND_STRUCT | KIND_UNION)
                    && let Some(found) = self.find(inner, wanted, depth + 1)
                {
                    return (bits / 8).checked_add(found);
                }
            }
        }
        None
    }

    /// This many bytes of the type section.
    fn read(&mut self, position: u32, length: usize) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length];
        self.input.seek(SeekFrom::Start(self.types + u64::from(position))).ok()?;
        self.input.read_exact(&mut bytes).ok()?;
        Some(bytes)
    }
}

fn kind_of(info: u32) -> u32 {
    info >> 24 & 0x1f
}

/// Offset of a member of a member.
fn nested(outer: u32, inner: u32) -> u32 {
    if outer == UNKNOWN_OFFSET || inner == UNKNOWN_OFFSET { UNKNOWN_OFFSET } else { outer + inner }
}

/// Bytes that follow `struct btf_type`, by kind; `None` for a kind this reader does not know, whose size is then unknown too.
fn trailer(kind: u32, members: usize) -> Option<usize> {
    Some(match kind {
        // pointer, forward, typedef, volatile, const, restrict, function, float, type tag
        2 | 7..=12 | 16 | 18 => 0,
        // integer, variable, declaration tag
        1 | 14 | 17 => 4,
        // array
        3 => 12,
        // structure, union, data section, 64-bit enumeration
        4 | 5 | 15 | 19 => 12 * members,
        // enumeration, function prototype
        6 | 13 => 8 * members,
        _ => return None,
    })
}

fn word(data: &[u8], at: usize) -> Option<u32> {
    let bytes = data.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn invalid() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the kernel's BTF is invalid")
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    const WANTED: Wanted<'static> =
        Wanted { typedef: "int_alias", function: "next", controller: Some("cpuacct_cgrp_id") };

    /// BTF of `typedef int int_alias`, of a function `next`, and of a hand-written structure:
    /// `struct kernfs_node { int count; union { struct { long a; unsigned long id; }; }; }`.
    fn sample() -> Vec<u8> {
        let strings = b"\0kernfs_node\0count\0id\0a\0int\0int_alias\0next\0";
        let name = |wanted: &str| {
            let wanted = [&[0], wanted.as_bytes(), &[0]].concat();
            strings.windows(wanted.len()).position(|window| window == wanted).unwrap() as u32 + 1
        };
        let kind = |kind: u32, members: u32| kind << 24 | members;
        let types: Vec<u32> = [
            vec![name("int"), kind(1, 0), 4, 0],                         // 1: int
            vec![0, kind(4, 2), 16, name("a"), 1, 0, name("id"), 1, 64], // 2: the anonymous structure
            vec![0, kind(5, 1), 16, 0, 2, 0],                            // 3: the anonymous union
            vec![name("kernfs_node"), kind(4, 2), 24, name("count"), 1, 0, 0, 3, 64], // 4
            vec![name("int_alias"), kind(8, 0), 1],                      // 5
            vec![0, kind(13, 0), 1],                                     // 6: the function's prototype
            vec![name("next"), kind(12, 0), 6],                          // 7
        ]
        .concat();
        let mut btf = Vec::new();
        btf.extend(MAGIC.to_le_bytes());
        btf.extend([1, 0]);
        for value in [24, 0, types.len() as u32 * 4, types.len() as u32 * 4, strings.len() as u32] {
            btf.extend(value.to_le_bytes());
        }
        btf.extend(types.iter().flat_map(|value| value.to_le_bytes()));
        btf.extend(strings);
        btf
    }

    #[test]
    fn members_of_anonymous_members_are_found() {
        let types = KernelTypes::read(Cursor::new(sample()), WANTED).unwrap();
        assert_eq!(types.offsets.kernfs_id, 16);
        assert_eq!(types.offsets.task_flags, UNKNOWN_OFFSET);
        assert_eq!((types.typedef, types.function), (Some(5), Some(7)));
        let others = Wanted { typedef: "int", function: "int_alias", ..WANTED };
        let types = KernelTypes::read(Cursor::new(sample()), others).unwrap();
        assert_eq!((types.typedef, types.function), (None, None), "types of another kind");
    }

    #[test]
    fn what_is_not_btf_gives_nothing() {
        for bytes in [&b""[..], b"\x7fELF and so on, at some length"] {
            assert!(KernelTypes::read(Cursor::new(bytes), WANTED).is_err());
        }
    }

    proptest! {
        #[test]
        fn damaged_btf_never_panics(cut in 0..200usize, at in 0..200usize, byte: u8) {
            let mut btf = sample();
            let length = btf.len();
            btf[at % length] = byte;
            btf.truncate(length.saturating_sub(cut));
            // Damaged data may or may not be readable.
            let _ = KernelTypes::read(Cursor::new(btf), WANTED);
        }
    }
}
