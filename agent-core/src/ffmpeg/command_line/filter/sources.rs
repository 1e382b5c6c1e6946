//! Table of the filters that make pictures: test pictures, and pictures of sound.

use crate::ffmpeg::command_line::filter::area;
use crate::ffmpeg::command_line::filter::syntax::Options;
use crate::ffmpeg::command_line::frame::{Chroma, Frame, Ratio};

/// Source, width and height where none is asked for, and whether a size is the first option.
const SOURCES: [(&str, u32, u32, bool); 19] = [
    ("allrgb", 4096, 4096, false),
    ("allyuv", 4096, 4096, false),
    ("color", 320, 240, false),
    ("color_vulkan", 1920, 1080, false),
    ("colorspectrum", 320, 240, true),
    ("gradients", 640, 480, true),
    ("life", 320, 240, false),
    ("mandelbrot", 640, 480, true),
    ("mptestsrc", 512, 512, false),
    ("nullsrc", 320, 240, true),
    ("pal100bars", 320, 240, true),
    ("pal75bars", 320, 240, true),
    ("rgbtestsrc", 320, 240, true),
    ("sierpinski", 640, 480, true),
    ("smptebars", 320, 240, true),
    ("smptehdbars", 320, 240, true),
    ("testsrc", 320, 240, true),
    ("testsrc2", 320, 240, true),
    ("yuvtestsrc", 320, 240, true),
];

/// Pictures of sound, with the size where none is asked for.
const OF_SOUND: [(&str, u32, u32); 9] = [
    ("abitscope", 1024, 256),
    ("adrawgraph", 900, 256),
    ("ahistogram", 1280, 720),
    ("avectorscope", 400, 400),
    ("showcqt", 1920, 1080),
    ("showfreqs", 1024, 512),
    ("showspatial", 512, 512),
    ("showwaves", 600, 240),
    ("showwavespic", 600, 240),
];

/// Whether a filter makes a picture from nothing.
pub(super) fn is_source(name: &str) -> bool {
    SOURCES.iter().any(|(source, ..)| *source == name)
        || matches!(
            name,
            "cellauto"
                | "colorchart"
                | "haldclutsrc"
                | "movie"
                | "amovie"
                | "frei0r_src"
                | "openclsrc"
                | "zoneplate"
                | "perlin"
                | "ddagrab"
                | "gfxcapture"
                | "lavfi"
                | "anullsrc"
                | "sine"
                | "aevalsrc"
                | "anoisesrc"
        )
}

/// `None` for a filter that is no source, and for one that a size or another option may make of any size.
pub(super) fn apply(name: &str, options: &Options) -> Option<Frame> {
    let source = SOURCES.iter().find(|(source, ..)| *source == name);
    let shown = || OF_SOUND.iter().find(|(shown, ..)| *shown == name);
    let (width, height, is_first) = match source {
        Some((_, width, height, is_first)) => (*width, *height, *is_first),
        None => shown().map(|(_, width, height)| (*width, *height, false))?,
    };
    let by_position = if is_first { options.get(&["s", "size"], 0) } else { None };
    // `color=red:640x480`.
    let by_position =
        by_position.or_else(|| if name == "color" { options.get(&["s", "size"], 1) } else { None });
    let frame = match options.named(&["s", "size", "video_size"]).or(by_position) {
        Some(_) if matches!(name, "allrgb" | "allyuv" | "mptestsrc") => return None,
        Some(size) => Frame::parse(size)?,
        None if name == "life" && !options.are_empty() && options.named(&["filename", "f"]).is_some() => {
            return None;
        }
        None => Frame::known(width, height),
    };
    let pixel = options.named(&["sar"]).map_or(Some(Ratio::SQUARE), area::ratio);
    let frame = Frame { pixel, ..frame };
    if !matches!(name, "color" | "testsrc2") {
        return Some(frame);
    }
    // They cut their sides to whole chroma samples, of a format that the filters after them choose.
    let even = |side: Option<u32>| side.filter(|side| side % 2 == 0);
    Some(frame.with_sides(even(frame.width), even(frame.height)))
}

/// The picture of a source that no filter follows, in the pixel format that the source prefers.
pub(super) fn alone(name: &str, options: &Options, frame: Frame) -> Frame {
    let frame = Frame { chroma: chroma(name), ..frame };
    let asked = options.get(&["s", "size"], 0).and_then(Frame::parse);
    match asked {
        // `color` cuts odd sides until ffmpeg 7 only.
        Some(asked) if name == "testsrc2" => {
            let cut = |side: Option<u32>| side.map(|side| side & !1).filter(|side| *side > 0);
            frame.with_sides(cut(asked.width), cut(asked.height))
        }
        _ => frame,
    }
}

/// Subsampling that a source gives where nothing asks for another format.
fn chroma(name: &str) -> Option<Chroma> {
    match name {
        "color" | "nullsrc" | "pal75bars" | "pal100bars" | "smptebars" | "smptehdbars" | "testsrc2" => {
            Some(Chroma { horizontal: 1, vertical: 1 })
        }
        "allrgb" | "allyuv" | "gradients" | "mandelbrot" | "rgbtestsrc" | "sierpinski" | "testsrc"
        | "yuvtestsrc" => Some(Chroma { horizontal: 0, vertical: 0 }),
        _ => None,
    }
}
