//! Reads a video's properties from the lines that ffmpeg prints about its input.

use crate::quality::probe::{Video, ratio};

/// The first video that is no cover picture; `None` where there is none.
pub(super) fn parse(said: &[String]) -> Option<Video> {
    let at = said.iter().position(|line| {
        let is_video = line.trim_start().starts_with("Stream #") && line.contains(": Video: ");
        is_video && !line.contains("(attached pic)")
    })?;
    let description = said.get(at)?.split_once(": Video: ")?.1;
    let parts = parts(description);
    let (size_at, size, aspect) = parts.iter().enumerate().find_map(|(at, part)| {
        let mut words = part.split_whitespace();
        let size = size(words.next()?)?;
        Some((at, size, words.skip_while(|word| *word != "[SAR").nth(1)))
    })?;
    // Where container and codec differ, the container's follows as a part of its own, and counts.
    let by_container = parts.iter().find_map(|part| part.strip_prefix("SAR ")?.split_whitespace().next());
    // The format stands between the codec and the size.
    let format = parts.get(1..size_at)?.last().copied().unwrap_or_default();
    let (format, details) = format.split_once('(').unwrap_or((format, ""));
    let details: Vec<&str> = details.trim_end_matches(')').split(", ").collect();
    let number =
        |unit: &str| parts.iter().find_map(|part| part.strip_suffix(unit)?.trim().parse::<f64>().ok());
    let mut after = said.iter().skip(at + 1).take_while(|line| !line.trim_start().starts_with("Stream #"));
    let rotation = after
        .find_map(|line| line.split_once("rotation of ")?.1.split_whitespace().next()?.parse::<f64>().ok());
    let video = Video {
        width: size.0,
        height: size.1,
        pixel_aspect: by_container.or(aspect).and_then(|text| ratio(text, ':')),
        rotation: rotation.unwrap_or(0.0).round() as i64,
        format: format.trim().to_owned(),
        range: details.iter().find(|word| matches!(**word, "pc" | "tv")).map(|word| (*word).to_owned()),
        // `bt2020nc/bt2020/smpte2084`, or one name for all three.
        transfer: details
            .iter()
            .find(|word| word.contains('/') || word.starts_with("bt") || word.starts_with("smpte"))
            .and_then(|word| word.rsplit('/').next())
            .map(str::to_owned),
        is_interlaced: details.iter().any(|word| word.ends_with("first") || word.ends_with("swapped)")),
        rate: number(" fps"),
        seconds: said.iter().find_map(|line| seconds(line)),
        packets: None,
    };
    Some(video.turned())
}

/// Splits at commas outside of brackets.
fn parts(text: &str) -> Vec<&str> {
    let mut depth = 0_i32;
    let split = text.split(move |character| {
        match character {
            '(' | '[' => depth += 1,
            ')' | ']' => depth -= 1,
            _ => {}
        }
        character == ',' && depth == 0
    });
    split.map(str::trim).collect()
}

fn size(word: &str) -> Option<(u64, u64)> {
    let (width, height) = word.split_once('x')?;
    Some((width.parse().ok().filter(|side| *side > 0)?, height.parse().ok().filter(|side| *side > 0)?))
}

/// `  Duration: 00:01:02.50, start: …` in seconds.
fn seconds(line: &str) -> Option<f64> {
    let time = line.trim_start().strip_prefix("Duration: ")?.split(',').next()?;
    time.split(':').try_fold(0.0, |sum, part| Some(sum * 60.0 + part.parse::<f64>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Option<Video> {
        parse(&lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn lines_of_real_ffmpegs() {
        let video = of(&[
            "Input #0, mov,mp4,m4a,3gp,3g2,mj2, from 'a.mp4':",
            "  Duration: 00:01:02.50, start: 0.000000, bitrate: 586 kb/s",
            "  Stream #0:0[0x1](und): Video: h264 (High) (avc1 / 0x31637661), yuv420p(progressive), 320x180 [SAR 64:45 DAR 16:9], 581 kb/s, 29.97 fps, 25 tbr, 12800 tbn (default)",
            "    Side data:",
            "      Display Matrix: rotation of -90.00 degrees",
        ]);
        let video = video.unwrap();
        assert_eq!((video.width, video.height, video.rotation), (180, 320, -90));
        assert_eq!((video.format.as_str(), video.rate, video.seconds), ("yuv420p", Some(29.97), Some(62.5)));
        assert!((video.pixel_aspect.unwrap() - 45.0 / 64.0).abs() < 1e-9 && !video.is_interlaced);
        let video = of(&[
            "  Stream #0:0: Video: mjpeg, yuvj420p(pc, bt470bg/unknown/unknown), 300x300, 90k tbr (attached pic)",
            "  Stream #0:1: Video: hevc (Main 10), yuv420p10le(tv, bt2020nc/bt2020/smpte2084, top first), 320x180, 25 fps, 25 tbr",
        ]);
        let video = video.unwrap();
        assert_eq!((video.format.as_str(), video.range.as_deref()), ("yuv420p10le", Some("tv")));
        assert!(video.is_hdr() && video.is_interlaced && video.pixel_aspect.is_none());
        let video = of(&[
            "  Stream #0:0: Video: ffv1 (FFV1 / 0x31564646), yuv420p(progressive), 180x144, SAR 64:45 DAR 16:9, 25 fps, 25 tbr",
        ]);
        assert!((video.unwrap().aspect() - 16.0 / 9.0).abs() < 1e-9);
        assert_eq!(of(&["  Stream #0:0: Audio: aac (LC), 44100 Hz, mono, fltp"]), None);
    }
}
