//! Parses picture sizes: `1280x720`, or ffmpeg's name of a size.

/// Size of a picture, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
}

/// Names of sizes in ffmpeg (libavutil/parseutils.c).
const NAMES: [(&str, u32, u32); 33] = [
    ("ntsc", 720, 480),
    ("pal", 720, 576),
    ("film", 352, 240),
    ("sqcif", 128, 96),
    ("qcif", 176, 144),
    ("cif", 352, 288),
    ("4cif", 704, 576),
    ("16cif", 1408, 1152),
    ("qqvga", 160, 120),
    ("qvga", 320, 240),
    ("vga", 640, 480),
    ("svga", 800, 600),
    ("xga", 1024, 768),
    ("uxga", 1600, 1200),
    ("qxga", 2048, 1536),
    ("sxga", 1280, 1024),
    ("wvga", 852, 480),
    ("wxga", 1366, 768),
    ("wsxga", 1600, 1024),
    ("wuxga", 1920, 1200),
    ("woxga", 2560, 1600),
    ("hd480", 852, 480),
    ("hd720", 1280, 720),
    ("hd1080", 1920, 1080),
    ("2k", 2048, 1080),
    ("2kdci", 2048, 1080),
    ("4k", 4096, 2160),
    ("4kdci", 4096, 2160),
    ("nhd", 640, 360),
    ("qhd", 960, 540),
    ("hqvga", 240, 160),
    ("uhd2160", 3840, 2160),
    ("uhd4320", 7680, 4320),
];

impl Frame {
    pub(super) const UNKNOWN: Self = Self { width: None, height: None };

    pub(super) fn known(width: u32, height: u32) -> Self {
        Self { width: Some(width), height: Some(height) }
    }

    /// Parses `1280x720`, `1280:720`, or the name of a size.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some((_, width, height)) = NAMES.iter().find(|(name, ..)| *name == text) {
            return Some(Self::known(*width, *height));
        }
        // `av_parse_video_size()` takes any one character between the sides.
        let (width, height) = text.split_once(|character: char| !character.is_ascii_digit())?;
        Some(Self::known(side(width)?, side(height)?))
    }

    /// The label value.
    pub(super) fn name(self) -> Option<String> {
        match (self.width, self.height) {
            (Some(width), Some(height)) => Some(format!("{width}x{height}")),
            (None, Some(height)) => Some(format!("{height}p")),
            _ => None,
        }
    }

    /// Both sides, if both are known.
    pub(super) fn both(self) -> Option<(u32, u32)> {
        Some((self.width?, self.height?))
    }

    /// The frame turned by 90 degrees.
    pub(super) fn turned(self) -> Self {
        Self { width: self.height, height: self.width }
    }
}

/// Parses one side, in pixels: a number larger than any film's is refused.
pub(super) fn side(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|side| (1..=65_536).contains(side))
}
