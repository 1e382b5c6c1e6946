//! Computes the picture sizes at the outputs of a filter graph.
//!
//! A size is either the one that ffmpeg computes, or unknown: a filter that is in no table makes it unknown.

mod area;
mod compose;
pub(super) mod expression;
mod fields;
mod format;
mod keep;
mod link;
mod resize;
mod scale;
mod sides;
mod sound;
mod sources;
mod syntax;

use std::collections::HashMap;

use crate::ffmpeg::command_line::filter::link::{Link, Links};
use crate::ffmpeg::command_line::filter::syntax::Filter;
use crate::ffmpeg::command_line::frame::Frame;

/// Output of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pad {
    pub(super) is_video: bool,
    pub(super) frame: Frame,
}

/// The open outputs of all filter graphs of a command.
#[derive(Debug, Default)]
pub(super) struct Graph {
    labelled: HashMap<String, Pad>,
    unlabelled: Vec<Frame>,
}

impl Graph {
    /// Evaluates a graph from the command's inputs to its outputs.
    pub(super) fn add(&mut self, text: &str, inputs: &[Frame]) {
        let Some(filters) = syntax::parse(text) else { return };
        let links = Links::new(&filters);
        let mut used: Vec<usize> = links.labels().filter_map(stream).collect();
        used.sort_unstable();
        // A pad without a label takes the next stream that no label takes.
        let mut unused = (0..inputs.len()).filter(|index| used.binary_search(index).is_err());
        let of_input = |index: Option<usize>| {
            index.and_then(|index| inputs.get(index)).map(|input| resize::first(&filters, *input))
        };
        self.take(&filters, &links, |link| {
            let (index, is_video) = match link {
                Link::Label(label) => (stream(label), !is_sound(label)),
                Link::Open | Link::Filter(..) => (unused.next(), true),
            };
            Pad { is_video, frame: of_input(index).unwrap_or(Frame::UNKNOWN) }
        });
    }

    /// The pad behind a label.
    pub(super) fn labelled(&self, label: &str) -> Option<Pad> {
        self.labelled.get(label).copied()
    }

    /// Video that leaves a graph without a label; it goes to the first output, once.
    pub(super) fn take_unlabelled(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.unlabelled)
    }

    fn take(&mut self, filters: &[Filter], links: &Links<'_>, open: impl FnMut(Link<'_>) -> Pad) {
        let pads = links.evaluate(filters, open);
        let pad =
            |(filter, index): (usize, usize)| pads.get(filter).and_then(|pads| pads.get(index)).copied();
        for (label, source) in &links.labelled {
            self.labelled.extend(pad(*source).map(|pad| ((*label).to_owned(), pad)));
        }
        let unlabelled = links.unlabelled.iter().filter_map(|source| pad(*source));
        self.unlabelled.extend(unlabelled.filter(|pad| pad.is_video).map(|pad| pad.frame));
    }

    /// The video that leaves a graph with one output.
    fn only(&self) -> Option<Frame> {
        let labelled = self.labelled.values().filter(|pad| pad.is_video).map(|pad| pad.frame);
        let mut videos = self.unlabelled.iter().copied().chain(labelled);
        let first = videos.next();
        first.filter(|_| videos.next().is_none())
    }
}

/// The frame at the end of a simple chain (`-vf`).
pub(super) fn chain(text: &str, from: Frame) -> Frame {
    let mut graph = Graph::default();
    if let Some(filters) = syntax::parse(text) {
        let frame = resize::first(&filters, from);
        graph.take(&filters, &Links::new(&filters), |_| Pad { is_video: true, frame });
    }
    graph.only().unwrap_or(Frame::UNKNOWN)
}

/// The first video of a source graph (`-f lavfi -i`); `None` when there is none.
pub(super) fn source(text: &str) -> Option<Frame> {
    let filters = syntax::parse(text)?;
    let mut graph = Graph::default();
    graph.take(&filters, &Links::new(&filters), |_| Pad { is_video: true, frame: Frame::UNKNOWN });
    // A source with several outputs has them in the order of their labels `out0`, `out1`.
    let frame =
        graph.labelled("out0").filter(|pad| pad.is_video).map(|pad| pad.frame).or_else(|| graph.only())?;
    Some(match filters.as_slice() {
        [only] => sources::alone(&only.name, &only.options, frame),
        _ => frame,
    })
}

/// Number of the file in `0:v`, `1`, `v:0`: without a number, the file is the first.
fn stream(label: &str) -> Option<usize> {
    let (file, kind) = label.split_once(':').unwrap_or((label, ""));
    match file {
        "v" => Some(0),
        // A further number tells apart several videos of a file.
        file if kind.is_empty() || kind.starts_with(|first: char| !first.is_alphabetic() || first == 'v') => {
            file.parse().ok()
        }
        _ => None,
    }
}

fn is_sound(label: &str) -> bool {
    let kind = label.split_once(':').map_or("", |(_, kind)| kind);
    kind.starts_with('a') || label == "a" || label.starts_with("a:")
}

#[cfg(test)]
mod tests;
