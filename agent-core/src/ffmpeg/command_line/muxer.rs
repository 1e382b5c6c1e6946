//! Finds the video that ffmpeg encodes into a container format when the command line names no encoder.

use crate::ffmpeg::table::{self, Muxer};

/// The default video of a container format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Default {
    /// Video of this standard, or by this encoder.
    Video(&'static str),
    /// No video.
    None,
    /// The format is unknown, or it is a wrapper of another one.
    Unknown,
}

/// Demuxers of sound that have no muxer in the table.
const SOUND: [&str; 9] = ["aac", "dsf", "jack", "libcdio", "loas", "openal", "oss", "pulse", "sndio"];

/// Suffixes of files of sound in formats that could have video.
const SOUND_SUFFIXES: [&str; 6] = ["isma", "m4a", "m4b", "mka", "ra", "wma"];

/// Encoders of single pictures by the suffix of the file's name, where they are not muxers of their own
/// (`ff_guess_image2_codec()` in libavformat/img2.c).
const PICTURES: [(&str, &str); 17] = [
    ("bmp", "bmp"),
    ("dpx", "dpx"),
    ("exr", "exr"),
    ("jls", "jpegls"),
    ("jp2", "jpeg2000"),
    ("j2k", "jpeg2000"),
    ("jpeg", "mjpeg"),
    ("jpg", "mjpeg"),
    ("jxl", "jpegxl"),
    ("pbm", "pbm"),
    ("pgm", "pgm"),
    ("png", "png"),
    ("ppm", "ppm"),
    ("qoi", "qoi"),
    ("tga", "targa"),
    ("tif", "tiff"),
    ("tiff", "tiff"),
];

/// Name of the muxer, by `-f`, else by the suffix of the file's name; `None` for an unknown one.
pub(super) fn name<'a>(format: Option<&'a str>, url: &str) -> Option<&'a str> {
    format.or_else(|| table::muxer_of_suffix(&suffix(url)?.to_ascii_lowercase()).map(|(name, _)| name))
}

/// The default by the name of the muxer (`-f`), else by the suffix of the file's name (`av_guess_codec()` in libavformat/format.c).
pub(super) fn default(format: Option<&str>, url: &str) -> Default {
    let suffix = suffix(url).unwrap_or_default().to_ascii_lowercase();
    let by_suffix = || table::muxer_of_suffix(&suffix);
    let found = match format {
        // Its muxer has the name of the one for video.
        None if suffix == "mka" => return Default::None,
        // Segments have the format of their suffix.
        None | Some("segment" | "ssegment" | "stream_segment") => by_suffix(),
        Some("tee" | "fifo") => None,
        Some(name) => table::muxer(name).map(|muxer| (name, muxer)),
    };
    match found {
        Some(("image2" | "image2pipe", muxer)) => {
            let picture = PICTURES.iter().find(|(known, _)| *known == suffix).map(|(_, encoder)| *encoder);
            picture.or(muxer.video).map_or(Default::Unknown, Default::Video)
        }
        // Its only video is a cover picture that the input has.
        Some(("mp3", _)) => Default::None,
        Some((_, muxer)) => muxer.video.map_or(Default::None, Default::Video),
        None => Default::Unknown,
    }
}

/// Whether an input has no video: by the name of its demuxer (`-f`), else by the suffix of its name.
pub(super) fn has_only_sound(format: Option<&str>, url: &str) -> bool {
    if let Some(name) = format {
        return SOUND.contains(&name) || table::muxer(name).is_some_and(is_sound);
    }
    let Some(suffix) = suffix(url).map(str::to_ascii_lowercase) else { return false };
    let by_table = || table::muxer_of_suffix(&suffix).is_some_and(|(_, muxer)| is_sound(muxer));
    SOUND_SUFFIXES.contains(&suffix.as_str()) || by_table()
}

/// Whether a file of the format has sound only. It may have a cover picture, which is a PNG by default.
fn is_sound(muxer: Muxer) -> bool {
    muxer.audio.is_some() && matches!(muxer.video, None | Some("png"))
}

/// The suffix of the file's name; an address without a path has none.
fn suffix(url: &str) -> Option<&str> {
    let path = url.split(['?', '#']).next()?;
    let path = match path.split_once("://") {
        Some((_, address)) => address.split_once('/')?.1,
        None => path,
    };
    let name = path.rsplit('/').next()?;
    let (_, suffix) = name.rsplit_once('.')?;
    Some(suffix)
}
