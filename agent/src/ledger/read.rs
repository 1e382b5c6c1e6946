//! What does the ledger say of a window, and of all transcodes?

use std::collections::HashMap;

use rusqlite::{Row, params};

use crate::clock::WallTime;
use crate::join::figures::{self, Found};
use crate::join::history::{Charge, History, Tick};
use crate::join::subject::{Candidate, Subject};
use crate::ledger::schema::{bucket_of, slot};
use crate::ledger::write::{NANOSECONDS_PER_MICROSECOND, start_of};
use crate::ledger::{BUCKET_SECONDS, Ledger, LedgerError, TranscodeRow};
use crate::model::joined::EnergyBasis;
use crate::model::scenario::{Quality, Scenario};
use crate::units::{CpuTime, Decibels, MicroJoules, Ratio, Vmaf};

/// What was in a window and right beside it.
#[derive(Debug, Default)]
pub struct Past {
    /// Its buckets, as ticks.
    pub ticks: Vec<Tick>,
    /// Who was charged in it.
    pub candidates: Vec<Candidate>,
    /// Where its joules come from; measured only when all are.
    pub basis: Option<EnergyBasis>,
}

impl Past {
    /// A scenario's energy by it.
    pub fn find(self, scenario: &Scenario) -> Found {
        let basis = self.basis.unwrap_or(EnergyBasis::Modelled);
        figures::find(scenario, &History::of(self.ticks, self.candidates), basis)
    }
}

/// By what transcodes are put together in a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// By the container's `ffwatt.scenario`.
    Scenario,
    /// By encoder.
    Codec,
    /// By workload.
    Workload,
}

/// Transcodes put together.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// What they have in common.
    pub name: String,
    /// How many they are.
    pub transcodes: u64,
    /// Their time, added up.
    pub seconds: f64,
    /// Their energy.
    pub energy: MicroJoules,
    /// Their CPU time.
    pub cpu: CpuTime,
}

impl Ledger {
    /// The buckets that a window touches.
    pub fn past(&self, from: WallTime, to: WallTime) -> Result<Past, LedgerError> {
        self.read_past(start_of(from), start_of(to) + BUCKET_SECONDS).map_err(|cause| self.failed(cause))
    }

    fn read_past(&self, first: i64, end: i64) -> rusqlite::Result<Past> {
        let mut past = Past::default();
        let mut known = self.connection.prepare_cached(
            "SELECT start, began, ended, measured FROM known WHERE start >= ?1 AND start < ?2 ORDER BY start",
        )?;
        let mut places = HashMap::new();
        let mut rows = known.query(params![first, end])?;
        while let Some(row) = rows.next()? {
            places.insert(row.get::<_, i64>(0)?, past.ticks.len());
            let basis = if row.get(3)? { EnergyBasis::Measured } else { EnergyBasis::Modelled };
            past.basis = Some(match past.basis {
                None | Some(EnergyBasis::Measured) => basis,
                Some(other) => other,
            });
            past.ticks.push(Tick {
                from: WallTime(row.get(1)?),
                to: WallTime(row.get(2)?),
                charges: HashMap::new(),
                containers: CpuTime(0),
                engine: None,
            });
        }
        let mut charges = self.connection.prepare_cached(
            "SELECT slot, energy, cpu, kind, name, short_id, scenario
             FROM bucket JOIN subject ON subject.id = slot % 4194304 WHERE slot >= ?1 AND slot < ?2",
        )?;
        let mut rows = charges.query(params![slot(first, 0), slot(end, 0)])?;
        let mut candidates: HashMap<Subject, Candidate> = HashMap::new();
        while let Some(row) = rows.next()? {
            let (start, _) = bucket_of(row.get(0)?);
            let Some(tick) = places.get(&start).and_then(|place| past.ticks.get_mut(*place)) else {
                continue;
            };
            let subject = subject(row)?;
            let charge = Charge { energy: MicroJoules(whole(row, 1)?), cpu: cpu(row, 2)? };
            let scenario: String = row.get(6)?;
            let is_transcode = matches!(subject, Subject::Transcode(_));
            let candidate = candidates.entry(subject.clone()).or_insert_with(|| Candidate {
                subject: subject.clone(),
                scenario: Some(scenario).filter(|scenario| !scenario.is_empty()),
                life: is_transcode.then_some((tick.from, tick.to)),
            });
            if let Some((_, ended)) = &mut candidate.life {
                *ended = tick.to;
            }
            tick.charges.insert(subject, charge);
        }
        let mut lives = self
            .connection
            .prepare_cached("SELECT key, started, ended FROM transcode WHERE ended >= ?1 AND started < ?2")?;
        let mut rows = lives.query(params![first, end])?;
        while let Some(row) = rows.next()? {
            let subject = Subject::Transcode(row.get::<_, String>(0)?.into());
            if let Some(candidate) = candidates.get_mut(&subject) {
                candidate.life = Some((WallTime(row.get(1)?), WallTime(row.get(2)?)));
            }
        }
        past.candidates = candidates.into_values().collect();
        Ok(past)
    }

    /// What the host was charged since a moment, and for how many seconds of that the agent was there.
    pub fn host_since(&self, from: WallTime) -> Result<(Charge, f64), LedgerError> {
        let first = start_of(from);
        let sums = self.connection.query_row(
            "SELECT coalesce(sum(energy), 0), coalesce(sum(cpu), 0)
             FROM bucket JOIN subject ON subject.id = slot % 4194304 WHERE kind = 'host' AND slot >= ?1",
            [slot(first, 0)],
            |row| Ok(Charge { energy: MicroJoules(whole(row, 0)?), cpu: cpu(row, 1)? }),
        );
        let known = self.connection.query_row(
            "SELECT coalesce(sum(ended - began), 0.0) FROM known WHERE start >= ?1",
            [first],
            |row| row.get(0),
        );
        Ok((sums.map_err(|cause| self.failed(cause))?, known.map_err(|cause| self.failed(cause))?))
    }

    /// Transcodes that ended in a window, the latest first.
    pub fn transcodes(
        &self,
        from: WallTime,
        to: WallTime,
        most: u32,
    ) -> Result<Vec<TranscodeRow>, LedgerError> {
        let read = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT key, started, ended, workload, scenario, codec, preset, resolution, exit, energy, cpu, measured,
                        frames, vmaf, psnr, ssim
                 FROM transcode WHERE ended >= ?1 AND ended <= ?2 ORDER BY ended DESC LIMIT ?3",
            )?;
            let rows = statement.query_map(params![from.0, to.0, most], transcode)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|cause| self.failed(cause))
    }

    /// The same, put together.
    pub fn groups(&self, from: WallTime, to: WallTime, by: Grouping) -> Result<Vec<Group>, LedgerError> {
        let column = match by {
            Grouping::Scenario => "scenario",
            Grouping::Codec => "codec",
            Grouping::Workload => "workload",
        };
        let read = || {
            let mut statement = self.connection.prepare_cached(&format!(
                "SELECT {column}, count(*), sum(ended - started), sum(energy), sum(cpu) FROM transcode
                 WHERE ended >= ?1 AND ended <= ?2 GROUP BY {column} ORDER BY sum(energy) DESC"
            ))?;
            let group = |row: &Row<'_>| {
                Ok(Group {
                    name: row.get(0)?,
                    transcodes: whole(row, 1)?,
                    seconds: row.get(2)?,
                    energy: MicroJoules(whole(row, 3)?),
                    cpu: CpuTime(whole(row, 4)?),
                })
            };
            let rows = statement.query_map(params![from.0, to.0], group)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|cause| self.failed(cause))
    }
}

fn subject(row: &Row<'_>) -> rusqlite::Result<Subject> {
    let (kind, name, id): (String, String, String) = (row.get(3)?, row.get(4)?, row.get(5)?);
    Ok(match kind.as_str() {
        "workload" => Subject::Workload { name: name.into(), id: id.into() },
        "transcode" => Subject::Transcode(name.into()),
        _ => Subject::Host,
    })
}

fn transcode(row: &Row<'_>) -> rusqlite::Result<TranscodeRow> {
    let is_measured: Option<bool> = row.get(11)?;
    Ok(TranscodeRow {
        key: row.get(0)?,
        started: WallTime(row.get(1)?),
        ended: WallTime(row.get(2)?),
        workload: row.get(3)?,
        scenario: row.get(4)?,
        codec: row.get(5)?,
        preset: row.get(6)?,
        resolution: row.get(7)?,
        exit: row.get(8)?,
        energy: MicroJoules(whole(row, 9)?),
        cpu: CpuTime(whole(row, 10)?),
        basis: is_measured.map(|is| if is { EnergyBasis::Measured } else { EnergyBasis::Modelled }),
        frames: row.get::<_, Option<i64>>(12)?.and_then(|frames| u64::try_from(frames).ok()),
        quality: Quality {
            vmaf: row.get::<_, Option<f64>>(13)?.and_then(Vmaf::new),
            psnr: row.get::<_, Option<f64>>(14)?.map(Decibels),
            ssim: row.get::<_, Option<f64>>(15)?.map(Ratio),
            took: None,
            covered: None,
        },
    })
}

/// CPU time of a bucket.
fn cpu(row: &Row<'_>, column: usize) -> rusqlite::Result<CpuTime> {
    Ok(CpuTime(whole(row, column)?.saturating_mul(NANOSECONDS_PER_MICROSECOND)))
}

/// Integers of the ledger are never negative; one that is, is damage, and counts for nothing.
fn whole(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|number| u64::try_from(number).unwrap_or(0))
}
