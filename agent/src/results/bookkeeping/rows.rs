//! Queues rows of transcodes for the ledger: at every tick while a transcode runs, and once more when it ends.
//!
//! Bounded: the oldest row is dropped first.

use std::collections::{HashMap, HashSet};

use agent_core::model::joined::EnergyBasis;
use agent_core::model::snapshot::{Snapshot, TranscodeSnapshot};
use agent_core::model::transcode::ExitStatus;
use agent_core::units::{CpuTime, MicroJoules};

use crate::ledger::{State, TranscodeRow};

/// Most transcodes that wait while the disk cannot be written: a few megabytes.
const MOST_TRANSCODES: usize = 10_000;

/// A row as it was last written: only changes are written again. The row of a running transcode changes at every tick, at least in the
/// time of its totals: the next agent counts later time as unobserved.
type Written = (State, MicroJoules, CpuTime, Option<u64>, u64);

/// Rows of transcodes to be written.
#[derive(Debug, Default)]
pub(super) struct Rows {
    /// Oldest first.
    waiting: Vec<TranscodeRow>,
    written: HashMap<String, Written>,
    lost: u64,
}

impl Rows {
    /// Adds rows that have changed with a tick.
    pub(super) fn update(&mut self, snapshot: &Snapshot, basis: EnergyBasis) {
        self.take(all(snapshot, basis));
    }

    fn take(&mut self, mut changed: Vec<TranscodeRow>) {
        let shown: HashSet<&str> = changed.iter().map(|row| row.key.as_str()).collect();
        self.written.retain(|key, _| shown.contains(key.as_str()));
        // Its last CPU time and its last progress block may arrive a tick after its end.
        changed.retain(|row| self.written.get(&row.key) != Some(&written(row)));
        let mut places: HashMap<(&str, u64), usize> = HashMap::new();
        for (place, row) in self.waiting.iter().enumerate() {
            places.insert((row.key.as_str(), row.started.0.to_bits()), place);
        }
        let places: Vec<Option<usize>> = changed
            .iter()
            .map(|row| places.get(&(row.key.as_str(), row.started.0.to_bits())).copied())
            .collect();
        for (row, place) in changed.into_iter().zip(places) {
            match place.and_then(|place| self.waiting.get_mut(place)) {
                Some(waiting) => *waiting = row,
                None => self.waiting.push(row),
            }
        }
        let surplus = self.waiting.len().saturating_sub(MOST_TRANSCODES);
        self.lost += self.waiting.drain(..surplus).count() as u64;
    }

    /// All rows that wait.
    pub(super) fn waiting(&self) -> &[TranscodeRow] {
        &self.waiting
    }

    /// Drops rows that have been written, and those with these indexes, which were refused: each is counted when it ends.
    pub(super) fn settle(&mut self, refused: &[usize]) {
        let is_over = |place: &&usize| self.waiting.get(**place).is_some_and(|row| row.state == State::Ended);
        self.lost += refused.iter().filter(is_over).count() as u64;
        self.written.extend(self.waiting.drain(..).map(|row| {
            let is = written(&row);
            (row.key, is)
        }));
    }

    /// Number of dropped rows.
    pub(super) fn lost(&self) -> u64 {
        self.lost
    }
}

fn written(row: &TranscodeRow) -> Written {
    (row.state, row.energy, row.cpu, row.frames, row.ended.0.to_bits())
}

/// Rows of all transcodes of a snapshot.
pub(super) fn all(snapshot: &Snapshot, basis: EnergyBasis) -> Vec<TranscodeRow> {
    snapshot.transcodes.iter().map(|transcode| row(transcode, snapshot, basis)).collect()
}

fn row(transcode: &TranscodeSnapshot, snapshot: &Snapshot, basis: EnergyBasis) -> TranscodeRow {
    let (energy, cpu) = transcode.total(snapshot);
    let observation = &transcode.observation;
    let encode = &transcode.identity.encode;
    let text = |value: &Option<String>| value.clone().unwrap_or_default();
    // Energy is measured only when all of it is.
    let is_modelled = [Some(basis), observation.earlier.basis].contains(&Some(EnergyBasis::Modelled));
    TranscodeRow {
        key: transcode.identity.key.to_string(),
        started: transcode.started,
        ended: transcode.ended.unwrap_or(snapshot.wall),
        state: if transcode.ended.is_some() { State::Ended } else { State::Running },
        workload: transcode.workload.name.to_string(),
        scenario: transcode.workload.details.scenario().unwrap_or_default().to_owned(),
        codec: text(&encode.codec),
        preset: text(&encode.preset),
        resolution: text(&encode.resolution),
        exit: transcode.exit.map(|exit| match exit.status {
            ExitStatus::Code(code) => i64::from(code),
            ExitStatus::Signal(signal) => 128 + i64::from(signal),
        }),
        energy,
        cpu,
        basis: Some(if is_modelled { EnergyBasis::Modelled } else { basis }),
        frames: transcode.output.frames,
        quality: transcode.output.quality,
        observed_from: observation.from,
        unobserved: observation.missing,
        seen: transcode.seen,
        process: observation.process.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent_core::time::WallTime;

    fn row(number: usize, energy: u64) -> TranscodeRow {
        TranscodeRow {
            key: format!("{number}-1"),
            started: WallTime(number as f64),
            energy: MicroJoules(energy),
            ..TranscodeRow::default()
        }
    }

    #[test]
    fn a_row_that_waits_is_replaced_and_the_oldest_goes_when_there_are_too_many() {
        let mut rows = Rows::default();
        rows.take(vec![row(0, 1), row(1, 1)]);
        rows.take(vec![row(1, 2), row(2, 1)]);
        assert_eq!(rows.waiting(), [row(0, 1), row(1, 2), row(2, 1)]);
        rows.take((0..MOST_TRANSCODES).map(|number| row(number + 3, 1)).collect());
        assert_eq!((rows.waiting().len(), rows.lost()), (MOST_TRANSCODES, 3));
        rows.settle(&[]);
        rows.take(vec![row(5, 1), row(6, 2)]);
        assert_eq!(rows.waiting(), [row(6, 2)], "as it was written, it is not written again");
    }

    #[test]
    fn what_is_refused_is_counted_once_it_has_ended() {
        let running = TranscodeRow { state: State::Running, ..row(1, 5) };
        let mut rows = Rows { waiting: vec![running, row(2, 5), row(3, 5)], ..Rows::default() };
        rows.settle(&[0, 2]);
        assert_eq!((rows.lost(), rows.waiting().len(), rows.written.len()), (1, 0, 3));
    }
}
