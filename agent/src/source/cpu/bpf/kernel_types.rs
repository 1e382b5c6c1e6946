//! Gives aya the only kernel types that it needs, so that it does not parse all of them.
//!
//! aya parses the whole of the kernel's BTF when it makes a loader, 20 MB in 10^5 allocations, and has no option against it. Whether a C
//! library ever returns that memory depends on what else was freed before.

use std::collections::BTreeMap;
use std::thread;

use aya::{Btf, BtfError, EbpfLoader, Endianness};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

/// `struct btf_header`.
const HEADER: [u32; 2] = [0x0001_eb9f, 24];
const TYPE_SIZE: u32 = 12;
const KIND_FORWARD: u32 = 7 << 24;

/// All system calls that open a file by its name.
#[cfg(target_arch = "x86_64")]
const OPEN: &[i64] = &[libc::SYS_open, libc::SYS_openat, libc::SYS_openat2];
#[cfg(not(target_arch = "x86_64"))]
const OPEN: &[i64] = &[libc::SYS_openat, libc::SYS_openat2];

/// A loader without the kernel's types. A separate thread, which may open no file, makes it: aya works without files that it cannot read.
pub(super) fn loader<'a>() -> EbpfLoader<'a> {
    let make = || {
        if let Err(error) = forbid_open() {
            tracing::debug!("the start takes more memory than it needs: {error}");
        }
        let mut loader = EbpfLoader::new();
        // Types that were read all the same are dropped.
        loader.btf(None);
        loader
    };
    thread::scope(|scope| match scope.spawn(make).join() {
        Ok(loader) => loader,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}

/// Forbids opening files until the thread ends.
fn forbid_open() -> Result<(), seccompiler::Error> {
    let rules: BTreeMap<_, _> = OPEN.iter().map(|call| (*call, Vec::new())).collect();
    let refusal = SeccompAction::Errno(libc::EACCES as u32);
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, refusal, std::env::consts::ARCH.try_into()?)?;
    apply_filter(&BpfProgram::try_from(filter)?)
}

/// A kind of type.
#[derive(Clone, Copy, Debug)]
pub(super) enum TypeKind {
    Typedef = 8,
    Function = 12,
}

/// Types in which one has the number that the kernel gives it; those before it have no names.
pub(super) fn only_type(kind: TypeKind, name: &str, number: u32) -> Result<Btf, BtfError> {
    let strings = [&[0], name.as_bytes(), &[0]].concat();
    let types = TYPE_SIZE * number;
    let mut words = HEADER.to_vec();
    words.extend([0, types, types, strings.len() as u32]);
    for _ in 1..number {
        words.extend([0, KIND_FORWARD, 0]);
    }
    words.extend([1, (kind as u32) << 24, 0]);
    let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).chain(strings).collect();
    Btf::parse(&bytes, Endianness::Little)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::source::cpu::btf::{KernelTypes, Wanted};

    #[test]
    fn a_type_stands_at_its_number() {
        let wanted =
            Wanted { typedef: "btf_trace_sched_switch", function: "bpf_iter_task_file", controller: None };
        let read = |kind, name| {
            let btf = only_type(kind, name, 10_300).unwrap();
            let types = KernelTypes::read(Cursor::new(btf.to_bytes()), wanted).unwrap();
            (types.typedef, types.function)
        };
        assert_eq!(read(TypeKind::Typedef, wanted.typedef), (Some(10_300), None));
        assert_eq!(read(TypeKind::Function, wanted.function), (None, Some(10_300)));
    }

    #[test]
    fn nobody_else_is_kept_from_opening_files() {
        drop(loader());
        assert!(std::fs::read("/proc/self/comm").is_ok());
    }
}
