//! Keeps the energy that was matched to scenarios, tick by tick: finer than the ledger's buckets.

use std::time::Duration;

use agent_core::join::figures::Found;
use agent_core::join::matching;
use agent_core::model::joined::{EnergyBasis, Matched, ScenarioEnergy};
use agent_core::model::scenario::Scenario;
use agent_core::units::{CpuTime, MicroJoules, Watts};
use rusqlite::{OptionalExtension, Row, params};

use crate::ledger::read::text;
use crate::ledger::schema::WITH_CHARGES;
use crate::ledger::write::number;
use crate::ledger::{Ledger, LedgerError};

impl Ledger {
    /// Stores a scenario's energy, unless it has no window or the energy is the file's own.
    pub fn remember(&mut self, run: &str, scenario: &Scenario, found: &Found) -> Result<(), LedgerError> {
        let (Some((began, ended)), Some(energy)) = (scenario.window, found.energy) else { return Ok(()) };
        if energy.basis == EnergyBasis::File {
            return Ok(());
        }
        let written = self.connection.execute(
            "INSERT OR REPLACE INTO scenario
             (run, name, began, ended, energy, cpu, deviation, host, matched, measured, container, transcode)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                run,
                scenario.name,
                began.0,
                ended.0,
                number(energy.energy.0),
                energy.cpu.map(|cpu| number(cpu.0)),
                energy.deviation.map(|deviation| deviation.0),
                found.host.map(|host| host.0),
                energy.matched.name(),
                energy.basis == EnergyBasis::Measured,
                scenario.container.as_deref().unwrap_or_default(),
                scenario.transcode.as_deref().unwrap_or_default(),
            ],
        );
        written.map(|_| ()).map_err(|cause| self.failed(cause))
    }

    /// A scenario's energy by the stored figures and by the buckets of its window: the better rule wins; of the same rule, the
    /// stored figures, which are finer.
    pub fn find(&self, run: &str, scenario: &Scenario) -> Result<Option<Found>, LedgerError> {
        let Some((from, to)) = scenario.window else { return Ok(None) };
        let recalled = self.recall(run, scenario)?;
        if recalled.as_ref().is_some_and(|found| found.is_best_for(scenario)) {
            return Ok(recalled);
        }
        let past = self.past(from, to)?.find(scenario);
        Ok(Some(recalled.map_or(past, |recalled| recalled.or_better(past))))
    }

    /// Stored energy of a scenario of this run with this window, if the file named the same container and transcode then. Figures
    /// of a release that did not store those names count where their rule is the one that the file asks for now.
    fn recall(&self, run: &str, scenario: &Scenario) -> Result<Option<Found>, LedgerError> {
        let Some((began, ended)) = scenario.window else { return Ok(None) };
        let read = |row: &Row<'_>| -> rusqlite::Result<Found> {
            let energy = MicroJoules(u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0));
            let cpu: Option<i64> = row.get(1)?;
            let matched = text(row, 4)?;
            let duration = Duration::try_from_secs_f64(ended.0 - began.0).unwrap_or_default();
            let is_measured: bool = row.get(5)?;
            Ok(Found {
                energy: Some(ScenarioEnergy {
                    energy,
                    cpu: cpu.and_then(|cpu| u64::try_from(cpu).ok()).map(CpuTime),
                    mean: energy.over(duration),
                    deviation: row.get::<_, Option<f64>>(2)?.map(Watts),
                    gpu: scenario.power.gpu_mean,
                    containers: None,
                    engine: None,
                    basis: if is_measured { EnergyBasis::Measured } else { EnergyBasis::Modelled },
                    matched: Matched::ALL
                        .into_iter()
                        .find(|known| known.name() == matched)
                        .unwrap_or(Matched::Overlap),
                }),
                host: row.get::<_, Option<f64>>(3)?.map(Watts),
            })
        };
        let asked = if self.version >= WITH_CHARGES { "container, transcode" } else { "NULL, NULL" };
        let mut statement = self
            .connection
            .prepare_cached(&format!(
                "SELECT energy, cpu, deviation, host, matched, measured, {asked} FROM scenario
                 WHERE run = ?1 AND name = ?2 AND began = ?3 AND ended = ?4"
            ))
            .map_err(|cause| self.failed(cause))?;
        let is_same = |written: Option<String>, asked: &Option<String>| {
            written.as_deref().map(|written| written == asked.as_deref().unwrap_or_default())
        };
        let read_asked = |row: &Row<'_>| {
            let is_container = is_same(row.get(6)?, &scenario.container);
            let is_transcode = is_same(row.get(7)?, &scenario.transcode);
            Ok((read(row)?, is_container.zip(is_transcode).map(|(one, other)| one && other)))
        };
        let found = statement.query_row(params![run, scenario.name, began.0, ended.0], read_asked).optional();
        let found = found.map_err(|cause| self.failed(cause))?;
        Ok(found
            .filter(|(found, is_same)| {
                let best = matching::best_rule(scenario);
                let is_by_rule = |energy: ScenarioEnergy| {
                    energy.matched == best || (best == Matched::Label && energy.matched == Matched::Overlap)
                };
                is_same.unwrap_or_else(|| found.energy.is_some_and(is_by_rule))
            })
            .map(|(found, _)| found))
    }
}
