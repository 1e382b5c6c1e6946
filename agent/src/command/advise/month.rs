//! What an advice saves in a month, by the output that the ledger has of the setting of today.

use std::time::Duration;

use agent_core::comparison::advice::Choice;
use agent_core::comparison::estimate::Estimate;
use agent_core::comparison::setting::Setting;
use agent_core::time::WallTime;
use agent_core::units::MicroJoules;

use crate::ledger::{Ledger, LedgerError, MOST_REPORTED, State, TranscodeRow};

/// Length of the month that savings are about, and of the time that is read.
pub(super) const MONTH: Duration = Duration::from_hours(30 * 24);

/// Output with the setting of today, in a month like the time that the ledger covers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LedgerMonth {
    /// Encoder, preset and picture sizes.
    pub(super) name: String,
    /// Transcodes in the ledger whose length of output is known, and those whose length is not.
    pub(super) transcodes: u64,
    pub(super) unknown: u64,
    /// Days that the ledger covers.
    pub(super) days: f64,
    /// Hours of output in a month.
    pub(super) hours: f64,
    /// Measured energy of an hour of output, with source and sound; `None` without output.
    pub(super) kilowatt_hours: Option<f64>,
}

impl LedgerMonth {
    /// Reads the ledger; `None` where the setting has no encoder, or where no agent ran.
    pub(super) fn read(
        ledger: &Ledger,
        today: &Choice<'_>,
        now: WallTime,
    ) -> Result<Option<Self>, LedgerError> {
        let since = WallTime(now.0 - MONTH.as_secs_f64());
        let (_, known) = ledger.host_between(since, now)?;
        let Some(first) = today.settings.first().filter(|first| !first.names.encoder.is_empty()) else {
            return Ok(None);
        };
        if known <= 0.0 {
            return Ok(None);
        }
        let mut sizes: Vec<&str> = today.settings.iter().map(size).collect();
        sizes.dedup();
        let mut month = Self {
            name: format!("{} {} {}", first.names.encoder, first.names.preset, sizes.join(", ")),
            days: known / Duration::from_hours(24).as_secs_f64(),
            ..Self::default()
        };
        let (mut output, mut energy) = (Duration::ZERO, MicroJoules::ZERO);
        let is_of_it = |row: &TranscodeRow| {
            row.state != State::Running
                && row.codec == first.names.encoder
                && row.preset == first.names.preset
                && sizes.contains(&row.resolution.as_str())
        };
        for row in ledger.transcodes(since, now, MOST_REPORTED)?.into_iter().filter(is_of_it) {
            match row.seen.length.filter(|length| !length.is_zero()) {
                Some(length) => {
                    month.transcodes += 1;
                    output += length;
                    energy += row.seen.energy;
                }
                None => month.unknown += 1,
            }
        }
        let hours = output.div_duration_f64(Duration::from_hours(1));
        month.hours = hours * MONTH.as_secs_f64() / known;
        month.kilowatt_hours = (hours > 0.0).then(|| energy.kilowatt_hours() / hours);
        Ok(Some(month))
    }

    /// What the month has less, of what an hour has less.
    pub(super) fn saved(&self, an_hour: Estimate) -> Estimate {
        Estimate { mean: an_hour.mean * self.hours, margin: an_hour.margin.map(|margin| margin * self.hours) }
    }
}

fn size<'a>(setting: &Setting<'a>) -> &'a str {
    &setting.names.resolution
}
