//! Computes the size after filters that take pictures apart or together line by line, and that multiply pixels.

use crate::ffmpeg::command_line::filter::syntax::Options;
use crate::ffmpeg::command_line::frame::Frame;

/// `None` for other filters, and where the size is not known.
pub(super) fn apply(name: &str, options: &Options, from: Frame) -> Option<Frame> {
    let height = |height: Option<u32>| Some(Frame { chroma: None, ..from.with_sides(from.width, height) });
    match name {
        // ffmpeg refuses an odd height.
        "separatefields" => height(from.height.filter(|side| side % 2 == 0).map(|side| side / 2)),
        "weave" | "doubleweave" => height(from.height.and_then(|side| side.checked_mul(2))),
        "field" => match options.get(&["type"], 0) {
            None | Some("top" | "0") => height(from.height.map(|side| side.div_ceil(2))),
            Some("bottom" | "1") => height(from.height.map(|side| side / 2)),
            Some(_) => None,
        },
        "tinterlace" => match options.get(&["mode"], 0) {
            None | Some("merge" | "0" | "mergex2" | "7") => {
                height(from.height.and_then(|side| side.checked_mul(2)))
            }
            // Lines of padding change the shape of the pixels.
            Some("pad" | "3") => {
                let doubled = height(from.height.and_then(|side| side.checked_mul(2)))?;
                Some(Frame { pixel: None, ..doubled })
            }
            Some(
                "drop_even" | "1" | "drop_odd" | "2" | "interleave_top" | "4" | "interleave_bottom" | "5"
                | "interlacex2" | "6",
            ) => height(from.height),
            Some(_) => None,
        },
        "stereo3d" => one_view(options, from),
        _ => None,
    }
}

/// `stereo3d` from two views to one, or to both in the same arrangement.
fn one_view(options: &Options, from: Frame) -> Option<Frame> {
    let half = |side: Option<u32>| side.filter(|side| side % 2 == 0).map(|side| side / 2);
    let input = options.get(&["in"], 0).unwrap_or("sbsl");
    let output = options.get(&["out"], 1).unwrap_or("arcd");
    let (width, height) = match input {
        "sbsl" | "sbsr" | "sbs2l" | "sbs2r" => (half(from.width), from.height),
        "abl" | "abr" | "ab2l" | "ab2r" | "tbl" | "tbr" | "tb2l" | "tb2r" => (from.width, half(from.height)),
        _ => return None,
    };
    let is_one = matches!(output, "ml" | "mr") || (output.len() == 4 && output.starts_with('a'));
    is_one.then_some(Frame { pixel: None, chroma: None, ..from.with_sides(width, height) })
}

/// Every pixel becomes a square of pixels.
pub(super) fn times(from: Frame, factor: u32) -> Frame {
    let times = |side: Option<u32>| side.and_then(|side| side.checked_mul(factor));
    Frame { chroma: None, ..from.with_sides(times(from.width), times(from.height)) }
}
