//! Options of `ffwatt bench` for a user's own clips.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, value_parser};

use crate::command::bench::batch::{self, BatchError};
use crate::command::bench::clips::Clips;
use crate::command::bench::matrix::{self, Matrix};
use crate::command::bench::options;

/// Five points of a curve, from transparent to visibly lossy with most encoders.
const CONSTANT_QUALITIES: &str = "22..38:4";

/// The options.
pub(super) fn arguments() -> Vec<Arg> {
    let list = |name: &'static str, value: &'static str, help: &'static str| {
        let list = Arg::new(name).long(name).value_name(value).value_delimiter(',');
        list.requires("input").help(help)
    };
    vec![
        Arg::new("input")
            .long("input")
            .value_name("CLIP")
            .num_args(1..)
            .help("Your clips to encode [default: none] [format: files or folders]"),
        list("codec", "CODEC,…", "Encoders of clips [default: x264] [format: x264, x265, svt-av1, …]"),
        list("crf", "NUMBER,…", "Constant qualities [default: 22..38:4] [format: 23 or 18..40:4]"),
        list("bitrate", "RATE,…", "Bitrates, instead of qualities [default: none] [format: 2500k, 2.5M]")
            .conflicts_with("crf"),
        Arg::new("two-pass")
            .long("two-pass")
            .action(ArgAction::SetTrue)
            .requires("input")
            .hide_short_help(true)
            .help("Encode each --bitrate in two passes; time and energy are those of both"),
        Arg::new("repeat")
            .long("repeat")
            .value_name("NUMBER")
            .value_parser(value_parser!(u32).range(1..=100))
            .requires("input")
            .help("Encodes of each setting [default: 1] [range: 1 to 100]"),
        list(
            "resolution",
            "SIZE,…",
            "Sizes to which clips are scaled before [default: their own] [format: 1280x720]",
        )
        .hide_short_help(true),
        Arg::new("args")
            .long("args")
            .value_name("OPTIONS")
            .allow_hyphen_values(true)
            .requires("input")
            .hide_short_help(true)
            .help("More options of ffmpeg for all encodes of clips [default: none] [format: '-tune film']"),
    ]
}

/// Reads the options of clips.
pub(super) fn clips(matches: &ArgMatches) -> Result<Clips, BatchError> {
    let wrong = |flag: &'static str| move |problem: String| BatchError::Flag { flag, problem };
    let all = |name: &str| -> Option<Vec<String>> {
        Some(matches.get_many::<String>(name)?.filter(|text| !text.is_empty()).cloned().collect())
    };
    let codecs = all("codec").unwrap_or_else(|| vec!["x264".to_owned()]);
    let presets: Vec<String> =
        options::text(matches, "preset").iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
    let has_two_passes = matches.get_flag("two-pass");
    let controls = match (all("bitrate"), all("crf")) {
        (Some(rates), _) => matrix::bitrates(&rates, has_two_passes).map_err(wrong("--bitrate"))?,
        (None, _) if has_two_passes => {
            let problem =
                "two passes reach a bitrate, and constant quality has one pass; add --bitrate 2M,4M";
            return Err(wrong("--two-pass")(problem.to_owned()));
        }
        (None, factors) => {
            let factors = factors.unwrap_or_else(|| vec![CONSTANT_QUALITIES.to_owned()]);
            matrix::qualities(&factors).map_err(wrong("--crf"))?
        }
    };
    let size = |text: &String| batch::even(text).map_err(wrong("--resolution"));
    let more = options::text(matches, "args").unwrap_or_default();
    Ok(Clips {
        inputs: all("input").unwrap_or_default().into_iter().map(PathBuf::from).collect(),
        matrix: Matrix::new(&codecs, &presets, controls)
            .map_err(|(flag, problem)| BatchError::Flag { flag, problem })?,
        sizes: all("resolution").unwrap_or_default().iter().map(size).collect::<Result<_, _>>()?,
        repeats: matches.get_one::<u32>("repeat").copied().unwrap_or(1),
        more: more.split_whitespace().map(str::to_owned).collect(),
    })
}
