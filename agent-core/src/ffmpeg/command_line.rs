//! Reads codec, preset, renditions and bitrates from the command line of an encoder.
//!
//! Command lines of ffmpeg, `GStreamer`, `HandBrakeCLI` and encoder programs are parsed by their own grammar, as far as the encode depends
//! on it. What the command line alone does not say is absent.
//!
//! **A command line may have keys and passwords anywhere.** So text that is returned is only of words of the tables and of numbers; any
//! other word is read as unknown.
//!
//! Total and linear: any bytes give a [`CommandLine`], in time that grows with their number.

mod bitrate;
pub mod encoder;
mod ffmpeg;
mod filter;
mod frame;
mod gstreamer;
mod live;
mod muxer;
mod option;
mod preset;
pub mod program;
pub mod script;
mod standalone;

use crate::ffmpeg::command_line::encoder::Encoder;
use crate::ffmpeg::command_line::frame::Frame;
use crate::ffmpeg::command_line::program::Grammar;
use crate::model::transcode::FrameCount;
use crate::text::bounded;

/// Longest label value, in characters.
const MAX_CHARACTERS: usize = 64;

/// A video bitrate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitsPerSecond(pub u64);

/// A parsed command line. Label values are at most 64 characters long; a shortened value ends in `…`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// Name of the program, without its folder; empty for a program that is neither in the table nor named by the caller.
    pub program: String,
    /// Number of written files, streams and pipes.
    outputs: usize,
    /// Video streams over all outputs.
    renditions: Vec<Rendition>,
    /// Whether an input arrives in real time.
    is_live: bool,
    /// Frames of the encoded renditions, by the program's progress.
    frame_count: Option<FrameCount>,
}

/// One video stream of an output.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rendition {
    work: Work,
    frame: Frame,
}

/// How a stream is made.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Work {
    /// Packets are copied.
    Copy,
    /// Pictures are decoded and passed on as they are in memory.
    Decode,
    /// By an encoder that the command line does not name and that is no known default, or by one that no table has.
    Unknown,
    /// By this encoder.
    Encode { encoder: Encoder, preset: Option<String>, bitrate: Option<BitsPerSecond> },
}

/// Parses the arguments of a process, each ended by a NUL, as in `/proc/<pid>/cmdline`. `tracked` are names of further programs that may be
/// shown.
pub fn parse(cmdline: &[u8], tracked: &[String]) -> CommandLine {
    let text = String::from_utf8_lossy(cmdline);
    let text = text.strip_suffix('\0').unwrap_or(&text);
    let mut arguments = text.split('\0');
    let name = arguments.next().unwrap_or_default();
    let name = file_name(name);
    // A program may be given any name: then the line decides.
    let by_line = || {
        let is_ffmpeg =
            !program::is_runner(name) && name != "ffprobe" && ffmpeg::is_ffmpeg(arguments.clone());
        is_ffmpeg.then_some(Grammar::Ffmpeg)
    };
    let grammar = program::grammar(name).or_else(by_line);
    let found = match grammar {
        Some(Grammar::Ffmpeg) => ffmpeg::read(arguments),
        Some(Grammar::Gstreamer) => gstreamer::read(arguments),
        Some(Grammar::HandBrake) => standalone::read_handbrake(arguments),
        Some(Grammar::Encoder) => standalone::read_encoder(name, arguments),
        None => CommandLine { frame_count: Some(FrameCount::ONE), ..CommandLine::default() },
    };
    let shown = match grammar {
        _ if tracked.iter().any(|tracked| tracked == name) => bounded(name, MAX_CHARACTERS),
        Some(grammar) => program::shown(name, grammar),
        None => String::new(),
    };
    CommandLine { program: shown, ..found }
}

/// The last part of a path.
fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

impl CommandLine {
    /// The encoders as the program names them: `libx264`, several as `libx264+libx265`; `copy` where nothing is encoded.
    pub fn codec(&self) -> Option<String> {
        if self.only_copies() {
            return Some("copy".to_owned());
        }
        joined(self.encodes().map(|rendition| rendition.encoder()?.name.as_deref()))
    }

    /// The standards that are written: `h264`, `hevc`, `av1`, …; `copy` where nothing is encoded.
    pub fn codec_standard(&self) -> Option<String> {
        if self.only_copies() {
            return Some("copy".to_owned());
        }
        joined(self.encodes().map(|rendition| Some(rendition.encoder()?.standard)))
    }

    /// The hardware that encodes: `cpu`, `nvenc`, `qsv`, `vaapi`, …. Absent where nothing is encoded.
    pub fn hardware(&self) -> Option<String> {
        joined(self.encodes().map(|rendition| Some(rendition.encoder()?.row.hardware)))
    }

    /// The presets as the encoders name them: `fast`, `p4`, `8`, `cpu-used=4`.
    pub fn preset(&self) -> Option<String> {
        joined(self.encodes().map(|rendition| match &rendition.work {
            Work::Encode { preset, .. } => preset.as_deref(),
            Work::Copy | Work::Decode | Work::Unknown => None,
        }))
    }

    /// The encoded sizes, `1920x1080+1280x720`; `720p` where only the height is known.
    pub fn resolution(&self) -> Option<String> {
        let sizes: Vec<Option<String>> = self.encodes().map(|rendition| rendition.frame.name()).collect();
        joined(sizes.iter().map(Option::as_deref))
    }

    /// Sum of the requested video bitrates; absent unless all are known, as with constant quality.
    pub fn bitrate(&self) -> Option<BitsPerSecond> {
        let mut sum: Option<u64> = None;
        for rendition in self.encodes() {
            let Work::Encode { bitrate: Some(bitrate), .. } = rendition.work else { return None };
            sum = Some(sum.unwrap_or(0).saturating_add(bitrate.0));
        }
        sum.map(BitsPerSecond)
    }

    /// Number of written files, streams and pipes.
    pub fn output_count(&self) -> usize {
        self.outputs
    }

    /// Number of video streams over all outputs, copied ones included.
    pub fn rendition_count(&self) -> usize {
        self.renditions.len()
    }

    /// Number of encoded video streams over all outputs.
    pub fn encoded_renditions(&self) -> usize {
        self.encodes().count()
    }

    /// Number of video streams over all outputs of which packets are copied.
    pub fn copied_streams(&self) -> usize {
        self.rendition_count() - self.encoded_renditions()
    }

    /// Frames of the encoded renditions, by the program's progress. `None` where a rendition may have another number, and where nothing
    /// is encoded. A program of unknown grammar is taken to encode one rendition.
    pub fn frame_count(&self) -> Option<FrameCount> {
        self.frame_count
    }

    /// Whether an input of ffmpeg arrives in real time, by options and addresses: `-re`, a device, a stream of the
    /// network other than HTTP.
    pub fn is_live(&self) -> bool {
        self.is_live
    }

    /// All text that is shown of this command line: no word of it may be a secret.
    pub fn labels(&self) -> impl Iterator<Item = String> {
        let program = Some(self.program.clone());
        let labels = [self.codec(), self.codec_standard(), self.hardware(), self.preset(), self.resolution()];
        labels.into_iter().chain([program]).flatten()
    }

    fn only_copies(&self) -> bool {
        !self.renditions.is_empty() && self.encodes().next().is_none()
    }

    fn encodes(&self) -> impl Iterator<Item = &Rendition> {
        self.renditions.iter().filter(|rendition| rendition.work != Work::Copy)
    }
}

impl Rendition {
    fn encoder(&self) -> Option<&Encoder> {
        match &self.work {
            Work::Encode { encoder, .. } => Some(encoder),
            Work::Copy | Work::Decode | Work::Unknown => None,
        }
    }
}

/// The distinct parts in order of first use, joined by `+`; `None` when one is unknown, or there are none.
fn joined<'a>(parts: impl Iterator<Item = Option<&'a str>>) -> Option<String> {
    let mut different: Vec<&str> = Vec::new();
    for part in parts {
        let part = part?;
        // Longer labels are cut anyway: many renditions stay linear.
        if different.len() <= MAX_CHARACTERS && !different.contains(&part) {
            different.push(part);
        }
    }
    (!different.is_empty()).then(|| bounded(&different.join("+"), MAX_CHARACTERS))
}

#[cfg(test)]
mod tests;
