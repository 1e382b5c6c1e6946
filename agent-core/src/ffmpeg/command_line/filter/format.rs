//! Parses pixel formats of the filter `format`, as far as they say how colour is subsampled.

use crate::ffmpeg::command_line::filter::syntax::{Filter, Options};
use crate::ffmpeg::command_line::frame::Chroma;

/// Formats that every filter takes that keeps the format.
const FORMATS: [(&str, u32, u32); 24] = [
    ("yuv420p", 1, 1),
    ("yuvj420p", 1, 1),
    ("yuva420p", 1, 1),
    ("nv12", 1, 1),
    ("yuv420p10", 1, 1),
    ("yuv420p10le", 1, 1),
    ("yuv422p", 1, 0),
    ("yuvj422p", 1, 0),
    ("yuv422p10", 1, 0),
    ("yuv422p10le", 1, 0),
    ("yuv444p", 0, 0),
    ("yuvj444p", 0, 0),
    ("yuva444p", 0, 0),
    ("yuv444p10", 0, 0),
    ("yuv444p10le", 0, 0),
    ("gbrp", 0, 0),
    ("rgb24", 0, 0),
    ("bgr24", 0, 0),
    ("rgba", 0, 0),
    ("bgra", 0, 0),
    ("argb", 0, 0),
    ("abgr", 0, 0),
    ("gray", 0, 0),
    ("gray8", 0, 0),
];

/// `None` when the formats to choose from have different subsampling, or one is not in the table.
pub(super) fn chroma(options: &Options) -> Option<Chroma> {
    let formats = options.get(&["pix_fmts"], 0)?;
    let of_one = |format: &str| {
        let known = FORMATS.iter().find(|(name, ..)| *name == format);
        known.map(|(_, horizontal, vertical)| Chroma { horizontal: *horizontal, vertical: *vertical })
    };
    formats.split('|').map(of_one).reduce(|all, one| all.filter(|_| all == one)).flatten()
}

/// Whether a filter takes a format with four pixels to a chroma sample, which filters before it may then have too.
pub(super) fn is_coarse(filter: &Filter) -> bool {
    let formats = filter.options.get(&["pix_fmts"], 0).unwrap_or_default();
    filter.name == "format" && ["410", "411"].iter().any(|ratio| formats.contains(ratio))
}
