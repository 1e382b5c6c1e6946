//! Reports how the joules per frame of transcodes changed over time, and what the month costs, from the ledger.

mod month;
mod output;

use std::collections::BTreeMap;

use agent_core::comparison::change_point::{ChangePoint, change_point};
use agent_core::join::figures::Prices;
use agent_core::time::WallTime;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use crate::ledger::{Grouping, Ledger, LedgerError, MOST_REPORTED, State, TranscodeRow};

pub(super) use output::write;

/// Days of the report when `--since` is absent.
const DAYS: i64 = 30;

/// A change is named when its probability by chance, times the number of groups, is below this.
const SIGNIFICANCE: f64 = 0.05;

/// What a report of trends is about.
pub(super) struct Wanted {
    pub(super) since: Option<WallTime>,
    /// `None`: by encoder, preset and size.
    pub(super) by: Option<Grouping>,
    pub(super) now: WallTime,
    pub(super) zone: TimeZone,
}

/// Joules per frame of a group of transcodes.
#[derive(Debug)]
struct Trend {
    name: String,
    days: Vec<Day>,
    change: Option<Change>,
}

/// Transcodes of a group that ended on one day.
#[derive(Debug)]
struct Day {
    date: Date,
    transcodes: u64,
    frames: f64,
    joules: f64,
}

/// A change that is outside the noise.
#[derive(Clone, Copy, Debug)]
struct Change {
    found: ChangePoint,
    /// End of the first transcode after it.
    since: Date,
    transcodes: [usize; 2],
}

/// What the ledger says.
#[derive(Debug)]
struct Trends {
    since: Date,
    trends: Vec<Trend>,
    /// Transcodes whose frames are not known, and those that run.
    left_out: u64,
    running: u64,
    month: Option<month::Month>,
}

/// One transcode: when it ended, and its output.
struct Sample {
    ended: WallTime,
    joules: f64,
    frames: f64,
}

fn read(ledger: &Ledger, wanted: &Wanted, prices: &Prices) -> Result<Trends, LedgerError> {
    let today = day_of(wanted.now, &wanted.zone);
    let days_ago = || {
        let first = today.date().checked_sub(jiff::Span::new().days(DAYS - 1)).ok()?;
        begin_of(first, &wanted.zone)
    };
    let since = wanted.since.or_else(days_ago).unwrap_or(WallTime(0.0));
    let mut groups: BTreeMap<String, Vec<Sample>> = BTreeMap::new();
    let (mut left_out, mut running) = (0, 0);
    let mut rows = ledger.transcodes(since, wanted.now, MOST_REPORTED)?;
    rows.reverse();
    for row in rows {
        match sample(&row) {
            _ if row.state == State::Running => running += 1,
            None => left_out += 1,
            Some(sample) => groups.entry(name(row, wanted.by)).or_default().push(sample),
        }
    }
    let count = groups.len() as f64;
    let trends = groups.into_iter().map(|(name, samples)| Trend {
        name,
        days: days(&samples, &wanted.zone),
        change: change(&samples, count, &wanted.zone),
    });
    Ok(Trends {
        since: day_of(since, &wanted.zone).date(),
        trends: trends.collect(),
        left_out,
        running,
        month: month::month(ledger, wanted, since, prices)?,
    })
}

/// Energy and frames of the observed output; of the whole transcode where all of it was observed.
fn sample(row: &TranscodeRow) -> Option<Sample> {
    let is_whole = row.observed_from.is_none() && row.unobserved.is_zero();
    let seen = row.seen.frames.map(|frames| (row.seen.energy, frames));
    let (energy, frames) = seen.or_else(|| Some((row.energy, row.frames.filter(|_| is_whole)?)))?;
    let sample = Sample { ended: row.ended, joules: energy.joules(), frames: frames as f64 };
    Some(sample).filter(|sample| sample.frames > 0.0 && sample.joules > 0.0)
}

fn name(row: TranscodeRow, by: Option<Grouping>) -> String {
    match by {
        Some(Grouping::Scenario) => row.scenario,
        Some(Grouping::Codec) => row.codec,
        Some(Grouping::Workload) => row.workload,
        None => {
            let parts = [row.codec, row.preset, row.resolution];
            parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
        }
    }
}

fn days(samples: &[Sample], zone: &TimeZone) -> Vec<Day> {
    let mut days: Vec<Day> = Vec::new();
    for sample in samples {
        let date = day_of(sample.ended, zone).date();
        match days.last_mut().filter(|last| last.date == date) {
            Some(day) => {
                day.transcodes += 1;
                day.frames += sample.frames;
                day.joules += sample.joules;
            }
            None => days.push(Day { date, transcodes: 1, frames: sample.frames, joules: sample.joules }),
        }
    }
    days
}

/// The change of a group, if it is clearer than chance makes one in any of the groups.
fn change(samples: &[Sample], groups: f64, zone: &TimeZone) -> Option<Change> {
    let values: Vec<f64> = samples.iter().map(|sample| sample.joules / sample.frames).collect();
    let found = change_point(&values).filter(|found| found.probability * groups < SIGNIFICANCE)?;
    let since = day_of(samples.get(found.index)?.ended, zone).date();
    Some(Change { found, since, transcodes: [found.index, samples.len() - found.index] })
}

fn day_of(time: WallTime, zone: &TimeZone) -> Zoned {
    let timestamp = Timestamp::from_second(time.0 as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    timestamp.to_zoned(zone.clone())
}

/// Midnight, or the first moment of the day.
fn begin_of(date: Date, zone: &TimeZone) -> Option<WallTime> {
    Some(WallTime(date.to_zoned(zone.clone()).ok()?.timestamp().as_second() as f64))
}

#[cfg(test)]
mod tests;
