//! Stage 1: everything that reads the host, and the errors of reading.
//!
//! An error says what a failure *means* for the agent, not only what failed: see [`SourceError`].

pub(crate) mod cgroup_namespace;
pub(crate) mod cgroup_tree;
pub(crate) mod cpu;
pub(crate) mod energy;
pub(crate) mod engine;
pub(crate) mod gpu;
pub(crate) mod identity;
pub(crate) mod memory;
pub(crate) mod own_process;
pub(crate) mod peer;
pub(crate) mod read_search;
pub(crate) mod reservation;
pub(crate) mod results;

use std::io;
use std::path::Path;

use agent_core::model::health::Reason;

/// The reason why a source failed, by consequence.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The host does not have the source, or the process may not use it. Not a failure; the hint says how to get it.
    #[error("{what}")]
    Unavailable {
        /// Name of the missing thing.
        what: String,
        /// The command or setting that would provide it; empty when there is none.
        hint: String,
    },
    /// One reading failed. Counted; tried again at the next tick.
    #[error("cannot {doing}")]
    Transient {
        /// The attempted action: `read /sys/…/energy_uj`.
        doing: String,
        /// The error of the action.
        #[source]
        cause: io::Error,
    },
    /// The source returned invalid data. Counted, and logged once.
    #[error("{what}")]
    Broken {
        /// The problem, with name and value.
        what: String,
    },
}

impl SourceError {
    /// Shorthand for [`SourceError::Unavailable`].
    pub fn unavailable(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Unavailable { what: what.into(), hint: hint.into() }
    }

    /// Shorthand for [`SourceError::Transient`].
    pub fn transient(doing: impl Into<String>, cause: io::Error) -> Self {
        Self::Transient { doing: doing.into(), cause }
    }

    /// Shorthand for [`SourceError::Broken`].
    pub fn broken(what: impl Into<String>) -> Self {
        Self::Broken { what: what.into() }
    }

    /// The reason as a metric label: a closed set.
    pub fn reason(&self) -> Reason {
        match self {
            Self::Unavailable { .. } => Reason::Unavailable,
            Self::Broken { .. } => Reason::Broken,
            Self::Transient { cause, .. } => match cause.kind() {
                io::ErrorKind::PermissionDenied => Reason::Permission,
                io::ErrorKind::NotFound => Reason::Vanished,
                io::ErrorKind::TimedOut => Reason::Timeout,
                _ => Reason::Io,
            },
        }
    }

    /// The whole chain in one line.
    pub fn chain(&self) -> String {
        crate::error::chain(self)
    }

    /// The command or setting that would help; empty when there is none.
    pub fn hint(&self) -> &str {
        match self {
            Self::Unavailable { hint, .. } => hint,
            Self::Transient { .. } | Self::Broken { .. } => "",
        }
    }
}

/// Looks for the socket of a container engine, where `hint` says how it comes there. A socket that may not be looked at is no missing one.
pub(crate) fn look_for_socket(socket: &Path, hint: &str) -> Result<(), SourceError> {
    match std::fs::metadata(socket) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Err(SourceError::unavailable(format!("no socket at {}", socket.display()), hint))
        }
        Err(error) => Err(SourceError::transient(format!("look at {}", socket.display()), error)),
    }
}

/// The commands that give the needed capabilities to an agent of a user other than root. All users who may execute such a binary may read
/// the energy counters, so it is never executable for all.
pub(crate) const GRANT: &str = "start the systemd unit of the package, or run it as root, or as a binary of a group: \
    `F=$(command -v ffwatt); sudo groupadd -f ffwatt && sudo chgrp ffwatt $F && sudo chmod 0750 $F && \
    sudo setcap cap_bpf,cap_perfmon,cap_dac_read_search+ep $F`";
