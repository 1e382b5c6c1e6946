//! Computes the picture sizes at the outputs of a filter graph.
//!
//! The grammar is that of "Filtergraph syntax" in ffmpeg-filters(1): chains are separated by `;`, filters by `,`; labels are in brackets;
//! quotes and backslashes escape these characters.

mod expression;
mod resize;

use std::collections::HashMap;

use crate::ffmpeg::command_line::frame::Frame;

/// Output of a filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Pad {
    pub(super) is_video: bool,
    pub(super) frame: Frame,
}

/// All filter graphs of a command.
#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    labelled: HashMap<&'a str, Pad>,
    unlabelled: Vec<Frame>,
}

impl<'a> Graph<'a> {
    /// Evaluates a graph from the command's inputs to its outputs.
    pub(super) fn add(&mut self, text: &'a str, inputs: &[Frame]) {
        // Chains may use labels of later ones: what is unknown in the first pass is known in the second.
        for _ in 0..2 {
            self.unlabelled.clear();
            for chain in split(text, ';') {
                let end = self.follow(chain, inputs, None);
                self.unlabelled.extend(end.filter(|pad| pad.is_video).map(|pad| pad.frame));
            }
        }
    }

    /// The pad behind a label.
    pub(super) fn labelled(&self, label: &str) -> Option<Pad> {
        self.labelled.get(label).copied()
    }

    /// Video that leaves a graph without a label; it goes to the first output, once.
    pub(super) fn take_unlabelled(&mut self) -> Vec<Frame> {
        std::mem::take(&mut self.unlabelled)
    }

    /// Evaluates one chain; returns the pad that leaves it without a label.
    fn follow(&mut self, chain: &'a str, inputs: &[Frame], mut current: Option<Pad>) -> Option<Pad> {
        for text in split(chain, ',') {
            let filter = Filter::parse(text);
            let labelled = filter.inputs.first().map(|label| self.input(label, inputs));
            let first = || Pad { is_video: true, frame: inputs.first().copied().unwrap_or_default() };
            let from = labelled.or(current).unwrap_or_else(first);
            let pad = filter.apply(from);
            for (index, label) in filter.outputs.iter().enumerate() {
                self.labelled.insert(label, filter.output(pad, index));
            }
            current = filter.outputs.is_empty().then_some(pad);
        }
        current
    }

    /// `0:v`, or a label of another chain.
    fn input(&self, label: &str, inputs: &[Frame]) -> Pad {
        if let Some(pad) = self.labelled.get(label) {
            return *pad;
        }
        let (index, kind) = label.split_once(':').unwrap_or((label, ""));
        let frame = index.parse::<usize>().ok().and_then(|index| inputs.get(index).copied());
        Pad { is_video: !kind.starts_with(['a', 's']), frame: frame.unwrap_or_default() }
    }
}

/// The frame at the end of a simple chain (`-vf`).
pub(super) fn chain(text: &str, from: Frame) -> Frame {
    let mut graph = Graph::default();
    let mut current = Some(Pad { is_video: true, frame: from });
    for part in split(text, ';') {
        current = graph.follow(part, &[from], current.take()).or(current);
    }
    current.or_else(|| graph.labelled("out")).map_or(Frame::UNKNOWN, |pad| pad.frame)
}

/// The first video of a source graph (`-f lavfi -i`); `None` when there is none.
pub(super) fn source(text: &str) -> Option<Frame> {
    let mut graph = Graph::default();
    graph.add(text, &[]);
    let labelled = graph.labelled("out0").or_else(|| graph.labelled("out")).filter(|pad| pad.is_video);
    graph.unlabelled.first().copied().or_else(|| labelled.map(|pad| pad.frame))
}

/// One filter with its labels.
#[derive(Debug)]
struct Filter<'a> {
    name: &'a str,
    arguments: &'a str,
    inputs: Vec<&'a str>,
    outputs: Vec<&'a str>,
}

impl<'a> Filter<'a> {
    fn parse(text: &'a str) -> Self {
        let mut text = text.trim();
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        while let Some((label, rest)) = text.strip_prefix('[').and_then(|text| text.split_once(']')) {
            inputs.push(label.trim());
            text = rest.trim_start();
        }
        while let Some((rest, label)) = text.strip_suffix(']').and_then(|text| text.rsplit_once('[')) {
            outputs.push(label.trim());
            text = rest.trim_end();
        }
        outputs.reverse();
        let (name, arguments) = text.split_once('=').unwrap_or((text, ""));
        // `scale@small` is a scale with a name of its own.
        let name = name.split('@').next().unwrap_or(name).trim();
        Self { name, arguments, inputs, outputs }
    }

    fn apply(&self, from: Pad) -> Pad {
        if is_audio(self.name) {
            return Pad { is_video: false, frame: Frame::UNKNOWN };
        }
        let is_video = from.is_video || shows_audio(self.name);
        Pad { is_video, frame: resize::apply(self.name, self.arguments, from.frame) }
    }

    /// The pad behind one of several labels: `concat` gives its video first, then its audio.
    fn output(&self, pad: Pad, index: usize) -> Pad {
        if self.name != "concat" {
            return pad;
        }
        let number = |key: &str, otherwise: usize| {
            let named = arguments(self.arguments).find(|(name, _)| *name == Some(key));
            named.and_then(|(_, value)| value.parse().ok()).unwrap_or(otherwise)
        };
        Pad { is_video: index < number("v", 1), ..pad }
    }
}

/// Names of audio filters begin with `a`, except these and those of video filters.
fn is_audio(name: &str) -> bool {
    const VIDEO: [&str; 13] = [
        "addroi",
        "allrgb",
        "allyuv",
        "alphaextract",
        "alphamerge",
        "amplify",
        "ass",
        "atadenoise",
        "avgblur",
        "avgblur_opencl",
        "avgblur_vulkan",
        "avectorscope",
        "ahistogram",
    ];
    const AUDIO: [&str; 27] = [
        "bandpass",
        "bass",
        "biquad",
        "channelmap",
        "channelsplit",
        "compand",
        "dialoguenhance",
        "dynaudnorm",
        "earwax",
        "ebur128",
        "equalizer",
        "firequalizer",
        "highpass",
        "join",
        "loudnorm",
        "lowpass",
        "pan",
        "replaygain",
        "rubberband",
        "sidechaincompress",
        "silencedetect",
        "silenceremove",
        "sine",
        "speechnorm",
        "treble",
        "volume",
        "volumedetect",
    ];
    AUDIO.contains(&name) || (name.starts_with('a') && !VIDEO.contains(&name))
}

/// Filters that draw sound.
fn shows_audio(name: &str) -> bool {
    name.starts_with("show") || matches!(name, "avectorscope" | "ahistogram")
}

/// Arguments between `:`, with their names where they have one.
fn arguments(text: &str) -> impl Iterator<Item = (Option<&str>, String)> {
    split(text, ':').map(|argument| {
        let named = argument
            .split_once('=')
            .filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
        let (name, value) = named.map_or((None, argument), |(name, value)| (Some(name), value));
        (name, value.replace(['\'', '\\'], ""))
    })
}

/// Splits at separators that are neither quoted nor escaped.
fn split(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |character| {
        let was_escaped = std::mem::take(&mut is_escaped);
        match character {
            _ if was_escaped => false,
            '\\' if !is_quoted => {
                is_escaped = true;
                false
            }
            '\'' => {
                is_quoted = !is_quoted;
                false
            }
            other => other == separator && !is_quoted,
        }
    })
}
