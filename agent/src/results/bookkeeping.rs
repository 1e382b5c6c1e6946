//! Writes the ledger at every tick, and reads scenarios and budgets from it.
//!
//! A failure of the file costs history only, not current figures: it is reported once, unwritten rows are kept within
//! their bound, and written at a later tick.

mod rows;

use std::path::PathBuf;
use std::time::Duration;

use agent_core::join::budget::Budget;
use agent_core::join::figures::{Found, Prices};
use agent_core::join::history::History;
use agent_core::model::joined::{BudgetFigures, EnergyBasis, LedgerHealth};
use agent_core::model::scenario::Scenario;
use agent_core::model::snapshot::Snapshot;
use agent_core::model::transcode::Output;
use agent_core::time::WallTime;
use agent_core::units::Ratio;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Unit};

use crate::clock::{Clock, SystemClock};
use crate::config::{self, Config};
use crate::error::chain;
use crate::ledger::{self, Buckets, Ledger, LedgerError, Refused};
use crate::pipeline::is_writable;
use crate::results::bookkeeping::rows::Rows;

/// Interval in which old rows are deleted, and budgets are added up.
const SLOW_PERIOD: Duration = Duration::from_mins(1);

/// Interval in which a ledger that cannot be opened is tried again.
const RETRY_PERIOD: Duration = Duration::from_secs(5);

/// The ledger and unwritten rows.
#[derive(Debug)]
pub(super) struct Bookkeeper {
    folders: Vec<PathBuf>,
    /// `None` while it cannot be opened.
    ledger: Option<Ledger>,
    tried: Option<WallTime>,
    buckets: Buckets,
    rows: Rows,
    /// Whether rows of running transcodes have been settled: once for each ledger that is opened.
    is_settled: bool,
    refused_charges: u64,
    /// Whether a refused row has been reported.
    has_refused: bool,
    has_failed: bool,
    slow: Option<WallTime>,
    max_age: Duration,
    max_bytes: u64,
}

/// The state folder with the ledger: the first that can be written. Where none can, that has been reported, and the first gives the reason.
pub(crate) fn ledger_folder(folders: &[PathBuf]) -> PathBuf {
    let writable = folders.iter().find(|folder| is_writable(folder).is_ok());
    writable.or(folders.first()).cloned().unwrap_or_default()
}

impl Bookkeeper {
    /// Opens the ledger in the state folder. A failure is reported, and opening is tried again.
    pub(super) fn open(config: &Config, now: WallTime) -> Self {
        let mut bookkeeper = Self {
            folders: config.state_dirs(),
            ledger: None,
            tried: None,
            buckets: Buckets::default(),
            rows: Rows::default(),
            is_settled: false,
            refused_charges: 0,
            has_refused: false,
            has_failed: false,
            slow: None,
            max_age: config.ledger.max_age.0,
            max_bytes: u64::from(config.ledger.max_megabytes) << 20,
        };
        bookkeeper.try_again(now);
        bookkeeper
    }

    /// Health of the ledger.
    pub(super) fn health(&self) -> LedgerHealth {
        LedgerHealth {
            up: self.ledger.is_some() && !self.has_failed,
            waiting: self.buckets.waiting(),
            lost_buckets: self.buckets.lost(),
            lost_transcodes: self.rows.lost(),
            lost_charges: self.refused_charges,
            log_bytes: self.ledger.as_ref().map(Ledger::log_bytes),
        }
    }

    /// Opens the ledger, unless that has just been tried.
    fn try_again(&mut self, now: WallTime) {
        let is_soon = |last: WallTime| (now.0 - last.0).abs() < RETRY_PERIOD.as_secs_f64();
        if self.tried.is_some_and(is_soon) {
            return;
        }
        self.tried = Some(now);
        if self.folders.is_empty() {
            return;
        }
        match Ledger::open(&ledger_folder(&self.folders), now) {
            Ok((ledger, finding)) => {
                if let Some(finding) = finding {
                    tracing::warn!("{finding}");
                }
                self.ledger = Some(ledger);
                self.is_settled = false;
            }
            Err(error) => self.note(Err(error)),
        }
    }

    /// Writes the charges of the last tick.
    pub(super) fn write(&mut self, snapshot: &Snapshot, history: &History, basis: EnergyBasis) {
        if let Some(tick) = history.last() {
            self.buckets.add(tick, basis);
        }
        self.rows.update(snapshot, basis);
        self.look_after(snapshot.wall);
        let result = self.record(snapshot, history, basis);
        self.note(result);
    }

    fn record(
        &mut self,
        snapshot: &Snapshot,
        history: &History,
        basis: EnergyBasis,
    ) -> Result<(), LedgerError> {
        let Some(ledger) = &mut self.ledger else { return Ok(()) };
        if !self.is_settled {
            ledger.settle_running(&rows::all(snapshot, basis))?;
            self.is_settled = true;
        }
        let candidates = ledger::scenarios(history.candidates());
        let refused = ledger.record(&mut self.buckets, &candidates, self.rows.waiting())?;
        self.rows.settle(&refused.transcodes);
        self.say_refused(&refused);
        Ok(())
    }

    /// Reports refused rows once, because the database refuses them again at every tick.
    fn say_refused(&mut self, refused: &Refused) {
        self.refused_charges += refused.charges;
        if let Some(first) = &refused.first
            && !std::mem::replace(&mut self.has_refused, true)
        {
            tracing::warn!(
                "the ledger refuses a row ({first}): it is left out and counted in ffwatt_lost_records_total, all others are written"
            );
        }
    }

    /// Opens the ledger where it is not open, or no longer in its place.
    fn look_after(&mut self, now: WallTime) {
        if self.ledger.as_ref().is_some_and(|ledger| !ledger.is_in_place()) {
            tracing::warn!("the ledger was removed or replaced: it is begun anew");
            self.ledger = None;
            self.tried = None;
        }
        if self.ledger.is_none() {
            self.try_again(now);
        }
    }

    /// Stores the output of a transcode.
    pub(super) fn score(&mut self, key: &str, started: WallTime, output: &Output) {
        if let Some(ledger) = &mut self.ledger {
            let result = ledger.score(key, started, output);
            self.note(result);
        }
    }

    /// Energy of a scenario by the ledger.
    pub(super) fn find(&self, run: &str, scenario: &Scenario) -> Option<Found> {
        // The writer reports a file that cannot be read.
        self.ledger.as_ref()?.find(run, scenario).ok()?
    }

    /// Stores the energy that a scenario was matched to.
    pub(super) fn remember(&mut self, run: &str, scenario: &Scenario, found: &Found) {
        if let Some(ledger) = &mut self.ledger {
            let result = ledger.remember(run, scenario, found);
            self.note(result);
        }
    }

    /// Adds up budgets at the next tick, because they have changed.
    pub(super) fn hurry(&mut self) {
        self.slow = None;
    }

    /// Use of budgets, once a minute; old rows are deleted at the same time.
    pub(super) fn budgets(
        &mut self,
        now: WallTime,
        budget: &config::Budget,
        prices: &Prices,
    ) -> Option<Vec<BudgetFigures>> {
        if self.slow.is_some_and(|last| (0.0..SLOW_PERIOD.as_secs_f64()).contains(&(now.0 - last.0))) {
            return None;
        }
        let pruned = self.ledger.as_mut()?.prune(now, self.max_age, self.max_bytes);
        self.slow = Some(now);
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
            let spent = self.ledger.as_ref()?.host_since(begin);
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
        let Err(error) = result else {
            if std::mem::take(&mut self.has_failed) {
                tracing::info!("the ledger is written again");
            }
            return;
        };
        if !std::mem::replace(&mut self.has_failed, true) {
            tracing::warn!("{}: kept, and tried again", chain(&error));
        }
        // A damaged file cannot be written any more: it is closed, moved aside and begun anew when it is opened.
        if error.is_damage()
            && let Some(folder) = self.ledger.take().map(Ledger::close)
        {
            let aside = ledger::set_aside(&folder, SystemClock.wall());
            tracing::warn!("the ledger is damaged: moved to {}, a new one begun", aside.display());
            self.tried = None;
        }
    }
}

/// Start and length of the local day or month.
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
        // The 29th of February 2024, noon UTC: no time zone is in another month then.
        let now = WallTime(1_709_208_000.0 - 86_400.0);
        let (month, length) = period(now, Unit::Month).unwrap();
        assert_eq!(length.as_secs().div_ceil(3600 * 24), 29);
        let (day, _) = period(now, Unit::Day).unwrap();
        assert!(month.0 <= day.0 && day.0 <= now.0 && now.0 < day.0 + 86_400.0 + 3600.0);
    }
}
