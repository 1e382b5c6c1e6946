//! Parses bitrates as ffmpeg's options and `GStreamer`'s properties write them.

use crate::ffmpeg::command_line::BitsPerSecond;
use crate::ffmpeg::command_line::filter::expression::{Scope, Value, evaluate};

/// Options have no names of their own in expressions.
struct NoNames;

impl Scope for NoNames {
    fn value(&self, _: &str) -> Option<Value> {
        None
    }
}

/// An expression in ffmpeg's syntax: `2500k`, `2.5M`, `1Mi`, `300KB`, `0x100000`, `2*1000k`. `0` requests no bitrate and is `None`.
///
/// Options with a number take any expression: `set_string_number()` in libavutil/opt.c.
pub(super) fn parse(text: &str) -> Option<BitsPerSecond> {
    match evaluate(text, &NoNames)? {
        Value::Known(bits) => whole(bits),
        Value::Unknown => None,
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
            ("0x100000", Some(1_048_576)),
            ("2*1000*1000", Some(2_000_000)),
            ("4M/2+500k", Some(2_500_000)),
            ("2.5 M", Some(2_500_000)),
            ("2M-2M", None),
            ("1/0", None),
            ("bitrate/2", None),
            ("99999999999999G", None),
        ];
        for (text, bits) in table {
            assert_eq!(parse(text), bits.map(BitsPerSecond), "{text}");
        }
    }
}
