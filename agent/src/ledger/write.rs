//! How do ticks become rows?

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use rusqlite::{Transaction, params};

use crate::clock::WallTime;
use crate::join::history::{Charge, Tick};
use crate::join::subject::{Candidate, Subject};
use crate::ledger::schema::{SUBJECTS, slot};
use crate::ledger::{BUCKET_SECONDS, Ledger, LedgerError, Past, TranscodeRow};
use crate::model::joined::EnergyBasis;
use crate::model::transcode::Output;
use crate::units::{CpuTime, MicroJoules};

/// The ledger counts CPU time in microseconds: nobody bills nanoseconds, and rows are a tenth smaller.
pub(super) const NANOSECONDS_PER_MICROSECOND: u64 = 1000;

/// Rows that wait for a disk that takes none: about five megabytes, and hours of a host with a dozen workloads.
const MOST_ROWS: usize = 50_000;

/// Buckets that are not all written yet.
#[derive(Debug, Default)]
pub struct Buckets {
    open: BTreeMap<i64, Bucket>,
    /// The one that is being filled.
    current: i64,
    lost: u64,
}

#[derive(Debug)]
struct Bucket {
    began: f64,
    ended: f64,
    charges: HashMap<Subject, Charge>,
    is_measured: bool,
    /// Whether it has in it what was written of it before: by an earlier run of the agent, or before the clock was set back.
    is_whole: bool,
}

impl Bucket {
    fn add(&mut self, past: Past) {
        for tick in past.ticks {
            self.began = self.began.min(tick.from.0);
            self.ended = self.ended.max(tick.to.0);
            for (subject, charge) in tick.charges {
                *self.charges.entry(subject).or_default() += charge;
            }
        }
        self.is_measured &= past.basis != Some(EnergyBasis::Modelled);
        self.is_whole = true;
    }
}

impl Buckets {
    /// Adds a tick. One that reaches into the next bucket is split by time; not a microjoule is lost by it.
    pub fn add(&mut self, tick: &Tick, basis: EnergyBasis) {
        let first = start_of(tick.from);
        let last = start_of(tick.to);
        let mut left: HashMap<&Subject, Charge> =
            tick.charges.iter().map(|(subject, charge)| (subject, *charge)).collect();
        let mut start = first;
        while start <= last {
            let from = tick.from.0.max(start as f64);
            let to = tick.to.0.min((start + BUCKET_SECONDS) as f64);
            if to > from {
                let bucket = self.open.entry(start).or_insert_with(|| Bucket {
                    began: from,
                    ended: to,
                    charges: HashMap::new(),
                    is_measured: basis == EnergyBasis::Measured,
                    is_whole: false,
                });
                bucket.ended = bucket.ended.max(to);
                let part = if to >= tick.to.0 { None } else { Some((to - from) / (tick.to.0 - tick.from.0)) };
                for (subject, charge) in &tick.charges {
                    let Some(left) = left.get_mut(subject) else { continue };
                    // The last bucket takes what is left.
                    let share = part.map_or(*left, |part| part_of(*charge, part));
                    *left = Charge {
                        energy: left.energy.saturating_sub(share.energy),
                        cpu: left.cpu.saturating_sub(share.cpu),
                    };
                    *bucket.charges.entry(subject.clone()).or_default() += share;
                }
            }
            self.current = start;
            self.drop_surplus();
            // An agent that was stopped has a tick of hours: its buckets are made once each.
            start += BUCKET_SECONDS;
        }
    }

    /// How many wait to be written, beside the one that is being filled.
    pub fn waiting(&self) -> u64 {
        self.open.keys().filter(|start| **start != self.current).count() as u64
    }

    /// How many were given up, because nothing could be written for too long.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Forgets what is written and over.
    fn forget_written(&mut self) {
        self.open.retain(|bucket, _| *bucket == self.current);
    }

    /// Memory is bounded, whatever the disk does: the oldest goes.
    fn drop_surplus(&mut self) {
        let mut rows: usize = self.open.values().map(|bucket| bucket.charges.len()).sum();
        while rows > MOST_ROWS && self.open.len() > 1 {
            let Some((_, dropped)) = self.open.pop_first() else { break };
            rows -= dropped.charges.len();
            self.lost += 1;
        }
    }
}

impl Ledger {
    /// Writes what is in the buckets and transcodes that ended, all or nothing. Writing it again changes nothing.
    pub fn record(
        &mut self,
        buckets: &mut Buckets,
        candidates: &HashMap<Subject, Option<String>>,
        transcodes: &[TranscodeRow],
    ) -> Result<(), LedgerError> {
        for (start, bucket) in &mut buckets.open {
            if !bucket.is_whole {
                let moment = WallTime(*start as f64);
                bucket.add(self.past(moment, moment)?);
            }
        }
        let path = self.path.clone();
        let failed = |cause| LedgerError::Database { path: path.clone(), cause };
        let transaction = self.connection.transaction().map_err(failed)?;
        for (start, bucket) in &buckets.open {
            write_bucket(&transaction, *start, bucket, candidates).map_err(failed)?;
        }
        for transcode in transcodes {
            write_transcode(&transaction, transcode).map_err(failed)?;
        }
        transaction.commit().map_err(failed)?;
        buckets.forget_written();
        Ok(())
    }

    /// Drops what is older than `max_age`, and the oldest hour at a time while the file is larger than `max_bytes`. Bounded work:
    /// called now and then, it keeps up.
    pub fn prune(&mut self, now: WallTime, max_age: Duration, max_bytes: u64) -> Result<(), LedgerError> {
        let oldest = now.0 - max_age.as_secs_f64();
        self.drop_before(oldest as i64)?;
        if self.bytes()? > max_bytes {
            let first: Option<i64> = self
                .connection
                .query_row("SELECT min(start) FROM known", (), |row| row.get(0))
                .map_err(|cause| self.failed(cause))?;
            if let Some(first) = first {
                self.drop_before(first + 3600)?;
            }
        }
        Ok(())
    }

    fn drop_before(&self, start: i64) -> Result<(), LedgerError> {
        for (statement, bound) in [
            ("DELETE FROM bucket WHERE slot < ?1", slot(start, 0)),
            ("DELETE FROM known WHERE start < ?1", start),
            ("DELETE FROM transcode WHERE ended < ?1", start),
            ("DELETE FROM subject WHERE last < ?1", start),
            ("DELETE FROM scenario WHERE ended < ?1", start),
        ] {
            self.connection.execute(statement, [bound]).map_err(|cause| self.failed(cause))?;
        }
        Ok(())
    }

    /// Bytes in use: pages that were freed are used again.
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
    bucket: &Bucket,
    scenarios: &HashMap<Subject, Option<String>>,
) -> rusqlite::Result<()> {
    let mut known = transaction.prepare_cached(
        "INSERT INTO known (start, began, ended, measured) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (start) DO UPDATE SET began = min(began, ?2), ended = max(ended, ?3), measured = ?4",
    )?;
    known.execute(params![start, bucket.began, bucket.ended, bucket.is_measured])?;
    let mut find = transaction.prepare_cached(
        "INSERT INTO subject (kind, name, short_id, scenario, last) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (kind, name, short_id) DO UPDATE SET scenario = ?4, last = ?5 RETURNING id",
    )?;
    let mut write = transaction.prepare_cached(
        "INSERT INTO bucket (slot, energy, cpu) VALUES (?1, ?2, ?3)
         ON CONFLICT (slot) DO UPDATE SET energy = ?2, cpu = ?3",
    )?;
    let mut rows = BTreeMap::new();
    for (subject, charge) in &bucket.charges {
        let (kind, name, short_id) = parts(subject);
        let scenario = scenarios.get(subject).and_then(Option::as_deref).unwrap_or_default();
        let id: i64 = find.query_row(params![kind, name, short_id, scenario, start], |row| row.get(0))?;
        if id >= SUBJECTS {
            return Err(rusqlite::Error::IntegralValueOutOfRange(0, id));
        }
        rows.insert(id, charge);
    }
    // In the order of the table: pages are filled one after the other.
    for (id, charge) in rows {
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let microseconds = charge.cpu.0.div_ceil(NANOSECONDS_PER_MICROSECOND);
        write.execute(params![slot(start, id), number(charge.energy.0), number(microseconds)])?;
    }
    Ok(())
}

fn write_transcode(transaction: &Transaction<'_>, row: &TranscodeRow) -> rusqlite::Result<()> {
    let mut write = transaction.prepare_cached(
        "INSERT INTO transcode
         (key, started, ended, workload, scenario, codec, preset, resolution, exit, energy, cpu, measured,
          frames, vmaf, psnr, ssim)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
         ON CONFLICT DO UPDATE SET
         ended = ?3, workload = ?4, scenario = ?5, codec = ?6, preset = ?7, resolution = ?8, exit = ?9, energy = ?10,
         cpu = ?11, measured = ?12, frames = coalesce(?13, frames), vmaf = coalesce(?14, vmaf),
         psnr = coalesce(?15, psnr), ssim = coalesce(?16, ssim)",
    )?;
    write.execute(params![
        row.key,
        row.started.0,
        row.ended.0,
        row.workload,
        row.scenario,
        row.codec,
        row.preset,
        row.resolution,
        row.exit,
        i64::try_from(row.energy.0).unwrap_or(i64::MAX),
        i64::try_from(row.cpu.0).unwrap_or(i64::MAX),
        row.basis.map(|basis| basis == EnergyBasis::Measured),
        row.frames.map(|frames| i64::try_from(frames).unwrap_or(i64::MAX)),
        row.quality.vmaf.map(|vmaf| vmaf.0),
        row.quality.psnr.map(|psnr| psnr.0),
        row.quality.ssim.map(|ssim| ssim.0),
    ])?;
    Ok(())
}

impl Ledger {
    /// Writes down what a transcode has put out, if it has a row already.
    pub fn score(&mut self, key: &str, started: WallTime, output: &Output) -> Result<(), LedgerError> {
        let quality = output.quality;
        let written = self.connection.execute(
            "UPDATE transcode SET frames = coalesce(frames, ?3), vmaf = ?4, psnr = ?5, ssim = ?6 WHERE key = ?1 AND started = ?2",
            params![
                key,
                started.0,
                output.frames.map(|frames| i64::try_from(frames).unwrap_or(i64::MAX)),
                quality.vmaf.map(|vmaf| vmaf.0),
                quality.psnr.map(|psnr| psnr.0),
                quality.ssim.map(|ssim| ssim.0),
            ],
        );
        written.map(|_| ()).map_err(|cause| self.failed(cause))
    }
}

/// Kind, name and short id of a subject, as the table has them.
pub(super) fn parts(subject: &Subject) -> (&'static str, &str, &str) {
    match subject {
        Subject::Host => ("host", "", ""),
        Subject::Workload { name, id } => ("workload", name, id),
        Subject::Transcode(key) => ("transcode", key, ""),
    }
}

/// Scenarios by subject, as [`Ledger::record`] wants them.
pub fn scenarios<'a>(candidates: impl Iterator<Item = &'a Candidate>) -> HashMap<Subject, Option<String>> {
    candidates.map(|candidate| (candidate.subject.clone(), candidate.scenario.clone())).collect()
}

pub(super) fn start_of(time: WallTime) -> i64 {
    (time.0 as i64).div_euclid(BUCKET_SECONDS) * BUCKET_SECONDS
}

fn part_of(charge: Charge, part: f64) -> Charge {
    Charge {
        energy: MicroJoules((charge.energy.0 as f64 * part).floor() as u64),
        cpu: CpuTime((charge.cpu.0 as f64 * part).floor() as u64),
    }
}
