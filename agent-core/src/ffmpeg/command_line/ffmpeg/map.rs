//! Finds the streams that an output of ffmpeg takes from the inputs: `-map`, and the choice without it.

use crate::ffmpeg::command_line::ffmpeg::{Options, pace};
use crate::ffmpeg::command_line::filter::{self, Graph};
use crate::ffmpeg::command_line::frame::Frame;
use crate::ffmpeg::command_line::{live, muxer};

#[derive(Debug)]
pub(super) struct Input {
    pub(super) frame: Frame,
    pub(super) has_video: bool,
    pub(super) is_live: bool,
    /// Whether a decoder gives other frames than a copy has: the options select a part of the input.
    pub(super) is_partial: bool,
}

/// Whether a stream is video.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Video,
    Other,
    /// The map has a number, a PID or metadata, and not the kind.
    Unknown,
}

/// A stream of an output, before it is encoded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stream {
    pub(super) kind: Kind,
    pub(super) frame: Frame,
    /// The stream's input; `None` when it comes from a filter graph.
    pub(super) input: Option<usize>,
    /// Its number among the input's streams of its kind or, where the kind is unknown, among all.
    pub(super) number: Option<usize>,
}

impl Input {
    pub(super) fn new(options: &Options<'_>, url: &str) -> Self {
        let format = options.last("f");
        let is_paced = options.last("re").is_some()
            || options.last("readrate").is_some_and(|rate| rate.parse::<f64>().is_ok_and(|rate| rate > 0.0));
        let is_live = is_paced || live::is_live(format, url);
        let is_partial = pace::selects_part(|option| options.last(option).is_some());
        if format == Some("lavfi") {
            let source = filter::source(url);
            return Self {
                frame: source.unwrap_or(Frame::UNKNOWN),
                has_video: source.is_some(),
                is_live,
                is_partial,
            };
        }
        // The decoders `*_cuvid` resize; no other part of an input has this option (libavcodec/cuviddec.c).
        let size = ["resize", "video_size", "s"].into_iter().find_map(|option| options.last(option));
        Self {
            frame: size.and_then(Frame::parse).unwrap_or(Frame::UNKNOWN),
            has_video: options.last("vn").is_none() && !muxer::has_only_sound(format, url),
            is_live,
            is_partial,
        }
    }
}

/// What a stream specifier selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Selection {
    /// All streams of the file or the program.
    All,
    /// Streams of one kind; one of them where there is a number.
    Of(Kind, Option<usize>),
}

/// A parsed `-map` of an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Map {
    is_removed: bool,
    input: usize,
    selection: Selection,
}

/// Parses `0:v:1`, `v:0?`, `-0:a`, `0:#0x100`, `0:p:5:v`, `0:m:language:eng`.
///
/// `opt_map()` in ffmpeg reads the number of the file with `strtol()`: without a number, the file is the first.
fn parse(text: &str) -> Map {
    let (is_removed, text) = text.strip_prefix('-').map_or((false, text), |text| (true, text));
    // A second stream, for synchronization, was allowed until ffmpeg 5.
    let text = text.split(',').next().unwrap_or(text).trim_end_matches('?');
    let digits = text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len());
    let (file, specifier) = text.split_at(digits);
    let input = if file.is_empty() { Some(0) } else { file.parse().ok() };
    let selection = select(specifier.strip_prefix(':').unwrap_or(specifier));
    Map { is_removed, input: input.unwrap_or(usize::MAX), selection }
}

fn select(specifier: &str) -> Selection {
    let (first, rest) = specifier.split_once(':').unwrap_or((specifier, ""));
    match first {
        "" | "u" => Selection::All,
        "v" | "V" => Selection::Of(Kind::Video, rest.parse().ok()),
        "a" | "s" | "d" | "t" => Selection::Of(Kind::Other, rest.parse().ok()),
        // Programs and groups, with a further specifier.
        "p" | "g" => select(rest.split_once(':').map_or("", |(_, rest)| rest)),
        _ => Selection::Of(Kind::Unknown, first.parse().ok()),
    }
}

/// The streams of `-map`; else the remaining streams of filter graphs, for the first output; else the first video stream.
pub(super) fn streams(options: &Options<'_>, inputs: &[Input], graph: &mut Graph) -> Vec<Stream> {
    let mut streams = Vec::new();
    for map in &options.maps {
        match map.strip_prefix('[') {
            Some(label) => streams.push(of_graph(label.trim_end_matches(']'), graph)),
            None => add(parse(map), inputs, &mut streams),
        }
    }
    if !options.maps.is_empty() {
        return streams;
    }
    let unlabelled = graph.take_unlabelled().into_iter();
    streams.extend(unlabelled.map(|frame| Stream { kind: Kind::Video, frame, input: None, number: None }));
    if streams.is_empty()
        && let Some((input, found)) = inputs.iter().enumerate().find(|(_, input)| input.has_video)
    {
        streams.push(Stream { kind: Kind::Video, frame: found.frame, input: Some(input), number: Some(0) });
    }
    streams
}

fn of_graph(label: &str, graph: &Graph) -> Stream {
    // A label that no parsed graph defines is taken for video, as most are.
    let (is_video, frame) =
        graph.labelled(label).map_or((true, Frame::UNKNOWN), |pad| (pad.is_video, pad.frame));
    let kind = if is_video { Kind::Video } else { Kind::Other };
    Stream { kind, frame, input: None, number: None }
}

fn add(map: Map, inputs: &[Input], streams: &mut Vec<Stream>) {
    let Some(input) = inputs.get(map.input) else { return };
    if map.is_removed {
        streams.retain(|stream| stream.input != Some(map.input) || !removes(map.selection, *stream));
        return;
    }
    let (kind, number) = match map.selection {
        // The video of a file is assumed to be one.
        Selection::All => (Kind::Video, Some(0)),
        Selection::Of(kind, number) => (kind, number.or((kind == Kind::Video).then_some(0))),
    };
    let kind = if input.has_video { kind } else { Kind::Other };
    streams.push(Stream { kind, frame: input.frame, input: Some(map.input), number });
}

/// Whether a negative map removes a stream.
fn removes(selection: Selection, stream: Stream) -> bool {
    match selection {
        Selection::All => true,
        Selection::Of(Kind::Unknown, None) => false,
        // By convention, the first stream of a file is the video.
        Selection::Of(Kind::Unknown, number) => number == stream.number,
        Selection::Of(kind, number) => kind == stream.kind && (number.is_none() || number == stream.number),
    }
}

/// Decides which streams of unknown kind are video. `names_video` says whether the output's options are of video; `wanted` is the
/// least number of video streams that its options speak of; `is_video_codec` says what the options name for the stream of a position.
pub(super) fn resolve(
    streams: &mut [Stream],
    names_video: bool,
    wanted: usize,
    is_video_codec: impl Fn(usize) -> Option<bool>,
) {
    for (position, stream) in streams.iter_mut().enumerate() {
        if stream.kind == Kind::Unknown
            && let Some(is_video) = is_video_codec(position)
        {
            stream.kind = if is_video { Kind::Video } else { Kind::Other };
        }
    }
    let mut missing = wanted.max(1).saturating_sub(count(streams, Kind::Video));
    let is_first = |stream: &Stream| stream.number == Some(0);
    // By convention the first stream of a file is the video; another one only where video is spoken of.
    let first = |stream: &&mut Stream| stream.kind == Kind::Unknown && is_first(stream);
    for stream in streams.iter_mut().filter(first).take(missing) {
        stream.kind = Kind::Video;
        missing -= 1;
    }
    let other = |stream: &&mut Stream| stream.kind == Kind::Unknown && names_video;
    for stream in streams.iter_mut().filter(other).take(missing) {
        stream.kind = Kind::Video;
    }
}

fn count(streams: &[Stream], kind: Kind) -> usize {
    streams.iter().filter(|stream| stream.kind == kind).count()
}
