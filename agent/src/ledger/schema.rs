//! Tables of the ledger, and migrations of older files to them.

use std::path::Path;

use agent_core::time::WallTime;
use rusqlite::Connection;

use crate::ledger::{BUCKET_SECONDS, LedgerError};

/// One step each, from nothing to the newest version. Steps that have been released are never changed.
pub(super) const MIGRATIONS: [&str; 4] = ["
    CREATE TABLE subject (
        id INTEGER PRIMARY KEY,
        kind TEXT NOT NULL,          -- host, workload, transcode
        name TEXT NOT NULL,
        short_id TEXT NOT NULL,
        scenario TEXT NOT NULL,
        last INTEGER NOT NULL,       -- start of the last bucket with a row of it
        UNIQUE (kind, name, short_id)
    ) STRICT;
    -- Whom nothing was charged to has no row. One key of two numbers, so that rows are appended to full pages.
    CREATE TABLE bucket (
        slot INTEGER PRIMARY KEY,    -- (start - 1577836800) / 10 * 2^22 + subject
        energy INTEGER NOT NULL,     -- microjoules
        cpu INTEGER NOT NULL         -- microseconds
    ) STRICT;
    -- Which part of a bucket the agent was there for.
    CREATE TABLE known (
        start INTEGER PRIMARY KEY,   -- seconds since 1970, a multiple of 10
        began REAL NOT NULL,
        ended REAL NOT NULL,
        measured INTEGER NOT NULL
    ) STRICT;
    CREATE TABLE transcode (
        key TEXT NOT NULL,
        started REAL NOT NULL,
        ended REAL NOT NULL,
        workload TEXT NOT NULL,
        scenario TEXT NOT NULL,
        codec TEXT NOT NULL,
        preset TEXT NOT NULL,
        resolution TEXT NOT NULL,
        exit INTEGER,
        energy INTEGER NOT NULL,
        cpu INTEGER NOT NULL,
        measured INTEGER,
        PRIMARY KEY (key, started)
    ) STRICT, WITHOUT ROWID;
    -- What a scenario was found to have been charged, tick by tick: finer than its buckets.
    CREATE TABLE scenario (
        run TEXT NOT NULL,
        name TEXT NOT NULL,
        began REAL NOT NULL,
        ended REAL NOT NULL,
        energy INTEGER NOT NULL,
        cpu INTEGER,
        deviation REAL,
        host REAL,
        matched TEXT NOT NULL,
        measured INTEGER NOT NULL,
        PRIMARY KEY (run, name, began, ended)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX transcode_by_end ON transcode (ended);
", "
    -- What a transcode has put out, and how good that is; NULL where nobody knows.
    ALTER TABLE transcode ADD COLUMN frames INTEGER;
    ALTER TABLE transcode ADD COLUMN vmaf REAL;
    ALTER TABLE transcode ADD COLUMN psnr REAL;
    ALTER TABLE transcode ADD COLUMN ssim REAL;
", "
    -- In place of `bucket`, which has room for 2^22 subjects only: its rows stay where they are, are read, and age. Nothing is copied,
    -- so that a large ledger or a full disk does not hold up the start.
    CREATE TABLE charge (
        start INTEGER NOT NULL,      -- of the bucket, as in `known`
        subject INTEGER NOT NULL,
        energy INTEGER NOT NULL,     -- microjoules
        cpu INTEGER NOT NULL,        -- microseconds
        PRIMARY KEY (start, subject)
    ) STRICT, WITHOUT ROWID;
    -- running: its totals so far, `ended` is the last moment of which they are known. lost: it ended while no agent observed it.
    ALTER TABLE transcode ADD COLUMN state TEXT NOT NULL DEFAULT 'ended';
    ALTER TABLE transcode ADD COLUMN observed_from REAL; -- NULL: from its start
    ALTER TABLE transcode ADD COLUMN unobserved REAL NOT NULL DEFAULT 0; -- seconds of its life
    -- Output that was put out while it was observed, and the energy it was charged for that.
    ALTER TABLE transcode ADD COLUMN seen_energy INTEGER;
    ALTER TABLE transcode ADD COLUMN seen_frames INTEGER;
    ALTER TABLE transcode ADD COLUMN seen_seconds REAL;
    -- Which process it is: together unique, while numbers are used again.
    ALTER TABLE transcode ADD COLUMN process INTEGER;
    ALTER TABLE transcode ADD COLUMN birth INTEGER;
    ALTER TABLE transcode ADD COLUMN boot TEXT;
    CREATE INDEX transcode_running ON transcode (state) WHERE state = 'running';
    -- What the file named when the scenario was matched; empty: nothing, NULL: not known.
    ALTER TABLE scenario ADD COLUMN container TEXT;
    ALTER TABLE scenario ADD COLUMN transcode TEXT;
", "
    ALTER TABLE transcode ADD COLUMN vmaf_model TEXT; -- NULL where it is not known
"];

/// The oldest version that can be read without a migration.
const OLDEST_READABLE: i64 = 2;

/// The version with `charge` in place of `bucket`, and with the states of transcodes.
pub(super) const WITH_CHARGES: i64 = 3;

/// The version with the VMAF models of transcodes.
pub(super) const WITH_MODELS: i64 = 4;

/// Charges of the buckets from ?1 to before ?2, which are the slots from ?3 to before ?4 of the older table.
const OLD_CHARGES: &str =
    "SELECT (slot / 4194304) * 10 + 1577836800 AS start, slot % 4194304 AS subject, energy, cpu
     FROM bucket WHERE slot >= ?3 AND slot < ?4";
const CHARGES: &str =
    "SELECT start, subject, energy, cpu FROM charge WHERE start >= ?1 AND start < ?2 UNION ALL";

/// The query for the charges of a window, in a file of this version.
pub(super) fn charges(version: i64) -> String {
    if version >= WITH_CHARGES { format!("{CHARGES} {OLD_CHARGES}") } else { OLD_CHARGES.to_owned() }
}

/// Start of the bucket of a time.
pub(super) fn start_of(time: WallTime) -> i64 {
    (time.0 as i64).div_euclid(BUCKET_SECONDS).saturating_mul(BUCKET_SECONDS)
}

/// Slots of the older table count from 2020 on.
const EPOCH: i64 = 1_577_836_800;

/// Number of subjects in a slot.
const SUBJECTS: i64 = 1 << 22;

/// The first slot of a bucket in the older table.
pub(super) fn first_slot(start: i64) -> i64 {
    (start - EPOCH).div_euclid(BUCKET_SECONDS).saturating_mul(SUBJECTS)
}

/// Page cache of the writer, a quarter of the default: it appends, and hardly reads.
const CACHE_KIBIBYTES: u32 = 512;

/// Size of the WAL after it has been written back.
const WAL_KEPT: u64 = 4 << 20;

/// The version of a file that is only read.
pub(super) fn readable_version(connection: &Connection, path: &Path) -> Result<i64, LedgerError> {
    let found = version(connection, path)?;
    if found < OLDEST_READABLE {
        return Err(LedgerError::Older { path: path.to_path_buf(), found });
    }
    Ok(found)
}

/// A file's version; a newer one than supported is an error.
fn version(connection: &Connection, path: &Path) -> Result<i64, LedgerError> {
    let failed = |cause| LedgerError::Database { path: path.to_path_buf(), cause };
    let found: i64 = connection.query_row("PRAGMA user_version", (), |row| row.get(0)).map_err(failed)?;
    if found > NEWEST {
        return Err(LedgerError::Newer { path: path.to_path_buf(), found, known: NEWEST });
    }
    Ok(found)
}

/// The newest version.
pub(super) const NEWEST: i64 = WITH_MODELS;

/// Migrates a file to the newest version.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), LedgerError> {
    let failed = |cause| LedgerError::Database { path: path.to_path_buf(), cause };
    let found = version(connection, path)?;
    // A crash of the host may cost the last transactions, never the file: https://www.sqlite.org/wal.html
    let settings = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = {WAL_KEPT};
         PRAGMA wal_autocheckpoint = 1000; PRAGMA cache_size = -{CACHE_KIBIBYTES};"
    );
    connection.execute_batch(&settings).map_err(failed)?;
    for (version, migration) in (1..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or(0)) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(migration).map_err(failed)?;
        transaction.pragma_update(None, "user_version", version).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}
