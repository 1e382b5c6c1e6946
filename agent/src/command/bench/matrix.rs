//! Codecs, presets and rate controls with which clips are encoded, from lists and ranges on the command line.

use agent_core::ffmpeg::command_line::encoder::rows::{PRESETS, X264_SPEEDS};

use crate::command::bench::batch::checked;
use crate::command::bench::command::{default_preset, encoder};
use crate::command::bench::rate_control::{RateControl, has_speeds, quality_option};
use crate::command::bench::two_pass;

/// Names of presets of x264 and x265, the fastest first.
const NAMED: &[&str] = PRESETS.split_at(X264_SPEEDS).0;

/// More are a mistake.
const MAX_VALUES: usize = 200;

/// Speed of libvpx and libaom when none is chosen.
const DEFAULT_SPEED: &str = "4";

/// All that is combined.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Matrix {
    pub(super) controls: Vec<RateControl>,
    /// Codecs as named, each with one of its presets; `None` for an encoder without presets.
    pub(super) encoders: Vec<(String, Option<String>)>,
}

impl Matrix {
    /// Gives each codec the presets that it has. A preset that no codec has is a mistake, and so is a constant quality for an encoder that
    /// has none.
    pub(super) fn new(
        codecs: &[String],
        presets: &[String],
        controls: Vec<RateControl>,
    ) -> Result<Self, (&'static str, String)> {
        let presets = presets.iter().map(|text| self::presets(text)).collect::<Result<Vec<_>, _>>();
        let presets: Vec<String> = presets.map_err(|problem| ("--preset", problem))?.concat();
        let is_unknown =
            |preset: &&String| !codecs.iter().any(|codec| has_preset(encoder(codec), preset.as_str()));
        if let Some(preset) = presets.iter().find(is_unknown) {
            return Err(("--preset", format!("none of {} has a preset {preset:?}", codecs.join(", "))));
        }
        let by_quality = controls.iter().any(|control| matches!(control, RateControl::ConstantQuality(_)));
        let without = codecs.iter().find(|codec| by_quality && quality_option(encoder(codec)).is_none());
        if let Some(codec) = without {
            let problem = format!("ffwatt knows no constant quality of {codec}; use --bitrate");
            return Err(("--crf", problem));
        }
        let by_two_passes = controls.iter().any(|control| matches!(control, RateControl::TwoPass(_)));
        let without = codecs.iter().find(|codec| by_two_passes && !two_pass::is_known(encoder(codec)));
        if let Some(codec) = without {
            let problem = format!(
                "ffwatt knows no two passes of {} in ffmpeg; leave out --two-pass, or {codec} of --codec",
                encoder(codec)
            );
            return Err(("--two-pass", problem));
        }
        let of = |codec: &String| {
            let has_it = |preset: &&String| has_preset(encoder(codec), preset.as_str());
            let own: Vec<Option<String>> = presets.iter().filter(has_it).cloned().map(Some).collect();
            let all = if own.is_empty() { vec![otherwise(encoder(codec))] } else { own };
            all.into_iter().map(|preset| (codec.clone(), preset)).collect::<Vec<_>>()
        };
        Ok(Self { controls, encoders: codecs.iter().flat_map(of).collect() })
    }
}

/// The preset of an encoder when none of the chosen ones is its own.
fn otherwise(encoder: &str) -> Option<String> {
    let speed = has_speeds(encoder).then_some(DEFAULT_SPEED);
    default_preset(encoder).or(speed).map(str::to_owned)
}

/// Whether an encoder has a preset of this form. Of an encoder that is not known here, each one may be.
fn has_preset(encoder: &str, preset: &str) -> bool {
    match encoder {
        "libx264" | "libx265" => NAMED.contains(&preset),
        "libsvtav1" => preset.parse::<u32>().is_ok_and(|preset| preset <= 13),
        name if has_speeds(name) => preset.parse::<u32>().is_ok_and(|preset| preset <= 8),
        _ => true,
    }
}

/// A preset, or a range such as `veryfast..medium` and `6..10`.
fn presets(text: &str) -> Result<Vec<String>, String> {
    let Some((first, last)) = text.split_once("..") else { return Ok(vec![text.to_owned()]) };
    if let (Ok(first), Ok(last)) = (first.parse::<u32>(), last.parse::<u32>()) {
        return Ok(numbers(first.min(last), first.max(last), 1)?.iter().map(u32::to_string).collect());
    }
    let place = |name: &str| {
        let place = NAMED.iter().position(|known| *known == name);
        place.ok_or_else(|| format!("no preset {name:?}; a range has two of {}", NAMED.join(", ")))
    };
    let (first, last) = (place(first)?, place(last)?);
    Ok(NAMED[first.min(last)..=first.max(last)].iter().map(|name| (*name).to_owned()).collect())
}

/// Constant qualities, from a list of numbers and ranges such as `18..38:4`.
pub(super) fn qualities(texts: &[String]) -> Result<Vec<RateControl>, String> {
    let wrong = |text: &str| format!("{text:?} must be a number from 0 to 63 or a range such as 18..38:4");
    let mut all = Vec::new();
    for text in texts {
        let number =
            |part: &str| part.parse::<u32>().ok().filter(|number| *number <= 63).ok_or_else(|| wrong(text));
        match text.split_once("..") {
            None => all.push(number(text)?),
            Some((first, rest)) => {
                let (last, step) = rest.split_once(':').unwrap_or((rest, "1"));
                all.extend(numbers(number(first)?, number(last)?, number(step)?)?);
            }
        }
    }
    Ok(all.into_iter().map(RateControl::ConstantQuality).collect())
}

/// Bitrates of a list, each by one pass or by two.
pub(super) fn bitrates(texts: &[String], has_two_passes: bool) -> Result<Vec<RateControl>, String> {
    let control = if has_two_passes { RateControl::TwoPass } else { RateControl::Bitrate };
    texts.iter().map(|text| Ok(control(checked(text)?.to_owned()))).collect()
}

fn numbers(first: u32, last: u32, step: u32) -> Result<Vec<u32>, String> {
    if step == 0 || first > last {
        return Err(format!(
            "{first}..{last}:{step} has no number: a range begins with the smaller one, and its step is 1 or more"
        ));
    }
    let all: Vec<u32> = (first..=last).step_by(step as usize).take(MAX_VALUES + 1).collect();
    if all.len() > MAX_VALUES {
        Err(format!("{first}..{last} has more than {MAX_VALUES} numbers"))
    } else {
        Ok(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(of: &[&str]) -> Vec<String> {
        of.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn ranges_and_lists_are_written_out() {
        let factors = |of: &[&str]| {
            qualities(&texts(of)).map(|all| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(factors(&["18..30:4", "40"]).unwrap(), "crf18 crf22 crf26 crf30 crf40");
        for wrong in ["x", "64", "30..20", "20..30:0", "20..", "-1"] {
            assert!(factors(&[wrong]).is_err(), "{wrong}");
        }
        assert_eq!(bitrates(&texts(&["1M", "fast"]), false).unwrap_err(), checked("fast").unwrap_err());
    }

    #[test]
    fn each_codec_has_its_own_presets() {
        let of = |codecs: &[&str], presets: &[&str]| {
            let matrix =
                Matrix::new(&texts(codecs), &texts(presets), Vec::new()).map_err(|(_, problem)| problem)?;
            let pair = |(codec, preset): &(String, Option<String>)| {
                format!("{codec}:{}", preset.as_deref().unwrap_or_default())
            };
            Ok::<String, String>(matrix.encoders.iter().map(pair).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(
            of(&["x264", "svt-av1", "vp9"], &["fast..slow", "8..9"]).unwrap(),
            "x264:fast x264:medium x264:slow svt-av1:8 svt-av1:9 vp9:8"
        );
        assert_eq!(of(&["x264", "svt-av1", "vp9"], &["slow"]).unwrap(), "x264:slow svt-av1:10 vp9:4");
        assert!(of(&["x264"], &["8"]).unwrap_err().contains("none of x264 has a preset \"8\""));
        assert!(of(&["x264"], &["fast..quick"]).unwrap_err().contains("quick"));
    }

    #[test]
    fn an_encoder_without_constant_quality_needs_a_bitrate() {
        let of = |control: RateControl| Matrix::new(&texts(&["x264", "mpeg2video"]), &[], vec![control]);
        let (flag, problem) = of(RateControl::ConstantQuality(20)).unwrap_err();
        assert!(flag == "--crf" && problem.contains("mpeg2video"), "{flag}: {problem}");
        assert!(of(RateControl::Bitrate("1M".to_owned())).is_ok());
    }

    #[test]
    fn an_encoder_without_two_passes_is_named() {
        let two = || bitrates(&texts(&["1M"]), true).unwrap();
        let of = |codecs: &[&str]| Matrix::new(&texts(codecs), &[], two());
        assert_eq!(of(&["x264", "vp9"]).unwrap().controls, [RateControl::TwoPass("1M".to_owned())]);
        let (flag, problem) = of(&["x264", "svt-av1"]).unwrap_err();
        assert!(flag == "--two-pass" && problem.contains("libsvtav1"), "{flag}: {problem}");
    }
}
