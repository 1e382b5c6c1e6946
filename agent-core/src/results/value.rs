//! Converts values of result files into numbers, times and texts; a refusal says what the value is, without quoting it.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::time::Duration;

use crate::model::scenario::Picture;
use crate::model::vmaf_model::VmafModel;
use crate::text::bounded;
use crate::time::WallTime;
use crate::units::Vmaf;

use crate::results::json::Json;

/// Labels are no longer than this many characters.
pub(super) const MAX_TEXT: usize = 256;

/// Longer than any encode: longer times are mistakes.
pub(super) const MAX_SECONDS: f64 = 366.0 * 86_400.0;

/// Scores above 100 by at most this are 100: writers round to two digits, and a mean of 100s may exceed 100 in its last digit.
const VMAF_ROUNDING: f64 = 0.01;

/// Names of sizes by their height, for pictures of 16:9 (480p and 240p as ladders of streaming services have them). Only the writers of
/// result files mean a width by them: the size of a command line may have any width.
const NAMED_SIZES: [(&str, (u32, u32)); 8] = [
    ("4320p", (7680, 4320)),
    ("2160p", (3840, 2160)),
    ("1440p", (2560, 1440)),
    ("1080p", (1920, 1080)),
    ("720p", (1280, 720)),
    ("480p", (854, 480)),
    ("360p", (640, 360)),
    ("240p", (426, 240)),
];

/// Reason why a value is left out: the end of a sentence that begins with the field.
pub(super) type Why = Cow<'static, str>;

/// Names of units, and their factors.
type Units = &'static [(&'static str, f64)];

pub(super) const NO_UNITS: Units = &[];
pub(super) const RATE: Units = &[("fps", 1.0)];
pub(super) const WATTS: Units = &[("w", 1.0), ("kw", 1e3)];
pub(super) const JOULES: Units = &[("j", 1.0), ("kj", 1e3), ("wh", 3600.0), ("kwh", 3.6e6)];
const DECIBELS: Units = &[("db", 1.0)];
const SECONDS: Units = &[
    ("ms", 1e-3),
    ("s", 1.0),
    ("sec", 1.0),
    ("seconds", 1.0),
    ("m", 60.0),
    ("min", 60.0),
    ("minutes", 60.0),
    ("h", 3600.0),
    ("hours", 3600.0),
];

/// Words by which writers say that a value is missing.
pub(super) fn is_missing(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::Text(text) => {
            let text = text.trim();
            ["", "n/a", "none", "null", "-"].iter().any(|word| text.eq_ignore_ascii_case(word))
        }
        _ => false,
    }
}

pub(super) fn is_zero(value: &Json) -> bool {
    number(value, NO_UNITS).is_ok_and(|number| number == 0.0)
}

/// A number, also as text with one of these units, or as a fraction such as `30000/1001`.
pub(super) fn number(value: &Json, units: Units) -> Result<f64, Why> {
    let number = match value {
        Json::Number(number) => *number,
        Json::Text(text) => written(text.trim(), units).ok_or_else(|| expected(units))?,
        other => return Err(format!("is {}, not a number", other.kind()).into()),
    };
    if number.is_nan() {
        Err("is NaN".into())
    } else if number.is_infinite() {
        Err("is infinite, or too large for a number".into())
    } else {
        Ok(number)
    }
}

fn written(text: &str, units: Units) -> Option<f64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    if let Some((above, below)) = text.split_once('/') {
        let (above, below): (f64, f64) = (above.trim().parse().ok()?, below.trim().parse().ok()?);
        return (below > 0.0).then_some(above / below);
    }
    let number = text.trim_end_matches(char::is_alphabetic);
    let unit = &text[number.len()..];
    let (_, factor) = units.iter().find(|(name, _)| unit.eq_ignore_ascii_case(name))?;
    number.trim().parse::<f64>().ok().map(|number| number * factor)
}

fn expected(units: Units) -> Why {
    match units {
        [] => "is text that is no number".into(),
        [(unit, _), ..] => format!("is text that is no number, and no number of {unit}").into(),
    }
}

/// A number in this range.
pub(super) fn within(value: &Json, units: Units, range: &RangeInclusive<f64>) -> Result<f64, Why> {
    let number = number(value, units)?;
    let is_within = range.contains(&number);
    is_within
        .then_some(number)
        .ok_or_else(|| format!("is outside {} to {}", range.start(), range.end()).into())
}

/// A number in this range that is not 0.
pub(super) fn positive(value: &Json, units: Units, most: f64) -> Result<f64, Why> {
    let number = number(value, units)?;
    let is_positive = number > 0.0 && number <= most;
    is_positive.then_some(number).ok_or_else(|| format!("is not above 0, or above {most}").into())
}

/// A whole number, such as a count of frames.
pub(super) fn whole(value: &Json, most: u64) -> Result<u64, Why> {
    let number = within(value, NO_UNITS, &(0.0..=most as f64))?;
    if number.fract() == 0.0 { Ok(number as u64) } else { Err("is no whole number".into()) }
}

/// VMAF from 0 to 100. Scores that others computed and that are at most 1 are on another scale.
pub(super) fn vmaf(value: &Json, is_own: bool) -> Result<Vmaf, Why> {
    let score = number(value, NO_UNITS)?;
    if score > 0.0 && score <= 1.0 && !is_own {
        return Err("is on a scale of 0 to 1; write it on VMAF's scale of 0 to 100".into());
    }
    let rounded = if score <= 100.0 + VMAF_ROUNDING { score.min(100.0) } else { score };
    Vmaf::new(rounded).ok_or_else(|| "is outside 0 to 100".into())
}

/// The model of a VMAF score.
pub(super) fn vmaf_model(value: &Json) -> Result<VmafModel, Why> {
    let known = || VmafModel::ALL.map(VmafModel::name).join(", ");
    VmafModel::of(text(value)?.trim()).ok_or_else(|| format!("is none of {}", known()).into())
}

/// PSNR of identical pictures is infinite. JSON has no such number, so it is a bare word or text.
pub(super) fn decibels(value: &Json) -> Result<f64, Why> {
    if let Json::Text(text) = value
        && text.trim().parse() == Ok(f64::INFINITY)
        && !text.contains(|character: char| character.is_ascii_digit())
    {
        return Ok(f64::INFINITY);
    }
    within(value, DECIBELS, &(0.0..=1000.0))
}

/// A length of time: seconds, a number with a unit, or `1:02:03.5`.
pub(super) fn duration(value: &Json) -> Result<Duration, Why> {
    let clock = if let Json::Text(text) = value { by_clock(text.trim()) } else { None };
    let seconds = match clock {
        Some(seconds) => seconds,
        None => number(value, SECONDS).map_err(|refusal| {
            if refusal.starts_with("is text") {
                "is text that is no length of time, such as 60, 60s or 0:01:00".into()
            } else {
                refusal
            }
        })?,
    };
    let is_length = seconds > 0.0 && seconds <= MAX_SECONDS;
    let duration =
        Duration::try_from_secs_f64(seconds).ok().filter(|duration| is_length && !duration.is_zero());
    duration.ok_or_else(|| "is not above 0, or above 366 days".into())
}

/// Hours, minutes and seconds; or minutes and seconds.
fn by_clock(text: &str) -> Option<f64> {
    let parts: Vec<&str> = text.split(':').collect();
    if !(2..=3).contains(&parts.len()) {
        return None;
    }
    let parts: Option<Vec<f64>> = parts.iter().map(|part| part.parse().ok()).collect();
    let parts = parts.filter(|parts| parts.iter().all(|part| part.is_sign_positive()))?;
    Some(parts.iter().fold(0.0, |sum, part| sum * 60.0 + part))
}

/// A point in time: seconds, milliseconds, microseconds or nanoseconds since 1970, or ISO 8601 with its offset.
pub(super) fn time(value: &Json) -> Result<WallTime, Why> {
    let number = match value {
        Json::Text(text) if text.trim().parse::<f64>().is_err() => return moment(text.trim()),
        value => number(value, NO_UNITS)?,
    };
    // Seconds below 1e11 are before the year 5138; the same number of milliseconds is before April 1973.
    let scale = match number {
        1e17.. => 1e9,
        1e14.. => 1e6,
        1e11.. => 1e3,
        _ => 1.0,
    };
    let seconds = number / scale;
    if seconds > 0.0 && seconds < 1e11 { Ok(WallTime(seconds)) } else { Err("is no time since 1970".into()) }
}

fn moment(text: &str) -> Result<WallTime, Why> {
    match text.parse::<jiff::Timestamp>() {
        Ok(time) if time.as_second() > 0 => Ok(WallTime(time.as_duration().as_secs_f64())),
        Ok(_) => Err("is no time since 1970".into()),
        Err(_) if text.parse::<jiff::civil::DateTime>().is_ok() => {
            Err("has no time zone; write Z or an offset such as +02:00 behind it, or seconds since 1970"
                .into())
        }
        Err(_) => Err("is text that is no time: write seconds since 1970, or 2026-01-31T12:00:00Z".into()),
    }
}

/// Text, or a number as text.
pub(super) fn text(value: &Json) -> Result<String, Why> {
    let is_number = |text: &str| text.parse::<f64>().is_ok_and(|number| !number.is_finite());
    match value {
        // Writers of tables put it where there is no text.
        Json::Text(text) if is_number(text.trim()) => Err("is NaN or infinite, not text".into()),
        Json::Text(text) => Ok(bounded(text, MAX_TEXT)),
        Json::Number(number) => Ok(bounded(&number.to_string(), MAX_TEXT)),
        other => Err(format!("is {}, not text", other.kind()).into()),
    }
}

/// The size of a picture: its text such as `1280x720`, and its pixels.
pub(super) fn size(value: &Json) -> Result<(String, (u32, u32)), Why> {
    let text = text(value)?;
    if let Some(size) = Picture::size(&text) {
        return Ok((text, size));
    }
    let name = text.trim().to_ascii_lowercase();
    // `1080p60` has the frame rate behind it.
    let lines = name.split_once('p').filter(|(_, rate)| rate.is_empty() || rate.parse::<f32>().is_ok());
    let is_named =
        |(other, _): &&(&str, _)| lines.is_some_and(|(lines, _)| other.trim_end_matches('p') == lines);
    let named = NAMED_SIZES.iter().find(is_named).map(|(_, size)| *size);
    let size = named.or_else(|| Picture::size(&name.replace(['×', '*'], "x")));
    let (width, height) = size.ok_or("is no size of a picture, such as 1280x720 or 720p")?;
    Ok((format!("{width}x{height}"), (width, height)))
}

/// Bits per second, as ffmpeg and people write them. `MB/s` is none: bytes.
const BITS_A_SECOND: [&str; 3] = ["bits/s", "bit/s", "b/s"];

/// One or several bitrates. Units are written as `bps`.
pub(super) fn bitrate(value: &Json) -> Result<String, Why> {
    let with_unit = |part: &str| {
        let number = BITS_A_SECOND.iter().find_map(|unit| part.trim_end().strip_suffix(unit));
        number.map_or_else(|| part.to_owned(), |number| format!("{number}bps"))
    };
    let text = text(value)?.split(',').map(with_unit).collect::<Vec<_>>().join(",");
    let is_bitrate = |part: &str| {
        let part = part.trim().to_ascii_lowercase();
        let number = part.trim_end_matches(|character: char| character.is_ascii_alphabetic());
        let unit = &part[number.len()..];
        let is_number = number.trim().parse::<f64>().is_ok_and(|number| number.is_finite() && number >= 0.0);
        is_number && ["", "k", "m", "bps", "kbps", "mbps"].contains(&unit)
    };
    let is_read = text.split(',').all(is_bitrate);
    is_read
        .then_some(text)
        .ok_or_else(|| "is no bitrate, such as 2500k or 5M, nor several with commas".into())
}

/// Numbers of a list, none below 0.
pub(super) fn numbers(value: &Json, most: f64) -> Result<Vec<f64>, Why> {
    let Json::List(items) = value else { return Err(format!("is {}, not a list", value.kind()).into()) };
    let read = |(index, item): (usize, &Json)| {
        within(item, NO_UNITS, &(0.0..=most))
            .map_err(|refusal| format!("has an entry ({index}) that {refusal}").into())
    };
    items.iter().enumerate().map(read).collect()
}
