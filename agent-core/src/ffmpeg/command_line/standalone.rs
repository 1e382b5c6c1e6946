//! Reads the command lines of programs that are one encoder, and of `HandBrakeCLI`.

use crate::ffmpeg::command_line::encoder::Encoder;
use crate::ffmpeg::command_line::frame::{self, Frame};
use crate::ffmpeg::command_line::{BitsPerSecond, CommandLine, Rendition, Work, bitrate, preset};
use crate::model::transcode::FrameCount;

/// Names of the options of one program.
struct Grammar {
    program: &'static str,
    preset: &'static [&'static str],
    /// Options of a speed that is shown with the first of their names.
    speed: &'static [&'static str],
    bitrate: &'static [&'static str],
    /// Whether a bitrate is a number of thousands; else it is one of bits, with a suffix.
    is_kilobits: bool,
    /// Options with which a bitrate is no target.
    quality: &'static [&'static str],
    /// The option of the mode of rate control, and its values with which a bitrate is a target; "" stands for a missing option.
    mode: (&'static str, &'static [&'static str]),
    size: &'static [&'static str],
    width: &'static [&'static str],
    height: &'static [&'static str],
    output: &'static [&'static str],
}

/// Options as of x264 164, x265 3.5, SVT-AV1 1.4, aomenc 3.6, rav1e 0.5 and vvenc 1.7.
const GRAMMARS: [Grammar; 6] = [
    Grammar {
        bitrate: &["bitrate", "B"],
        quality: &["crf", "qp", "q"],
        size: &["input-res"],
        output: &["o", "output"],
        ..like_x264("x264")
    },
    Grammar { preset: &["preset", "p"], size: &["input-res"], output: &["o", "output"], ..like_x264("x265") },
    Grammar {
        bitrate: &["tbr"],
        quality: &["crf", "q", "qp"],
        mode: ("rc", &["1", "2"]),
        width: &["w", "width"],
        height: &["h", "height"],
        output: &["b", "output"],
        ..like_x264("SvtAv1EncApp")
    },
    Grammar {
        preset: &[],
        speed: &["cpu-used"],
        bitrate: &["target-bitrate"],
        quality: &[],
        mode: ("end-usage", &["", "vbr", "cbr", "cq", "0", "1", "2"]),
        width: &["w", "width"],
        height: &["h", "height"],
        output: &["o", "output"],
        ..like_x264("aomenc")
    },
    Grammar {
        preset: &[],
        speed: &["speed", "s"],
        bitrate: &["bitrate", "b"],
        quality: &[],
        output: &["o", "output"],
        ..like_x264("rav1e")
    },
    Grammar {
        bitrate: &["bitrate", "b"],
        is_kilobits: false,
        quality: &["qp", "q"],
        size: &["size", "s"],
        output: &["output", "o"],
        ..like_x264("vvencapp")
    },
];

const fn like_x264(program: &'static str) -> Grammar {
    Grammar {
        program,
        preset: &["preset"],
        speed: &[],
        bitrate: &["bitrate"],
        is_kilobits: true,
        quality: &["crf", "qp"],
        mode: ("", &[""]),
        size: &[],
        width: &[],
        height: &[],
        output: &[],
    }
}

/// Options of a command line: `--name value`, `--name=value`, `-n value`.
struct Options<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Options<'a> {
    fn read(arguments: impl Iterator<Item = &'a str>) -> Self {
        let words: Vec<&str> = arguments.collect();
        let option = |(index, word): (usize, &&'a str)| {
            let name = word.strip_prefix('-')?;
            let name = name.strip_prefix('-').unwrap_or(name);
            Some(name.split_once('=').unwrap_or((name, words.get(index + 1).copied().unwrap_or_default())))
        };
        Self(words.iter().enumerate().filter_map(option).collect())
    }

    /// The last value of an option, by any of its names.
    fn last(&self, names: &[&str]) -> Option<&'a str> {
        self.0.iter().rev().find(|(name, _)| names.contains(name)).map(|(_, value)| *value)
    }
}

/// Reads the command line of a program that is one encoder.
pub(super) fn read_encoder<'a>(program: &str, arguments: impl Iterator<Item = &'a str>) -> CommandLine {
    let program = program.strip_suffix("-10bit").unwrap_or(program);
    let grammar = GRAMMARS.iter().find(|grammar| grammar.program == program);
    let (Some(grammar), Some(encoder)) = (grammar, Encoder::named(program)) else {
        return CommandLine::default();
    };
    let options = Options::read(arguments);
    let by_preset = || match options.last(grammar.preset) {
        Some(text) => preset::named(&encoder, text),
        None => encoder.row.default_preset.map(str::to_owned),
    };
    let by_speed = || {
        let number = preset::small_number(options.last(grammar.speed)?)?;
        Some(format!("{}={number}", grammar.speed.first()?))
    };
    let (mode, with_target) = grammar.mode;
    let is_target = options.last(grammar.quality).is_none()
        && with_target.contains(&options.last(&[mode]).unwrap_or_default());
    let asked = options.last(grammar.bitrate).filter(|_| is_target);
    let parsed =
        |text: &str| if grammar.is_kilobits { bitrate::parse_kilobits(text) } else { bitrate::parse(text) };
    let sides = || {
        let side = |names| options.last(names).and_then(frame::side);
        Some(Frame::known(side(grammar.width)?, side(grammar.height)?))
    };
    let frame = options.last(grammar.size).and_then(Frame::parse).or_else(sides).unwrap_or(Frame::UNKNOWN);
    let is_written = options.last(grammar.output).is_some();
    let preset = by_preset().or_else(by_speed);
    one(encoder, preset, asked.and_then(parsed), frame, is_written)
}

/// Reads the command line of `HandBrakeCLI`. The size depends on its presets and on the source, and is not read.
pub(super) fn read_handbrake<'a>(arguments: impl Iterator<Item = &'a str>) -> CommandLine {
    let options = Options::read(arguments);
    if options.last(&["o", "output"]).is_none() {
        return CommandLine::default();
    }
    // Without its name, the encoder is that of a preset of HandBrake.
    let Some(encoder) = options.last(&["e", "encoder"]).and_then(Encoder::named) else {
        let rendition = Rendition { work: Work::Unknown, frame: Frame::UNKNOWN };
        return CommandLine {
            outputs: 1,
            renditions: vec![rendition],
            frame_count: Some(FrameCount::ONE),
            ..CommandLine::default()
        };
    };
    let speed = options.last(&["encoder-preset"]).and_then(preset::word);
    let asked = options.last(&["b", "vb"]).filter(|_| options.last(&["q", "quality"]).is_none());
    one(encoder, speed, asked.and_then(bitrate::parse_kilobits), Frame::UNKNOWN, true)
}

fn one(
    encoder: Encoder,
    preset: Option<String>,
    bitrate: Option<BitsPerSecond>,
    frame: Frame,
    is_written: bool,
) -> CommandLine {
    let rendition = Rendition { work: Work::Encode { encoder, preset, bitrate }, frame };
    CommandLine {
        outputs: usize::from(is_written),
        renditions: vec![rendition],
        frame_count: Some(FrameCount::ONE),
        ..CommandLine::default()
    }
}
