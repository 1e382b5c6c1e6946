//! Decides for how many encoded renditions the frames of ffmpeg's progress hold.
//!
//! ffmpeg's progress has the frames of one stream: the first video stream of the first output that has one, encoded or copied
//! (`print_report()` in `fftools/ffmpeg.c`). Other streams have as many only when they take the same pictures.

use crate::ffmpeg::command_line::Work;
use crate::ffmpeg::command_line::ffmpeg::output::Written;

/// Options of an output that change the number of frames of a stream.
const OPTIONS: [&str; 9] = ["r", "fpsmax", "frames", "t", "to", "ss", "fps_mode", "vsync", "shortest"];

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
}

impl<'a> Pace<'a> {
    /// The pace of a stream; `of` gives the value of an option for it.
    pub(super) fn new(of: &impl Fn(&str) -> Option<&'a str>, input: Option<usize>) -> Self {
        let mut changes: Vec<Option<&'a str>> = OPTIONS.iter().map(|option| of(option)).collect();
        // The text of a chain is compared: chains that differ and change nothing are the same.
        changes.push(of("filter").filter(|chain| changes_frames(chain)));
        Self { input, changes }
    }
}

/// Number of encoded renditions with as many frames as ffmpeg's progress says; `None` where one has another number or may have, and where
/// nothing is encoded.
pub(super) fn counted(streams: &[Written<'_>], graphs: &[&str]) -> Option<usize> {
    let first = streams.first()?;
    let is_encoded = |stream: &&Written<'_>| !matches!(stream.rendition.work, Work::Copy | Work::Decode);
    let encoded: Vec<&Written<'_>> = streams.iter().filter(is_encoded).collect();
    let is_alone = encoded.len() == 1 && is_encoded(&first);
    let from_graph = |stream: &Written<'_>| stream.pace.input.is_none();
    let is_even = match graph_pace(graphs) {
        GraphPace::Unchanged => true,
        GraphPace::ChangedForAll => from_graph(first) && encoded.iter().all(|stream| from_graph(stream)),
        GraphPace::Differs => false,
    };
    let input = |stream: &Written<'_>| stream.pace.input.unwrap_or(0);
    let is_same =
        |stream: &&Written<'_>| stream.pace.changes == first.pace.changes && input(stream) == input(first);
    let all_same = is_even && encoded.iter().all(is_same);
    (!encoded.is_empty() && (is_alone || all_same)).then_some(encoded.len())
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
