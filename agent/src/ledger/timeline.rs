//! Reads energy over time in steps of minutes or hours: of the host and its parts, or of the workloads of one name.

use std::collections::BTreeMap;

use agent_core::join::history::Charge;
use agent_core::model::workload::Pseudo;
use agent_core::time::WallTime;
use agent_core::units::MicroJoules;
use rusqlite::types::Value;
use rusqlite::{Row, params, params_from_iter};

use crate::ledger::read::{cpu, text, whole};
use crate::ledger::schema::{WITH_CHARGES, start_of};
use crate::ledger::{BUCKET_SECONDS, Ledger, LedgerError};

/// Most subjects of one name, the latest first: a container that is made again each day has a new one each day. Each costs a look-up
/// for each bucket.
const MOST_SUBJECTS: u32 = 8;

/// Energy in equal steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Timeline {
    /// Length of a step in seconds: whole buckets.
    pub(crate) step_seconds: i64,
    /// All steps of the window, in order.
    pub(crate) steps: Vec<TimelineStep>,
}

/// One step.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct TimelineStep {
    /// Its end.
    pub(crate) end: WallTime,
    /// Seconds of it with a running agent; 0 in a gap.
    pub(crate) known_seconds: f64,
    /// Whether all of its energy was measured.
    pub(crate) is_measured: bool,
    /// Charges of the subject; `None` without any.
    pub(crate) charge: Option<Charge>,
    /// Of the host: energy of the pseudo-workloads, by name.
    pub(crate) pseudo: BTreeMap<&'static str, MicroJoules>,
}

/// The part of a step's charges that a subject is.
#[derive(Clone, Copy)]
enum SubjectShare {
    Whole,
    Pseudo(&'static str),
}

/// The known time of a window.
const KNOWN: &str = "SELECT start, ended - began, measured FROM known WHERE start >= ?1 AND start < ?2";

/// Charges of one subject, in the older table and in the present one, with one look-up for each bucket.
const CHARGES: [&str; 2] = [
    "SELECT known.start, energy, cpu
     FROM known CROSS JOIN bucket ON slot = (start - 1577836800) / 10 * 4194304 + ?3
     WHERE known.start >= ?1 AND known.start < ?2 AND ?3 < 4194304",
    "SELECT known.start, energy, cpu
     FROM known CROSS JOIN charge ON charge.start = known.start AND charge.subject = ?3
     WHERE known.start >= ?1 AND known.start < ?2",
];

impl Ledger {
    /// The host in this number of steps that end at `to`, with its pseudo-workloads.
    pub(crate) fn host_timeline(
        &self,
        to: WallTime,
        step_seconds: i64,
        steps: u32,
    ) -> Result<Timeline, LedgerError> {
        let subjects = || {
            let names = Pseudo::ALL.map(|pseudo| Value::Text(pseudo.name().to_owned()));
            let mut statement = self.connection.prepare_cached(
                "SELECT id, kind, name FROM subject WHERE kind = 'host' OR
                 (kind = 'workload' AND short_id = '' AND name IN (?1, ?2, ?3, ?4, ?5, ?6))",
            )?;
            let share = |row: &Row<'_>| {
                let name = text(row, 2)?;
                let pseudo = Pseudo::ALL.into_iter().map(Pseudo::name).find(|known| *known == name);
                let is_host = text(row, 1)? == "host";
                Ok((
                    row.get(0)?,
                    pseudo.filter(|_| !is_host).map_or(SubjectShare::Whole, SubjectShare::Pseudo),
                ))
            };
            let rows = statement.query_map(params_from_iter(names), share)?;
            rows.collect::<rusqlite::Result<Vec<(i64, SubjectShare)>>>()
        };
        let read = || self.timeline(to, step_seconds, steps, &subjects()?);
        read().map_err(|cause| self.failed(cause))
    }

    /// The workloads of a name in this number of steps that end at `to`.
    pub(crate) fn workload_timeline(
        &self,
        name: &str,
        to: WallTime,
        step_seconds: i64,
        steps: u32,
    ) -> Result<Timeline, LedgerError> {
        let subjects = || {
            let mut statement = self.connection.prepare_cached(
                "SELECT id FROM subject WHERE kind = 'workload' AND name = ?1 ORDER BY last DESC LIMIT ?2",
            )?;
            let rows = statement.query_map(params![name, MOST_SUBJECTS], |row| row.get(0))?;
            rows.map(|id| id.map(|id| (id, SubjectShare::Whole)))
                .collect::<rusqlite::Result<Vec<(i64, SubjectShare)>>>()
        };
        let read = || self.timeline(to, step_seconds, steps, &subjects()?);
        read().map_err(|cause| self.failed(cause))
    }

    fn timeline(
        &self,
        to: WallTime,
        step_seconds: i64,
        steps: u32,
        subjects: &[(i64, SubjectShare)],
    ) -> rusqlite::Result<Timeline> {
        // The bucket that is being filled is part of the last step.
        let end = start_of(to).saturating_add(BUCKET_SECONDS);
        let first = end.saturating_sub(step_seconds.saturating_mul(i64::from(steps)));
        let mut all: Vec<TimelineStep> = (1..=i64::from(steps))
            .map(|number| TimelineStep {
                end: WallTime((first + number * step_seconds) as f64),
                is_measured: true,
                ..TimelineStep::default()
            })
            .collect();
        // Steps are summed here: a sum of SQLite sorts a month of buckets in a temporary file, which the running agent may not make.
        let place = |row: &Row<'_>| {
            let step = (row.get::<_, i64>(0)? - first).div_euclid(step_seconds);
            Ok::<usize, rusqlite::Error>(usize::try_from(step).unwrap_or(usize::MAX))
        };
        let mut known = self.connection.prepare_cached(KNOWN)?;
        let mut rows = known.query(params![first, end])?;
        while let Some(row) = rows.next()? {
            let Some(step) = all.get_mut(place(row)?) else { continue };
            step.known_seconds += row.get::<_, f64>(1)?;
            step.is_measured &= row.get::<_, bool>(2)?;
        }
        let tables = if self.version >= WITH_CHARGES { 2 } else { 1 };
        for table in &CHARGES[..tables] {
            let mut charges = self.connection.prepare_cached(table)?;
            for (subject, share) in subjects {
                let mut rows = charges.query(params![first, end, subject])?;
                while let Some(row) = rows.next()? {
                    let Some(step) = all.get_mut(place(row)?) else { continue };
                    let charge = Charge { energy: MicroJoules(whole(row, 1)?), cpu: cpu(row, 2)? };
                    match share {
                        SubjectShare::Whole => *step.charge.get_or_insert_default() += charge,
                        SubjectShare::Pseudo(name) => *step.pseudo.entry(name).or_default() += charge.energy,
                    }
                }
            }
        }
        Ok(Timeline { step_seconds, steps: all })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use agent_core::join::history::Tick;
    use agent_core::join::subject::Subject;
    use agent_core::model::joined::EnergyBasis;
    use agent_core::units::CpuTime;

    use super::*;
    use crate::ledger::Buckets;

    const NOW: WallTime = WallTime(1_800_000_000.0);

    fn tick(from: f64, to: f64, charges: &[(Subject, u64)]) -> Tick {
        let charge = |(subject, joules): &(Subject, u64)| {
            (subject.clone(), Charge { energy: MicroJoules(joules * 1_000_000), cpu: CpuTime(6_000_000) })
        };
        Tick {
            from: WallTime(NOW.0 + from),
            to: WallTime(NOW.0 + to),
            charges: charges.iter().map(charge).collect(),
            containers: CpuTime(0),
            engine: None,
        }
    }

    fn workload(name: &str, id: &str) -> Subject {
        Subject::Workload { name: name.into(), id: id.into() }
    }

    /// A ledger with an agent that ran in the first minute and in the third, with a container that was made again.
    fn ledger(folder: &std::path::Path) -> Ledger {
        let (mut ledger, _) = Ledger::open(folder, NOW).unwrap();
        let mut buckets = Buckets::default();
        for (from, container) in [(0.0, "1"), (120.0, "2")] {
            let all = [(Subject::Host, 600), (workload("idle", ""), 60), (workload("box", container), 300)];
            buckets.add(&tick(from, from + 60.0, &all), EnergyBasis::Measured);
            ledger.record(&mut buckets, &HashMap::new(), &[]).unwrap();
        }
        ledger
    }

    fn joules(step: &TimelineStep) -> Option<f64> {
        step.charge.map(|charge| charge.energy.joules())
    }

    #[test]
    fn a_time_without_an_agent_is_a_gap_and_the_sum_is_what_was_charged() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        // The last bucket before that time is whole.
        let host = ledger.host_timeline(WallTime(NOW.0 + 179.0), 60, 4).unwrap();
        let known: Vec<f64> = host.steps.iter().map(|step| step.known_seconds).collect();
        assert_eq!(known, [0.0, 60.0, 0.0, 60.0]);
        assert_eq!(host.steps.iter().map(joules).collect::<Vec<_>>(), [None, Some(600.0), None, Some(600.0)]);
        assert_eq!(host.steps[1].pseudo, BTreeMap::from([("idle", MicroJoules(60_000_000))]));
        assert_eq!(host.steps[3].end, WallTime(NOW.0 + 180.0));
        assert_eq!(host.steps[3].charge.unwrap().cpu, CpuTime(6_000_000));
        let coarse = ledger.host_timeline(WallTime(NOW.0 + 179.0), 180, 1).unwrap();
        assert_eq!((joules(&coarse.steps[0]), coarse.steps[0].known_seconds), (Some(1200.0), 120.0));
    }

    #[test]
    fn a_container_that_is_made_again_is_one_workload_by_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        let found = |name: &str| {
            let timeline = ledger.workload_timeline(name, WallTime(NOW.0 + 179.0), 60, 3).unwrap();
            timeline.steps.iter().map(joules).collect::<Vec<_>>()
        };
        assert_eq!(found("box"), [Some(300.0), None, Some(300.0)]);
        assert_eq!(found("other"), [None, None, None]);
    }

    /// The running agent cannot make files in most folders.
    #[test]
    fn no_query_sorts_or_scans() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = ledger(folder.path());
        for query in CHARGES.iter().chain([&KNOWN]) {
            let mut statement = ledger.connection.prepare(&format!("EXPLAIN QUERY PLAN {query}")).unwrap();
            let steps = statement.raw_query().mapped(|row| row.get::<_, String>(3));
            let steps: Vec<String> = steps.map(Result::unwrap).collect();
            assert!(!steps.is_empty() && steps.iter().all(|step| step.starts_with("SEARCH ")), "{steps:?}");
        }
    }

    #[test]
    fn estimated_energy_is_marked() {
        let folder = tempfile::tempdir().unwrap();
        let (mut ledger, _) = Ledger::open(folder.path(), NOW).unwrap();
        let mut buckets = Buckets::default();
        buckets.add(&tick(0.0, 10.0, &[(Subject::Host, 1)]), EnergyBasis::Modelled);
        ledger.record(&mut buckets, &HashMap::new(), &[]).unwrap();
        let host = ledger.host_timeline(NOW, 10, 1).unwrap();
        assert_eq!((host.steps[0].is_measured, joules(&host.steps[0])), (false, Some(1.0)));
    }
}
