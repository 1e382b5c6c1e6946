//! Parses picture sizes: `1280x720`, or ffmpeg's name of a size.

/// Longest side that is taken for a picture's, in pixels.
pub(super) const MAX_SIDE: u32 = 65_536;

/// A picture as it passes between filters, as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) width: Option<u32>,
    pub(super) height: Option<u32>,
    /// Width of a pixel divided by its height.
    pub(super) pixel: Option<Ratio>,
    pub(super) chroma: Option<Chroma>,
}

/// A reduced ratio; 0/1 stands for one that ffmpeg does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ratio {
    pub(super) numerator: u32,
    pub(super) denominator: u32,
}

/// Subsampling of colour planes: a chroma sample covers `2^horizontal` by `2^vertical` pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chroma {
    pub(super) horizontal: u32,
    pub(super) vertical: u32,
}

/// Names of sizes in ffmpeg (libavutil/parseutils.c).
const NAMES: [(&str, u32, u32); 53] = [
    ("ntsc", 720, 480),
    ("pal", 720, 576),
    ("qntsc", 352, 240),
    ("qpal", 352, 288),
    ("sntsc", 640, 480),
    ("spal", 768, 576),
    ("film", 352, 240),
    ("ntsc-film", 352, 240),
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
    ("qsxga", 2560, 2048),
    ("hsxga", 5120, 4096),
    ("wvga", 852, 480),
    ("wxga", 1366, 768),
    ("wsxga", 1600, 1024),
    ("wuxga", 1920, 1200),
    ("woxga", 2560, 1600),
    ("wqsxga", 3200, 2048),
    ("wquxga", 3840, 2400),
    ("whsxga", 6400, 4096),
    ("whuxga", 7680, 4800),
    ("cga", 320, 200),
    ("ega", 640, 350),
    ("hd480", 852, 480),
    ("hd720", 1280, 720),
    ("hd1080", 1920, 1080),
    ("2k", 2048, 1080),
    ("2kdci", 2048, 1080),
    ("2kflat", 1998, 1080),
    ("2kscope", 2048, 858),
    ("4k", 4096, 2160),
    ("4kdci", 4096, 2160),
    ("4kflat", 3996, 2160),
    ("4kscope", 4096, 1716),
    ("nhd", 640, 360),
    ("hqvga", 240, 160),
    ("wqvga", 400, 240),
    ("fwqvga", 432, 240),
    ("hvga", 480, 320),
    ("qhd", 960, 540),
    ("uhd2160", 3840, 2160),
    ("uhd4320", 7680, 4320),
];

impl Frame {
    pub(super) const UNKNOWN: Self = Self { width: None, height: None, pixel: None, chroma: None };

    /// A picture of this size; as with raw video and devices, the shape of its pixels is not stated.
    pub(super) fn known(width: u32, height: u32) -> Self {
        Self { width: Some(width), height: Some(height), pixel: Some(Ratio::UNSTATED), chroma: None }
    }

    /// Parses `1280x720` or the name of a size, as `av_parse_video_size()`: any one character separates the sides.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Some((_, width, height)) = NAMES.iter().find(|(name, ..)| *name == text) {
            return Some(Self::known(*width, *height));
        }
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
        let pixel = self.pixel.map(Ratio::inverse);
        Self { width: self.height, height: self.width, pixel, chroma: None }
    }

    /// The picture with other sides, and everything else as it was.
    pub(super) fn with_sides(self, width: Option<u32>, height: Option<u32>) -> Self {
        Self { width, height, ..self }
    }
}

impl Ratio {
    pub(super) const UNSTATED: Self = Self { numerator: 0, denominator: 1 };
    pub(super) const SQUARE: Self = Self { numerator: 1, denominator: 1 };

    /// `None` when the reduced ratio has larger parts than ffmpeg stores, which then takes a neighbour.
    pub(super) fn reduced(numerator: u128, denominator: u128) -> Option<Self> {
        let (mut divisor, mut rest) = (denominator, numerator);
        while rest != 0 {
            (divisor, rest) = (rest, divisor % rest);
        }
        let part = |part: u128| {
            u32::try_from(part / divisor.max(1)).ok().filter(|part| i32::try_from(*part).is_ok())
        };
        Some(Self { numerator: part(numerator)?, denominator: part(denominator).filter(|part| *part > 0)? })
    }

    /// The ratio multiplied by another; an unstated one remains.
    pub(super) fn times(self, numerator: u128, denominator: u128) -> Option<Self> {
        if self.numerator == 0 {
            return Some(self);
        }
        Self::reduced(
            numerator.checked_mul(self.numerator.into())?,
            denominator.checked_mul(self.denominator.into())?,
        )
    }

    fn inverse(self) -> Self {
        if self.numerator == 0 {
            return self;
        }
        Self { numerator: self.denominator, denominator: self.numerator }
    }

    /// The value of `sar` in expressions: an unstated ratio counts as square.
    pub(super) fn value(self) -> f64 {
        if self.numerator == 0 { 1.0 } else { f64::from(self.numerator) / f64::from(self.denominator) }
    }
}

/// Parses one side, in pixels: a number larger than any film's is refused.
pub(super) fn side(text: &str) -> Option<u32> {
    text.trim().parse().ok().filter(|side| (1..=MAX_SIDE).contains(side))
}
