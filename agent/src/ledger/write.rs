//! Writes ticks and transcodes into the ledger, deletes rows that are too old, and keeps the write-ahead log small.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::time::Duration;

use agent_core::join::subject::{Candidate, Subject};
use agent_core::time::WallTime;
use rusqlite::{ErrorCode, Transaction, params};

use crate::ledger::buckets::Bucket;
use crate::ledger::schema::first_slot;
use crate::ledger::transcodes::write_transcode;
use crate::ledger::{BUCKET_SECONDS, BUSY_TIMEOUT, Buckets, Ledger, LedgerError, TranscodeRow, beside};

/// The ledger counts CPU time in microseconds: no bill needs nanoseconds, and rows are a tenth smaller.
pub(super) const NANOSECONDS_PER_MICROSECOND: u64 = 1000;

/// Size of the write-ahead log above which nothing is written until it can be emptied. It stays at 4 MB unless a reader blocks it.
pub(super) const MOST_LOG: u64 = 64 << 20;

/// Rows that the database refused. All others were written.
#[derive(Debug, Default)]
pub struct Refused {
    /// Charges of a subject in a bucket, each counted once.
    pub charges: u64,
    /// Indexes of the transcodes.
    pub transcodes: Vec<usize>,
    /// Name of the first refused row, and the reason.
    pub first: Option<String>,
}

impl Refused {
    /// Notes a refused row; any other failure is returned, because it concerns all rows.
    fn note(&mut self, what: &str, cause: rusqlite::Error) -> rusqlite::Result<()> {
        if !is_of_row(&cause) {
            return Err(cause);
        }
        self.first.get_or_insert_with(|| format!("{what}: {cause}"));
        Ok(())
    }
}

/// Whether a failure concerns only the written row. `SQLite` then undoes that statement only, and the transaction continues.
fn is_of_row(error: &rusqlite::Error) -> bool {
    match error {
        rusqlite::Error::SqliteFailure(error, _) => matches!(
            error.code,
            ErrorCode::ConstraintViolation
                | ErrorCode::TypeMismatch
                | ErrorCode::TooBig
                | ErrorCode::ParameterOutOfRange
        ),
        rusqlite::Error::ToSqlConversionFailure(_) | rusqlite::Error::IntegralValueOutOfRange(..) => true,
        _ => false,
    }
}

impl Ledger {
    /// Writes all buckets, and the present state of transcodes. Writing it again changes nothing. A row that the database refuses
    /// costs that row only.
    pub fn record(
        &mut self,
        buckets: &mut Buckets,
        candidates: &HashMap<Subject, Option<String>>,
        transcodes: &[TranscodeRow],
    ) -> Result<Refused, LedgerError> {
        self.bound_log(MOST_LOG)?;
        for (start, bucket) in &mut buckets.open {
            if !bucket.is_whole {
                let moment = WallTime(*start as f64);
                bucket.add(self.past(moment, moment)?);
            }
        }
        let path = self.path.clone();
        let failed = |cause| LedgerError::Database { path: path.clone(), cause };
        let mut refused = Refused::default();
        let transaction = self.connection.transaction().map_err(failed)?;
        for (start, bucket) in &mut buckets.open {
            write_bucket(&transaction, *start, bucket, candidates, &mut refused).map_err(failed)?;
        }
        for (place, transcode) in transcodes.iter().enumerate() {
            if let Err(cause) = write_transcode(&transaction, transcode) {
                let what = format!("transcode {} of {}", transcode.key, transcode.workload);
                refused.note(&what, cause).map_err(failed)?;
                refused.transcodes.push(place);
            }
        }
        transaction.commit().map_err(failed)?;
        buckets.forget_written();
        Ok(refused)
    }

    /// Empties a write-ahead log that is larger than this. A log that a reader blocks is an error: it would grow as long
    /// as the reader blocks it.
    pub(super) fn bound_log(&self, most: u64) -> Result<(), LedgerError> {
        if self.log_bytes() <= most {
            return Ok(());
        }
        let failed = |cause| self.failed(cause);
        // Readers are not waited for: the next tick tries again.
        self.connection.busy_timeout(Duration::ZERO).map_err(failed)?;
        let emptied = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get(0));
        self.connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        let is_held: bool = emptied.map_err(failed)?;
        if is_held {
            let megabytes = self.log_bytes() >> 20;
            return Err(LedgerError::Held { path: self.path.clone(), megabytes });
        }
        Ok(())
    }

    /// Size of the write-ahead log.
    pub fn log_bytes(&self) -> u64 {
        fs::metadata(beside(&self.path, "-wal")).map_or(0, |log| log.len())
    }

    /// Deletes rows older than `max_age`, and the oldest hour at a time while the file is larger than `max_bytes`. Bounded work:
    /// regular calls are sufficient.
    pub fn prune(&mut self, now: WallTime, max_age: Duration, max_bytes: u64) -> Result<(), LedgerError> {
        let oldest = now.0 - max_age.as_secs_f64();
        self.drop_before(oldest as i64)?;
        if self.bytes()? > max_bytes {
            let first: Option<i64> = self
                .connection
                .query_row("SELECT min(start) FROM known", (), |row| row.get(0))
                .map_err(|cause| self.failed(cause))?;
            if let Some(first) = first {
                self.drop_before(first.saturating_add(3600))?;
            }
        }
        Ok(())
    }

    fn drop_before(&self, start: i64) -> Result<(), LedgerError> {
        for (statement, bound) in [
            ("DELETE FROM charge WHERE start < ?1", start),
            ("DELETE FROM bucket WHERE slot < ?1", first_slot(start)),
            ("DELETE FROM known WHERE start < ?1", start),
            ("DELETE FROM transcode WHERE ended < ?1", start),
            // A bucket that began before and is not over has charges left.
            ("DELETE FROM subject WHERE last < ?1", start.saturating_sub(BUCKET_SECONDS)),
            ("DELETE FROM scenario WHERE ended < ?1", start),
        ] {
            self.connection.execute(statement, [bound]).map_err(|cause| self.failed(cause))?;
        }
        Ok(())
    }

    /// Bytes in use: freed pages are used again.
    pub fn bytes(&self) -> Result<u64, LedgerError> {
        let number = |name: &str| -> Result<u64, LedgerError> {
            self.connection
                .query_row(&format!("PRAGMA {name}"), (), |row| row.get::<_, i64>(0))
                .map(|number| u64::try_from(number).unwrap_or(0))
                .map_err(|cause| self.failed(cause))
        };
        Ok((number("page_count")? - number("freelist_count")?) * number("page_size")?)
    }
}

fn write_bucket(
    transaction: &Transaction<'_>,
    start: i64,
    bucket: &mut Bucket,
    scenarios: &HashMap<Subject, Option<String>>,
    refused: &mut Refused,
) -> rusqlite::Result<()> {
    let mut known = transaction.prepare_cached(
        "INSERT INTO known (start, began, ended, measured) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (start) DO UPDATE SET began = min(began, ?2), ended = max(ended, ?3), measured = ?4",
    )?;
    known.execute(params![start, bucket.began, bucket.ended, bucket.is_measured])?;
    // Rows of an older version for this bucket are in it already, and are replaced with it.
    let mut drop = transaction.prepare_cached("DELETE FROM bucket WHERE slot >= ?1 AND slot < ?2")?;
    drop.execute([first_slot(start), first_slot(start + BUCKET_SECONDS)])?;
    let mut find = transaction.prepare_cached(
        "INSERT INTO subject (kind, name, short_id, scenario, last) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (kind, name, short_id) DO UPDATE SET scenario = ?4, last = max(last, ?5) RETURNING id",
    )?;
    let mut write = transaction.prepare_cached(
        "INSERT INTO charge (start, subject, energy, cpu) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (start, subject) DO UPDATE SET energy = ?3, cpu = ?4",
    )?;
    let mut bad = Vec::new();
    let mut rows = BTreeMap::new();
    for (subject, charge) in &bucket.charges {
        let (kind, name, short_id) = parts(subject);
        let scenario = scenarios.get(subject).and_then(Option::as_deref).unwrap_or_default();
        let id = find.query_row(params![kind, name, short_id, scenario, start], |row| row.get::<_, i64>(0));
        match id {
            Ok(id) => {
                rows.insert(id, (subject, charge));
            }
            Err(cause) => bad.push((subject, cause)),
        }
    }
    // In the order of the table, so that pages are filled one after the other.
    for (id, (subject, charge)) in rows {
        let microseconds = charge.cpu.0.div_ceil(NANOSECONDS_PER_MICROSECOND);
        if let Err(cause) = write.execute(params![start, id, number(charge.energy.0), number(microseconds)]) {
            bad.push((subject, cause));
        }
    }
    for (subject, cause) in bad {
        refused.note(&format!("{subject:?}"), cause)?;
        refused.charges += u64::from(bucket.refused.insert(subject.clone()));
    }
    Ok(())
}

/// A number for the database.
pub(super) fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// Kind, name and short id of a subject, for the table.
fn parts(subject: &Subject) -> (&'static str, &str, &str) {
    match subject {
        Subject::Host => ("host", "", ""),
        Subject::Workload { name, id } => ("workload", name, id),
        Subject::Transcode(key) => ("transcode", key, ""),
    }
}

/// Scenarios by subject, for [`Ledger::record`].
pub(crate) fn scenarios<'a>(
    candidates: impl Iterator<Item = &'a Candidate>,
) -> HashMap<Subject, Option<String>> {
    candidates.map(|candidate| (candidate.subject.clone(), candidate.scenario.clone())).collect()
}
