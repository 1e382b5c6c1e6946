//! Options of `ffwatt quality`.

use std::path::PathBuf;

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};

use crate::config::HumanDuration;
use crate::quality::Pair;

/// Options of `ffwatt quality`.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(super) pairs: Vec<Pair>,
    /// ffmpeg to use in place of the configured one.
    pub(super) ffmpeg: Option<String>,
    pub(super) timeout: Option<HumanDuration>,
    pub(super) jobs: usize,
    pub(super) as_json: bool,
    /// Whether VMAF ignores gain by enhancement.
    pub(super) is_neg: bool,
    /// The result file and the scenario to which the scores are written.
    pub(super) result: Option<(PathBuf, String)>,
}

/// Syntax of the subcommand.
pub(crate) fn command() -> Command {
    Command::new("quality")
        .about("Compute VMAF, PSNR, SSIM and XPSNR of encodes")
        .arg(
            Arg::new("pairs")
                .value_names(["REFERENCE", "DISTORTED"])
                .num_args(2..)
                .required(true)
                .value_parser(value_parser!(PathBuf))
                .help("Source and encode, in pairs [required] [format: paths]"),
        )
        .arg(
            Arg::new("timeout")
                .long("timeout")
                .value_name("TIME")
                .value_parser(HumanDuration::parse)
                .help("Longest time of one pair [default: --quality.timeout] [format: 5m, or seconds]"),
        )
        .arg(
            Arg::new("jobs")
                .long("jobs")
                .value_name("NUMBER")
                .value_parser(value_parser!(u16).range(1..))
                .help("Pairs at the same time [default: half of the CPUs] [range: 1 to 65535]"),
        )
        .arg(
            Arg::new("ffmpeg")
                .long("ffmpeg")
                .value_name("PROGRAM")
                .help("ffmpeg that compares [default: --quality.ffmpeg] [format: program or path]"),
        )
        .arg(
            Arg::new("result")
                .long("result")
                .value_name("PATH")
                .value_parser(value_parser!(PathBuf))
                .requires("scenario")
                .help("Result file that gets the scores of one pair [default: none] [format: path]"),
        )
        .arg(
            Arg::new("scenario")
                .long("scenario")
                .value_name("NAME")
                .help("Scenario of the result file [default: none] [format: name]"),
        )
        .arg(
            Arg::new("vmaf-neg")
                .long("vmaf-neg")
                .action(ArgAction::SetTrue)
                .help("VMAF without gain by enhancement (NEG models)"),
        )
        .arg(Arg::new("json").long("json").action(ArgAction::SetTrue).help("Print JSON"))
}

/// Reads the subcommand's arguments; an error is a message.
pub(crate) fn options(matches: &ArgMatches) -> Result<Options, String> {
    let files: Vec<PathBuf> = matches.get_many::<PathBuf>("pairs").into_iter().flatten().cloned().collect();
    let pairs: Vec<Pair> = files
        .chunks(2)
        .filter_map(|pair| match pair {
            [reference, distorted] => {
                Some(Pair { reference: reference.clone(), distorted: distorted.clone(), is_in_step: false })
            }
            _ => None,
        })
        .collect();
    if files.len() % 2 == 1 {
        return Err("files come in pairs: source, encode".to_owned());
    }
    let text = |name: &str| matches.get_one::<String>(name).cloned();
    let result = matches.get_one::<PathBuf>("result").cloned().zip(text("scenario"));
    if result.is_some() && pairs.len() != 1 {
        return Err("--result: the scores of one pair go into one scenario".to_owned());
    }
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(Options {
        pairs,
        ffmpeg: text("ffmpeg"),
        timeout: matches.get_one::<HumanDuration>("timeout").copied(),
        jobs: matches.get_one::<u16>("jobs").map_or((cpus / 2).max(1), |jobs| usize::from(*jobs)),
        as_json: matches.get_flag("json"),
        is_neg: matches.get_flag("vmaf-neg"),
        result,
    })
}
