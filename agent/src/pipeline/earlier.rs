//! Continues transcodes of the agent's previous run: an encoder that still runs keeps its key and its totals from the ledger.
//!
//! A process is recognised by its number, its start time and the boot: a number alone is used again.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use agent_core::model::cpu::ProcessId;
use agent_core::model::transcode::{EarlierTranscode, ProcessIdentity};

use crate::error::chain;
use crate::host::HostRoots;
use crate::ledger::{Ledger, LedgerError};

/// Transcodes that have not been continued yet.
#[derive(Debug, Default)]
pub(super) struct EarlierTranscodes {
    boot: Option<Arc<str>>,
    known: HashMap<ProcessIdentity, EarlierTranscode>,
}

impl EarlierTranscodes {
    /// Reads them from the first of the state folders that has a ledger.
    pub(super) fn read(folders: &[PathBuf], roots: &HostRoots) -> Self {
        let boot = roots.boot_id().map(Arc::from);
        if boot.is_none() {
            tracing::info!(
                "no boot id in {}: after a restart, the agent starts new totals for transcodes that \
                 still run",
                roots.proc.display()
            );
        }
        let known = match Ledger::open_first_for_reading(folders).and_then(|ledger| ledger.running()) {
            Ok(running) => running,
            Err(LedgerError::Missing { .. }) => Vec::new(),
            Err(error) => {
                tracing::warn!("{}: running transcodes start with new totals", chain(&error));
                Vec::new()
            }
        };
        let with_process = |one: EarlierTranscode| Some((one.observation.process.clone()?, one));
        Self { boot, known: known.into_iter().filter_map(with_process).collect() }
    }

    /// The process with this number in procfs and this start time; `None` where the boot has no id.
    pub(super) fn identity(&self, process: ProcessId, start_time: u64) -> Option<ProcessIdentity> {
        Some(ProcessIdentity { process, birth: start_time, boot: self.boot.clone()? })
    }

    /// The transcode of the agent's previous run that a process belongs to.
    pub(super) fn take(&mut self, process: &ProcessIdentity) -> Option<EarlierTranscode> {
        self.known.remove(process)
    }
}
