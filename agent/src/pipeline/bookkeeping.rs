//! What is written into the ledger, and when?
//!
//! Whatever goes wrong with the file costs the past, not the present: it is said once, what was not written is kept, and tried
//! again at the next tick.

use std::collections::HashMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Unit};

use crate::clock::{Clock, SystemClock, WallTime};
use crate::config::{self, Config};
use crate::join::budget::Budget;
use crate::join::figures::{Found, Prices};
use crate::join::history::History;
use crate::ledger::{self, Buckets, Ledger, LedgerError, TranscodeRow};
use crate::model::joined::{BudgetFigures, EnergyBasis};
use crate::model::scenario::Scenario;
use crate::model::snapshot::{Snapshot, TranscodeSnapshot};
use crate::model::transcode::{ExitStatus, Output};
use crate::source::chain;
use crate::units::{CpuTime, MicroJoules, Ratio};

/// How often what is too old is looked for, and budgets are added up.
const SLOW_PERIOD: Duration = Duration::from_mins(1);

/// The ledger and what is not written yet.
#[derive(Debug)]
pub(super) struct Bookkeeper {
    ledger: Ledger,
    buckets: Buckets,
    /// Transcodes as they were last written.
    written: HashMap<String, (MicroJoules, CpuTime, Option<u64>)>,
    has_failed: bool,
    slow: Option<WallTime>,
    max_age: Duration,
    max_bytes: u64,
}

impl Bookkeeper {
    /// Opens the ledger in the state folder; `None`, and said, when that cannot be.
    pub(super) fn open(config: &Config) -> Option<Self> {
        let folders = config.state_dirs();
        let folder = folders.iter().find(|folder| super::is_writable(folder).is_ok())?;
        let now = SystemClock.wall();
        let opened = Ledger::open(folder, now).and_then(|(ledger, finding)| {
            if let Some(finding) = finding {
                tracing::warn!("{finding}");
            }
            Ok((ledger.past(now, now)?, ledger))
        });
        match opened {
            Ok((past, ledger)) => Some(Self {
                ledger,
                buckets: Buckets::continuing(past),
                written: HashMap::new(),
                has_failed: false,
                slow: None,
                max_age: config.ledger.max_age.0,
                max_bytes: u64::from(config.ledger.max_megabytes) << 20,
            }),
            Err(error) => {
                tracing::warn!("{}: nothing is kept over a restart", chain(&error));
                None
            }
        }
    }

    /// Writes what the last tick has added.
    pub(super) fn write(&mut self, snapshot: &Snapshot, history: &History, basis: EnergyBasis) {
        if let Some(tick) = history.last() {
            self.buckets.add(tick, basis);
        }
        let rows: Vec<TranscodeRow> = snapshot
            .transcodes
            .iter()
            .filter_map(|transcode| self.ended(transcode, snapshot, basis))
            .collect();
        let result = self.ledger.record(&mut self.buckets, &ledger::scenarios(history.candidates()), &rows);
        if result.is_ok() {
            let shown = |transcode: &TranscodeSnapshot| transcode.identity.key.to_string();
            let keys: std::collections::HashSet<String> = snapshot.transcodes.iter().map(shown).collect();
            self.written.retain(|key, _| keys.contains(key));
            self.written.extend(rows.into_iter().map(|row| (row.key, (row.energy, row.cpu, row.frames))));
        }
        self.note(result);
    }

    /// A transcode that has ended, unless it is written as it is.
    fn ended(
        &self,
        transcode: &TranscodeSnapshot,
        snapshot: &Snapshot,
        basis: EnergyBasis,
    ) -> Option<TranscodeRow> {
        let ended = transcode.ended?;
        let counts = |zone: usize| snapshot.zones.get(zone).is_some_and(|zone| zone.counts);
        let (energy, cpu) = (transcode.account.energy(counts), transcode.account.cpu);
        let key = transcode.identity.key.to_string();
        // Its last CPU time and its last word may come a tick after its end.
        if self.written.get(&key) == Some(&(energy, cpu, transcode.output.frames)) {
            return None;
        }
        let encode = &transcode.identity.encode;
        let text = |value: &Option<String>| value.clone().unwrap_or_default();
        Some(TranscodeRow {
            key,
            started: transcode.started,
            ended,
            workload: transcode.workload.name.to_string(),
            scenario: transcode.workload.details.scenario().unwrap_or_default().to_owned(),
            codec: text(&encode.codec),
            preset: text(&encode.preset),
            resolution: text(&encode.resolution),
            exit: transcode.status.map(|status| match status {
                ExitStatus::Code(code) => i64::from(code),
                ExitStatus::Signal(signal) => 128 + i64::from(signal),
            }),
            energy,
            cpu,
            basis: Some(basis),
            frames: transcode.output.frames,
            quality: transcode.output.quality,
        })
    }

    /// Writes down what a transcode has put out.
    pub(super) fn score(&mut self, key: &str, started: WallTime, output: &Output) {
        let result = self.ledger.score(key, started, output);
        self.note(result);
    }

    /// A scenario's energy by what is written of its window.
    pub(super) fn past(&self, from: WallTime, to: WallTime, scenario: &Scenario) -> Option<Found> {
        // A file that cannot be read is said by whoever writes.
        Some(self.ledger.past(from, to).ok()?.find(scenario))
    }

    /// Writes down what a scenario was found to have been charged.
    pub(super) fn remember(&mut self, run: &str, scenario: &Scenario, found: &Found) {
        let result = self.ledger.remember(run, scenario, found);
        self.note(result);
    }

    /// What was written down about a scenario.
    pub(super) fn recall(&self, run: &str, scenario: &Scenario) -> Option<Found> {
        self.ledger.recall(run, scenario).ok()?
    }

    /// Budgets have changed: they are added up at the next tick.
    pub(super) fn hurry(&mut self) {
        self.slow = None;
    }

    /// How budgets stand, once a minute; also when what is too old is dropped.
    pub(super) fn budgets(
        &mut self,
        now: WallTime,
        budget: &config::Budget,
        prices: &Prices,
    ) -> Option<Vec<BudgetFigures>> {
        if self.slow.is_some_and(|last| (0.0..SLOW_PERIOD.as_secs_f64()).contains(&(now.0 - last.0))) {
            return None;
        }
        self.slow = Some(now);
        let pruned = self.ledger.prune(now, self.max_age, self.max_bytes);
        self.note(pruned);
        let mut all = Vec::new();
        for (name, unit, money, energy) in [
            ("day", Unit::Day, budget.cost_per_day, budget.kwh_per_day),
            ("month", Unit::Month, budget.cost_per_month, budget.kwh_per_month),
        ] {
            if money.is_none() && energy.is_none() {
                continue;
            }
            let Some((begin, length)) = period(now, unit) else { continue };
            let spent = self.ledger.host_since(begin);
            let Ok((charge, known)) = spent else {
                self.note(spent.map(|_| ()));
                return None;
            };
            let elapsed = Duration::try_from_secs_f64(now.0 - begin.0).unwrap_or_default();
            let known = Duration::try_from_secs_f64(known).unwrap_or_default();
            let figures = |unit: &str, limit: Option<f64>, spent: f64| {
                let budget = Budget { limit: limit?, spent, elapsed, period: length, known };
                Some(BudgetFigures {
                    period: name,
                    unit: unit.to_owned(),
                    limit: budget.limit,
                    spent,
                    used: budget.used().map(Ratio),
                    forecast: budget.forecast(),
                })
            };
            all.extend(figures(&prices.currency, money, prices.tariff.energy(charge.energy).0));
            all.extend(figures("kWh", energy, charge.energy.kilowatt_hours()));
        }
        Some(all)
    }

    fn note(&mut self, result: Result<(), LedgerError>) {
        match result {
            Ok(()) => self.has_failed = false,
            Err(error) if !self.has_failed => {
                self.has_failed = true;
                tracing::warn!("{}: kept, and tried again", chain(&error));
            }
            Err(_) => {}
        }
    }
}

/// When the local day or month began, and how long it is.
fn period(now: WallTime, unit: Unit) -> Option<(WallTime, Duration)> {
    let zone = TimeZone::system();
    let now = Timestamp::from_second(now.0 as i64).ok()?.to_zoned(zone).start_of_day().ok()?;
    let (begin, end) = match unit {
        Unit::Month => {
            let begin = now.first_of_month().ok()?;
            (begin.clone(), begin.checked_add(1.month()).ok()?)
        }
        _ => (now.clone(), now.checked_add(1.day()).ok()?),
    };
    let length = Duration::try_from(end.duration_since(&begin)).ok()?;
    Some((WallTime(begin.timestamp().as_second() as f64), length))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_is_as_long_as_it_is_and_a_day_lies_in_it() {
        // The 29th of February 2024, noon UTC: no zone is so far off that it is another month.
        let now = WallTime(1_709_208_000.0 - 86_400.0);
        let (month, length) = period(now, Unit::Month).unwrap();
        assert_eq!(length.as_secs().div_ceil(3600 * 24), 29);
        let (day, _) = period(now, Unit::Day).unwrap();
        assert!(month.0 <= day.0 && day.0 <= now.0 && now.0 < day.0 + 86_400.0 + 3600.0);
    }
}
