//! Rows of transcodes: written while they run and when they end; the agent's next run continues or closes them.

use agent_core::model::cpu::ProcessId;
use agent_core::model::joined::EnergyBasis;
use agent_core::model::scenario::Quality;
use agent_core::model::transcode::{
    EarlierTotals, EarlierTranscode, Observation, Output, ProcessIdentity, SeenOutput,
};
use agent_core::model::vmaf_model::VmafModel;
use agent_core::time::WallTime;
use agent_core::units::{CpuTime, Decibels, MicroJoules, Ratio, Vmaf};
use rusqlite::{Row, Transaction, params};

use crate::ledger::read::{seconds, text, whole};
use crate::ledger::schema::{WITH_CHARGES, WITH_MODELS};
use crate::ledger::write::number;
use crate::ledger::{Ledger, LedgerError, TranscodeRow};

/// State of a transcode in its row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum State {
    /// Its end was observed.
    #[default]
    Ended,
    /// It runs; the row has its totals so far.
    Running,
    /// It ended while no agent observed it.
    Lost,
}

impl State {
    fn name(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Running => "running",
            Self::Lost => "lost",
        }
    }

    fn of(name: &str) -> Self {
        [Self::Running, Self::Lost].into_iter().find(|state| state.name() == name).unwrap_or_default()
    }
}

/// Most transcodes that a report reads, the latest first: some hundred megabytes.
pub(crate) const MOST_REPORTED: u32 = 500_000;

/// What the wanted transcodes have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum TranscodesOf {
    /// The container's `ffwatt.scenario`.
    Scenario(String),
    /// The name of the workload.
    Workload(String),
}

/// Columns in the order of [`row`], in a file of this version: older files lack some of them.
fn columns(version: i64) -> String {
    let state = if version >= WITH_CHARGES {
        "state, observed_from, unobserved, seen_energy, seen_frames, seen_seconds, process, birth, boot"
    } else {
        "'ended', NULL, 0.0, NULL, NULL, NULL, NULL, NULL, NULL"
    };
    let model = if version >= WITH_MODELS { "vmaf_model" } else { "NULL" };
    format!(
        "key, started, ended, workload, scenario, codec, preset, resolution, exit, energy, cpu, measured,
         frames, vmaf, psnr, ssim, {state}, {model}"
    )
}

impl Ledger {
    /// Transcodes that ended in a window, or that have totals of a time in it, the latest first.
    pub fn transcodes(
        &self,
        from: WallTime,
        to: WallTime,
        most: u32,
    ) -> Result<Vec<TranscodeRow>, LedgerError> {
        let columns = columns(self.version);
        let read = || {
            let mut statement = self.connection.prepare_cached(&format!(
                "SELECT {columns} FROM transcode WHERE ended >= ?1 AND ended <= ?2 ORDER BY ended DESC LIMIT ?3"
            ))?;
            let rows = statement.query_map(params![from.0, to.0, most], row)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|cause| self.failed(cause))
    }

    /// Transcodes of a scenario or of a workload that are over, the latest first.
    pub(crate) fn transcodes_of(
        &self,
        of: &TranscodesOf,
        most: u32,
    ) -> Result<Vec<TranscodeRow>, LedgerError> {
        let columns = columns(self.version);
        let (column, name) = match of {
            TranscodesOf::Scenario(name) => ("scenario", name),
            TranscodesOf::Workload(name) => ("workload", name),
        };
        let is_over = if self.version >= WITH_CHARGES { "state != 'running'" } else { "1" };
        let read = || {
            let mut statement = self.connection.prepare_cached(&format!(
                "SELECT {columns} FROM transcode WHERE {column} = ?1 AND {is_over} ORDER BY ended DESC LIMIT ?2"
            ))?;
            let rows = statement.query_map(params![name, most], row)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|cause| self.failed(cause))
    }

    /// Transcodes that ran when the ledger was last written, for an agent that continues them.
    pub fn running(&self) -> Result<Vec<EarlierTranscode>, LedgerError> {
        if self.version < WITH_CHARGES {
            return Ok(Vec::new());
        }
        let rows = self.running_rows().map_err(|cause| self.failed(cause))?;
        Ok(rows.into_iter().map(earlier).collect())
    }

    fn running_rows(&self) -> rusqlite::Result<Vec<TranscodeRow>> {
        let select = format!("SELECT {} FROM transcode WHERE state = 'running'", columns(self.version));
        let mut statement = self.connection.prepare_cached(&select)?;
        statement.query_map((), row)?.collect()
    }

    /// Settles rows of running transcodes: a transcode that is not in `present` ended unobserved; one that is in it
    /// under another key was written by another agent, and has a row of its own.
    pub fn settle_running(&mut self, present: &[TranscodeRow]) -> Result<(), LedgerError> {
        let settle = || {
            for row in self.running_rows()? {
                let is_same = |one: &&TranscodeRow| one.key == row.key && one.started == row.started;
                if present.iter().any(|one| is_same(&one)) {
                    continue;
                }
                let has_own_row =
                    row.process.is_some() && present.iter().any(|one| one.process == row.process);
                let change = if has_own_row {
                    "DELETE FROM transcode WHERE key = ?1 AND started = ?2"
                } else {
                    "UPDATE transcode SET state = 'lost' WHERE key = ?1 AND started = ?2"
                };
                self.connection.execute(change, params![row.key, row.started.0])?;
            }
            Ok(())
        };
        settle().map_err(|cause| self.failed(cause))
    }

    /// Stores the output of a transcode, if it has a row already.
    pub fn score(&mut self, key: &str, started: WallTime, output: &Output) -> Result<(), LedgerError> {
        let quality = output.quality;
        let written = self.connection.execute(
            "UPDATE transcode SET frames = coalesce(frames, ?3), vmaf = ?4, psnr = ?5, ssim = ?6, vmaf_model = ?7 WHERE key = ?1 AND started = ?2",
            params![
                key,
                started.0,
                output.frames.map(number),
                quality.vmaf.map(|vmaf| vmaf.0),
                quality.psnr.map(|psnr| psnr.0),
                quality.ssim.map(|ssim| ssim.0),
                quality.vmaf_model.map(VmafModel::name),
            ],
        );
        written.map(|_| ()).map_err(|cause| self.failed(cause))
    }
}

pub(super) fn write_transcode(transaction: &Transaction<'_>, row: &TranscodeRow) -> rusqlite::Result<()> {
    // Frames that were counted before a gap are not all frames.
    let mut write = transaction.prepare_cached(
        "INSERT INTO transcode
         (key, started, ended, workload, scenario, codec, preset, resolution, exit, energy, cpu, measured,
          frames, vmaf, psnr, ssim, state, observed_from, unobserved, seen_energy, seen_frames, seen_seconds,
          process, birth, boot, vmaf_model)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
          ?23, ?24, ?25, ?26)
         ON CONFLICT DO UPDATE SET
         ended = ?3, workload = ?4, scenario = ?5, codec = ?6, preset = ?7, resolution = ?8, exit = ?9, energy = ?10,
         cpu = ?11, measured = ?12, frames = CASE WHEN ?19 > 0 THEN ?13 ELSE coalesce(?13, frames) END,
         vmaf_model = CASE WHEN ?14 IS NULL THEN vmaf_model ELSE ?26 END, vmaf = coalesce(?14, vmaf), psnr = coalesce(?15, psnr), ssim = coalesce(?16, ssim), state = ?17,
         observed_from = ?18, unobserved = ?19, seen_energy = ?20, seen_frames = ?21, seen_seconds = ?22,
         process = ?23, birth = ?24, boot = ?25",
    )?;
    let seen = Some(row.seen).filter(|seen| seen.frames.is_some() || seen.length.is_some());
    let process = row.process.as_ref();
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
        number(row.energy.0),
        number(row.cpu.0),
        row.basis.map(|basis| basis == EnergyBasis::Measured),
        row.frames.map(number),
        row.quality.vmaf.map(|vmaf| vmaf.0),
        row.quality.psnr.map(|psnr| psnr.0),
        row.quality.ssim.map(|ssim| ssim.0),
        row.state.name(),
        row.observed_from.map(|from| from.0),
        row.unobserved.as_secs_f64(),
        seen.map(|seen| number(seen.energy.0)),
        seen.and_then(|seen| seen.frames).map(number),
        seen.and_then(|seen| seen.length).map(|length| length.as_secs_f64()),
        process.map(|process| process.process.0),
        process.map(|process| number(process.birth)),
        process.map(|process| &*process.boot),
        row.quality.vmaf_model.map(VmafModel::name),
    ])?;
    Ok(())
}

fn row(row: &Row<'_>) -> rusqlite::Result<TranscodeRow> {
    let is_measured: Option<bool> = row.get(11)?;
    let count = |column: usize| {
        row.get::<_, Option<i64>>(column).map(|count| count.and_then(|count| u64::try_from(count).ok()))
    };
    let process = match (row.get(22)?, count(23)?, row.get::<_, Option<String>>(24)?) {
        (Some(process), Some(birth), Some(boot)) => {
            Some(ProcessIdentity { process: ProcessId(process), birth, boot: boot.into() })
        }
        _ => None,
    };
    Ok(TranscodeRow {
        key: text(row, 0)?,
        started: WallTime(row.get(1)?),
        ended: WallTime(row.get(2)?),
        state: State::of(&text(row, 16)?),
        workload: text(row, 3)?,
        scenario: text(row, 4)?,
        codec: text(row, 5)?,
        preset: text(row, 6)?,
        resolution: text(row, 7)?,
        exit: row.get(8)?,
        energy: MicroJoules(whole(row, 9)?),
        cpu: CpuTime(whole(row, 10)?),
        basis: is_measured.map(|is| if is { EnergyBasis::Measured } else { EnergyBasis::Modelled }),
        frames: count(12)?,
        quality: Quality {
            vmaf: row.get::<_, Option<f64>>(13)?.and_then(Vmaf::new),
            vmaf_model: row.get::<_, Option<String>>(25)?.and_then(|name| VmafModel::of(&name)),
            psnr: row.get::<_, Option<f64>>(14)?.map(Decibels),
            ssim: row.get::<_, Option<f64>>(15)?.map(Ratio),
            took: None,
            covered: None,
        },
        observed_from: row.get::<_, Option<f64>>(17)?.map(WallTime),
        unobserved: seconds(row.get(18)?),
        seen: SeenOutput {
            energy: MicroJoules(count(19)?.unwrap_or(0)),
            frames: count(20)?,
            pixels: None,
            length: row.get::<_, Option<f64>>(21)?.map(seconds),
        },
        process,
    })
}

/// A running transcode's row, as the agent's next run continues it.
fn earlier(row: TranscodeRow) -> EarlierTranscode {
    EarlierTranscode {
        key: row.key.into(),
        started: row.started,
        recorded: row.ended,
        observation: Observation {
            process: row.process,
            from: row.observed_from,
            missing: row.unobserved,
            earlier: EarlierTotals { energy: row.energy, cpu: row.cpu, seen: row.seen, basis: row.basis },
        },
    }
}
