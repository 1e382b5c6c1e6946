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
pub(crate) use read::Group;
pub use read::Grouping;
pub(crate) use transcodes::State;
pub(crate) use write::{Refused, scenarios};

/// Name of the file in the state folder.
const FILE: &str = "ledger.db";

/// Beside it: whose it is.
const LOCK_FILE: &str = "ledger.lock";

/// Length of a bucket in seconds. RAPL's error over it is nothing, and a year of them still fits.
pub(crate) const BUCKET_SECONDS: i64 = 10;

/// How long a reader and the writer wait for each other.
const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// Why there is no ledger, or it cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// Nobody has written one yet.
    #[error("there is no ledger {path}: run the agent with this state folder first", path = path.display())]
    Missing {
        /// Where it would be.
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
        /// Its version.
        found: i64,
        /// The newest version that is known.
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
        /// Its version.
        found: i64,
    },
    /// Another program keeps the WAL from being written back.
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
    /// It cannot be made one's own.
    #[error("the ledger's lock {path}", path = path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why not.
        #[source]
        cause: io::Error,
    },
    /// `SQLite` says no.
    #[error("the ledger {path}", path = path.display())]
    Database {
        /// Its path.
        path: PathBuf,
        /// Why.
        #[source]
        cause: rusqlite::Error,
    },
}

/// The past, open for writing or only for reading.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    connection: Connection,
    /// The format's version: the newest, unless it is only read.
    version: i64,
    /// The file that is open, by device and inode.
    file: Option<(u64, u64)>,
    /// Held for as long as this is the one that writes; the kernel lets go of it with the process.
    _lock: Option<File>,
}

/// A transcode: one that ended, or one that runs with its totals so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TranscodeRow {
    /// Its key.
    pub key: String,
    /// When it began.
    pub started: WallTime,
    /// When it ended; of one that runs, the moment of which its totals are.
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
    /// Whether the joules were measured.
    pub basis: Option<EnergyBasis>,
    /// Frames it has put out.
    pub frames: Option<u64>,
    /// How good they are.
    pub quality: Quality,
    /// Start of the observation; `None` where that is its own start.
    pub observed_from: Option<WallTime>,
    /// Time of its life in which no agent observed it.
    pub unobserved: Duration,
    /// What it has put out while it was observed. Pixels are not written down.
    pub seen: SeenOutput,
    /// Its process.
    pub process: Option<ProcessIdentity>,
}

impl Ledger {
    /// Opens the ledger of a state folder for writing; makes it when there is none. One that is damaged is moved aside and a new
    /// one begun: the second value says so.
    pub fn open(folder: &Path, now: WallTime) -> Result<(Self, Option<String>), LedgerError> {
        let path = folder.join(FILE);
        let lock = lock(folder, &path)?;
        let (opened, finding) = match Self::open_file(path, OpenFlags::default()) {
            Err(error) if error.is_damage() => {
                let aside = set_aside(folder, now);
                let finding = format!("{error} is damaged: moved to {}, a new one begun", aside.display());
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

    /// Whether the file that is open is still the one at its path. One that was removed can be written for ever, and nobody will
    /// see it.
    pub fn is_in_place(&self) -> bool {
        self.file.is_some() && identity(&self.path) == self.file
    }

    /// Closes it; the folder it is in.
    pub fn close(self) -> PathBuf {
        self.path.parent().map(Path::to_path_buf).unwrap_or_default()
    }

    fn failed(&self, cause: rusqlite::Error) -> LedgerError {
        LedgerError::Database { path: self.path.clone(), cause }
    }
}

impl LedgerError {
    /// Whether the file is no database, or no longer one.
    pub fn is_damage(&self) -> bool {
        let Self::Database { cause, .. } = self else { return false };
        matches!(cause.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
    }
}

/// Moves a damaged ledger out of the way, for whoever may want to look at it. Nobody may have it open.
pub(crate) fn set_aside(folder: &Path, now: WallTime) -> PathBuf {
    let (path, aside) = (folder.join(FILE), folder.join(format!("{FILE}.damaged-{:.0}", now.0)));
    for suffix in ["", "-wal", "-shm"] {
        // The side files need not be there.
        let _ = fs::rename(beside(&path, suffix), beside(&aside, suffix));
    }
    aside
}

/// A file of the same name with something added to it, as `SQLite` names its side files.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Two that write would each write over the other's buckets.
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
