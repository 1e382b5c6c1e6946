//! Options of `ffwatt bench`.

use std::path::PathBuf;
use std::time::Duration;

use agent_core::model::scenario::Picture;
use clap::{Arg, ArgAction, ArgMatches, Command, builder::PossibleValuesParser, value_parser};

use crate::command::bench::Target;
use crate::command::bench::batch::{self, BatchError, Overrides};
use crate::command::bench::clip_options;
use crate::command::bench::clips::Clips;
use crate::command::bench::conditions::WhenBusy;
use crate::command::bench::plan::{self, Scenario, Times};
use crate::config::HumanDuration;

/// An encoder's start is a part of its cost, unless a user excludes it.
const STABILIZATION: Duration = Duration::ZERO;

/// Pause after a scenario, in which clocks and fans slow down.
const COOLDOWN: Duration = Duration::from_secs(5);

const BASELINE: Duration = Duration::from_mins(1);

const DURATION: Duration = Duration::from_mins(1);

const BUSY_HELP: &str = "\
Action on a busy or hot host. The host is busy or hot when, in the pause before a scenario, more than 10 % of its CPUs are busy, a processor \
is hotter than 90 °C, or heat slows a processor down. mark: encode, and mark the scenario in the table and in the result file, so that \
one busy minute does not end a long bench. refuse: end the bench. wait: wait for ten minutes at most, then end. With refuse and wait, a \
baseline of a busy host ends the bench, too.";

/// Options of `ffwatt bench`.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    pub(super) work: Work,
    pub(super) overrides: Overrides,
    pub(super) output_dir: Option<PathBuf>,
    pub(super) target: Target,
    pub(super) encoder: String,
    pub(super) preset: Option<String>,
    pub(super) ffmpeg: String,
    pub(super) is_fast: bool,
    pub(super) is_scored: bool,
    /// Whether an agent is started where none runs.
    pub(super) has_agent: bool,
    /// What is done on a busy or hot host.
    pub(super) when_busy: WhenBusy,
    /// CPUs of the encodes, as `taskset -c` reads them.
    cpus: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) enum Work {
    /// The suite, then two and four simultaneous streams.
    All,
    Suite,
    Single {
        name: String,
        bitrate: String,
        picture: Picture,
        outputs: Vec<Picture>,
        with_baseline: bool,
    },
    Multi(Vec<String>),
    Batch(PathBuf),
    /// The user's own clips.
    Clips(Clips),
}

/// Syntax of the subcommand.
pub(crate) fn command() -> Command {
    let time = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name("TIME")
            .value_parser(HumanDuration::parse)
            .global(true)
            .help(help)
    };
    let text = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(value).global(true).help(help)
    };
    Command::new("bench")
        .about("Encode scenarios one after the other, and write a result file")
        .arg(time("duration", "Measured time of each scenario [default: 60s] [format: 60, 2m]"))
        .arg(time("stabilization", "Unmeasured time before the measured time [default: 0s] [format: 15, 2m]").hide_short_help(true))
        .arg(time("cooldown", "Pause after each scenario [default: 5s] [format: 30, 2m]"))
        .arg(text("output-dir", "PATH", "Folder of the result file [default: --results-dir] [format: path]"))
        .arg(text(
            "target",
            "TARGET",
            "Output of the encodes [default: null] [format: null, folder, or rtmp://, srt://, udp:// address]",
        ).hide_short_help(true))
        .args(clip_options::arguments())
        .arg(text("cpus", "LIST", "CPUs of the encodes [default: all] [format: 0-3,8]").hide_short_help(true))
        .arg(text("encoder", "NAME", "Encoder [default: h264] [format: h264, h265, av1, vp9, or its name]"))
        .arg(text("preset", "NAME", "Preset; for clips, also lists and ranges [default: veryfast or its equivalent] [format: slow, fast..slow]"))
        .arg(text("ffmpeg", "PROGRAM", "ffmpeg that encodes [default: ffmpeg] [format: program or path]").hide_short_help(true))
        .arg(
            Arg::new("fast")
                .long("fast")
                .action(ArgAction::SetTrue)
                .global(true)
                .help("Encode as fast as possible instead of in real time"),
        )
        .arg(
            Arg::new("quality")
                .long("quality")
                .action(ArgAction::SetTrue)
                .global(true)
                .help("Keep the encodes, and compute VMAF, PSNR and SSIM after each scenario"),
        )
        .arg(
            Arg::new("busy")
                .long("busy")
                .value_name("ACTION")
                .global(true)
                .hide_short_help(true)
                .default_value("mark")
                .value_parser(PossibleValuesParser::new(WhenBusy::NAMED.map(|(name, _)| name)))
                .help("Action on a busy or hot host")
                .long_help(BUSY_HELP),
        )
        .arg(
            Arg::new("no-agent")
                .long("no-agent")
                .action(ArgAction::SetTrue)
                .global(true)
                .hide_short_help(true)
                .help("Start no agent where none runs: encode without energy"),
        )
        .subcommand(Command::new("suite").about("Encode a baseline, four bitrates, three resolutions, two frame rates"))
        .subcommand(
            Command::new("single")
                .about("Encode one stream")
                .arg(
                    Arg::new("name").long("name").value_name("NAME").required(true).help("Name of the scenario [required] [format: text]"),
                )
                .arg(
                    Arg::new("bitrate")
                        .long("bitrate")
                        .value_name("RATE")
                        .required(true)
                        .help("Bitrate [required] [format: 2500k, 2.5M]"),
                )
                .arg(
                    Arg::new("resolution")
                        .long("resolution")
                        .value_name("SIZE")
                        .default_value("1280x720")
                        .help("Resolution [format: WIDTHxHEIGHT, even]"),
                )
                .arg(
                    Arg::new("fps")
                        .long("fps")
                        .value_name("NUMBER")
                        .default_value("30")
                        .value_parser(value_parser!(f64))
                        .help("Frames per second [range: 1 to 240]"),
                )
                .arg(
                    Arg::new("outputs")
                        .long("outputs")
                        .value_name("SIZE@FPS,…")
                        .value_delimiter(',')
                        .help("Renditions of a ladder [default: none] [format: 1920x1080@30,1280x720@30]"),
                )
                .arg(
                    Arg::new("with-baseline")
                        .long("with-baseline")
                        .action(ArgAction::SetTrue)
                        .help("Measure the idle host first"),
                ),
        )
        .subcommand(
            Command::new("multi")
                .about("Encode several streams at once")
                .arg(
                    Arg::new("count")
                        .long("count")
                        .value_name("NUMBER")
                        .value_parser(value_parser!(u32).range(1..=256))
                        .required(true)
                        .help("Number of streams [required] [range: 1 to 256]"),
                )
                .arg(
                    Arg::new("bitrate")
                        .long("bitrate")
                        .value_name("RATE")
                        .default_value("2500k")
                        .help("Bitrate of each stream [format: 2500k, 2.5M]"),
                )
                .arg(
                    Arg::new("bitrates")
                        .long("bitrates")
                        .value_name("RATE,…")
                        .value_delimiter(',')
                        .help("Bitrates, one for each stream [default: --bitrate] [format: 1M,2M,4M]"),
                ),
        )
        .subcommand(
            Command::new("batch").about("Encode the scenarios of a file").arg(
                Arg::new("file").long("file").value_name("PATH").required(true).help("Batch file [required] [format: path of a JSON file]"),
            ),
        )
}

/// Reads the subcommand's arguments.
pub(crate) fn options(matches: &ArgMatches) -> Result<Options, BatchError> {
    if let Some((name, _)) = matches.subcommand().filter(|_| matches.contains_id("input")) {
        let problem = format!("clips have no scenarios of `bench {name}`; leave one of them out");
        return Err(BatchError::Flag { flag: "--input", problem });
    }
    let (work, matches) = match matches.subcommand() {
        Some(("suite", matches)) => (Work::Suite, matches),
        Some(("single", matches)) => (single(matches)?, matches),
        Some(("multi", matches)) => (multi(matches)?, matches),
        Some(("batch", matches)) => (Work::Batch(text(matches, "file").unwrap_or_default().into()), matches),
        _ if matches.contains_id("input") => (Work::Clips(clip_options::clips(matches)?), matches),
        _ => (Work::All, matches),
    };
    let time = |name: &str| matches.get_one::<HumanDuration>(name).map(|span| span.0);
    let target = match text(matches, "target").as_deref() {
        None | Some("null") => Target::Null,
        Some(url) if url.contains("://") => Target::Url(url.to_owned()),
        Some(folder) => Target::Folder(folder.into()),
    };
    let is_of_clips = matches!(work, Work::Clips(_));
    if is_of_clips && matches!(target, Target::Url(_)) {
        let problem = "encodes of clips are files: omit --target, or give a folder".to_owned();
        return Err(BatchError::Flag { flag: "--target", problem });
    }
    let is_scored = matches.get_flag("quality") || is_of_clips;
    if is_scored && matches!(target, Target::Url(_)) {
        let problem = "output to a server cannot be scored: omit --target, or give a folder".to_owned();
        return Err(BatchError::Flag { flag: "--quality", problem });
    }
    Ok(Options {
        work,
        overrides: Overrides {
            duration: time("duration"),
            stabilization: time("stabilization"),
            cooldown: time("cooldown"),
        },
        output_dir: text(matches, "output-dir").map(PathBuf::from),
        target,
        encoder: text(matches, "encoder").unwrap_or_else(|| "h264".to_owned()),
        preset: text(matches, "preset"),
        ffmpeg: text(matches, "ffmpeg").unwrap_or_else(|| "ffmpeg".to_owned()),
        is_fast: matches.get_flag("fast"),
        is_scored,
        has_agent: !matches.get_flag("no-agent"),
        when_busy: when_busy(matches),
        cpus: text(matches, "cpus"),
    })
}

fn when_busy(matches: &ArgMatches) -> WhenBusy {
    let chosen = text(matches, "busy");
    let named = WhenBusy::NAMED.into_iter().find(|(name, _)| Some(*name) == chosen.as_deref());
    named.map_or(WhenBusy::Mark, |(_, action)| action)
}

fn single(matches: &ArgMatches) -> Result<Work, BatchError> {
    let wrong = |flag: &'static str| move |problem: String| BatchError::Flag { flag, problem };
    let bitrate = text(matches, "bitrate").unwrap_or_default();
    batch::checked(&bitrate).map_err(wrong("--bitrate"))?;
    let (width, height) =
        batch::even(&text(matches, "resolution").unwrap_or_default()).map_err(wrong("--resolution"))?;
    let frame_rate = matches.get_one::<f64>("fps").copied().filter(|rate| (1.0..=240.0).contains(rate));
    let frame_rate = frame_rate.ok_or_else(|| wrong("--fps")("not from 1 to 240".to_owned()))?;
    let outputs = matches.get_many::<String>("outputs").into_iter().flatten().map(|text| {
        let (size, rate) = text.split_once('@').unwrap_or((text, ""));
        let (width, height) = batch::even(size).map_err(wrong("--outputs"))?;
        let rate = if rate.is_empty() { Some(frame_rate) } else { rate.parse().ok() };
        let rate = rate.filter(|rate| (1.0..=240.0).contains(rate));
        let frame_rate = rate.ok_or_else(|| wrong("--outputs")(format!("{text:?} has no frame rate")))?;
        Ok(Picture { width, height, frame_rate })
    });
    Ok(Work::Single {
        name: text(matches, "name").unwrap_or_default(),
        bitrate,
        picture: Picture { width, height, frame_rate },
        outputs: outputs.collect::<Result<_, BatchError>>()?,
        with_baseline: matches.get_flag("with-baseline"),
    })
}

fn multi(matches: &ArgMatches) -> Result<Work, BatchError> {
    let count = matches.get_one::<u32>("count").copied().unwrap_or(1) as usize;
    let wrong = |problem: String| BatchError::Flag { flag: "--bitrates", problem };
    let bitrates = match matches.get_many::<String>("bitrates") {
        Some(bitrates) => bitrates.cloned().collect(),
        None => vec![text(matches, "bitrate").unwrap_or_default(); count],
    };
    if bitrates.len() != count {
        return Err(wrong(format!("{} bitrates for --count {count}", bitrates.len())));
    }
    for bitrate in &bitrates {
        batch::checked(bitrate).map_err(wrong)?;
    }
    Ok(Work::Multi(bitrates))
}

pub(super) fn text(matches: &ArgMatches, name: &str) -> Option<String> {
    matches.get_one::<String>(name).cloned()
}

impl Options {
    /// ffmpeg with arguments, on the chosen CPUs.
    pub(super) fn on_cpus(&self, arguments: Vec<String>) -> Vec<String> {
        let taskset = self.cpus.iter().flat_map(|cpus| ["taskset", "-c", cpus]).map(str::to_owned);
        taskset.chain([self.ffmpeg.clone()]).chain(arguments).collect()
    }

    /// Pause after each scenario.
    pub(super) fn cooldown(&self) -> Duration {
        self.overrides.cooldown.unwrap_or(COOLDOWN)
    }

    /// The scenarios to run, with unique names; those of clips need the clips.
    pub(super) fn scenarios(&self) -> Result<Vec<Scenario>, BatchError> {
        let times = Times {
            baseline: self.overrides.duration.unwrap_or(BASELINE),
            duration: self.overrides.duration.unwrap_or(DURATION),
            stabilization: self.overrides.stabilization.unwrap_or(STABILIZATION),
            cooldown: self.cooldown(),
        };
        let same = |count: usize| Scenario::multi(vec!["2500k".to_owned(); count], times);
        let scenarios = match &self.work {
            Work::All => plan::suite(times).into_iter().chain([same(2), same(4)]).collect(),
            Work::Suite => plan::suite(times),
            Work::Single { name, bitrate, picture, outputs, with_baseline } => {
                let baseline = with_baseline.then(|| Scenario::baseline(times));
                let single = Scenario {
                    picture: *picture,
                    outputs: outputs.clone(),
                    ..Scenario::single(name, bitrate, times)
                };
                baseline.into_iter().chain([single]).collect()
            }
            Work::Multi(bitrates) => vec![Scenario::multi(bitrates.clone(), times)],
            Work::Batch(file) => batch::read(file, times, self.overrides)?,
            Work::Clips(_) => Vec::new(),
        };
        Ok(plan::with_unique_names(scenarios))
    }
}
