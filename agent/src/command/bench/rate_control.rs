//! Limits the size of an encode, by constant quality or by bitrate, in the words of ffmpeg for each encoder.

use std::fmt;
use std::iter::Peekable;
use std::path::Path;

use agent_core::model::scenario::Picture;

use crate::command::bench::two_pass::{self, Pass};

/// What limits the size of an encode.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum RateControl {
    /// Constant quality: a lower number is a better picture. The scale is the encoder's own.
    ConstantQuality(u32),
    /// A mean bitrate.
    Bitrate(String),
    /// A mean bitrate, by two passes.
    TwoPass(String),
}

/// The prefix of a constant quality in a result file.
const CONSTANT_QUALITY: &str = "crf";

/// The word after a bitrate of two passes in a result file.
const TWO_PASS: &str = "two-pass";

impl fmt::Display for RateControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ConstantQuality(factor) => write!(f, "{CONSTANT_QUALITY}{factor}"),
            Self::Bitrate(bitrate) => f.write_str(bitrate),
            Self::TwoPass(bitrate) => write!(f, "{bitrate} {TWO_PASS}"),
        }
    }
}

impl RateControl {
    /// Reads a rate control from the words of a setting; `None` at their end.
    fn next<'a>(words: &mut Peekable<impl Iterator<Item = &'a str>>) -> Option<Self> {
        let text = words.next()?;
        let is_two_pass = words.next_if_eq(&TWO_PASS).is_some();
        Some(match text.strip_prefix(CONSTANT_QUALITY).and_then(|factor| factor.parse().ok()) {
            Some(factor) => Self::ConstantQuality(factor),
            None if is_two_pass => Self::TwoPass(text.to_owned()),
            None => Self::Bitrate(text.to_owned()),
        })
    }

    /// Options of ffmpeg (<https://ffmpeg.org/ffmpeg-codecs.html>); `None` for an encoder whose constant quality is not known.
    fn words(&self, encoder: &str) -> Option<Vec<String>> {
        match self {
            Self::Bitrate(bitrate) | Self::TwoPass(bitrate) => Some(vec!["-b:v".to_owned(), bitrate.clone()]),
            Self::ConstantQuality(factor) => {
                let mut words = vec![quality_option(encoder)?.to_owned(), factor.to_string()];
                // Without it libvpx takes the factor for a limit of its default bitrate.
                if encoder.starts_with("libvpx") || encoder == "libaom-av1" {
                    words.extend(["-b:v".to_owned(), "0".to_owned()]);
                }
                Some(words)
            }
        }
    }
}

/// ffmpeg's option for constant quality.
pub(super) fn quality_option(encoder: &str) -> Option<&'static str> {
    match encoder {
        "libx264" | "libx265" | "libsvtav1" | "libaom-av1" | "libvpx" | "libvpx-vp9" => Some("-crf"),
        name if name.ends_with("_nvenc") => Some("-cq"),
        name if name.ends_with("_qsv") => Some("-global_quality"),
        name if name.ends_with("_vaapi") => Some("-qp"),
        _ => None,
    }
}

/// ffmpeg's option for what other encoders call a preset.
fn preset_option(encoder: &str) -> &'static str {
    if has_speeds(encoder) { "-cpu-used" } else { "-preset" }
}

/// Whether the encoder has numbers of speed instead of presets.
pub(super) fn has_speeds(encoder: &str) -> bool {
    encoder.starts_with("libvpx") || encoder == "libaom-av1"
}

/// A setting as a result file has it: a picture size where the clip is scaled, a rate control, and more options of ffmpeg.
pub(super) fn setting(scaled: Option<Picture>, control: &RateControl, more: &[String]) -> String {
    let size = scaled.map(Picture::size_name);
    let parts = size.into_iter().chain([control.to_string()]).chain(more.iter().cloned());
    parts.collect::<Vec<_>>().join(" ")
}

/// Whether a setting of a result file has two passes.
fn has_two_passes(setting: &str) -> bool {
    let parts = Parts::of(setting);
    matches!(parts.control, Some(RateControl::TwoPass(_)))
}

/// Words between `ffmpeg -i INPUT` and the output that encode with a setting of a result file. For two passes, they are two commands.
pub(in crate::command) fn words(
    encoder: &str,
    preset: Option<&str>,
    setting: &str,
    frame_rate: Option<f64>,
) -> Vec<String> {
    let pass = |pass| {
        let mut words = words_of_one(encoder, preset, setting, frame_rate);
        two_pass::add(&mut words, encoder, pass, None);
        words
    };
    if !has_two_passes(setting) {
        return words_of_one(encoder, preset, setting, frame_rate);
    }
    let between = ["-an", "-f", "null", "-", "&&", "ffmpeg", "-i", "INPUT"].map(str::to_owned);
    pass(Pass::First).into_iter().chain(between).chain(pass(Pass::Second)).collect()
}

/// The same for one pass, whose statistics have this path.
pub(super) fn words_of_pass(
    encoder: &str,
    preset: Option<&str>,
    (setting, frame_rate): (&str, f64),
    pass: Option<(Pass, &Path)>,
) -> Vec<String> {
    let mut words = words_of_one(encoder, preset, setting, Some(frame_rate));
    if let Some((pass, statistics)) = pass {
        two_pass::add(&mut words, encoder, pass, Some(statistics));
    }
    words
}

/// A key frame begins every two seconds, as in the bench.
fn words_of_one(encoder: &str, preset: Option<&str>, setting: &str, frame_rate: Option<f64>) -> Vec<String> {
    let parts = Parts::of(setting);
    let mut words = Vec::new();
    if let Some((width, height)) = parts.size {
        words.extend(["-vf".to_owned(), format!("scale={width}:{height}")]);
    }
    words.extend(["-c:v".to_owned(), encoder.to_owned()]);
    if let Some(preset) = preset {
        words.extend([preset_option(encoder).to_owned(), preset.to_owned()]);
    }
    words.extend(parts.control.and_then(|control| control.words(encoder)).unwrap_or_default());
    if let Some(rate) = frame_rate {
        words.extend(["-g".to_owned(), format!("{:.0}", rate * 2.0)]);
    }
    words.extend(parts.more.into_iter().map(str::to_owned));
    words
}

/// The parts of a setting.
struct Parts<'a> {
    size: Option<(u32, u32)>,
    control: Option<RateControl>,
    more: Vec<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(setting: &'a str) -> Self {
        let mut words = setting.split(' ').filter(|word| !word.is_empty()).peekable();
        let size = words.peek().and_then(|word| Picture::size(word));
        if size.is_some() {
            words.next();
        }
        Self { size, control: RateControl::next(&mut words), more: words.collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_is_the_same_after_a_result_file() {
        let size = Picture { width: 640, height: 360, frame_rate: 25.0 };
        let more = ["-tune".to_owned(), "film".to_owned()];
        let text = setting(Some(size), &RateControl::ConstantQuality(30), &more);
        assert_eq!(text, "640x360 crf30 -tune film");
        assert_eq!(
            words("libx264", Some("slow"), &text, Some(25.0)).join(" "),
            "-vf scale=640:360 -c:v libx264 -preset slow -crf 30 -g 50 -tune film"
        );
        let text = setting(None, &RateControl::Bitrate("2M".to_owned()), &[]);
        assert_eq!(words("libx265", None, &text, None).join(" "), "-c:v libx265 -b:v 2M");
        assert!(!has_two_passes(&text));
    }

    #[test]
    fn a_setting_of_two_passes_is_another_one_and_two_commands() {
        let more = ["-tune".to_owned(), "film".to_owned()];
        let text = setting(None, &RateControl::TwoPass("2M".to_owned()), &more);
        assert_eq!(text, "2M two-pass -tune film");
        assert!(has_two_passes(&text) && has_two_passes("640x360 2M two-pass"));
        assert_eq!(
            words("libx264", None, &text, None).join(" "),
            "-c:v libx264 -b:v 2M -tune film -pass 1 -an -f null - && \
             ffmpeg -i INPUT -c:v libx264 -b:v 2M -tune film -pass 2"
        );
        let pass = Some((Pass::First, Path::new("/tmp/p")));
        assert_eq!(
            words_of_pass("libx265", None, ("2M two-pass", 25.0), pass).join(" "),
            "-c:v libx265 -b:v 2M -g 50 -x265-params pass=1:stats=/tmp/p"
        );
    }

    #[test]
    fn each_encoder_has_its_own_words() {
        let of = |encoder: &str| words(encoder, Some("4"), "crf30", None).join(" ");
        assert_eq!(of("libvpx-vp9"), "-c:v libvpx-vp9 -cpu-used 4 -crf 30 -b:v 0");
        assert_eq!(of("libsvtav1"), "-c:v libsvtav1 -preset 4 -crf 30");
        assert_eq!(of("h264_nvenc"), "-c:v h264_nvenc -preset 4 -cq 30");
        assert_eq!(quality_option("mpeg2video"), None);
    }
}
