//! Keeps the power of the last quarter of an hour, for the charts of the page.
//!
//! It follows the snapshots and keeps one number per step for each workload, each running transcode and each part of the host. Bounded:
//! steps of a second or of a tick, whichever is longer, for a quarter of an hour.

mod blocks;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use agent_core::model::account::Account;
use agent_core::model::snapshot::Snapshot;
use agent_core::model::workload::Identity;
use agent_core::units::MicroJoules;
use blocks::Blocks;
use serde::{Deserialize, Serialize};

use crate::api::snapshot::{PARTS, part_of};

/// Length of the history.
pub(crate) const SPAN: Duration = Duration::from_mins(15);

/// Shortest step. Ticks are never exactly as long as configured.
const STEP: Duration = Duration::from_millis(950);

/// Longest history in steps, whatever their length.
const MAX_STEPS: usize = 900;

/// Most lines: a quarter of an hour of twenty jobs a second, about 5 MB.
const MAX_LINES: usize = 20_000;

/// Identity of a line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Line {
    /// A part of the host.
    Part(&'static str),
    /// A workload, by name and short id.
    Workload(Arc<str>, Arc<str>),
    /// A transcode, by key.
    Transcode(Arc<str>),
}

/// `/api/v1/series`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Series {
    pub times_unix_seconds: Vec<f64>,
    pub series: Vec<Named>,
}

/// One line, with a value for each time; `null` where it did not exist.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Named {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub part: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcode: Option<String>,
    pub power_watts: Vec<Option<f64>>,
}

/// The last quarter of an hour.
#[derive(Debug, Default)]
pub struct History {
    /// End of each step, on the wall clock.
    times: VecDeque<f64>,
    /// Values of each line.
    lines: HashMap<Line, Values>,
    /// The step that is being filled.
    open: HashMap<Line, f64>,
    filled: Duration,
    /// Number of steps so far.
    steps: u64,
    tick: u64,
}

/// Values of one line.
#[derive(Debug, Default)]
struct Values {
    /// In watts; not a number where it did not exist.
    all: Blocks,
    /// Step of the last value.
    last: Option<u64>,
    /// Whether any value is not zero.
    has_power: bool,
}

impl History {
    /// Adds a tick; a tick that was added before changes nothing.
    pub fn push(&mut self, snapshot: &Snapshot) {
        if snapshot.tick <= self.tick || !snapshot.zones.iter().any(|zone| zone.counts) {
            return;
        }
        self.tick = snapshot.tick;
        self.filled += snapshot.window;
        for part in PARTS {
            self.open.entry(Line::Part(part)).or_default();
        }
        for workload in &snapshot.workloads {
            let part = Line::Part(PARTS[part_of(workload)]);
            *self.open.entry(part).or_default() += workload.account.window_energy.joules();
            self.add(workload_line(&workload.identity), &workload.account);
        }
        for transcode in snapshot.transcodes.iter().filter(|transcode| {
            transcode.ended.is_none() || transcode.account.window_energy > MicroJoules::ZERO
        }) {
            self.add(Line::Transcode(Arc::clone(&transcode.identity.key)), &transcode.account);
        }
        if self.filled >= STEP {
            self.close(snapshot.wall.0);
        }
    }

    fn add(&mut self, line: Line, account: &Account) {
        *self.open.entry(line).or_default() += account.window_energy.joules();
    }

    fn close(&mut self, now: f64) {
        let seconds = std::mem::take(&mut self.filled).as_secs_f64();
        self.times.push_back(now);
        let oldest = now - SPAN.as_secs_f64();
        while self.times.len() > MAX_STEPS || self.times.front().is_some_and(|time| *time < oldest) {
            self.times.pop_front();
        }
        self.steps += 1;
        for (line, joules) in std::mem::take(&mut self.open) {
            let values = self.lines.entry(line).or_default();
            // Values of steps in which it did not exist are unknown.
            let missed = usize::try_from(self.steps - 1 - values.last.unwrap_or(self.steps - 1)).unwrap_or(0);
            (0..missed.min(MAX_STEPS)).for_each(|_| values.all.push(f32::NAN));
            values.all.push((joules / seconds) as f32);
            values.last = Some(self.steps);
            values.has_power |= joules > 0.0;
        }
        let (kept, steps) = (self.times.len(), self.steps);
        self.lines.retain(|_, values| {
            let behind = usize::try_from(steps - values.last.unwrap_or(0)).unwrap_or(usize::MAX);
            let room = kept.saturating_sub(behind);
            values.all.keep_last(room);
            // A line that ended without power is dropped: thousands may do so every minute.
            room > 0 && (values.has_power || behind == 0)
        });
        self.drop_excess();
    }

    /// On hosts with hundreds of jobs every second, the lines that ended first are dropped early.
    fn drop_excess(&mut self) {
        if self.lines.len() <= MAX_LINES {
            return;
        }
        let mut lasts: Vec<Option<u64>> = self.lines.values().map(|values| values.last).collect();
        lasts.sort_unstable();
        // A tenth more than necessary, so that this is rare. Lines of the present step stay.
        let limit = lasts[lasts.len() - MAX_LINES + MAX_LINES / 10].min(Some(self.steps));
        self.lines.retain(|_, values| values.last >= limit);
    }

    /// The wanted lines, over the last `range`, in at most this many steps.
    pub fn series(&self, range: Duration, most: usize, is_wanted: impl Fn(&Line) -> bool) -> Series {
        let oldest = self.times.back().map_or(0.0, |last| last - range.as_secs_f64());
        let first = self.times.iter().position(|time| *time > oldest).unwrap_or(self.times.len());
        let count = self.times.len() - first;
        let width = count.div_ceil(most.max(1)).max(1);
        // Whole groups, counted from the end: the last one is always complete.
        let first = first + count % width;
        let times = self.times.iter().skip(first).copied().collect::<Vec<f64>>();
        let times_unix_seconds = times.chunks(width).filter_map(|group| group.last().copied()).collect();
        let mut series: Vec<Named> = self
            .lines
            .iter()
            .filter(|(line, _)| is_wanted(line))
            .map(|(line, values)| {
                let all = self.aligned(values);
                let means = all[first..].chunks(width).map(mean).collect();
                named(line, means)
            })
            .collect();
        series.sort_by(|one, other| {
            (&one.workload, &one.id, &one.transcode).cmp(&(&other.workload, &other.id, &other.transcode))
        });
        if series.iter().all(|named| named.part.is_some()) {
            let place = |named: &Named| PARTS.iter().position(|part| Some(*part) == named.part.as_deref());
            series.sort_by_key(place);
        }
        Series { times_unix_seconds, series }
    }

    /// A value for each time.
    fn aligned(&self, values: &Values) -> Vec<f32> {
        let behind = usize::try_from(self.steps - values.last.unwrap_or(0)).unwrap_or(0);
        let before = self.times.len().saturating_sub(values.all.len() + behind);
        let mut all = vec![f32::NAN; before];
        all.extend(values.all.iter());
        all.resize(self.times.len(), f32::NAN);
        all
    }
}

fn mean(group: &[f32]) -> Option<f64> {
    let known: Vec<f64> = group.iter().copied().filter(|watts| !watts.is_nan()).map(f64::from).collect();
    // Rounded to a milliwatt: more digits are more bytes without information.
    let round = |watts: f64| (watts * 1e3).round() / 1e3;
    (!known.is_empty()).then(|| round(known.iter().sum::<f64>() / known.len() as f64))
}

fn named(line: &Line, power_watts: Vec<Option<f64>>) -> Named {
    let empty = Named { power_watts, ..Named::default() };
    match line {
        Line::Part(part) => Named { part: Some((*part).to_owned()), ..empty },
        Line::Workload(name, id) => {
            Named { workload: Some(name.to_string()), id: Some(id.to_string()), ..empty }
        }
        Line::Transcode(key) => Named { transcode: Some(key.to_string()), ..empty },
    }
}

fn workload_line(identity: &Identity) -> Line {
    Line::Workload(Arc::clone(&identity.name), Arc::clone(&identity.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A history with these joules of each line in each step of a second.
    fn history(steps: &[&[(&str, f64)]]) -> History {
        let mut history = History::default();
        for (second, step) in steps.iter().enumerate() {
            history.filled = Duration::from_secs(1);
            history.open = step
                .iter()
                .map(|(name, joules)| (Line::Workload((*name).into(), "".into()), *joules))
                .collect();
            history.close(1000.0 + second as f64);
        }
        history
    }

    fn values(history: &History, range: u64, most: usize, name: &str) -> Vec<Option<f64>> {
        let is_wanted = |line: &Line| matches!(line, Line::Workload(known, _) if **known == *name);
        let mut series = history.series(Duration::from_secs(range), most, is_wanted).series;
        series.pop().map(|named| named.power_watts).unwrap_or_default()
    }

    #[test]
    fn lines_that_come_and_go_stand_at_their_times() {
        let history = history(&[&[("a", 1.0)], &[("a", 2.0), ("b", 5.0)], &[("b", 6.0)], &[("a", 4.0)]]);
        assert_eq!(values(&history, 60, 100, "a"), [Some(1.0), Some(2.0), None, Some(4.0)]);
        assert_eq!(values(&history, 60, 100, "b"), [None, Some(5.0), Some(6.0), None]);
        assert_eq!(values(&history, 2, 100, "b"), [Some(6.0), None]);
        assert_eq!(values(&history, 60, 2, "a"), [Some(1.5), Some(4.0)]);
        assert!(values(&history, 60, 2, "c").is_empty());
    }

    #[test]
    fn it_is_bounded_and_what_is_over_is_forgotten() {
        let mut history = history(&[&[("gone", 1.0)]]);
        for second in 0..2 * MAX_STEPS {
            history.filled = Duration::from_secs(1);
            history.open.insert(Line::Workload("a".into(), "".into()), 2.0);
            history.close(1001.0 + second as f64);
        }
        assert_eq!(history.times.len(), MAX_STEPS);
        assert_eq!(history.lines.len(), 1);
        assert_eq!(values(&history, 100_000, 10_000, "a"), vec![Some(2.0); MAX_STEPS]);
    }

    #[test]
    fn idle_lines_end_with_their_owners() {
        let history = history(&[&[("idle", 0.0), ("gone", 0.0), ("busy", 1.0)], &[("idle", 0.0)]]);
        assert_eq!(values(&history, 60, 100, "idle"), [Some(0.0), Some(0.0)]);
        assert_eq!(values(&history, 60, 100, "busy"), [Some(1.0), None]);
        assert!(values(&history, 60, 100, "gone").is_empty());
    }

    #[test]
    fn of_too_many_lines_those_are_forgotten_that_ended_first() {
        let mut history = History::default();
        for second in 0..6_u32 {
            history.filled = Duration::from_secs(1);
            let jobs = (0..5000).map(|job| Line::Workload(format!("{second}-{job}").into(), "".into()));
            history.open = jobs.map(|line| (line, 1.0)).collect();
            history.close(1000.0 + f64::from(second));
        }
        assert_eq!(history.lines.len(), 20_000, "the last four of six");
        assert!(values(&history, 60, 100, "1-7").is_empty());
        assert_eq!(values(&history, 60, 100, "2-7")[2], Some(1.0));
    }
}
