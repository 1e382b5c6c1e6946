//! Which tables are there, and how do older ones become these?

use std::path::Path;

use rusqlite::Connection;

use crate::ledger::{BUCKET_SECONDS, LedgerError};

/// One step each, from nothing to the newest version. Steps that have been released are never changed.
pub(super) const MIGRATIONS: [&str; 2] = ["
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
"];

/// Slots count from 2020 on: they are a byte shorter so.
const EPOCH: i64 = 1_577_836_800;

/// Subjects there can be: a slot has so much room for them.
pub(super) const SUBJECTS: i64 = 1 << 22;

/// The key of a bucket's first slot, and with a subject's id that of the subject's.
pub(super) fn slot(start: i64, subject: i64) -> i64 {
    (start - EPOCH).div_euclid(BUCKET_SECONDS) * SUBJECTS + subject
}

/// The bucket that a slot is of, and whose it is.
pub(super) fn bucket_of(slot: i64) -> (i64, i64) {
    (slot.div_euclid(SUBJECTS) * BUCKET_SECONDS + EPOCH, slot.rem_euclid(SUBJECTS))
}

/// Brings a file to the newest version.
pub(super) fn prepare(connection: &mut Connection, path: &Path) -> Result<(), LedgerError> {
    let failed = |cause| LedgerError::Database { path: path.to_path_buf(), cause };
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    let found: i64 = connection.query_row("PRAGMA user_version", (), |row| row.get(0)).map_err(failed)?;
    if found > known {
        return Err(LedgerError::Newer { path: path.to_path_buf(), found, known });
    }
    // A crash of the machine may cost the last transactions, never the file: https://www.sqlite.org/wal.html
    connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;").map_err(failed)?;
    for (version, migration) in (1..).zip(MIGRATIONS).skip(usize::try_from(found).unwrap_or(0)) {
        let transaction = connection.transaction().map_err(failed)?;
        transaction.execute_batch(migration).map_err(failed)?;
        transaction.pragma_update(None, "user_version", version).map_err(failed)?;
        transaction.commit().map_err(failed)?;
    }
    Ok(())
}
