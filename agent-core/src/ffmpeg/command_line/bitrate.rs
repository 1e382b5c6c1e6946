//! Parses bitrates as ffmpeg's options and `GStreamer`'s properties write them.

use crate::ffmpeg::command_line::BitsPerSecond;

/// A number in ffmpeg's syntax: `2500k`, `2.5M`, `1Mi`, `300KB`. `0` requests no bitrate and is `None`.
///
/// See `av_strtod()` in libavutil/eval.c: SI prefixes, by 1024 when an `i` follows, by 8 when a `B` ends it.
pub(super) fn parse(text: &str) -> Option<BitsPerSecond> {
    let text = text.trim();
    let (number, mut suffix) = text.split_at(number_length(text));
    let mut value: f64 = number.parse().ok()?;
    let power = match suffix.chars().next() {
        Some('k' | 'K') => 1,
        Some('M') => 2,
        Some('G') => 3,
        _ => 0,
    };
    if power > 0 {
        suffix = &suffix[1..];
        let base: u32 = if suffix.starts_with('i') { 1024 } else { 1000 };
        suffix = suffix.strip_prefix('i').unwrap_or(suffix);
        value *= f64::from(base.pow(power));
    }
    if suffix == "B" {
        (value, suffix) = (value * 8.0, "");
    }
    whole(value).filter(|_| suffix.is_empty())
}

/// Length of the number at the beginning, with its exponent, as `strtod()` reads it.
fn number_length(text: &str) -> usize {
    let end_of_digits = |from: usize| {
        let is_other = |character: char| !character.is_ascii_digit() && character != '.';
        text[from..].find(is_other).map_or(text.len(), |length| from + length)
    };
    let mantissa = end_of_digits(0);
    let exponent =
        text[mantissa..].strip_prefix(['e', 'E']).map(|rest| rest.strip_prefix(['+', '-']).unwrap_or(rest));
    match exponent {
        Some(digits) if digits.starts_with(|character: char| character.is_ascii_digit()) => {
            end_of_digits(text.len() - digits.len())
        }
        _ => mantissa,
    }
}

/// A number of thousands, as x264 and `GStreamer`'s elements count.
pub(super) fn parse_kilobits(text: &str) -> Option<BitsPerSecond> {
    whole(text.trim().parse::<f64>().ok()? * 1000.0)
}

/// A bitrate above a terabit per second is refused.
fn whole(value: f64) -> Option<BitsPerSecond> {
    (1.0..1e12).contains(&value).then(|| BitsPerSecond(value.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bitrates() {
        let table = [
            ("2500k", Some(2_500_000)),
            ("2.5M", Some(2_500_000)),
            ("800000", Some(800_000)),
            ("1Mi", Some(1_048_576)),
            ("1000K", Some(1_000_000)),
            ("100KB", Some(800_000)),
            ("0", None),
            ("0k", None),
            ("fast", None),
            ("", None),
            ("12q", None),
            ("5e6", Some(5_000_000)),
            ("2.5E+3k", Some(2_500_000)),
            ("827078.82", Some(827_079)),
            ("3E", None),
            ("1e", None),
            ("1e99", None),
            ("99999999999999G", None),
        ];
        for (text, bits) in table {
            assert_eq!(parse(text), bits.map(BitsPerSecond), "{text}");
        }
    }
}
