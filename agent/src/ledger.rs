//! What is kept of the past, and how does it survive?
//!
//! One `SQLite` file in the state folder (WAL, so that reports can be made while the agent writes): energy in buckets of ten
//! seconds for everybody who was charged, and one row for each transcode that ended. The bucket that is being filled is written
//! at every tick, with its totals so far: writing it again changes nothing, and an agent that is killed loses one tick at most.

mod read;
mod scenarios;
mod schema;
mod write;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags};

use crate::clock::WallTime;
use crate::model::joined::EnergyBasis;
use crate::model::scenario::Quality;
use crate::units::{CpuTime, MicroJoules};

pub use read::{Group, Grouping, Past};
pub use write::{Buckets, scenarios};

/// Name of the file in the state folder.
const FILE: &str = "ledger.db";

/// Length of a bucket in seconds. RAPL's error over it is nothing, and a year of them still fits.
pub const BUCKET_SECONDS: i64 = 10;

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
}

/// A transcode that ended.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TranscodeRow {
    /// Its key.
    pub key: String,
    /// When it began.
    pub started: WallTime,
    /// When it ended.
    pub ended: WallTime,
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
}

impl Ledger {
    /// Opens the ledger of a state folder for writing; makes it when there is none. One that is damaged is moved aside and a new
    /// one begun: the second value says so.
    pub fn open(folder: &Path, now: WallTime) -> Result<(Self, Option<String>), LedgerError> {
        let path = folder.join(FILE);
        match Self::open_file(path.clone(), OpenFlags::default()) {
            Err(LedgerError::Database { cause, .. }) if is_damaged(&cause) => {
                let aside = folder.join(format!("{FILE}.damaged-{:.0}", now.0));
                let finding = format!(
                    "{} is damaged ({cause}): moved to {}, a new one begun",
                    path.display(),
                    aside.display()
                );
                for suffix in ["", "-wal", "-shm"] {
                    let with = |path: &Path| PathBuf::from(format!("{}{suffix}", path.display()));
                    // The side files need not be there.
                    let _ = fs::rename(with(&path), with(&aside));
                }
                Ok((Self::open_file(path, OpenFlags::default())?, Some(finding)))
            }
            result => Ok((result?, None)),
        }
    }

    /// Opens the ledger of a state folder for reading.
    pub fn open_for_reading(folder: &Path) -> Result<Self, LedgerError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Err(LedgerError::Missing { path });
        }
        // Not read-only in SQLite's sense: a reader of a WAL file keeps its index beside it.
        Self::open_file(path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)
    }

    fn open_file(path: PathBuf, flags: OpenFlags) -> Result<Self, LedgerError> {
        let failed = |cause| LedgerError::Database { path: path.clone(), cause };
        let mut connection = Connection::open_with_flags(&path, flags).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        schema::prepare(&mut connection, &path)?;
        Ok(Self { path, connection })
    }

    fn failed(&self, cause: rusqlite::Error) -> LedgerError {
        LedgerError::Database { path: self.path.clone(), cause }
    }
}

fn is_damaged(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt))
}

#[cfg(test)]
mod tests;
