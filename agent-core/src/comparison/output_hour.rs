//! Costs of a setting for an hour of output: energy, money, carbon and bytes.

use crate::comparison::estimate::Estimate;
use crate::comparison::setting::Setting;
use crate::join::bitrate::Megabits;
use crate::join::cost::Tariff;
use crate::units::Grams;

const SECONDS_PER_HOUR: f64 = 3600.0;

/// Joules of a kilowatt hour.
const KILOWATT_HOUR: f64 = 3.6e6;

/// Bits of a gigabyte (10⁹ bytes), in megabits.
const GIGABYTE: f64 = 8000.0;

/// Kilowatt hours. `None` where the frame rate is not known.
pub fn kilowatt_hours(setting: &Setting<'_>) -> Option<Estimate> {
    let frames = frames(setting)?;
    setting.estimate(|frame| Some(frame.joules * frames / KILOWATT_HOUR))
}

/// Money for energy and CPU time, in the currency of the tariff. `None` also where the CPU time is not known.
pub fn money(setting: &Setting<'_>, tariff: &Tariff) -> Option<Estimate> {
    let frames = frames(setting)?;
    setting.estimate(|frame| {
        Some((frame.joules * tariff.joule.0 + frame.cpu_seconds? * tariff.core_second.0) * frames)
    })
}

/// Grams of CO2 equivalent, by those of a kilowatt hour.
pub fn carbon(setting: &Setting<'_>, per_kilowatt_hour: Grams) -> Option<Estimate> {
    let frames = frames(setting)?;
    setting.estimate(|frame| Some(frame.joules * frames / KILOWATT_HOUR * per_kilowatt_hour.0))
}

/// Gigabytes (10⁹ bytes), by the mean bitrate.
pub fn gigabytes(setting: &Setting<'_>) -> Option<f64> {
    let Megabits(rate) = setting.bitrate()?;
    Some(rate * SECONDS_PER_HOUR / GIGABYTE)
}

fn frames(setting: &Setting<'_>) -> Option<f64> {
    Some(setting.frame_rate()? * SECONDS_PER_HOUR)
}
