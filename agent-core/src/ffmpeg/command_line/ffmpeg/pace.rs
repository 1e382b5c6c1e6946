//! Computes the frames of all encoded renditions from those of ffmpeg's progress.
//!
//! ffmpeg's progress has the frames of one stream: the first video stream of the first output that has one, encoded or copied
//! (`print_report()` in `fftools/ffmpeg.c`). Other streams have as many only when they take the same pictures.

use crate::ffmpeg::command_line::Work;
use crate::ffmpeg::command_line::ffmpeg::map::Input;
use crate::ffmpeg::command_line::ffmpeg::output::Written;
use crate::model::transcode::FrameCount;

/// Options of an output that change the number of frames of a stream.
const OPTIONS: [&str; 9] = ["r", "fpsmax", "frames", "t", "to", "ss", "fps_mode", "vsync", "shortest"];

/// Options of an input or output that select a part of it. A copy begins and ends at other packets than an encode: at key frames, and
/// in decoding order. `skip_frame` selects what is decoded, and not what is copied.
const PARTS: [&str; 5] = ["ss", "sseof", "t", "to", "skip_frame"];

/// Container formats that may have a variable frame rate in current versions (`AVFMT_VARIABLE_FPS`, and `avi` by name in
/// `fftools/ffmpeg_mux_init.c`). Frames are repeated for other formats, which the progress of these versions tells of the first
/// stream only; ffmpeg 5.1 repeats frames for MP4 too, and its progress tells it of all streams.
const VARIABLE: [&str; 10] =
    ["avi", "flv", "ipod", "matroska", "mov", "mp4", "mpegts", "null", "nut", "webm"];

/// Filters that drop, add or repeat frames.
const FILTERS: [&str; 17] = [
    "decimate",
    "detelecine",
    "fps",
    "framerate",
    "framestep",
    "freezeframes",
    "loop",
    "minterpolate",
    "mpdecimate",
    "pullup",
    "select",
    "separatefields",
    "telecine",
    "thumbnail",
    "tile",
    "tinterlace",
    "trim",
];

/// What decides the number of frames of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pace<'a> {
    /// The stream's input; `None` for the output of a filter graph.
    input: Option<usize>,
    /// Values of options and texts of filter chains that change the number.
    changes: Vec<Option<&'a str>>,
    /// The container format, where it decides whether frames are repeated.
    format: Option<&'a str>,
    /// Whether an option decides that instead of the format.
    has_mode: bool,
    is_still: bool,
    is_partial: bool,
}

impl<'a> Pace<'a> {
    /// The pace of a stream; `of` gives the value of an option for it.
    pub(super) fn new(
        of: &impl Fn(&str) -> Option<&'a str>,
        input: Option<usize>,
        format: Option<&'a str>,
    ) -> Self {
        let mut changes: Vec<Option<&'a str>> = OPTIONS.iter().map(|option| of(option)).collect();
        // The text of a chain is compared: chains that differ and change nothing are the same.
        changes.push(of("filter").filter(|chain| changes_frames(chain)));
        let mode = of("fps_mode").or_else(|| of("vsync"));
        Self {
            input,
            changes,
            format,
            has_mode: mode.is_some_and(|mode| !matches!(mode, "auto" | "-1")),
            is_still: of("frames") == Some("1"),
            is_partial: selects_part(|option| of(option).is_some()),
        }
    }

    /// Whether both streams have the same number of frames, as long as none is repeated or dropped for the format.
    fn is_like(&self, other: &Self) -> bool {
        self.changes == other.changes && self.input.unwrap_or(0) == other.input.unwrap_or(0)
    }

    /// Whether the same frames are repeated and dropped for both formats.
    fn is_timed_as(&self, other: &Self) -> bool {
        self.has_mode || (self.format.is_some() && self.format == other.format)
    }

    /// Whether no frame is repeated for the format that the progress may not tell.
    fn keeps_rate(&self) -> bool {
        self.format.is_some_and(|format| VARIABLE.contains(&format))
    }
}

/// Whether options select a part of an input or output.
pub(super) fn selects_part(has: impl Fn(&str) -> bool) -> bool {
    PARTS.iter().any(|option| has(option))
}

/// Frames of all encoded renditions; `None` where one may have another number than ffmpeg's progress says, and where nothing is encoded.
pub(super) fn frame_count(streams: &[Written<'_>], inputs: &[Input], graphs: &[&str]) -> Option<FrameCount> {
    let first = streams.first()?;
    let is_encoded = |stream: &&Written<'_>| !matches!(stream.rendition.work, Work::Copy | Work::Decode);
    let encoded: Vec<&Written<'_>> = streams.iter().filter(is_encoded).collect();
    // Where the first stream is a still, the progress says nothing of the others.
    let is_still = |stream: &&Written<'_>| stream.pace.is_still && !first.pace.is_still;
    let (stills, videos): (Vec<_>, Vec<_>) = encoded.into_iter().partition(is_still);
    let count = FrameCount { renditions: videos.len(), stills: stills.len(), needs_every_frame: false };
    match videos.as_slice() {
        [] => (!stills.is_empty()).then_some(count),
        [only] if std::ptr::eq(*only, first) => Some(count),
        videos if !is_even(first, videos, graphs) => None,
        videos if is_encoded(&first) && videos.iter().all(|video| video.pace.is_timed_as(&first.pace)) => {
            Some(count)
        }
        videos => {
            // A copy has the frames of a decoder only where both take all of the input.
            let takes_all =
                is_encoded(&first) || !(first.pace.is_partial || inputs.iter().any(|input| input.is_partial));
            let keeps_rate = takes_all && videos.iter().all(|video| video.pace.keeps_rate());
            keeps_rate.then_some(FrameCount { needs_every_frame: true, ..count })
        }
    }
}

/// Whether the streams take the same pictures as the first one.
fn is_even(first: &Written<'_>, videos: &[&Written<'_>], graphs: &[&str]) -> bool {
    let from_graph = |stream: &Written<'_>| stream.pace.input.is_none();
    let by_graph = match graph_pace(graphs) {
        GraphPace::Unchanged => true,
        GraphPace::ChangedForAll => from_graph(first) && videos.iter().all(|stream| from_graph(stream)),
        GraphPace::Differs => false,
    };
    by_graph && videos.iter().all(|stream| stream.pace.is_like(&first.pace))
}

/// What filter graphs do to the number of frames.
enum GraphPace {
    Unchanged,
    /// Before the graph splits: all of its outputs have the same number.
    ChangedForAll,
    Differs,
}

fn graph_pace(graphs: &[&str]) -> GraphPace {
    let split = |graph: &str| graph.find("split").unwrap_or(graph.len());
    match graphs {
        [graph] if !changes_frames(&graph[split(graph)..]) => {
            if changes_frames(graph) {
                GraphPace::ChangedForAll
            } else {
                GraphPace::Unchanged
            }
        }
        graphs if graphs.iter().any(|graph| changes_frames(graph)) => GraphPace::Differs,
        _ => GraphPace::Unchanged,
    }
}

/// Whether a graph or chain has a filter that changes the number of frames. A word in an argument counts too: then nothing is said.
fn changes_frames(graph: &str) -> bool {
    let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
    graph.split(|character: char| !is_part(character)).any(|word| FILTERS.contains(&word))
}
