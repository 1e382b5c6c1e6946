//! Table of the filters that change a picture's size, and the size after each.

use crate::ffmpeg::command_line::filter::arguments;
use crate::ffmpeg::command_line::filter::expression::{self, Values};
use crate::ffmpeg::command_line::frame::Frame;

/// The frame after a filter.
pub(super) fn apply(name: &str, text: &str, from: Frame) -> Frame {
    match name {
        "scale" | "scale_cuda" | "scale_npp" | "scale_qsv" | "scale_vaapi" | "scale_vt" | "scale_vulkan"
        | "scale_d3d11" | "scale_opencl" | "scale_rkrga" | "vpp_qsv" | "vpp_rkrga" | "zscale"
        | "libplacebo" => scaled(text, from),
        "crop" => Sides::read(text, &["w", "out_w"], &["h", "out_h"]).of(from),
        "pad" | "pad_vaapi" | "pad_cuda" | "pad_opencl" => {
            Sides::read(text, &["w", "width"], &["h", "height"]).of(from)
        }
        "transpose" | "transpose_vaapi" | "transpose_npp" | "transpose_opencl" | "transpose_vt"
        | "transpose_vulkan" => from.turned(),
        "testsrc" | "testsrc2" | "smptebars" | "smptehdbars" | "pal75bars" | "pal100bars" | "rgbtestsrc"
        | "yuvtestsrc" | "color" | "colorspectrum" | "nullsrc" | "gradients" | "life" | "cellauto"
        | "zoneplate" => asked(text).unwrap_or(Frame::known(320, 240)),
        "mandelbrot" | "sierpinski" => asked(text).unwrap_or(Frame::known(640, 480)),
        // The size of a composition depends on its parts and their arrangement.
        "hstack" | "vstack" | "xstack" | "tile" | "scale2ref" | "rotate" | "zoompan" | "thumbnail"
        | "movie" => asked(text).unwrap_or(Frame::UNKNOWN),
        _ if name.starts_with("show") => asked(text).unwrap_or(Frame::UNKNOWN),
        _ => from,
    }
}

/// A size that is an argument of a filter.
fn asked(text: &str) -> Option<Frame> {
    arguments(text).find_map(|(name, value)| match name {
        None | Some("s" | "size") => Frame::parse(&value),
        _ => None,
    })
}

/// Width and height as expressions.
#[derive(Debug, Default)]
struct Sides {
    width: Option<String>,
    height: Option<String>,
    /// `force_original_aspect_ratio`.
    fit: Option<Fit>,
    divisor: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
enum Fit {
    Decrease,
    Increase,
}

impl Sides {
    fn read(text: &str, widths: &[&str], heights: &[&str]) -> Self {
        let mut sides = Self::default();
        let mut position = 0;
        for (name, value) in arguments(text) {
            match name {
                None => {
                    match position {
                        0 => sides.width = Some(value),
                        1 => sides.height = Some(value),
                        _ => {}
                    }
                    position += 1;
                }
                Some(name) if widths.contains(&name) => sides.width = Some(value),
                Some(name) if heights.contains(&name) => sides.height = Some(value),
                Some("force_original_aspect_ratio") => {
                    sides.fit = match value.as_str() {
                        "decrease" | "1" => Some(Fit::Decrease),
                        "increase" | "2" => Some(Fit::Increase),
                        _ => None,
                    }
                }
                Some("force_divisible_by") => sides.divisor = value.parse().ok(),
                Some(_) => {}
            }
        }
        sides
    }

    /// The resulting size: 0 or nothing keeps the side, a negative number keeps the aspect ratio and makes the side divisible by it.
    fn of(&self, from: Frame) -> Frame {
        let values = |width: Option<f64>, height: Option<f64>| Values { from, width, height };
        let side = |text: &Option<String>, as_it_was: Option<u32>, values: Values| match text {
            None => as_it_was.map(f64::from),
            Some(text) => match expression::evaluate(text, values)?.trunc() {
                0.0 => as_it_was.map(f64::from),
                side => Some(side),
            },
        };
        // Each expression may contain the other side.
        let height = side(&self.height, from.height, values(None, None));
        let width = side(&self.width, from.width, values(None, height));
        let height = height.or_else(|| side(&self.height, from.height, values(width, None)));
        self.fitted(width, height, from)
    }

    /// As `ff_scale_adjust_dimensions()` in `libavfilter/scale_eval.c`.
    fn fitted(&self, width: Option<f64>, height: Option<f64>, from: Frame) -> Frame {
        let positive = |side: Option<f64>| side.filter(|side| *side >= 1.0);
        let kept = |side: Option<f64>| side.filter(|side| *side < 0.0).map(|side| -side);
        let shape = from.both().map(|(width, height)| f64::from(width) / f64::from(height));
        let (mut wide, mut high) = (positive(width), positive(height));
        if let (Some(divisor), Some(high), Some(shape)) = (kept(width), high, shape) {
            wide = Some((high * shape / divisor).round() * divisor);
        } else if let (Some(divisor), Some(wide), Some(shape)) = (kept(height), wide, shape) {
            high = Some((wide / shape / divisor).round() * divisor);
        } else if kept(width).is_some() && kept(height).is_some() {
            return from;
        }
        if let Some(fit) = self.fit {
            let (Some(width), Some(height), Some(shape)) = (wide, high, shape) else { return Frame::UNKNOWN };
            let (by_height, by_width) = ((height * shape).round(), (width / shape).round());
            let (width, height) = match fit {
                Fit::Decrease => (width.min(by_height), height.min(by_width)),
                Fit::Increase => (width.max(by_height), height.max(by_width)),
            };
            let divisor = f64::from(self.divisor.unwrap_or(1).max(1));
            (wide, high) =
                (Some((width / divisor).floor() * divisor), Some((height / divisor).floor() * divisor));
        }
        let pixels =
            |side: Option<f64>| side.filter(|side| (1.0..=65_536.0).contains(side)).map(|side| side as u32);
        Frame { width: pixels(wide), height: pixels(high) }
    }
}

fn scaled(text: &str, from: Frame) -> Frame {
    if let Some(frame) = asked(text) {
        return frame;
    }
    Sides::read(text, &["w", "width"], &["h", "height"]).of(from)
}
