//! Where does the running kernel keep a member of a structure?
//!
//! A reader of BTF (<https://docs.kernel.org/bpf/btf.html>) for exactly this question. It walks the type section once and
//! keeps no copy of it: the kernel's BTF holds some 10^5 types, and a full parse would cost more memory than the agent.

use std::collections::HashMap;

use agent_common::{KernelOffsets, UNKNOWN_OFFSET};

const MAGIC: u16 = 0xeb9f;
/// `struct btf_type`: name, info, size or type.
const TYPE_SIZE: usize = 12;
/// `struct btf_member`: name, type, offset.
const MEMBER_SIZE: usize = 12;
/// `char[3][7]`-style nesting of anonymous members is one or two levels in practice; this only ends hostile input.
const MAX_NESTING: usize = 8;

const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;

/// Looks the members of [`KernelOffsets`] up; those that are not there stay unknown.
pub fn kernel_offsets(btf: &[u8]) -> KernelOffsets {
    let Some(btf) = Btf::parse(btf) else { return KernelOffsets::UNKNOWN };
    let member = |structure, member| btf.member_offset(structure, member).unwrap_or(UNKNOWN_OFFSET);
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
        task_exec_start: nested(member("task_struct", "se"), member("sched_entity", "exec_start")),
    }
}

/// A member of a member.
fn nested(outer: u32, inner: u32) -> u32 {
    if outer == UNKNOWN_OFFSET || inner == UNKNOWN_OFFSET { UNKNOWN_OFFSET } else { outer + inner }
}

struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    /// Offset of every type in `types`; type ids begin at 1.
    positions: Vec<u32>,
    structs: HashMap<&'a [u8], u32>,
}

impl<'a> Btf<'a> {
    fn parse(data: &'a [u8]) -> Option<Self> {
        if u16::from_le_bytes([*data.first()?, *data.get(1)?]) != MAGIC {
            return None;
        }
        let header = |index: usize| word(data, 4 + 4 * index).map(|value| value as usize);
        let (length, type_offset, type_length) = (header(0)?, header(1)?, header(2)?);
        let (string_offset, string_length) = (header(3)?, header(4)?);
        let body = data.get(length..)?;
        let types = body.get(type_offset..type_offset.checked_add(type_length)?)?;
        let strings = body.get(string_offset..string_offset.checked_add(string_length)?)?;
        let mut btf = Self { types, strings, positions: Vec::new(), structs: HashMap::new() };
        btf.index()?;
        Some(btf)
    }

    fn index(&mut self) -> Option<()> {
        let wanted = [
            "task_struct",
            "sched_entity",
            "signal_struct",
            "css_set",
            "cgroup",
            "kernfs_node",
            "cgroup_root",
        ];
        let mut position = 0;
        while position < self.types.len() {
            let info = word(self.types, position + 4)?;
            let (kind, members) = (info >> 24 & 0x1f, (info & 0xffff) as usize);
            self.positions.push(position as u32);
            if kind == KIND_STRUCT
                && let Some(name) = self.string(word(self.types, position)?)
                && wanted.iter().any(|wanted| wanted.as_bytes() == name)
            {
                self.structs.entry(name).or_insert(position as u32);
            }
            position += TYPE_SIZE + trailer(kind, members)?;
        }
        Some(())
    }

    fn string(&self, offset: u32) -> Option<&'a [u8]> {
        let rest = self.strings.get(offset as usize..)?;
        let end = rest.iter().position(|byte| *byte == 0)?;
        Some(&rest[..end])
    }

    fn member_offset(&self, structure: &str, member: &str) -> Option<u32> {
        let position = *self.structs.get(structure.as_bytes())?;
        self.find(position as usize, member.as_bytes(), 0)
    }

    /// Offset in bytes of a member of the structure at `position`, looking into anonymous members too.
    fn find(&self, position: usize, wanted: &[u8], depth: usize) -> Option<u32> {
        let info = word(self.types, position + 4)?;
        let has_bitfields = info >> 31 == 1;
        for index in 0..(info & 0xffff) as usize {
            let at = position + TYPE_SIZE + MEMBER_SIZE * index;
            let name = self.string(word(self.types, at)?)?;
            let offset = word(self.types, at + 8)?;
            let bits = if has_bitfields { offset & 0x00ff_ffff } else { offset };
            if name == wanted {
                return (bits % 8 == 0).then_some(bits / 8);
            }
            if name.is_empty() && depth < MAX_NESTING {
                let inner = word(self.types, at + 4)?.checked_sub(1)? as usize;
                let inner = *self.positions.get(inner)? as usize;
                let kind = word(self.types, inner + 4)? >> 24 & 0x1f;
                if matches!(kind, KIND_STRUCT | KIND_UNION)
                    && let Some(found) = self.find(inner, wanted, depth + 1)
                {
                    return Some(bits / 8 + found);
                }
            }
        }
        None
    }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// BTF of `struct kernfs_node { int count; union { struct { long a; unsigned long id; }; }; }`, made by hand.
    fn sample() -> Vec<u8> {
        let strings = b"\0kernfs_node\0count\0id\0a\0int\0";
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
        let offsets = kernel_offsets(&sample());
        assert_eq!(offsets.kernfs_id, 16);
        assert_eq!(offsets.task_flags, UNKNOWN_OFFSET);
    }

    #[test]
    fn what_is_not_btf_gives_nothing() {
        assert_eq!(kernel_offsets(b""), KernelOffsets::UNKNOWN);
        assert_eq!(kernel_offsets(b"\x7fELF and so on, at some length"), KernelOffsets::UNKNOWN);
    }

    proptest! {
        #[test]
        fn damaged_btf_never_panics(cut in 0..200usize, at in 0..200usize, byte: u8) {
            let mut btf = sample();
            let length = btf.len();
            btf[at % length] = byte;
            btf.truncate(length.saturating_sub(cut));
            kernel_offsets(&btf);
        }
    }
}
