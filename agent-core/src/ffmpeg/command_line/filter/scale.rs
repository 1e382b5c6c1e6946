//! Computes the size after filters that scale.

use crate::ffmpeg::command_line::filter::expression::Value;
use crate::ffmpeg::command_line::filter::sides::{Sides, pixels};
use crate::ffmpeg::command_line::filter::syntax::Options;
use crate::ffmpeg::command_line::frame::{Frame, Ratio};

/// Names of filters that scale, and whether a size may stand in place of width and height.
pub(super) fn is_scale(name: &str) -> bool {
    takes_size(name)
        || matches!(
            name,
            "scale_cuda"
                | "scale_qsv"
                | "scale_vaapi"
                | "scale_vt"
                | "scale_vulkan"
                | "scale_d3d11"
                | "scale_opencl"
                | "scale_rkrga"
                | "vpp_qsv"
                | "vpp_rkrga"
                | "libplacebo"
        )
}

fn takes_size(name: &str) -> bool {
    matches!(name, "scale" | "zscale" | "scale_npp")
}

/// The frame after a filter that scales; `None` where ffmpeg refuses the options.
pub(super) fn apply(name: &str, options: &Options, from: Frame) -> Option<Frame> {
    // Some filters of hardware also crop and turn; libplacebo may scale pixels to squares.
    const MORE: [&str; 10] =
        ["cw", "ch", "crop_w", "crop_h", "crop", "transpose", "normalize_sar", "pos_w", "pos_h", "reset_sar"];
    if options.named(&MORE).is_some() {
        return None;
    }
    // vpp_qsv has other options in the first positions.
    let unnamed = if name.starts_with("vpp_") { usize::MAX - 1 } else { 0 };
    let width = options.get(&["w", "width"], unnamed);
    let height = options.get(&["h", "height"], unnamed + 1);
    let size = options.named(&["s", "size"]).or(if height.is_none() { width } else { None });
    let (width, height) = match size {
        Some(_) if height.is_some() => return None,
        Some(size) if takes_size(name) => {
            let frame = Frame::parse(size)?;
            (frame.width.map(i128::from), frame.height.map(i128::from))
        }
        _ => evaluated(name, width.unwrap_or("iw"), height.unwrap_or("ih"), from)?,
    };
    let fit = match options.named(&["force_original_aspect_ratio"]) {
        None | Some("disable" | "0") => None,
        Some("decrease" | "1") => Some(Fit::Decrease),
        Some("increase" | "2") => Some(Fit::Increase),
        Some(_) => return None,
    };
    let divisor = match options.named(&["force_divisible_by"]) {
        None => 1,
        Some(text) => text.parse().ok().filter(|divisor| (1..=256).contains(divisor))?,
    };
    let (width, height) = negatives(width, height, from);
    let (width, height) = match fit {
        None => (width, height),
        Some(fit) => fit.of(width?, height?, from, divisor)?,
    };
    let (width, height) = (width.and_then(pixels), height.and_then(pixels));
    Some(Frame { width, height, pixel: pixel(from, width, height), chroma: None })
}

/// Values of the expressions, as whole numbers; `None` inside where unknown.
fn evaluated(name: &str, width: &str, height: &str, from: Frame) -> Option<(Option<i128>, Option<i128>)> {
    let sides = Sides { are_whole: name != "zscale", ..Sides::new(width, height, from) };
    let (width, height) = sides.evaluate()?;
    let whole = |value: Value, as_it_was: Option<u32>| match value {
        Value::Known(side) if side.abs() < 1.0 => as_it_was.map(i128::from),
        Value::Known(side) if side.abs() <= f64::from(i32::MAX) => Some(side.trunc() as i128),
        Value::Known(_) | Value::Unknown => None,
    };
    Some((whole(width, from.width), whole(height, from.height)))
}

/// A negative side keeps the shape and is divisible by the number, as `ff_scale_adjust_dimensions()` in `libavfilter/scale_eval.c`.
fn negatives(width: Option<i128>, height: Option<i128>, from: Frame) -> (Option<i128>, Option<i128>) {
    let shape = from.both().map(|(width, height)| (i128::from(width), i128::from(height)));
    let kept = |other: i128, side: i128, by: i128, factor: i128| rescaled(other, side, by * factor) * factor;
    match (width, height) {
        (Some(..0), Some(..0)) => (from.width.map(i128::from), from.height.map(i128::from)),
        (Some(divisor @ ..0), Some(high)) => {
            (shape.map(|(wide, tall)| kept(high, wide, tall, -divisor)), Some(high))
        }
        (Some(wide), Some(divisor @ ..0)) => {
            (Some(wide), shape.map(|(broad, high)| kept(wide, high, broad, -divisor)))
        }
        // The unknown side may be negative, which makes both depend on it.
        (None, Some(..0)) | (Some(..0), None) => (None, None),
        known => known,
    }
}

/// `force_original_aspect_ratio`.
#[derive(Clone, Copy, Debug)]
enum Fit {
    Decrease,
    Increase,
}

impl Fit {
    fn of(
        self,
        width: i128,
        height: i128,
        from: Frame,
        divisor: i128,
    ) -> Option<(Option<i128>, Option<i128>)> {
        let (from_width, from_height) = from.both().map(|(width, height)| (width.into(), height.into()))?;
        // Older versions round the fitted side to a pixel, newer ones to a multiple of the divisor: known where both give the same.
        let side = |side: i128, other: i128, by: i128, of: i128| {
            let by_pixel = self.divisible(side, rescaled(other, by, of), divisor);
            let by_divisor = self.divisible(side, rescaled(other, by, of * divisor) * divisor, divisor);
            Some(by_pixel).filter(|by_pixel| *by_pixel == by_divisor)
        };
        Some((side(width, height, from_width, from_height), side(height, width, from_height, from_width)))
    }

    fn divisible(self, asked: i128, fitted: i128, divisor: i128) -> i128 {
        let side = match self {
            Self::Decrease => asked.min(fitted),
            Self::Increase => asked.max(fitted) + divisor - 1,
        };
        side / divisor * divisor
    }
}

/// `number * by / divisor` rounded to the nearest, as `av_rescale()`.
pub(super) fn rescaled(number: i128, by: i128, divisor: i128) -> i128 {
    let divisor = divisor.max(1);
    (number * by + divisor / 2) / divisor
}

/// Scaling keeps the shape of the picture as it is shown.
fn pixel(from: Frame, width: Option<u32>, height: Option<u32>) -> Option<Ratio> {
    let pixel = from.pixel?;
    if pixel == Ratio::UNSTATED {
        return Some(pixel);
    }
    let (from_width, from_height) = from.both()?;
    let (width, height) = (width?, height?);
    pixel.times(u128::from(height) * u128::from(from_width), u128::from(width) * u128::from(from_height))
}
