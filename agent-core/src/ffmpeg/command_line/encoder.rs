//! Table of encoders: the standard that each writes, the hardware that it uses, and its default preset.

/// An encoder, by the name that its program uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Encoder {
    pub(super) name: String,
}

/// Encoders that ffmpeg uses where a standard is named instead: the first that it registers, in builds that have it
/// (libavcodec/allcodecs.c).
const BY_STANDARD: [(&str, &str); 6] = [
    ("h264", "libx264"),
    ("hevc", "libx265"),
    ("vp8", "libvpx"),
    ("vp9", "libvpx-vp9"),
    ("theora", "libtheora"),
    ("prores", "prores"),
];

/// Encoders that run on the CPU, and the standards that they write.
const SOFTWARE: [(&str, &str); 39] = [
    ("libx264", "h264"),
    ("libx264rgb", "h264"),
    ("libopenh264", "h264"),
    ("x264enc", "h264"),
    ("openh264enc", "h264"),
    ("libx265", "hevc"),
    ("libkvazaar", "hevc"),
    ("x265enc", "hevc"),
    ("libvvenc", "vvc"),
    ("libsvtav1", "av1"),
    ("libaom-av1", "av1"),
    ("librav1e", "av1"),
    ("svtav1enc", "av1"),
    ("av1enc", "av1"),
    ("rav1enc", "av1"),
    ("libvpx", "vp8"),
    ("vp8enc", "vp8"),
    ("libvpx-vp9", "vp9"),
    ("vp9enc", "vp9"),
    ("libxavs2", "avs2"),
    ("libxeve", "evc"),
    ("libtheora", "theora"),
    ("theoraenc", "theora"),
    ("mpeg1video", "mpeg1"),
    ("mpeg2video", "mpeg2"),
    ("mpeg2enc", "mpeg2"),
    ("mpeg4", "mpeg4"),
    ("libxvid", "mpeg4"),
    ("msmpeg4", "msmpeg4"),
    ("flv", "flv1"),
    ("h263", "h263"),
    ("prores", "prores"),
    ("prores_aw", "prores"),
    ("prores_ks", "prores"),
    ("dnxhd", "dnxhd"),
    ("cfhd", "cfhd"),
    ("ffv1", "ffv1"),
    ("mjpeg", "mjpeg"),
    ("gif", "gif"),
];

/// Suffixes of ffmpeg's names for hardware encoders.
const HARDWARE_SUFFIXES: [(&str, &str); 14] = [
    ("_nvenc", "nvenc"),
    ("_qsv", "qsv"),
    ("_vaapi", "vaapi"),
    ("_amf", "amf"),
    ("_videotoolbox", "videotoolbox"),
    ("_v4l2m2m", "v4l2m2m"),
    ("_vulkan", "vulkan"),
    ("_d3d12va", "d3d12va"),
    ("_mediacodec", "mediacodec"),
    ("_mf", "mediafoundation"),
    ("_omx", "omx"),
    ("_rkmpp", "rkmpp"),
    ("_ni_quadra", "quadra"),
    ("_ni_logan", "logan"),
];

/// Prefixes of `GStreamer`'s names for hardware encoders; the standard and `enc` follow.
const HARDWARE_PREFIXES: [(&str, &str); 9] = [
    ("nvcuda", "nvenc"),
    ("nvauto", "nvenc"),
    ("nvv4l2", "nvenc"),
    ("nv", "nvenc"),
    ("qsv", "qsv"),
    ("vaapi", "vaapi"),
    ("va", "vaapi"),
    ("v4l2", "v4l2m2m"),
    ("amf", "amf"),
];

impl Encoder {
    /// The encoder of this name, or of the standard of this name.
    pub(super) fn named(name: &str) -> Self {
        let by_standard = BY_STANDARD.iter().find(|(standard, _)| *standard == name);
        Self { name: by_standard.map_or(name, |(_, name)| name).to_owned() }
    }

    /// The standard that the encoder writes.
    pub(super) fn standard(&self) -> Option<&'static str> {
        match self.in_hardware() {
            Some((standard, _)) => standard,
            None => self.in_software(),
        }
    }

    /// The hardware that encodes.
    pub(super) fn hardware(&self) -> Option<&'static str> {
        match self.in_hardware() {
            Some((_, hardware)) => Some(hardware),
            None => self.in_software().map(|_| "cpu"),
        }
    }

    /// The encoder's preset when none is chosen, where that is documented and has never changed.
    pub(super) fn default_preset(&self) -> Option<&'static str> {
        matches!(self.name.as_str(), "libx264" | "libx264rgb" | "libx265").then_some("medium")
    }

    fn in_software(&self) -> Option<&'static str> {
        SOFTWARE.iter().find(|(name, _)| *name == self.name).map(|(_, standard)| *standard)
    }

    /// Standard and hardware of a hardware encoder. `nvenc` and `nvenc_h264` are ffmpeg's old names.
    fn in_hardware(&self) -> Option<(Option<&'static str>, &'static str)> {
        let name = self.name.as_str();
        if name == "nvenc" {
            return Some((Some("h264"), "nvenc"));
        }
        if let Some(standard) = name.strip_prefix("nvenc_") {
            return Some((standard_named(standard), "nvenc"));
        }
        let by_suffix = HARDWARE_SUFFIXES
            .iter()
            .find_map(|(suffix, hardware)| Some((standard_named(name.strip_suffix(suffix)?), *hardware)));
        by_suffix.or_else(|| {
            let element = name.strip_suffix("enc")?;
            HARDWARE_PREFIXES.iter().find_map(|(prefix, hardware)| {
                let standard = standard_named(element.strip_prefix(prefix)?)?;
                Some((Some(standard), *hardware))
            })
        })
    }
}

/// The standard, from its spelling in names of encoders.
fn standard_named(text: &str) -> Option<&'static str> {
    Some(match text {
        "h264" | "h264lp" => "h264",
        "hevc" | "h265" | "h265lp" => "hevc",
        "av1" | "av1lp" => "av1",
        "vp8" => "vp8",
        "vp9" | "vp9lp" => "vp9",
        "mpeg2" => "mpeg2",
        "mpeg4" => "mpeg4",
        "mjpeg" | "jpeg" => "mjpeg",
        "prores" => "prores",
        "ffv1" => "ffv1",
        _ => return None,
    })
}
