//! Reads the speed and the bitrate that the command line asks of an encoder.
//!
//! Only words of the table of presets and small numbers are taken: any other word may be a part of an address or a key.

use crate::ffmpeg::command_line::BitsPerSecond;
use crate::ffmpeg::command_line::bitrate;
use crate::ffmpeg::command_line::encoder::Encoder;
use crate::ffmpeg::command_line::encoder::rows::{PRESETS, Speed, X264_SPEEDS};

/// Options of ffmpeg with parameters of a library: `name=value:name=value`.
const PARAMETERS: [&str; 6] =
    ["x264-params", "x264opts", "x265-params", "svtav1-params", "vvenc-params", "kvazaar-params"];

/// Parameters with a bitrate in thousands of bits per second.
const KILOBITS: [(&str, &str); 4] = [
    ("x264-params", "bitrate"),
    ("x264opts", "bitrate"),
    ("x265-params", "bitrate"),
    ("svtav1-params", "tbr"),
];

/// Options of the mode of rate control. x264enc of `GStreamer` has it in `pass`, which is the number of the pass in ffmpeg.
const MODES: [&str; 4] = ["rc", "rc_mode", "rc-mode", "rate-control"];

/// Modes with a constant quantizer or quality: NVENC, AMF, VAAPI, Quick Sync Video, Rockchip, x264enc.
const CONSTANT_QUALITY: [&str; 7] = ["constqp", "cqp", "icq", "la_icq", "fixqp", "qual", "quant"];

/// Encoders whose presets have numbers too, from 0 on: `x264_param_default_preset()`, `x265_param_default_preset()`.
const NUMBERED: [&str; 5] = ["libx264", "libx264rgb", "libx265", "x264", "x265"];

/// The requested speed of an encoder. `of` gives the value of an option.
pub(super) fn preset<'a>(encoder: &Encoder, of: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let in_parameters = || PARAMETERS.iter().find_map(|option| parameter(of(option)?, "preset"));
    if let Some(preset) = of("preset").or_else(in_parameters) {
        // What is asked for but is in no table is not the default either.
        return named(encoder, preset);
    }
    for speed in encoder.row.speed {
        match speed {
            Speed::Number(option) => {
                if let Some(value) = of(option) {
                    return small_number(value).map(|number| format!("{option}={number}"));
                }
            }
            Speed::Word(option) => {
                if let Some(value) = of(option) {
                    // A number is a time in some of these options.
                    return listed(value);
                }
            }
        }
    }
    encoder.row.default_preset.map(str::to_owned)
}

/// A preset of an encoder, by its name or number.
pub(super) fn named(encoder: &Encoder, text: &str) -> Option<String> {
    let number = || text.parse::<usize>().ok().filter(|_| NUMBERED.contains(&encoder.row.name));
    let by_number = number().and_then(|number| PRESETS[..X264_SPEEDS].get(number));
    by_number.map_or_else(|| word(text), |name| Some((*name).to_owned()))
}

/// A word of the table, or a small number.
pub(super) fn word(text: &str) -> Option<String> {
    listed(text).or_else(|| small_number(text).map(|number| number.to_string()))
}

/// A word of the table.
fn listed(text: &str) -> Option<String> {
    let known = PRESETS.into_iter().find(|known| known.eq_ignore_ascii_case(text));
    known.map(str::to_owned)
}

pub(super) fn small_number(text: &str) -> Option<i16> {
    text.parse().ok().filter(|number: &i16| (-99..=999).contains(number))
}

/// The bitrate that the encoder aims at; `None` where it aims at a quality.
pub(super) fn asked_bitrate<'a>(
    encoder: &Encoder,
    of: impl Fn(&str) -> Option<&'a str>,
) -> Option<BitsPerSecond> {
    let in_parameters = |name: &str| PARAMETERS.iter().find_map(|option| parameter(of(option)?, name));
    let mut quality = encoder.row.quality.iter();
    // A negative quality is none.
    let has_quality = quality.any(|option| of(option).is_some_and(|value| !value.starts_with('-')));
    if has_quality || aims_at_quality(&of) || in_parameters("crf").is_some() || in_parameters("qp").is_some()
    {
        return None;
    }
    let kilobits =
        KILOBITS.iter().find_map(|(option, name)| bitrate::parse_kilobits(parameter(of(option)?, name)?));
    kilobits.or_else(|| bitrate::parse(of("b")?))
}

/// Whether the mode of rate control ignores a bitrate: one with a constant quantizer or quality. A number means another mode in each
/// encoder, so the bitrate is not known.
pub(super) fn aims_at_quality<'a>(of: impl Fn(&str) -> Option<&'a str>) -> bool {
    let is_constant = |mode: &str| CONSTANT_QUALITY.iter().any(|known| known.eq_ignore_ascii_case(mode));
    let is_number = |mode: &str| mode.parse::<i64>().is_ok_and(|number| number >= 0);
    MODES.iter().any(|option| of(option).is_some_and(|mode| is_constant(mode) || is_number(mode)))
        || of("pass").is_some_and(is_constant)
}

/// The value of a name in `name=value:name=value`.
pub(super) fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let mut parts = text.rsplit([':', ',', ';']).filter_map(|part| part.split_once('='));
    parts.find(|(key, _)| key.trim() == name).map(|(_, value)| value)
}
