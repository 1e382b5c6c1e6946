//! What was a scenario found to have been charged?

use std::time::Duration;

use rusqlite::{OptionalExtension, Row, params};

use crate::join::figures::Found;
use crate::ledger::{Ledger, LedgerError};
use crate::model::joined::{EnergyBasis, Matched, ScenarioEnergy};
use crate::model::scenario::Scenario;
use crate::units::{CpuTime, MicroJoules, Watts};

impl Ledger {
    /// Writes a scenario's energy down; nothing for one without a window or of the file's own joules.
    pub fn remember(&mut self, run: &str, scenario: &Scenario, found: &Found) -> Result<(), LedgerError> {
        let (Some((began, ended)), Some(energy)) = (scenario.window, found.energy) else { return Ok(()) };
        if energy.basis == EnergyBasis::File {
            return Ok(());
        }
        let number = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        let written = self.connection.execute(
            "INSERT OR REPLACE INTO scenario
             (run, name, began, ended, energy, cpu, deviation, host, matched, measured)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
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
            ],
        );
        written.map(|_| ()).map_err(|cause| self.failed(cause))
    }

    /// What was written down about a scenario of this run with this window.
    pub fn recall(&self, run: &str, scenario: &Scenario) -> Result<Option<Found>, LedgerError> {
        let Some((began, ended)) = scenario.window else { return Ok(None) };
        let read = |row: &Row<'_>| {
            let energy = MicroJoules(u64::try_from(row.get::<_, i64>(0)?).unwrap_or(0));
            let cpu: Option<i64> = row.get(1)?;
            let matched: String = row.get(4)?;
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
        let mut statement = self
            .connection
            .prepare_cached(
                "SELECT energy, cpu, deviation, host, matched, measured FROM scenario
                 WHERE run = ?1 AND name = ?2 AND began = ?3 AND ended = ?4",
            )
            .map_err(|cause| self.failed(cause))?;
        let found = statement.query_row(params![run, scenario.name, began.0, ended.0], read).optional();
        found.map_err(|cause| self.failed(cause))
    }
}
