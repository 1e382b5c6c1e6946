//! Plans the filter graphs of a comparison from the properties of both videos.

use agent_core::model::vmaf_model::VmafModel;

use crate::quality::alignment::rate;
use crate::quality::format::{Samples, range};
use crate::quality::geometry::{Area, Geometry};
use crate::quality::pairing::Pairing;
use crate::quality::probe::Video;
use crate::quality::selection;

/// Size of the pictures by which frames are paired.
pub(super) const THUMBNAIL: (usize, usize) = (32, 18);

/// Height and width from which the model for 4K is used: above 1440 lines, as its authors recommend it for 2160.
const LARGE: (u64, u64) = (2560, 1440);

/// A rate of the encode from this multiple of the source's on has a frame for each field.
const FIELDS: f64 = 1.5;

/// Rate of a single frame, which has none. Only metrics that weight by time depend on it.
const RATE_OF_ONE: f64 = 25.0;

/// What is done to both videos before they are compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plan {
    pub(super) reference: Side,
    pub(super) distorted: Side,
    pub(super) samples: Samples,
    /// Size in which the pictures are compared.
    pub(super) size: (u64, u64),
}

/// What is done to one video.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Side {
    pub(super) deinterlacing: Option<Deinterlacing>,
    pub(super) area: Option<Area>,
    /// Range of the samples in the file.
    pub(super) range: &'static str,
}

/// Pictures that are made of the fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Deinterlacing {
    /// One for each frame.
    Frames,
    /// One for each field.
    Fields,
}

/// A metric of the comparison.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Metric {
    Psnr,
    Ssim,
    /// By this model.
    Vmaf(VmafModel),
    Xpsnr,
}

/// The model of VMAF for a picture of this size; `is_neg` ignores gain by enhancement (No Enhancement Gain).
pub(super) fn model(size: (u64, u64), is_neg: bool) -> VmafModel {
    let is_large = size.0 > LARGE.0 || size.1 > LARGE.1;
    match (is_large, is_neg) {
        (false, false) => VmafModel::Standard,
        (true, false) => VmafModel::Uhd,
        (false, true) => VmafModel::StandardNeg,
        (true, true) => VmafModel::UhdNeg,
    }
}

impl Plan {
    /// Plans the comparison of two videos of which these parts are compared.
    pub(super) fn new(reference: &Video, distorted: &Video, geometry: &Geometry) -> Self {
        let is_doubled = |one: &Video, other: &Video| {
            one.rate.zip(other.rate).is_some_and(|(one, other)| one / other >= FIELDS)
        };
        let deinterlacing = |video: &Video, other: &Video| {
            let fields = !other.is_interlaced && is_doubled(other, video);
            let kind = if fields { Deinterlacing::Fields } else { Deinterlacing::Frames };
            video.is_interlaced.then_some(kind)
        };
        let side = |video: &Video, other: &Video, area: Option<Area>| Side {
            deinterlacing: deinterlacing(video, other),
            area,
            range: range(video),
        };
        Self {
            reference: side(reference, distorted, geometry.reference),
            distorted: side(distorted, reference, geometry.distorted),
            samples: Samples::common(reference, distorted),
            size: geometry.size(reference),
        }
    }

    /// This plan, and the same with a deinterlaced encode where the encode of an interlaced source is not marked as interlaced:
    /// encoders keep the lines of both fields and lose the mark. Only the content shows which is right.
    pub(super) fn variants(self) -> Vec<Self> {
        let is_unmarked = self.reference.deinterlacing == Some(Deinterlacing::Frames)
            && self.distorted.deinterlacing.is_none();
        let mut other = self.clone();
        other.distorted.deinterlacing = Some(Deinterlacing::Frames);
        if is_unmarked { vec![self, other] } else { vec![self] }
    }

    /// The graph that writes small grey pictures `[d]` and `[r]`, by which frames are paired, and their times `[dt]` and `[rt]`.
    pub(super) fn thumbnails(&self) -> String {
        let (width, height) = THUMBNAIL;
        let chain = |input: usize, side: &Side, letter: char| {
            let range = side.range;
            format!(
                "[{input}:V:0]{}scale={width}:{height}:flags=area:in_range={range}:out_range=pc,format=gray,\
                 split[{letter}][{letter}t]",
                side.filters()
            )
        };
        format!("{};{}", chain(0, &self.distorted, 'd'), chain(1, &self.reference, 'r'))
    }

    /// The graph that compares pairs of frames, with the encode first, as the filters require. Output `[oN]` has
    /// metric `N`. Both sides have frame numbers as times, so that the filters pair by number in every version of ffmpeg.
    pub(super) fn comparison(&self, pairing: &Pairing, metrics: &[Metric]) -> String {
        let Pairing { times, alignment } = pairing;
        let rate = rate(&times.distorted).unwrap_or(RATE_OF_ONE);
        let labels = |letter: char| {
            let labels: Vec<String> =
                (0..metrics.len()).map(|number| format!("[{letter}{number}]")).collect();
            labels.concat()
        };
        let (width, height) = self.size;
        let chain = |input: usize, side: &Side, frames: &[u64], all: usize| {
            let kept = selection::expression(frames, all)
                .map_or_else(String::new, |expression| format!("select='{expression}',"));
            // `select` numbers the frames that yadif makes.
            let (fields, rest) = (side.deinterlace(), side.crop());
            let (from, to) = (side.range, self.reference.range);
            format!(
                "[{input}:V:0]{fields}{kept}settb=1/{rate},setpts=N,{rest}\
                 scale={width}:{height}:flags=bicubic:in_range={from}:out_range={to},format={},setsar=1,split={}{}",
                self.samples.name(),
                metrics.len(),
                labels(if input == 0 { 'd' } else { 'r' })
            )
        };
        let (reference, distorted): (Vec<u64>, Vec<u64>) = alignment.pairs.iter().copied().unzip();
        let sides = [
            chain(0, &self.distorted, &distorted, times.distorted.len()),
            chain(1, &self.reference, &reference, times.reference.len()),
        ];
        let filters = metrics.iter().enumerate();
        let filters =
            filters.map(|(number, metric)| format!("[d{number}][r{number}]{}[o{number}]", metric.filter()));
        sides.into_iter().chain(filters).collect::<Vec<String>>().join(";")
    }
}

impl Side {
    fn filters(&self) -> String {
        self.deinterlace() + &self.crop()
    }

    fn deinterlace(&self) -> String {
        match self.deinterlacing {
            None => String::new(),
            Some(Deinterlacing::Frames) => "yadif=mode=send_frame,".to_owned(),
            Some(Deinterlacing::Fields) => "yadif=mode=send_field,".to_owned(),
        }
    }

    fn crop(&self) -> String {
        self.area.map_or_else(String::new, |Area { width, height, left, top }| {
            format!("crop={width}:{height}:{left}:{top},")
        })
    }
}

impl Metric {
    /// The filter, whose logs have plain names in the folder of the comparison.
    fn filter(&self) -> String {
        match self {
            Self::Psnr => "psnr=stats_file=psnr.log:shortest=1".to_owned(),
            Self::Ssim => "ssim=shortest=1".to_owned(),
            Self::Xpsnr => "xpsnr=shortest=1".to_owned(),
            Self::Vmaf(model) => {
                let name = model.name();
                format!("libvmaf=log_fmt=json:log_path=vmaf.json:shortest=1:model=version={name}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::alignment::{Alignment, Guess, Times};

    fn video(rate: f64, is_interlaced: bool) -> Video {
        Video { width: 320, height: 180, rate: Some(rate), is_interlaced, ..Video::default() }
    }

    fn deinterlacing(reference: &Video, distorted: &Video) -> [Option<Deinterlacing>; 2] {
        let plan = Plan::new(reference, distorted, &Geometry::default());
        [plan.reference.deinterlacing, plan.distorted.deinterlacing]
    }

    #[test]
    fn interlaced_pictures_are_deinterlaced_as_the_encode_is() {
        use Deinterlacing::{Fields, Frames};
        let interlaced = video(25.0, true);
        assert_eq!(deinterlacing(&interlaced, &interlaced), [Some(Frames), Some(Frames)]);
        assert_eq!(deinterlacing(&interlaced, &video(25.0, false)), [Some(Frames), None]);
        let variants =
            |one: &Video, other: &Video| Plan::new(one, other, &Geometry::default()).variants().len();
        assert_eq!(variants(&interlaced, &video(25.0, false)), 2, "the mark may be lost");
        assert_eq!(variants(&interlaced, &video(50.0, false)), 1);
        assert_eq!(variants(&video(25.0, false), &video(25.0, false)), 1);
        assert_eq!(deinterlacing(&interlaced, &video(50.0, false)), [Some(Fields), None]);
        assert_eq!(deinterlacing(&video(50.0, false), &interlaced), [None, Some(Fields)]);
        assert_eq!(deinterlacing(&video(25.0, false), &video(50.0, false)), [None, None]);
    }

    #[test]
    fn the_model_is_that_of_the_size() {
        assert_eq!(model((1920, 1080), false).name(), "vmaf_v0.6.1");
        assert_eq!(model((3840, 2160), false).name(), "vmaf_4k_v0.6.1");
        assert_eq!(model((2160, 3840), true).name(), "vmaf_4k_v0.6.1neg");
        assert_eq!(model((1280, 720), true).name(), "vmaf_v0.6.1neg");
    }

    #[test]
    fn both_sides_are_paired_by_number() {
        let plan = Plan::new(&video(50.0, false), &video(25.0, false), &Geometry::default());
        let times = |count: u32, rate: f64| (0..count).map(|number| f64::from(number) / rate).collect();
        let alignment = Alignment {
            guess: Guess::Rates,
            pairs: vec![(1, 0), (3, 1)],
            difference: 0.0,
            usual_difference: 0.0,
        };
        let times = Times { reference: times(4, 50.0), distorted: times(2, 25.0) };
        let graph = plan.comparison(&Pairing { times, alignment }, &[Metric::Psnr]);
        assert_eq!(
            graph,
            "[0:V:0]settb=1/25,setpts=N,scale=320:180:flags=bicubic:in_range=tv:out_range=tv,format=yuv420p,setsar=1,split=1[d0];\
             [1:V:0]select='mod(floor(if(lt(n,48),10,0)/pow(2,mod(n,48))),2)',settb=1/25,setpts=N,\
             scale=320:180:flags=bicubic:in_range=tv:out_range=tv,format=yuv420p,setsar=1,split=1[r0];\
             [d0][r0]psnr=stats_file=psnr.log:shortest=1[o0]"
        );
    }
}
