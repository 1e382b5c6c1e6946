//! Registers of the processor (msr(4)) as a file system (FUSE): the eight bytes at the address of a register are its value.
//!
//! The addresses of AMD's energy registers are one apart, so no plain file can have them all. Needs root and `/dev/fuse`.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::Context;
use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEntry, ReplyOpen, Request,
};

/// Register of the energy unit of AMD's processors (`MSR_AMD_RAPL_POWER_UNIT`).
pub const AMD_UNIT: u64 = 0xC001_0299;

/// Energy of the CPU's core (`MSR_AMD_CORE_ENERGY_STATUS`).
pub const AMD_CORE: u64 = 0xC001_029A;

/// Energy of the CPU's package (`MSR_AMD_PKG_ENERGY_STATUS`).
pub const AMD_PACKAGE: u64 = 0xC001_029B;

/// Nothing is kept by the kernel: CPUs come and go.
const KEPT: Duration = Duration::ZERO;

/// The devices of some CPUs, in place of `/dev/cpu`.
#[derive(Debug)]
pub struct Registers {
    cpus: Cpus,
    /// It is unmounted when this is dropped.
    _session: BackgroundSession,
}

impl Registers {
    /// Mounts the devices below this folder in place of `/dev`. No CPU is on line.
    pub fn mount(devices: &Path) -> anyhow::Result<Self> {
        let folder = devices.join("cpu");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let cpus = Cpus::default();
        let mut config = Config::default();
        config.mount_options = vec![MountOption::RO, MountOption::FSName("msr".to_owned())];
        let session = fuser::spawn_mount(Devices(cpus.clone()), &folder, &config).with_context(|| {
            format!("cannot mount registers at {}, which needs root and /dev/fuse", folder.display())
        })?;
        Ok(Self { cpus, _session: session })
    }

    /// Sets a register of a CPU, which is on line from now on.
    pub fn set(&self, cpu: usize, address: u64, value: u64) {
        self.cpus.lock().entry(cpu).or_default().insert(address, value);
    }

    /// Takes a CPU off line.
    pub fn take_offline(&self, cpu: usize) {
        self.cpus.lock().remove(&cpu);
    }
}

/// The registers of each CPU that is on line, by address.
#[derive(Clone, Debug, Default)]
struct Cpus(Arc<Mutex<BTreeMap<usize, BTreeMap<u64, u64>>>>);

impl Cpus {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<usize, BTreeMap<u64, u64>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Errors as those of `msr_read()` (`arch/x86/kernel/msr.c`).
    fn read(&self, cpu: usize, address: u64, size: u32) -> Result<u64, Errno> {
        if size != 8 {
            return Err(Errno::EINVAL);
        }
        let cpus = self.lock();
        let registers = cpus.get(&cpu).ok_or(Errno::ENXIO)?;
        registers.get(&address).copied().ok_or(Errno::EIO)
    }
}

/// What a number of a file stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Node {
    Root,
    Folder(usize),
    Device(usize),
}

impl Node {
    fn number(self) -> INodeNo {
        INodeNo(match self {
            Self::Root => 1,
            Self::Folder(cpu) => 2 + 2 * cpu as u64,
            Self::Device(cpu) => 3 + 2 * cpu as u64,
        })
    }

    fn of(INodeNo(number): INodeNo) -> Self {
        let cpu = (number.saturating_sub(2) / 2) as usize;
        match number {
            0 | 1 => Self::Root,
            _ if number.is_multiple_of(2) => Self::Folder(cpu),
            _ => Self::Device(cpu),
        }
    }

    fn attributes(self) -> FileAttr {
        let (kind, perm) = match self {
            Self::Device(_) => (FileType::RegularFile, 0o600),
            Self::Root | Self::Folder(_) => (FileType::Directory, 0o755),
        };
        FileAttr {
            ino: self.number(),
            size: 0,
            blocks: 0,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind,
            perm,
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 512,
            flags: 0,
        }
    }
}

/// The file system.
struct Devices(Cpus);

impl Filesystem for Devices {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let name = name.to_str().unwrap_or_default();
        let found = match Node::of(parent) {
            Node::Root => name.parse().ok().map(Node::Folder),
            Node::Folder(cpu) => (name == "msr").then_some(Node::Device(cpu)),
            Node::Device(_) => None,
        };
        let is_online = |node: &Node| match node {
            Node::Root => true,
            Node::Folder(cpu) | Node::Device(cpu) => self.0.lock().contains_key(cpu),
        };
        match found.filter(is_online) {
            Some(node) => reply.entry(&KEPT, &node.attributes(), Generation(0)),
            None => reply.error(Errno::ENOENT),
        }
    }

    fn getattr(&self, _: &Request, number: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&KEPT, &Node::of(number).attributes());
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // Each read comes here, at the address and with the size that the reader has asked for.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        number: INodeNo,
        _: FileHandle,
        address: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let Node::Device(cpu) = Node::of(number) else { return reply.error(Errno::EISDIR) };
        match self.0.read(cpu, address, size) {
            Ok(value) => reply.data(&value.to_le_bytes()),
            Err(error) => reply.error(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_stands_for_one_file() {
        for node in [Node::Root, Node::Folder(0), Node::Device(0), Node::Folder(7), Node::Device(255)] {
            assert_eq!(Node::of(node.number()), node);
        }
    }

    #[test]
    fn a_register_is_read_whole_on_a_cpu_that_is_on_line() {
        let cpus = Cpus::default();
        cpus.lock().entry(1).or_default().insert(AMD_CORE, 7);
        assert_eq!(cpus.read(1, AMD_CORE, 8), Ok(7));
        assert_eq!(cpus.read(1, AMD_CORE, 4), Err(Errno::EINVAL));
        assert_eq!(cpus.read(1, AMD_PACKAGE, 8), Err(Errno::EIO));
        assert_eq!(cpus.read(0, AMD_CORE, 8), Err(Errno::ENXIO));
    }
}
