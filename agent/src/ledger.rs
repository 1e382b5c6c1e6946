//! The history on disk: energy in buckets of ten seconds for every subject that was charged, and one row for each transcode.
//!
//! One `SQLite` file in the state folder (WAL, so that reports can be made while the agent writes). The bucket that is being filled
//! and the transcodes that run are written at every tick, with their totals so far: writing them again changes nothing, and an agent
//! that is killed loses one tick at most. A row that the database refuses costs that row only.

mod buckets;
mod past;
mod read;
mod reading;
mod scenarios;
mod schema;
mod timeline;
mod transcodes;
mod write;

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use agent_core::model::joined::EnergyBasis;
use agent_core::model::scenario::Quality;
use agent_core::model::transcode::{ProcessIdentity, SeenOutput};
use agent_core::time::WallTime;
use agent_core::units::{CpuTime, MicroJoules};
use rusqlite::{Connection, ErrorCode, OpenFlags};
use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

pub use buckets::Buckets;
pub use read::Grouping;
pub(crate) use read::{Group, GroupScore};
pub(crate) use timeline::{Timeline, TimelineStep};
pub(crate) use transcodes::{MOST_REPORTED, State, TranscodesOf};
pub(crate) use write::{Refused, scenarios};

/// Name of the file in the state folder.
const FILE: &str = "ledger.db";

/// Lock file beside it, held by the agent that writes.
const LOCK_FILE: &str = "ledger.lock";

/// Length of a bucket in seconds. RAPL's error over it is negligible, and a year of buckets still fits.
pub(crate) const BUCKET_SECONDS: i64 = 10;

/// Time that a reader and the writer wait for each other.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// The reason why there is no ledger, or it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// No ledger has been written yet.
    #[error("there is no ledger {path}: run the agent with this state folder first", path = path.display())]
    Missing {
        /// Its expected path.
        path: PathBuf,
    },
    /// A newer agent wrote it.
    #[error(
        "the ledger {path} is of version {found}, and this ffwatt knows up to {known}: use the newer ffwatt, or move the file away",
        path = path.display()
    )]
    Newer {
        /// Its path.
        path: PathBuf,
        /// Version of the file.
        found: i64,
        /// The newest supported version.
        known: i64,
    },
    /// A version before the first release wrote it.
    #[error(
        "the ledger {path} is of version {found}, which is older than any release: run the agent with this state folder once, which brings it up to date",
        path = path.display()
    )]
    Older {
        /// Its path.
        path: PathBuf,
        /// Version of the file.
        found: i64,
    },
    /// Another program prevents the WAL from being written back.
    #[error(
        "the write-ahead log of the ledger {path} has {megabytes} MB, because another program holds a read transaction: nothing is written until that program ends (fuser {path})",
        path = path.display()
    )]
    Held {
        /// Its path.
        path: PathBuf,
        /// Size of the log.
        megabytes: u64,
    },
    /// Another agent writes it.
    #[error(
        "the ledger {path} is written by another ffwatt: give each a state folder of its own (--state-dir)",
        path = path.display()
    )]
    InUse {
        /// Its path.
        path: PathBuf,
    },
    /// It cannot be locked.
    #[error("the ledger's lock {path}", path = path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The error.
        #[source]
        cause: io::Error,
    },
    /// `SQLite` returned an error.
    #[error("the ledger {path}", path = path.display())]
    Database {
        /// Its path.
        path: PathBuf,
        /// The error.
        #[source]
        cause: rusqlite::Error,
    },
}

/// The ledger, open for writing or only for reading.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    connection: Connection,
    /// Version of the format: the newest, unless the ledger is only read.
    version: i64,
    /// The open file, by device and inode.
    file: Option<(u64, u64)>,
    /// Held as long as this agent writes the ledger; the kernel releases it with the process.
    _lock: Option<File>,
}

/// A transcode that has ended, or one that runs with its totals so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TranscodeRow {
    /// Its key.
    pub key: String,
    /// Start.
    pub started: WallTime,
    /// End; of a running transcode, the time of its totals.
    pub ended: WallTime,
    /// Whether it runs.
    pub state: State,
    /// Name of its workload.
    pub workload: String,
    /// The container's `ffwatt.scenario`.
    pub scenario: String,
    /// Encoder.
    pub codec: String,
    /// Preset.
    pub preset: String,
    /// Output sizes.
    pub resolution: String,
    /// Exit code, 128 plus the signal's number.
    pub exit: Option<i64>,
    /// Its energy.
    pub energy: MicroJoules,
    /// Its CPU time.
    pub cpu: CpuTime,
    /// Whether its energy was measured.
    pub basis: Option<EnergyBasis>,
    /// Frames of its output.
    pub frames: Option<u64>,
    /// Quality scores.
    pub quality: Quality,
    /// Start of the observation; `None` where that is its own start.
    pub observed_from: Option<WallTime>,
    /// Time of its life in which no agent observed it.
    pub unobserved: Duration,
    /// Output while it was observed. Pixels are not stored.
    pub seen: SeenOutput,
    /// Its process.
    pub process: Option<ProcessIdentity>,
}

impl Ledger {
    /// Opens the ledger of a state folder for writing; makes it when there is none. A damaged one is moved aside and a new
    /// one begun: then the second value is a message about it.
    pub fn open(folder: &Path, now: WallTime) -> Result<(Self, Option<String>), LedgerError> {
        let path = folder.join(FILE);
        let lock = lock(folder, &path)?;
        let (opened, finding) = match Self::open_file(path, OpenFlags::default()) {
            Err(error) if error.is_damage() => {
                let aside = set_aside(folder, now);
                let finding = format!(
                    "{error} is damaged: it was moved to {}, and a new ledger was created",
                    aside.display()
                );
                (Self::open_file(folder.join(FILE), OpenFlags::default())?, Some(finding))
            }
            result => (result?, None),
        };
        Ok((Self { _lock: Some(lock), ..opened }, finding))
    }

    fn open_file(path: PathBuf, flags: OpenFlags) -> Result<Self, LedgerError> {
        let failed = |cause| LedgerError::Database { path: path.clone(), cause };
        let mut connection = Connection::open_with_flags(&path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        schema::prepare(&mut connection, &path)?;
        let file = identity(&path);
        Ok(Self { path, connection, version: schema::NEWEST, file, _lock: None })
    }

    /// Whether the open file is still the one at its path. A removed file could be written for ever without any
    /// reader.
    pub fn is_in_place(&self) -> bool {
        self.file.is_some() && identity(&self.path) == self.file
    }

    /// Closes it; returns its folder.
    pub fn close(self) -> PathBuf {
        self.path.parent().map(Path::to_path_buf).unwrap_or_default()
    }

    fn failed(&self, cause: rusqlite::Error) -> LedgerError {
        LedgerError::Database { path: self.path.clone(), cause }
    }
}

impl LedgerError {
    /// Whether the file is not a database, or is damaged.
    pub fn is_damage(&self) -> bool {
        let Self::Database { cause, .. } = self else { return false };
        matches!(cause.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
    }
}

/// Moves a damaged ledger aside, for later analysis. The ledger must not be open.
pub(crate) fn set_aside(folder: &Path, now: WallTime) -> PathBuf {
    let (path, aside) = (folder.join(FILE), folder.join(format!("{FILE}.damaged-{:.0}", now.0)));
    for suffix in ["", "-wal", "-shm"] {
        // The side files may be missing.
        let _ = fs::rename(beside(&path, suffix), beside(&aside, suffix));
    }
    aside
}

/// The path of a file with a suffix, as `SQLite` names its side files.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Two writers would overwrite each other's buckets.
fn lock(folder: &Path, ledger: &Path) -> Result<File, LedgerError> {
    let path = folder.join(LOCK_FILE);
    let failed = |cause| LedgerError::Lock { path: path.clone(), cause };
    let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(Errno::WOULDBLOCK) => Err(LedgerError::InUse { path: ledger.to_path_buf() }),
        Err(cause) => Err(failed(cause.into())),
    }
}

fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

#[cfg(test)]
mod tests;
