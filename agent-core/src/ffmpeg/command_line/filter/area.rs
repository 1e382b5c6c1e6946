//! Computes the size after filters that cut, frame or turn a picture.

use crate::ffmpeg::command_line::filter::expression::Value;
use crate::ffmpeg::command_line::filter::scale::rescaled;
use crate::ffmpeg::command_line::filter::sides::{Sides, pixels};
use crate::ffmpeg::command_line::filter::syntax::Options;
use crate::ffmpeg::command_line::frame::{Frame, Ratio};

/// Longest value that is converted to pixels: any larger one is an error of ffmpeg.
const MAX_VALUE: f64 = 1e9;

/// As `config_input()` in `libavfilter/vf_crop.c`: sides are rounded, then cut to whole chroma samples.
pub(super) fn crop(options: &Options, from: Frame) -> Option<Frame> {
    let width = options.get(&["w", "out_w"], 0).unwrap_or("iw");
    let height = options.get(&["h", "out_h"], 1).unwrap_or("ih");
    let (width, height) = Sides { is_single: true, ..Sides::new(width, height, from) }.evaluate()?;
    let is_exact = match options.get(&["exact"], 5) {
        None | Some("0" | "false") => false,
        Some("1" | "true") => true,
        Some(_) => return None,
    };
    let cut = |value: Value, as_it_was: Option<u32>, log2: Option<u32>| {
        let side = whole(value, f64::round_ties_even)?;
        let side = if is_exact { Some(side) } else { even(side, log2) };
        side.and_then(pixels).filter(|side| as_it_was.is_none_or(|as_it_was| *side <= as_it_was))
    };
    let width = cut(width, from.width, from.chroma.map(|chroma| chroma.horizontal));
    let height = cut(height, from.height, from.chroma.map(|chroma| chroma.vertical));
    let keeps_shape = !matches!(options.get(&["keep_aspect"], 4), None | Some("0" | "false"));
    let pixel = if keeps_shape { None } else { from.pixel };
    Some(Frame { pixel, ..from.with_sides(width, height) })
}

/// As `config_input()` in `libavfilter/vf_pad.c`.
pub(super) fn pad(options: &Options, from: Frame) -> Option<Frame> {
    let width = options.get(&["w", "width"], 0).unwrap_or("iw");
    let height = options.get(&["h", "height"], 1).unwrap_or("ih");
    let (width, height) = Sides::new(width, height, from).evaluate()?;
    let side = |value: Value, as_it_was: Option<u32>| match whole(value, f64::trunc)? {
        0 => as_it_was.map(i128::from),
        side => Some(side),
    };
    let (mut width, mut height) = (side(width, from.width), side(height, from.height));
    if let Some(aspect) = options.get(&["aspect"], 6) {
        (width, height) = match (ratio(aspect), width, height) {
            (Some(Ratio::UNSTATED), ..) => (width, height),
            (Some(aspect), Some(width), Some(height)) => padded(aspect, width, height, from)?,
            _ => (None, None),
        };
    }
    let framed = |side: Option<i128>, as_it_was: Option<u32>, log2: Option<u32>| {
        let side = even(side?, log2).and_then(pixels);
        side.filter(|side| as_it_was.is_none_or(|as_it_was| *side >= as_it_was))
    };
    let width = framed(width, from.width, from.chroma.map(|chroma| chroma.horizontal));
    let height = framed(height, from.height, from.chroma.map(|chroma| chroma.vertical));
    Some(from.with_sides(width, height))
}

/// Makes one side longer until the padded picture has the shape.
fn padded(aspect: Ratio, width: i128, height: i128, from: Frame) -> Option<(Option<i128>, Option<i128>)> {
    let pixel = if from.pixel? == Ratio::UNSTATED { Ratio::SQUARE } else { from.pixel? };
    let aspect = aspect.times(pixel.denominator.into(), pixel.numerator.into())?;
    let (across, down) = (aspect.numerator.into(), aspect.denominator.into());
    let needed = rescaled(width, down, across);
    Some(if height < needed {
        (Some(width), Some(needed))
    } else {
        (Some(rescaled(height, across, down)), Some(height))
    })
}

/// As `config_props()` in `libavfilter/vf_rotate.c`; without a size, the picture keeps its own.
pub(super) fn rotate(options: &Options, from: Frame) -> Option<Frame> {
    let width = options.get(&["ow", "out_w"], 1).unwrap_or("iw");
    let height = options.get(&["oh", "out_h"], 2).unwrap_or("ih");
    let sides = Sides { function: rotated, ..Sides::new(width, height, from) };
    let (width, height) = sides.evaluate()?;
    let side = |value: Value| whole(value, |side| (side + 0.5).trunc()).and_then(pixels);
    Some(Frame { chroma: None, ..from.with_sides(side(width), side(height)) })
}

/// `rotw()` and `roth()`: sides of the smallest picture that holds the turned one. ffmpeg has the angle's sine and cosine as `float`.
fn rotated(name: &str, angle: f64, (width, height): (f64, f64)) -> Option<f64> {
    let (sine, cosine) = (f64::from(angle.sin() as f32), f64::from(angle.cos() as f32));
    match name {
        "rotw" => Some(
            (height * sine).max(0.0)
                + (-width * cosine).max(0.0)
                + (width * cosine).max(0.0)
                + (-height * sine).max(0.0),
        ),
        "roth" => Some(
            (height * cosine).max(0.0)
                + (-height * cosine).max(0.0)
                + (width * sine).max(0.0)
                + (-width * sine).max(0.0),
        ),
        _ => None,
    }
}

/// `transpose` turns; its relatives of hardware also mirror, with further directions.
pub(super) fn transpose(name: &str, options: &Options, from: Frame) -> Option<Frame> {
    let is_portable = name == "transpose";
    let (mut passthrough, mut turns) = (options.get(&["passthrough"], 1), true);
    match options.get(&["dir"], 0) {
        None | Some("0" | "1" | "2" | "3" | "cclock_flip" | "clock" | "cclock" | "clock_flip") => {}
        // Numbers from 4 mean the same directions for landscape alone.
        Some("4" | "5" | "6" | "7") if is_portable => passthrough = Some("landscape"),
        Some("4" | "5" | "6" | "reversal" | "hflip" | "vflip") if !is_portable => turns = false,
        Some(_) => return None,
    }
    let passes = match passthrough {
        None | Some("none" | "0") => Some(false),
        Some("landscape" | "1") => from.both().map(|(width, height)| width >= height),
        Some("portrait" | "2") => from.both().map(|(width, height)| width <= height),
        Some(_) => None,
    }?;
    Some(if turns && !passes { from.turned() } else { Frame { chroma: None, ..from } })
}

fn whole(value: Value, round: fn(f64) -> f64) -> Option<i128> {
    match value {
        Value::Known(side) if side.abs() < MAX_VALUE => Some(round(side) as i128),
        Value::Known(_) | Value::Unknown => None,
    }
}

/// The side in whole chroma samples. Without the format an even number stays, because 4:2:0 and 4:2:2 have two pixels to a sample;
/// what becomes of an odd one is unknown.
fn even(side: i128, log2: Option<u32>) -> Option<i128> {
    match log2 {
        Some(log2) => Some(side >> log2 << log2),
        None => Some(side).filter(|side| side % 2 == 0),
    }
}

/// `16/9`, `16:9` or `2`, with numbers that ffmpeg takes as they are.
pub(super) fn ratio(text: &str) -> Option<Ratio> {
    let (numerator, denominator) = text.split_once(['/', ':']).unwrap_or((text, "1"));
    let part = |text: &str| text.trim().parse::<u32>().ok().filter(|part| *part <= 100);
    Ratio::reduced(part(numerator)?.into(), part(denominator)?.into())
}

/// `setsar`: other pixels, the same size.
pub(super) fn with_pixels(options: &Options, from: Frame) -> Frame {
    let is_limited = options.get(&["max"], 1).is_some();
    let pixel = options.get(&["sar", "ratio", "r"], 0).map_or(Some(Ratio::UNSTATED), ratio);
    Frame { pixel: pixel.filter(|_| !is_limited), ..from }
}

/// `setdar`: pixels that give the picture this shape, the same size.
pub(super) fn with_shape(options: &Options, from: Frame) -> Frame {
    let is_limited = options.get(&["max"], 1).is_some();
    let shape = options.get(&["dar", "ratio", "r"], 0).map_or(Some(Ratio::UNSTATED), ratio);
    let pixel = match (shape.filter(|_| !is_limited), from.both()) {
        (Some(Ratio::UNSTATED), _) => Some(Ratio::SQUARE),
        (Some(shape), Some((width, height))) => shape.times(height.into(), width.into()),
        _ => None,
    };
    Frame { pixel, ..from }
}
