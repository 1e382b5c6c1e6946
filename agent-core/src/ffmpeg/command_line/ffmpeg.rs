//! Reads the renditions of ffmpeg's command line.
//!
//! Options apply to the file that follows them. Outputs are evaluated after all files are known, because filter graphs and inputs belong to
//! the whole command.

use crate::ffmpeg::command_line::encoder::Encoder;
use crate::ffmpeg::command_line::filter::{self, Graph};
use crate::ffmpeg::command_line::frame::Frame;
use crate::ffmpeg::command_line::option::{OptionName, Streams};
use crate::ffmpeg::command_line::{BitsPerSecond, CommandLine, Rendition, Work, bitrate, live, muxer};

/// Most streams of one output that are evaluated. Real ladders have a dozen; without a bound, every stream of a hostile command line could
/// be searched for in every option.
const MAX_STREAMS: usize = 64;

/// Options of one file, in the order of the command line.
#[derive(Debug, Default)]
struct Options<'a>(Vec<(OptionName<'a>, &'a str)>);

#[derive(Debug)]
struct Input {
    frame: Frame,
    has_video: bool,
    is_live: bool,
}

#[derive(Debug)]
struct Output<'a> {
    url: &'a str,
    options: Options<'a>,
}

/// A stream of an output, before it is encoded.
#[derive(Clone, Copy, Debug)]
struct Stream {
    is_video: bool,
    frame: Frame,
    /// The stream's input; `None` when it comes from a filter graph.
    input: Option<usize>,
}

/// Reads the outputs and their streams.
pub(super) fn read<'a>(mut arguments: impl Iterator<Item = &'a str>) -> CommandLine {
    let (mut inputs, mut outputs, mut graphs) = (Vec::new(), Vec::new(), Vec::new());
    let mut options = Options::default();
    while let Some(argument) = arguments.next() {
        let name = match argument.strip_prefix('-') {
            None | Some("") => {
                outputs.push(Output { url: argument, options: std::mem::take(&mut options) });
                continue;
            }
            Some(name) => OptionName::parse(name),
        };
        if name.is_flag() {
            options.0.push((name, ""));
            continue;
        }
        let Some(value) = arguments.next() else { break };
        match name.base {
            "i" => inputs.push(Input::new(&std::mem::take(&mut options), value)),
            "filter_complex" | "lavfi" => graphs.push(value),
            _ => options.0.push((name, value)),
        }
    }
    let frames: Vec<Frame> = inputs.iter().map(|input| input.frame).collect();
    let mut graph = Graph::default();
    for text in graphs {
        graph.add(text, &frames);
    }
    let (mut count, mut renditions) = (0, Vec::new());
    for output in &outputs {
        count += output.count();
        renditions.extend(output.renditions(&inputs, &mut graph));
    }
    let is_live = inputs.iter().any(|input| input.is_live);
    CommandLine { outputs: count, renditions, is_live, ..CommandLine::default() }
}

impl<'a> Options<'a> {
    /// The last value of an option; specifiers do not matter.
    fn last(&self, base: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(name, _)| name.base == base).map(|(_, value)| *value)
    }

    /// The last value that applies to the video stream with these positions.
    fn of(&self, base: &str, among_video: usize, among_all: usize) -> Option<&'a str> {
        let is_meant = |streams: Streams| streams.include(among_video, among_all);
        let mut meant = self.0.iter().rev().filter(|(name, _)| name.base == base && is_meant(name.streams));
        meant.next().map(|(_, value)| *value)
    }
}

impl Input {
    fn new(options: &Options<'_>, url: &str) -> Self {
        let is_paced = options.last("re").is_some() || options.last("readrate").is_some();
        let is_live = is_paced || live::is_live(options.last("f"), url);
        if options.last("f") == Some("lavfi") {
            let source = filter::source(url);
            return Self { frame: source.unwrap_or(Frame::UNKNOWN), has_video: source.is_some(), is_live };
        }
        let size = options.last("video_size").or_else(|| options.last("s"));
        Self {
            frame: size.and_then(Frame::parse).unwrap_or(Frame::UNKNOWN),
            has_video: !muxer::is_audio_only(url),
            is_live,
        }
    }
}

impl Output<'_> {
    /// Number of files and streams that it writes: a tee has several, and so has a set of HLS variants.
    fn count(&self) -> usize {
        if self.options.last("f") == Some("tee") {
            return self.url.split('|').count();
        }
        let variants = self.options.last("var_stream_map").map(|map| map.split_whitespace().count());
        variants.unwrap_or(1).max(1)
    }

    fn renditions(&self, inputs: &[Input], graph: &mut Graph) -> Vec<Rendition> {
        let streams = self.streams(inputs, graph);
        let has_video = self.options.last("vn").is_none();
        let mut among_video = 0;
        let mut renditions = Vec::new();
        for (among_all, stream) in streams.iter().enumerate() {
            if stream.is_video && has_video {
                renditions.extend(self.rendition(*stream, among_video, among_all));
                among_video += 1;
            }
        }
        renditions
    }

    /// The streams of `-map`; else the remaining streams of filter graphs, for the first output; else the first video stream.
    fn streams(&self, inputs: &[Input], graph: &mut Graph) -> Vec<Stream> {
        let mut streams = Vec::new();
        for (_, map) in self.options.0.iter().filter(|(name, _)| name.base == "map").take(MAX_STREAMS) {
            add_mapped(map, inputs, graph, &mut streams);
        }
        if streams.is_empty() && self.options.last("map").is_none() {
            let unlabelled = graph.take_unlabelled().into_iter();
            streams.extend(unlabelled.map(|frame| Stream { is_video: true, frame, input: None }));
        }
        if streams.is_empty() && self.options.last("map").is_none() {
            let first = inputs.iter().enumerate().find(|(_, input)| input.has_video);
            let stream = |(index, input): (usize, &Input)| Stream {
                is_video: true,
                frame: input.frame,
                input: Some(index),
            };
            streams.extend(first.map(stream));
        }
        streams
    }

    /// `None` when the stream is only decoded.
    fn rendition(&self, stream: Stream, among_video: usize, among_all: usize) -> Option<Rendition> {
        let of = |base: &str| self.options.of(base, among_video, among_all);
        let encoder = match (of("c"), muxer::default(self.options.last("f"), self.url)) {
            (Some("copy"), _) => return Some(Rendition { work: Work::Copy, frame: stream.frame }),
            (Some(name), _) | (None, muxer::Default::Video(name)) => Some(Encoder::named(name)),
            (None, muxer::Default::Unknown) => None,
            (None, muxer::Default::Decoded | muxer::Default::None) => return None,
        };
        let mut frame = stream.frame;
        if let (Some(chain), Some(_)) = (of("filter"), stream.input) {
            frame = filter::chain(chain, frame);
        }
        if let Some(size) = of("s") {
            frame = Frame::parse(size).unwrap_or(Frame::UNKNOWN);
        }
        let work = encoder.map_or(Work::Unknown, |encoder| Work::Encode {
            preset: preset(&encoder, of),
            bitrate: asked_bitrate(of),
            encoder,
        });
        Some(Rendition { work, frame })
    }
}

/// `0:v:1`, `0`, `[label]`, `-0:a`, `0:s?`.
fn add_mapped(map: &str, inputs: &[Input], graph: &Graph, streams: &mut Vec<Stream>) {
    if let Some(label) = map.strip_prefix('[') {
        let pad = graph.labelled(label.trim_end_matches(']'));
        // A label that no parsed graph defines is taken for video, as most are.
        let (is_video, frame) = pad.map_or((true, Frame::UNKNOWN), |pad| (pad.is_video, pad.frame));
        streams.push(Stream { is_video, frame, input: None });
        return;
    }
    let (is_removed, map) = map.strip_prefix('-').map_or((false, map), |map| (true, map));
    let mut parts = map.trim_end_matches('?').splitn(3, ':');
    let Some(index) = parts.next().and_then(|index| index.parse::<usize>().ok()) else { return };
    let kind = parts.next().unwrap_or_default();
    let Some(input) = inputs.get(index) else { return };
    // A bare number: by convention the first stream of a file is the video.
    let is_video = match kind {
        "v" | "V" | "" | "0" | "p" => input.has_video,
        _ => false,
    };
    if is_removed {
        streams.retain(|stream| {
            stream.input != Some(index) || (!kind.is_empty() && stream.is_video != is_video)
        });
        return;
    }
    streams.push(Stream { is_video, frame: input.frame, input: Some(index) });
}

/// The requested speed of an encoder, by its own option for that.
fn preset<'a>(encoder: &Encoder, of: impl Fn(&str) -> Option<&'a str>) -> Option<String> {
    let in_parameters = || of("svtav1-params").and_then(|parameters| parameter(parameters, "preset"));
    if let Some(preset) = of("preset").or_else(in_parameters) {
        return Some(preset.to_owned());
    }
    for option in ["cpu-used", "speed", "compression_level"] {
        if let Some(value) = of(option) {
            return Some(format!("{option}={value}"));
        }
    }
    let by_word = of("quality").or_else(|| of("deadline")).or_else(|| encoder.default_preset());
    by_word.map(str::to_owned)
}

fn asked_bitrate<'a>(of: impl Fn(&str) -> Option<&'a str>) -> Option<BitsPerSecond> {
    let parameters = [
        ("x264-params", "bitrate"),
        ("x264opts", "bitrate"),
        ("x265-params", "bitrate"),
        ("svtav1-params", "tbr"),
    ];
    let in_parameters =
        parameters.iter().find_map(|(option, name)| bitrate::parse_kilobits(parameter(of(option)?, name)?));
    in_parameters.or_else(|| bitrate::parse(of("b")?))
}

/// The value of a name in `name=value:name=value`.
fn parameter<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.split(':')
        .filter_map(|part| part.split_once('='))
        .find(|(key, _)| *key == name)
        .map(|(_, value)| value)
}
