//! Lists the open files of a device, of all processes: runs the eBPF program of the kernel's iterator over files.

use std::io::Read;

use agent_common::OpenFile;
use agent_core::model::cpu::ProcessId;
use aya::Ebpf;
use aya::programs::links::LinkError;
use aya::programs::{Iter, ProgramError};

use super::kernel_types::{TypeKind, only_type};
use crate::error::chain;
use crate::source::cpu::DeviceFile;
use crate::source::cpu::btf::KernelTypes;

/// The program, and the kernel's iterator.
const PROGRAM: &str = "device_files";
const ITERATOR: &str = "task_file";

/// Most files of a device on a host; ends an endless list.
const MOST_BYTES: u64 = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub(super) enum ListError {
    #[error("the eBPF object has no program {PROGRAM:?}")]
    NoProgram,
    #[error("cannot start the list of open files")]
    Start(#[from] ProgramError),
    #[error("cannot open the list of open files")]
    Open(#[from] LinkError),
    #[error("cannot read the list of open files")]
    Read(#[from] std::io::Error),
}

/// Name of the kernel's function that gives the program its type.
pub(super) fn kernel_function() -> String {
    format!("bpf_iter_{ITERATOR}")
}

/// Whether there is such a list. Without it, files are looked for in procfs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileList {
    /// The program is loaded.
    Available,
    /// The kernel refuses the program, or no device is asked for.
    Unavailable,
}

impl FileList {
    /// Loads the program.
    pub(super) fn load(ebpf: &mut Ebpf, types: &KernelTypes) -> Self {
        let Some(function) = types.function.filter(|_| types.offsets.can_read_files()) else {
            return Self::Unavailable;
        };
        let loaded = only_type(TypeKind::Function, &kernel_function(), function)
            .map_err(ProgramError::from)
            .map_err(ListError::from)
            .and_then(|btf| Ok(program(ebpf)?.load(ITERATOR, &btf)?));
        match loaded {
            Ok(()) => Self::Available,
            Err(error) => {
                tracing::debug!("open files are not listed: {}", chain(&error));
                Self::Unavailable
            }
        }
    }
}

/// All open files of the device.
pub(super) fn list(ebpf: &mut Ebpf) -> Result<Vec<DeviceFile>, ListError> {
    let program = program(ebpf)?;
    let link = program.attach()?;
    let mut bytes = Vec::new();
    program.take_link(link)?.into_file()?.take(MOST_BYTES).read_to_end(&mut bytes)?;
    let (files, _) = bytes.as_chunks();
    let file = |bytes: &[u8; size_of::<OpenFile>()]| {
        let file = OpenFile::from_bytes(*bytes);
        DeviceFile { process: ProcessId(file.tgid), descriptor: file.descriptor }
    };
    Ok(files.iter().map(file).collect())
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Iter, ListError> {
    ebpf.program_mut(PROGRAM).and_then(|program| program.try_into().ok()).ok_or(ListError::NoProgram)
}
