//! Computes the frames at the outputs of one filter.

use crate::ffmpeg::command_line::filter::keep::{self, Kept};
use crate::ffmpeg::command_line::filter::syntax::{Filter, Options};
use crate::ffmpeg::command_line::filter::{Pad, area, compose, fields, format, scale, sound, sources};
use crate::ffmpeg::command_line::frame::{Frame, Ratio};

/// Most pads of a filter that are evaluated.
const MAX_PADS: usize = 64;

impl Pad {
    pub(super) const UNKNOWN: Self = Self { is_video: true, frame: Frame::UNKNOWN };
}

/// Number of inputs, as far as it matters for the size.
pub(super) fn input_count(name: &str, options: &Options) -> usize {
    let count = |names: &[&str], position| options.number(names, position, 2).unwrap_or(2);
    let count = match name {
        "hstack" | "vstack" | "xstack" | "mix" => count(&["inputs"], 0),
        "interleave" => count(&["nb_inputs", "n"], 0),
        "concat" => {
            let (videos, sounds) = kinds(options);
            return (videos + sounds).saturating_mul(concatenated(options)).min(MAX_PADS);
        }
        name if sources::is_source(name) => return 0,
        // Sound has no size, and its streams are not counted.
        name if sound::is_heard(name) || sound::is_shown(name) => return 0,
        name => return keep::input_count(name),
    };
    usize::try_from(count).unwrap_or(MAX_PADS).min(MAX_PADS)
}

/// Number of outputs.
pub(super) fn output_count(name: &str, options: &Options) -> usize {
    let count = match name {
        "split" | "asplit" => options.number(&["outputs"], 0, 2).unwrap_or(2),
        "select" | "aselect" => options.number(&["outputs", "n"], 1, 1).unwrap_or(1),
        "concat" => {
            let (videos, sounds) = kinds(options);
            return (videos + sounds).min(MAX_PADS);
        }
        "scale2ref" | "feedback" => 2,
        "nullsink" | "anullsink" => 0,
        _ => 1,
    };
    usize::try_from(count).unwrap_or(MAX_PADS).min(MAX_PADS)
}

/// An input as the first filter sees it: a later filter that takes few pixel formats may make ffmpeg convert before the first one.
pub(super) fn first(filters: &[Filter], input: Frame) -> Frame {
    let takes_all = |filter: &Filter| {
        keep::kept(&filter.name) == Some(Kept::All)
            || matches!(filter.name.as_str(), "crop" | "scale" | "setsar" | "setdar")
    };
    let chroma = input.chroma.filter(|_| filters.iter().all(takes_all));
    Frame { chroma, ..input }
}

/// The outputs of a filter that cuts to whole chroma samples, in a graph where these may be four pixels wide or high.
pub(super) fn without_fine_sides(filter: &Filter, pads: &mut [Pad]) {
    let whole = |side: Option<u32>| side.filter(|side| side % 4 == 0);
    let cuts = filter.name == "crop" || filter.name.starts_with("pad");
    for pad in pads.iter_mut().filter(|pad| cuts && pad.frame.chroma.is_none()) {
        pad.frame = pad.frame.with_sides(whole(pad.frame.width), whole(pad.frame.height));
    }
}

/// The outputs of a filter.
pub(super) fn apply(filter: &Filter, inputs: &[Pad], count: usize) -> Vec<Pad> {
    let (name, options) = (filter.name.as_str(), &filter.options);
    if name == "concat" {
        return joined(options, inputs, count);
    }
    if sound::is_heard(name) {
        return vec![Pad { is_video: false, frame: Frame::UNKNOWN }; count];
    }
    let frames: Vec<Frame> = inputs.iter().map(|pad| pad.frame).collect();
    let is_video = inputs.first().is_none_or(|pad| pad.is_video) || sound::is_shown(name);
    if name == "scale2ref" {
        // The first output is scaled by the second input, which is the second output.
        let reference = frames.get(1).copied().unwrap_or(Frame::UNKNOWN);
        let outputs = [Frame::UNKNOWN, reference];
        return outputs.into_iter().map(|frame| Pad { is_video, frame }).collect();
    }
    let frame = frame(name, options, &frames).unwrap_or(Frame::UNKNOWN);
    vec![Pad { is_video, frame }; count]
}

/// `None` where the size after the filter is not known.
fn frame(name: &str, options: &Options, inputs: &[Frame]) -> Option<Frame> {
    let from = inputs.first().copied().unwrap_or(Frame::UNKNOWN);
    if name == "format" {
        return Some(Frame { chroma: format::chroma(options), ..from });
    }
    match keep::kept(name) {
        Some(Kept::All) => return Some(from),
        Some(Kept::Size) => return Some(Frame { chroma: None, ..from }),
        None if options.are_refused => return None,
        None => {}
    }
    if scale::is_scale(name) {
        return scale::apply(name, options, from);
    }
    match name {
        "crop" => area::crop(options, from),
        "pad" => area::pad(options, from),
        "pad_opencl" | "pad_vaapi" | "pad_cuda" => area::pad(options, Frame { chroma: None, ..from }),
        "rotate" => area::rotate(options, from),
        "transpose" | "transpose_vaapi" | "transpose_npp" | "transpose_opencl" | "transpose_vt"
        | "transpose_vulkan" | "transpose_cuda" => area::transpose(name, options, from),
        "setsar" => Some(area::with_pixels(options, from)),
        "setdar" => Some(area::with_shape(options, from)),
        // ffmpeg refuses another number of inputs; a larger one than is evaluated makes the size unknown.
        "hstack" | "vstack" | "xstack" if input_count_asked(options) != Some(inputs.len()) => None,
        "hstack" => compose::beside(inputs),
        "vstack" => compose::below(inputs),
        "xstack" => compose::placed(options, inputs),
        "tile" => compose::tiled(options, from),
        "untile" => compose::untiled(options, from),
        "framepack" => compose::packed(options, from),
        "zoompan" => asked(options.get(&["s"], 4).unwrap_or("hd720")),
        "v360" => {
            let side = |names| options.named(names);
            asked(&format!("{}x{}", side(&["w"])?, side(&["h"])?))
        }
        "palettegen" => Some(Frame { pixel: Some(Ratio::SQUARE), ..Frame::known(16, 16) }),
        "epx" | "hqx" | "xbr" => Some(fields::times(from, options.number(&["n"], 0, 3)?)),
        "super2xsai" => Some(fields::times(from, 2)),
        _ => fields::apply(name, options, from).or_else(|| sources::apply(name, options)),
    }
}

fn input_count_asked(options: &Options) -> Option<usize> {
    options.number(&["inputs"], 0, 2).and_then(|count| usize::try_from(count).ok())
}

fn asked(size: &str) -> Option<Frame> {
    Some(Frame { pixel: None, ..Frame::parse(size)? })
}

/// Number of videos and of sounds that `concat` gives.
fn kinds(options: &Options) -> (usize, usize) {
    let count = |name: &str, position, otherwise| {
        let number = options.number(&[name], position, otherwise).unwrap_or(otherwise);
        usize::try_from(number).unwrap_or(MAX_PADS).min(MAX_PADS)
    };
    (count("v", 1, 1), count("a", 2, 0))
}

fn concatenated(options: &Options) -> usize {
    usize::try_from(options.number(&["n"], 0, 2).unwrap_or(2)).unwrap_or(MAX_PADS)
}

/// `concat` gives its videos first, then its sounds. The parts have one size, or ffmpeg refuses them.
fn joined(options: &Options, inputs: &[Pad], count: usize) -> Vec<Pad> {
    let (videos, sounds) = kinds(options);
    let output = |index: usize| {
        let mut parts = inputs.iter().skip(index).step_by((videos + sounds).max(1)).map(|pad| pad.frame);
        let first = parts.next().unwrap_or(Frame::UNKNOWN);
        let is_same = parts.all(|part| part.both() == first.both());
        let frame = if is_same { Frame { chroma: None, ..first } } else { Frame::UNKNOWN };
        Pad { is_video: index < videos, frame }
    };
    (0..count).map(output).collect()
}
