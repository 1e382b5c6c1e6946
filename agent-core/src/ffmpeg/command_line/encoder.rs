//! Finds the row of an encoder in the table of encoders, by its name in the command line.

pub mod rows;

use crate::ffmpeg::command_line::encoder::rows::{NATIVE, ROWS, Row};
use crate::ffmpeg::table;

/// Encoders that ffmpeg uses where a standard is named instead: the first that it registers, in builds that have it
/// (libavcodec/allcodecs.c). For AV1 the first one depends on the build.
const BY_STANDARD: [(&str, &str); 14] = [
    ("avs2", "libxavs2"),
    ("dirac", "vc2"),
    ("flv1", "flv"),
    ("h264", "libx264"),
    ("hevc", "libx265"),
    ("jpegxl", "libjxl"),
    ("msmpeg4v3", "msmpeg4"),
    ("mpeg2", "mpeg2video"),
    ("theora", "libtheora"),
    ("vp8", "libvpx"),
    ("vp9", "libvpx-vp9"),
    ("vvc", "libvvenc"),
    ("webp", "libwebp_anim"),
    ("evc", "libxeve"),
];

/// Standards in the spelling of labels, where ffmpeg or a name of an encoder spells them otherwise.
const SPELLINGS: [(&str, &str); 11] = [
    ("av1lp", "av1"),
    ("h264lp", "h264"),
    ("h265", "hevc"),
    ("h265lp", "hevc"),
    ("jpeg", "mjpeg"),
    ("jpegxl_anim", "jpegxl"),
    ("mpeg1video", "mpeg1"),
    ("mpeg2video", "mpeg2"),
    ("msmpeg4v2", "msmpeg4"),
    ("msmpeg4v3", "msmpeg4"),
    ("vp9lp", "vp9"),
];

/// Standards that names of hardware encoders contain.
const STANDARDS: [&str; 12] =
    ["h264", "hevc", "av1", "vp8", "vp9", "mpeg2", "mpeg4", "mjpeg", "h263", "prores", "ffv1", "vc1"];

/// An encoder that the tables know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Encoder {
    /// Name of its program, of words of the tables; `None` where only the standard is named and the encoder depends on the build.
    pub(super) name: Option<String>,
    pub(super) standard: &'static str,
    pub(super) row: &'static Row,
}

impl Encoder {
    /// The encoder of this name, or of the standard of this name; `None` for a name that no table has.
    pub(super) fn named(name: &str) -> Option<Self> {
        let by_standard = BY_STANDARD.iter().find(|(standard, _)| *standard == name);
        let name = by_standard.map_or(name, |(_, name)| name);
        if name == "av1" {
            return Some(Self { name: None, standard: "av1", row: &NATIVE });
        }
        let native = || {
            let standard = spelled(table::standard(name)?);
            Some(Self { name: Some(name.to_owned()), standard, row: &NATIVE })
        };
        Self::by_row(name).or_else(native)
    }

    fn by_row(name: &str) -> Option<Self> {
        ROWS.iter().find_map(|row| {
            let standard = match row.name.split_once('*') {
                None => (row.name == name).then_some(row.standard)?,
                Some((before, after)) => in_name(name.strip_prefix(before)?.strip_suffix(after)?)?,
            };
            Some(Self { name: Some(name.to_owned()), standard, row })
        })
    }

    /// Whether the encoder only passes pictures on as they are in memory.
    pub(super) fn only_decodes(&self) -> bool {
        matches!(self.name.as_deref(), Some("rawvideo" | "wrapped_avframe" | "vnull"))
    }
}

/// A standard in the spelling of labels.
fn spelled(standard: &'static str) -> &'static str {
    SPELLINGS.iter().find(|(other, _)| *other == standard).map_or(standard, |(_, label)| label)
}

/// The standard that the middle of an encoder's name says.
fn in_name(text: &str) -> Option<&'static str> {
    let spelled = SPELLINGS.iter().find(|(other, _)| *other == text).map_or(text, |(_, label)| label);
    STANDARDS.into_iter().find(|standard| *standard == spelled)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_video_encoder_of_ffmpeg_is_known_with_its_standard() {
        let mut count = 0;
        for name in table::encoder_names() {
            let encoder = Encoder::by_row(name).unwrap_or_else(|| Encoder::named(name).unwrap());
            assert_eq!(encoder.name.as_deref(), Some(name));
            let standard = spelled(table::standard(name).unwrap());
            assert_eq!(encoder.standard, standard, "{name}");
            let is_hardware = ["nvenc", "qsv", "vaapi", "amf", "v4l2m2m", "omx", "vulkan"]
                .iter()
                .any(|hardware| name.ends_with(&format!("_{hardware}")));
            assert_eq!(encoder.row.hardware != "cpu", is_hardware, "{name}");
            count += 1;
        }
        assert!(count > 100, "{count}");
    }

    #[test]
    fn encoders_that_these_builds_of_ffmpeg_do_not_have() {
        for (name, expected) in [
            ("h264_ni_quadra_enc", Some(("h264", "quadra"))),
            ("h265_ni_logan", Some(("hevc", "logan"))),
            ("mpsoc_vcu_hevc", Some(("hevc", "mpsoc_vcu"))),
            ("av1_ama", Some(("av1", "ama"))),
            ("hevc_rkmpp", Some(("hevc", "rkmpp"))),
            ("h264_nvmpi", Some(("h264", "nvmpi"))),
            ("hevc_videotoolbox", Some(("hevc", "videotoolbox"))),
            ("nvenc_hevc", Some(("hevc", "nvenc"))),
            ("nvv4l2h265enc", Some(("hevc", "nvenc"))),
            ("vtenc_h264_hw", Some(("h264", "videotoolbox"))),
            ("mppjpegenc", Some(("mjpeg", "rkmpp"))),
            ("vah265lpenc", Some(("hevc", "vaapi"))),
            ("qsv_h265_10bit", Some(("hevc", "qsv"))),
            ("secret_nvenc", None),
            ("libfuture", None),
            ("", None),
        ] {
            let found = Encoder::named(name);
            let found = found.as_ref().map(|encoder| (encoder.standard, encoder.row.hardware));
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn a_standard_means_the_encoder_that_ffmpeg_takes_for_it() {
        let name = |standard: &str| Encoder::named(standard).and_then(|encoder| encoder.name);
        assert_eq!(name("h264").as_deref(), Some("libx264"));
        assert_eq!(name("mpeg4").as_deref(), Some("mpeg4"));
        assert_eq!(name("av1"), None, "by the build");
        assert_eq!(Encoder::named("av1").map(|encoder| encoder.standard), Some("av1"));
    }
}
