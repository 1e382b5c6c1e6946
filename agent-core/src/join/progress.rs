//! Computes a transcode's frames, pixels and playing time, from its progress posts and its command line.

use crate::join::scenario_defaults;
use crate::model::progress::Progress;
use crate::model::transcode::{Encode, Output};
use crate::units::Pixels;

/// Output by the transcode's progress posts; else by a comparison with its source.
///
/// ffmpeg posts the frames of its first video stream, encoded or copied. They are multiplied by the number of encoded renditions that have
/// as many, and renditions of one frame are added; where a rendition may have another number, the frames are unknown.
pub fn output(progress: &Progress, encode: &Encode, compared: Output) -> Output {
    let block = &progress.block;
    let has_every_frame = block.duplicated == Some(0) && block.dropped == Some(0);
    let count = encode.frame_count.filter(|count| !count.needs_every_frame || has_every_frame);
    let frames = block.frames.zip(count).map(|(frames, count)| {
        frames.saturating_mul(count.renditions as u64).saturating_add(frames.min(1) * count.stills as u64)
    });
    // The few pixels of stills are unknown, and so is the sum with them.
    let picture = |sizes: &str| area(sizes, count.filter(|count| count.stills == 0)?.renditions);
    let picture = encode.resolution.as_deref().and_then(picture);
    let pixels = block.frames.zip(picture).map(|(frames, area)| Pixels(frames as f64 * area));
    // A comparison is of one file: its frames are all that were encoded only where nothing else was.
    let is_all = encode.encoded_renditions <= 1 && encode.copied_streams == 0;
    let compared = if is_all { compared } else { Output { frames: None, pixels: None, ..compared } };
    Output {
        frames: frames.or(compared.frames),
        // Frames and pixels are of one origin.
        pixels: if frames.is_some() { pixels } else { compared.pixels },
        length: block.output_time.filter(|time| !time.is_zero()).or(compared.length),
        quality: compared.quality,
    }
}

/// Pixels of one picture of each rendition; `None` unless every size is known.
fn area(sizes: &str, renditions: usize) -> Option<f64> {
    let areas: Option<Vec<f64>> = sizes.split('+').map(scenario_defaults::area).collect();
    // Sizes that are equal are written once.
    areas.filter(|areas| areas.len() == renditions).map(|areas| areas.iter().sum())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::progress::Block;
    use crate::model::transcode::FrameCount;

    fn progress(frames: u64) -> Progress {
        let output_time = Some(Duration::from_secs(2));
        Progress {
            block: Block { frames: Some(frames), output_time, ..Block::default() },
            ..Progress::default()
        }
    }

    fn encode(resolution: &str, renditions: usize) -> Encode {
        let frame_count = Some(FrameCount { renditions, ..FrameCount::default() });
        Encode { resolution: Some(resolution.to_owned()), renditions, frame_count, ..Encode::default() }
    }

    #[test]
    fn frames_of_every_rendition() {
        let one = output(&progress(50), &encode("640x360", 1), Output::default());
        assert_eq!((one.frames, one.pixels), (Some(50), Some(Pixels(50.0 * 640.0 * 360.0))));
        assert_eq!(one.length, Some(Duration::from_secs(2)));
        let ladder = output(&progress(50), &encode("640x360+320x180", 2), Output::default());
        assert_eq!((ladder.frames, ladder.pixels), (Some(100), Some(Pixels(50.0 * 288_000.0))));
        let twice = output(&progress(50), &encode("640x360", 2), Output::default());
        assert_eq!((twice.frames, twice.pixels), (Some(100), None));
    }

    #[test]
    fn frames_that_are_not_of_the_encoded_renditions_do_not_count() {
        // A recording that is copied, and pictures at another rate.
        let mixed = Encode { renditions: 2, encoded_renditions: 1, copied_streams: 1, ..Encode::default() };
        assert_eq!(output(&progress(50), &mixed, Output::default()).frames, None);
        let compared = Output { frames: Some(50), ..Output::default() };
        assert_eq!(output(&progress(50), &mixed, compared).frames, None, "of the file that was compared");
        let with_copy = Encode { frame_count: Some(FrameCount::ONE), ..mixed.clone() };
        assert_eq!(output(&progress(50), &with_copy, Output::default()).frames, Some(50));
    }

    #[test]
    fn a_still_is_one_frame_however_many_the_video_has() {
        let count = FrameCount { renditions: 2, stills: 1, needs_every_frame: false };
        let with_poster = Encode { frame_count: Some(count), ..encode("640x360", 3) };
        let whole = output(&progress(50), &with_poster, Output::default());
        assert_eq!((whole.frames, whole.pixels), (Some(101), None));
        assert_eq!(output(&progress(0), &with_poster, Output::default()).frames, Some(0), "before the first");
    }

    #[test]
    fn formats_that_may_repeat_frames_count_while_none_is_repeated_or_dropped() {
        let count = FrameCount { renditions: 2, stills: 0, needs_every_frame: true };
        let mixed = Encode { frame_count: Some(count), ..encode("640x360", 2) };
        let frames = |duplicated, dropped| {
            let block = Block { duplicated, dropped, ..progress(50).block };
            output(&Progress { block, ..Progress::default() }, &mixed, Output::default()).frames
        };
        assert_eq!(frames(Some(0), Some(0)), Some(100));
        for (duplicated, dropped) in [(Some(1), Some(0)), (Some(0), Some(1)), (None, None)] {
            assert_eq!(frames(duplicated, dropped), None);
        }
    }

    #[test]
    fn what_it_does_not_say_a_comparison_may() {
        let compared = Output { frames: Some(48), pixels: Some(Pixels(1.0)), ..Output::default() };
        let silent = Progress::default();
        assert_eq!(output(&silent, &encode("640x360", 1), compared), compared);
        assert_eq!(output(&progress(50), &encode("720p", 1), compared).pixels, None);
    }
}
