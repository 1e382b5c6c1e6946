//! Parses ffmpeg's option names: whether an option takes a value, and the streams of its specifier.

/// Options without a value. All others have one: private options of encoders, muxers and so on always do.
///
/// From `fftools` of ffmpeg 4 to 7. Flags can be turned off with `no` before their name.
const FLAGS: [&str; 56] = [
    "?",
    "L",
    "accurate_seek",
    "an",
    "apply_cropping",
    "auto_conversion_filters",
    "autorotate",
    "autoscale",
    "benchmark",
    "benchmark_all",
    "bitexact",
    "bsfs",
    "buildconf",
    "codecs",
    "colors",
    "copy_unknown",
    "copyts",
    "debug_ts",
    "decoders",
    "deinterlace",
    "demuxers",
    "devices",
    "display_hflip",
    "display_vflip",
    "dispositions",
    "dn",
    "dump",
    "encoders",
    "filters",
    "find_stream_info",
    "fix_sub_duration",
    "fix_sub_duration_heartbeat",
    "formats",
    "hex",
    "hide_banner",
    "hwaccels",
    "ignore_unknown",
    "intra",
    "layouts",
    "muxers",
    "n",
    "pix_fmts",
    "print_graphs",
    "protocols",
    "psnr",
    "qphist",
    "re",
    "recast_media",
    "report",
    "sample_fmts",
    "seek_timestamp",
    "shortest",
    "sn",
    "start_at_zero",
    "stats",
    "stdin",
];

/// More of them.
const MORE_FLAGS: [&str; 5] = ["version", "vn", "vstats", "xerror", "y"];

/// An option's name without its specifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OptionName<'a> {
    pub(super) base: &'a str,
    pub(super) streams: Streams,
}

/// The streams to which an option applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Streams {
    /// All streams: without a specifier.
    All,
    /// Every video stream.
    Video,
    /// One video stream, by its position among the output's video streams.
    OneVideo(usize),
    /// One stream, by its position among all streams of the output.
    One(usize),
    /// Not video, or a specifier that depends on the streams themselves.
    Other,
}

impl<'a> OptionName<'a> {
    /// Parses the text after the dash.
    pub(super) fn parse(text: &'a str) -> Self {
        let (base, specifier) = text.split_once(':').unwrap_or((text, ""));
        let streams = match specifier.split_once(':').unwrap_or((specifier, "")) {
            ("", _) => Streams::All,
            ("v" | "V", "") => Streams::Video,
            ("v" | "V", number) => number.parse().map_or(Streams::Other, Streams::OneVideo),
            (number, "") => number.parse().map_or(Streams::Other, Streams::One),
            _ => Streams::Other,
        };
        // Short forms whose name contains the specifier.
        match (base, streams) {
            ("vcodec", Streams::All) => Self { base: "c", streams: Streams::Video },
            ("codec", streams) => Self { base: "c", streams },
            ("vb" | "b", Streams::All) => Self { base: "b", streams: Streams::Video },
            ("vf", Streams::All) => Self { base: "filter", streams: Streams::Video },
            ("vpre", Streams::All) => Self { base: "preset", streams: Streams::Video },
            (base, streams) => Self { base, streams },
        }
    }

    /// Whether the option has no value.
    pub(super) fn is_flag(&self) -> bool {
        let is_listed = |name: &str| FLAGS.contains(&name) || MORE_FLAGS.contains(&name);
        is_listed(self.base) || self.base.strip_prefix("no").is_some_and(is_listed)
    }
}

impl Streams {
    /// Whether the option applies to the video stream with these positions among the output's video streams and among all.
    pub(super) fn include(self, among_video: usize, among_all: usize) -> bool {
        match self {
            Self::All | Self::Video => true,
            Self::OneVideo(index) => index == among_video,
            Self::One(index) => index == among_all,
            Self::Other => false,
        }
    }
}
