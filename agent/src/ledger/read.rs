//! Reads sums and rows of the ledger: the host's energy, transcodes, and transcodes in groups.

use std::collections::BTreeMap;
use std::time::Duration;

use agent_core::join::history::Charge;
use agent_core::model::vmaf_model::VmafModel;
use agent_core::time::WallTime;
use agent_core::units::{CpuTime, MicroJoules};
use rusqlite::{Row, params};

use crate::ledger::schema::{WITH_CHARGES, WITH_MODELS, start_of};
use crate::ledger::write::NANOSECONDS_PER_MICROSECOND;
use crate::ledger::{Ledger, LedgerError};

/// The property by which a report groups transcodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// By the container's `ffwatt.scenario`.
    Scenario,
    /// By encoder.
    Codec,
    /// By workload.
    Workload,
}

/// A group of ended transcodes.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// Common value of the property.
    pub name: String,
    /// Number of transcodes.
    pub transcodes: u64,
    /// Number of transcodes that were only partly observed.
    pub partly_observed: u64,
    /// Sum of their durations.
    pub seconds: f64,
    /// Observed part of that time, to which their energy belongs.
    pub observed_seconds: f64,
    /// Their energy.
    pub energy: MicroJoules,
    /// Their CPU time.
    pub cpu: CpuTime,
    /// Their VMAF, separately for each model.
    pub scored: Vec<GroupScore>,
}

/// VMAF of the transcodes of a group that were scored by one model.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupScore {
    /// The model; `None` where an older version recorded the score.
    pub model: Option<VmafModel>,
    /// Number of transcodes.
    pub transcodes: u64,
    /// Mean of their scores.
    pub mean: f64,
}

/// Host's charges from a bucket's start to before another's, in the present table and in the older one. One look-up for each bucket.
const HOST_SUMS: [&str; 2] = [
    "SELECT coalesce(sum(energy), 0), coalesce(sum(cpu), 0)
     FROM known JOIN subject ON kind = 'host'
     JOIN bucket ON slot = (start - 1577836800) / 10 * 4194304 + subject.id
     WHERE start >= ?1 AND start < ?2 AND subject.id < 4194304",
    "SELECT coalesce(sum(energy), 0), coalesce(sum(cpu), 0)
     FROM known JOIN subject ON kind = 'host'
     JOIN charge ON charge.start = known.start AND charge.subject = subject.id
     WHERE known.start >= ?1 AND known.start < ?2",
];

impl Ledger {
    /// The host's charges since a time, and the number of seconds of that with a running agent.
    pub fn host_since(&self, from: WallTime) -> Result<(Charge, f64), LedgerError> {
        self.host_between(from, WallTime(f64::MAX))
    }

    /// The same until another time: of the buckets that begin in between.
    pub(crate) fn host_between(&self, from: WallTime, to: WallTime) -> Result<(Charge, f64), LedgerError> {
        let (first, end) = (start_of(from), start_of(to));
        let mut sum = Charge::default();
        let tables = if self.version >= WITH_CHARGES { 2 } else { 1 };
        for table in HOST_SUMS.iter().take(tables) {
            let read = |row: &Row<'_>| Ok(Charge { energy: MicroJoules(whole(row, 0)?), cpu: cpu(row, 1)? });
            sum +=
                self.connection.query_row(table, [first, end], read).map_err(|cause| self.failed(cause))?;
        }
        let known = self.connection.query_row(
            "SELECT coalesce(sum(ended - began), 0.0) FROM known WHERE start >= ?1 AND start < ?2",
            [first, end],
            |row| row.get(0),
        );
        Ok((sum, known.map_err(|cause| self.failed(cause))?))
    }

    /// Transcodes that ended in a window, in groups. Running ones are not included.
    pub fn groups(&self, from: WallTime, to: WallTime, by: Grouping) -> Result<Vec<Group>, LedgerError> {
        let column = match by {
            Grouping::Scenario => "scenario",
            Grouping::Codec => "codec",
            Grouping::Workload => "workload",
        };
        let (unobserved, is_partial, is_over) = if self.version >= WITH_CHARGES {
            (
                "unobserved",
                "state = 'lost' OR unobserved > 0 OR observed_from IS NOT NULL",
                "state != 'running'",
            )
        } else {
            ("0.0", "0", "1")
        };
        let scores = || {
            let model = if self.version >= WITH_MODELS { "vmaf_model" } else { "NULL" };
            let mut statement = self.connection.prepare_cached(&format!(
                "SELECT {column}, {model}, count(vmaf), avg(vmaf) FROM transcode
                 WHERE ended >= ?1 AND ended <= ?2 AND {is_over} AND vmaf IS NOT NULL
                 GROUP BY {column}, {model} ORDER BY count(vmaf) DESC, {model}"
            ))?;
            let score = |row: &Row<'_>| {
                let model = row.get::<_, Option<String>>(1)?.and_then(|name| VmafModel::of(&name));
                Ok((text(row, 0)?, GroupScore { model, transcodes: whole(row, 2)?, mean: row.get(3)? }))
            };
            let rows = statement.query_map(params![from.0, to.0], score)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        let read = || {
            let mut scored: BTreeMap<String, Vec<GroupScore>> = BTreeMap::new();
            for (name, score) in scores()? {
                scored.entry(name).or_default().push(score);
            }
            let mut statement = self.connection.prepare_cached(&format!(
                "SELECT {column}, count(*), coalesce(sum({is_partial}), 0), sum(ended - started), sum({unobserved}),
                        sum(energy), sum(cpu) FROM transcode
                 WHERE ended >= ?1 AND ended <= ?2 AND {is_over} GROUP BY {column} ORDER BY sum(energy) DESC"
            ))?;
            let group = |row: &Row<'_>| {
                let (seconds, unobserved): (f64, f64) = (row.get(3)?, row.get(4)?);
                let name = text(row, 0)?;
                Ok(Group {
                    scored: scored.remove(&name).unwrap_or_default(),
                    name,
                    transcodes: whole(row, 1)?,
                    partly_observed: whole(row, 2)?,
                    seconds,
                    observed_seconds: (seconds - unobserved).max(0.0),
                    energy: MicroJoules(whole(row, 5)?),
                    cpu: CpuTime(whole(row, 6)?),
                })
            };
            let rows = statement.query_map(params![from.0, to.0], group)?;
            rows.collect::<rusqlite::Result<Vec<_>>>()
        };
        read().map_err(|cause| self.failed(cause))
    }

    /// Number and energy so far of the transcodes that ran when the ledger was last written.
    pub fn running_total(&self) -> Result<(u64, MicroJoules), LedgerError> {
        if self.version < WITH_CHARGES {
            return Ok((0, MicroJoules::ZERO));
        }
        let sum = "SELECT count(*), coalesce(sum(energy), 0) FROM transcode WHERE state = 'running'";
        let read = |row: &Row<'_>| Ok((whole(row, 0)?, MicroJoules(whole(row, 1)?)));
        self.connection.query_row(sum, (), read).map_err(|cause| self.failed(cause))
    }
}

/// CPU time of a bucket.
pub(super) fn cpu(row: &Row<'_>, column: usize) -> rusqlite::Result<CpuTime> {
    Ok(CpuTime(whole(row, column)?.saturating_mul(NANOSECONDS_PER_MICROSECOND)))
}

/// Integers of the ledger are never negative; a negative one is damage, and counts as 0.
pub(super) fn whole(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    row.get::<_, i64>(column).map(|number| u64::try_from(number).unwrap_or(0))
}

/// Text; invalid UTF-8 is replaced, so that one bad name does not prevent reading the others.
pub(super) fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    let bytes = row.get_ref(column)?.as_bytes()?;
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// A duration; zero for an impossible number.
pub(super) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}
