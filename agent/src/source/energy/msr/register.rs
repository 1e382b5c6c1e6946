//! Reads one register, on any CPU on which it can be read.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;

use rustix::io::Errno;

use super::super::meter::RawCounter;
use super::registers::MASK;
use crate::source::SourceError;

/// The CPUs that share a register.
#[derive(Clone, Debug)]
pub(super) struct Access {
    /// The folder of the devices, `<dev>/cpu`.
    pub(super) folder: PathBuf,
    /// CPUs on which the register can be read.
    pub(super) cpus: Vec<usize>,
}

impl Access {
    /// Reads all bits of a register; `None` when there is no CPU to read it on.
    pub(super) fn read_once(&self, register: u64) -> io::Result<Option<u64>> {
        Ok(self.open(register)?.map(|(_, value)| value))
    }

    /// Finds a CPU on which the register can be read. Devices of CPUs that are off line are missing (ENOENT) or refuse to be
    /// opened (ENXIO; `msr_open()`, `arch/x86/kernel/msr.c`).
    fn open(&self, register: u64) -> io::Result<Option<(File, u64)>> {
        let mut failure = None;
        for cpu in &self.cpus {
            let device = self.folder.join(cpu.to_string()).join("msr");
            match File::open(device).and_then(|file| Ok((read(&file, register)?, file))) {
                Ok((value, file)) => return Ok(Some((file, value))),
                Err(error) if is_offline(&error) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(None), Err)
    }
}

/// A register that counts.
#[derive(Debug)]
pub(super) struct Register {
    access: Access,
    register: u64,
    /// The device of the last reading.
    file: Option<File>,
}

impl Register {
    /// A register that is opened at its first reading.
    pub(super) fn new(access: Access, register: u64) -> Self {
        Self { access, register, file: None }
    }
}

impl RawCounter for Register {
    fn read(&mut self) -> Result<Option<u64>, SourceError> {
        if let Some(file) = self.file.take()
            && let Ok(value) = read(&file, self.register)
        {
            self.file = Some(file);
            return Ok(Some(value & MASK));
        }
        let found = self.access.open(self.register).map_err(|cause| {
            let (register, cpus, folder) = (self.register, &self.access.cpus, self.access.folder.display());
            SourceError::transient(format!("read register {register:#x} of CPU {cpus:?} in {folder}"), cause)
        })?;
        Ok(found.map(|(file, value)| {
            self.file = Some(file);
            value & MASK
        }))
    }
}

/// Registers are read in eight bytes at their address (msr(4)), lowest first.
fn read(file: &File, register: u64) -> io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact_at(&mut bytes, register)?;
    Ok(u64::from_le_bytes(bytes))
}

fn is_offline(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || Errno::from_io_error(error) == Some(Errno::NXIO)
}

/// Whether the processor lacks the register: EIO, or the end of a file that stands for it.
pub(super) fn is_not_implemented(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::UnexpectedEof || Errno::from_io_error(error) == Some(Errno::IO)
}
