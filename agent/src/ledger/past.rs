//! Reads a window of the ledger: its buckets as ticks, and the subjects that were charged in it.

use std::collections::HashMap;

use agent_core::join::figures::{self, Found};
use agent_core::join::history::{Charge, History, Tick};
use agent_core::join::subject::{Candidate, Subject};
use agent_core::model::joined::EnergyBasis;
use agent_core::model::scenario::Scenario;
use agent_core::time::WallTime;
use agent_core::units::{CpuTime, MicroJoules};
use rusqlite::{Row, params};

use crate::ledger::read::{cpu, text, whole};
use crate::ledger::schema::{charges, first_slot, start_of};
use crate::ledger::{BUCKET_SECONDS, Ledger, LedgerError};

/// History of a window, with the buckets beside it.
#[derive(Debug, Default)]
pub struct Past {
    /// Buckets, as ticks.
    pub ticks: Vec<Tick>,
    /// Subjects that were charged in the window.
    pub candidates: Vec<Candidate>,
    /// Source of its energy; measured only when all of it is.
    pub basis: Option<EnergyBasis>,
    /// Transcodes that ran in the window, by the name of their workload.
    lives: HashMap<String, Vec<Life>>,
}

/// The life of a transcode.
#[derive(Debug)]
struct Life {
    transcode: Subject,
    started: WallTime,
    ended: WallTime,
}

impl Past {
    /// Energy of a scenario by this history. A bucket does not say when in its time a workload without a known life drew its energy, so
    /// such a workload has none for a scenario that is shorter.
    pub fn find(mut self, scenario: &Scenario) -> Found {
        let lives: Vec<_> = self.candidates.iter().map(|one| self.life_by_transcodes(&one.subject)).collect();
        for (candidate, life) in self.candidates.iter_mut().zip(lives) {
            candidate.life = candidate.life.or(life);
        }
        if scenario.window.is_some_and(|(from, to)| to.0 - from.0 < BUCKET_SECONDS as f64) {
            let is_vague =
                |one: &Candidate| one.life.is_none() && matches!(one.subject, Subject::Workload { .. });
            self.candidates.retain(|candidate| !is_vague(candidate));
        }
        let basis = self.basis.unwrap_or(EnergyBasis::Modelled);
        figures::find(scenario, &History::of(&self.ticks, self.candidates), basis)
    }

    /// The life of a workload, where its transcodes ran without a pause and drew nearly all of its energy.
    fn life_by_transcodes(&self, subject: &Subject) -> Option<(WallTime, WallTime)> {
        let Subject::Workload { name, .. } = subject else { return None };
        let lives = self.lives.get(&**name)?;
        let energy = |subject: &Subject| -> u64 {
            let charges = self.ticks.iter().filter_map(|tick| tick.charges.get(subject));
            charges.map(|charge| charge.energy.0).sum()
        };
        let of_transcodes: u64 = lives.iter().map(|life| energy(&life.transcode)).sum();
        let started = lives.iter().map(|life| life.started.0).reduce(f64::min)?;
        let ended = lives.iter().map(|life| life.ended.0).reduce(f64::max)?;
        let running: f64 = lives.iter().map(|life| life.ended.0 - life.started.0).sum();
        let is_theirs = of_transcodes as f64 >= NEARLY_ALL * energy(subject) as f64;
        let is_steady = running >= NEARLY_ALL * (ended - started);
        (is_theirs && is_steady).then_some((WallTime(started), WallTime(ended)))
    }
}

/// The part of a workload's energy, and of its time, from which on it is that of its transcodes.
const NEARLY_ALL: f64 = 0.9;

impl Ledger {
    /// The buckets that a window overlaps.
    pub fn past(&self, from: WallTime, to: WallTime) -> Result<Past, LedgerError> {
        let end = start_of(to).saturating_add(BUCKET_SECONDS);
        self.read_past(start_of(from), end).map_err(|cause| self.failed(cause))
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
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT start, energy, cpu, kind, name, short_id, scenario
             FROM ({}) AS charges JOIN subject ON subject.id = charges.subject",
            charges(self.version)
        ))?;
        let mut rows = statement.query(params![first, end, first_slot(first), first_slot(end)])?;
        let mut candidates: HashMap<Subject, Candidate> = HashMap::new();
        while let Some(row) = rows.next()? {
            let Some(tick) = places.get(&row.get(0)?).and_then(|place| past.ticks.get_mut(*place)) else {
                continue;
            };
            let subject = subject(row)?;
            let charge = Charge { energy: MicroJoules(whole(row, 1)?), cpu: cpu(row, 2)? };
            let scenario = text(row, 6)?;
            let is_transcode = matches!(subject, Subject::Transcode(_));
            let candidate = candidates.entry(subject.clone()).or_insert_with(|| Candidate {
                subject: subject.clone(),
                scenario: Some(scenario).filter(|scenario| !scenario.is_empty()),
                life: is_transcode.then_some((tick.from, tick.to)),
            });
            if let Some((began, ended)) = &mut candidate.life {
                began.0 = began.0.min(tick.from.0);
                ended.0 = ended.0.max(tick.to.0);
            }
            *tick.charges.entry(subject).or_default() += charge;
        }
        let mut statement = self.connection.prepare_cached(
            "SELECT key, started, ended, workload FROM transcode WHERE ended >= ?1 AND started < ?2",
        )?;
        let mut rows = statement.query(params![first, end])?;
        while let Some(row) = rows.next()? {
            let transcode = Subject::Transcode(text(row, 0)?.into());
            let (started, ended) = (WallTime(row.get(1)?), WallTime(row.get(2)?));
            if let Some(candidate) = candidates.get_mut(&transcode) {
                candidate.life = Some((started, ended));
            }
            past.lives.entry(text(row, 3)?).or_default().push(Life { transcode, started, ended });
        }
        past.candidates = candidates.into_values().collect();
        Ok(past)
    }
}

fn subject(row: &Row<'_>) -> rusqlite::Result<Subject> {
    let (kind, name, id) = (text(row, 3)?, text(row, 4)?, text(row, 5)?);
    Ok(match kind.as_str() {
        "workload" => Subject::Workload { name: name.into(), id: id.into() },
        "transcode" => Subject::Transcode(name.into()),
        _ => Subject::Host,
    })
}
