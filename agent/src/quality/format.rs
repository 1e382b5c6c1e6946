//! Chooses the format of samples in which two videos are compared.

use crate::quality::probe::Video;

/// Chroma and depth of samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Samples {
    pub(super) chroma: Chroma,
    /// Bits: 8, 10 or 12.
    pub(super) bits: u32,
}

/// Resolution of chroma.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chroma {
    Quarter,
    Half,
    Full,
}

impl Samples {
    /// Samples of a pixel format, by its name in ffmpeg. An unknown format is read as 4:2:0 with 8 bits.
    fn of(format: &str) -> Self {
        let name = format.strip_suffix("le").or(format.strip_suffix("be")).unwrap_or(format);
        let bits = match name {
            "nv20" => 10,
            // The number is that of bits a pixel.
            _ if name.starts_with("nv") => 8,
            _ if name.ends_with("10") => 10,
            "rgb48" | "bgr48" | "rgba64" | "bgra64" => 12,
            // VMAF knows no more than 12.
            _ if ["12", "14", "16"].iter().any(|end| name.ends_with(end)) => 12,
            _ => 8,
        };
        let has = |words: &[&str]| words.iter().any(|word| name.contains(word));
        let chroma = if has(&["444", "rgb", "gbr", "bgr", "pal8", "p41", "nv24", "ayuv"]) {
            Chroma::Full
        } else if has(&["422", "yuyv", "uyvy", "p21", "y21", "nv16", "nv20"]) {
            Chroma::Half
        } else {
            Chroma::Quarter
        };
        Self { chroma, bits }
    }

    /// The samples in which two videos are compared: the chroma that both have, and the depth of the deeper one.
    pub(super) fn common(reference: &Video, distorted: &Video) -> Self {
        let (one, other) = (Self::of(&reference.format), Self::of(&distorted.format));
        let chroma = if one.chroma == other.chroma { one.chroma } else { Chroma::Quarter };
        let least = if reference.is_hdr() { 10 } else { 8 };
        Self { chroma, bits: one.bits.max(other.bits).max(least) }
    }

    /// The name in ffmpeg.
    pub(super) fn name(self) -> String {
        let chroma = match self.chroma {
            Chroma::Quarter => "yuv420p",
            Chroma::Half => "yuv422p",
            Chroma::Full => "yuv444p",
        };
        if self.bits == 8 { chroma.to_owned() } else { format!("{chroma}{}le", self.bits) }
    }
}

/// Range of the samples: `pc` (full) or `tv` (limited). RGB has no range: ffmpeg converts it to `tv`.
pub(super) fn range(video: &Video) -> &'static str {
    let is_rgb = ["rgb", "gbr", "bgr", "pal8"].iter().any(|word| video.format.contains(word));
    let is_full = video.range.as_deref() == Some("pc") || video.format.starts_with("yuvj");
    if is_full && !is_rgb { "pc" } else { "tv" }
}

/// The reason why the light of two videos cannot be compared.
pub(super) fn different_light(reference: &Video, distorted: &Video) -> Option<String> {
    if (!reference.is_hdr() && !distorted.is_hdr()) || reference.transfer == distorted.transfer {
        return None;
    }
    let name = |video: &Video| video.transfer.clone().unwrap_or_else(|| "none".to_owned());
    Some(format!(
        "the transfer function of the source is {}, of the encode {}: the encode is tone-mapped or has lost its tags, and no \
         metric compares these two; compare with a source of the same transfer function",
        name(reference),
        name(distorted)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn video(format: &str, transfer: Option<&str>) -> Video {
        Video { format: format.to_owned(), transfer: transfer.map(str::to_owned), ..Video::default() }
    }

    #[test]
    fn samples_of_formats() {
        let cases = [
            ("yuv420p", "yuv420p"),
            ("yuvj420p", "yuv420p"),
            ("nv12", "yuv420p"),
            ("nv20le", "yuv422p10le"),
            ("p010le", "yuv420p10le"),
            ("yuv422p10le", "yuv422p10le"),
            ("gbrp10le", "yuv444p10le"),
            ("rgb24", "yuv444p"),
            ("rgb48be", "yuv444p12le"),
            ("yuv410p", "yuv420p"),
            ("gray16le", "yuv420p12le"),
            ("", "yuv420p"),
        ];
        for (format, expected) in cases {
            assert_eq!(Samples::of(format).name(), expected, "{format}");
        }
    }

    #[test]
    fn the_deeper_samples_and_the_smaller_chroma_are_compared() {
        let name = |one, other| Samples::common(&video(one, None), &video(other, None)).name();
        assert_eq!(name("yuv444p", "yuv420p10le"), "yuv420p10le");
        assert_eq!(name("yuv444p", "yuv444p"), "yuv444p");
        let hdr = video("yuv420p", Some("smpte2084"));
        assert_eq!(Samples::common(&hdr, &hdr).bits, 10);
    }

    #[test]
    fn tone_mapped_pairs_are_refused() {
        let pq = video("yuv420p10le", Some("smpte2084"));
        let sdr = video("yuv420p", Some("bt709"));
        assert!(different_light(&pq, &sdr).unwrap().contains("smpte2084, of the encode bt709"));
        assert!(different_light(&sdr, &pq).is_some() && different_light(&pq, &video("", None)).is_some());
        assert_eq!(different_light(&pq, &pq), None);
        assert_eq!(different_light(&sdr, &video("yuv420p", None)), None);
    }
}
