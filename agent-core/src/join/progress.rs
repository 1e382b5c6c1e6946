//! Computes a transcode's frames, pixels and playing time, from its progress posts and its command line.

use crate::join::scenario_defaults;
use crate::model::progress::Progress;
use crate::model::transcode::{Encode, Output};
use crate::units::Pixels;

/// Output by the transcode's progress posts; else by a comparison with its source.
///
/// ffmpeg posts the frames of its first video stream, encoded or copied. They are multiplied by the number of encoded renditions that have
/// as many; where that number is unknown, so are the frames.
pub fn output(progress: &Progress, encode: &Encode, compared: Output) -> Output {
    let block = &progress.block;
    let counted = block.frames.zip(encode.counted_renditions);
    let frames = counted.map(|(frames, renditions)| frames.saturating_mul(renditions as u64));
    let picture = |sizes: &str| area(sizes, encode.counted_renditions?);
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

    fn progress(frames: u64) -> Progress {
        let output_time = Some(Duration::from_secs(2));
        Progress {
            block: Block { frames: Some(frames), output_time, ..Block::default() },
            ..Progress::default()
        }
    }

    fn encode(resolution: &str, renditions: usize) -> Encode {
        let (resolution, counted_renditions) = (Some(resolution.to_owned()), Some(renditions));
        Encode { resolution, renditions, counted_renditions, ..Encode::default() }
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
        let with_copy = Encode { counted_renditions: Some(1), ..mixed };
        assert_eq!(output(&progress(50), &with_copy, Output::default()).frames, Some(50));
    }

    #[test]
    fn what_it_does_not_say_a_comparison_may() {
        let compared = Output { frames: Some(48), pixels: Some(Pixels(1.0)), ..Output::default() };
        let silent = Progress::default();
        assert_eq!(output(&silent, &encode("640x360", 1), compared), compared);
        assert_eq!(output(&progress(50), &encode("720p", 1), compared).pixels, None);
    }
}
