//! Sentences about what was done to two videos to compare them.

use std::path::Path;

use crate::quality::alignment::{Guess, rate};
use crate::quality::format::Samples;
use crate::quality::geometry::Area;
use crate::quality::pairing::Pairing;
use crate::quality::plan::{Deinterlacing, Plan, Side};
use crate::quality::probe::Video;
use crate::quality::scores::Scores;

/// What a comparison did to both videos.
pub(super) struct Done<'a> {
    pub(super) encode: &'a Path,
    pub(super) reference: &'a Video,
    pub(super) distorted: &'a Video,
    pub(super) plan: &'a Plan,
    pub(super) pairing: &'a Pairing,
    pub(super) scores: &'a Scores,
}

impl Done<'_> {
    /// One sentence for each conversion, and for each part that was not compared.
    pub(super) fn findings(&self) -> Vec<String> {
        let shown = self.encode.display();
        let said = [self.picture(), self.samples(), self.time()].concat();
        said.into_iter().map(|sentence| format!("{shown}: {sentence}")).collect()
    }

    fn picture(&self) -> Vec<String> {
        let Self { reference, distorted, plan, .. } = self;
        let mut said = Vec::new();
        for (name, side) in self.sides() {
            said.extend(side.area.map(|Area { width, height, left, top }| {
                format!(
                    "a part of the {name} is cut off, as black bars or odd lines; compared is the picture of {width}x{height} \
                     at {left},{top}"
                )
            }));
            said.extend(side.deinterlacing.map(|deinterlacing| match deinterlacing {
                Deinterlacing::Frames => {
                    format!("the {name} is interlaced; it is deinterlaced to one picture a frame")
                }
                Deinterlacing::Fields => {
                    format!("the {name} is interlaced; it is deinterlaced to one picture a field")
                }
            }));
        }
        let from =
            plan.distorted.area.map_or((distorted.width, distorted.height), |area| (area.width, area.height));
        if from != plan.size {
            let part = if plan.reference.area.is_some() { "part of the source" } else { "source" };
            said.push(format!(
                "scaled from {}x{} to the {part}'s {}x{}",
                from.0, from.1, plan.size.0, plan.size.1
            ));
        }
        let pixels = |video: &Video| video.pixel_aspect.unwrap_or(1.0);
        if (pixels(reference) / pixels(distorted) - 1.0).abs() > 0.001 {
            said.push(format!(
                "the width of a pixel is {:.3} of its height in the source and {:.3} in the encode",
                pixels(reference),
                pixels(distorted)
            ));
        }
        if reference.rotation != distorted.rotation {
            said.push(format!(
                "the source is turned by {} degrees and the encode by {}, as their files say",
                reference.rotation, distorted.rotation
            ));
        }
        said
    }

    fn samples(&self) -> Vec<String> {
        let Self { reference, distorted, plan, .. } = self;
        let mut said = Vec::new();
        if reference.is_hdr() {
            said.push(
                "high dynamic range is compared with 10 bits or more; VMAF is not made for it".to_owned(),
            );
        }
        if plan.reference.range != plan.distorted.range {
            said.push(format!(
                "the range of the samples is converted from {} to the source's {}",
                plan.distorted.range, plan.reference.range
            ));
        }
        if Samples::common(reference, reference) != Samples::common(distorted, distorted) {
            said.push(format!(
                "{} and the source's {} are compared as {}",
                distorted.format,
                reference.format,
                plan.samples.name()
            ));
        }
        said
    }

    fn time(&self) -> Vec<String> {
        let Pairing { times, alignment } = self.pairing;
        let mut said = Vec::new();
        let rates = rate(&times.reference).zip(rate(&times.distorted));
        let shown = |rate: f64| format!("{rate:.2}").trim_end_matches('0').trim_end_matches('.').to_owned();
        match (alignment.guess, rates) {
            (Guess::Rates, Some((reference, distorted))) => said.push(format!(
                "{} frames a second and the source's {} are paired by picture; each frame counts once",
                shown(distorted),
                shown(reference)
            )),
            (Guess::Number, Some((reference, distorted))) => said.push(format!(
                "plays the source's frames at {} frames a second, not {}; paired by number",
                shown(distorted),
                shown(reference)
            )),
            _ => {}
        }
        let (first, last) = (alignment.pairs.first(), alignment.pairs.last());
        if let (Guess::SameRate | Guess::Number, Some(first), Some(last)) = (alignment.guess, first, last) {
            said.extend(start(*first));
            let missing = (last.0 - first.0 + 1).saturating_sub(alignment.pairs.len() as u64);
            if missing > 0 {
                said.push(format!("{missing} frames of the source are missing in the middle of the encode"));
            }
        }
        let all = times.reference.len().max(times.distorted.len());
        let frames = self.scores.frames;
        let share = self
            .scores
            .covered
            .map(|share| format!(": the scores are of {:.0} % of the source", share.percent()));
        if share.is_some() || (frames + 1 < all as u64 && alignment.guess != Guess::Rates) {
            said.push(format!(
                "{frames} of {all} frames compared; the rest has no counterpart{}",
                share.unwrap_or_default()
            ));
        }
        said
    }

    fn sides(&self) -> [(&'static str, &Side); 2] {
        [("source", &self.plan.reference), ("encode", &self.plan.distorted)]
    }
}

/// Where the encode begins, if it is not at the source's first frame.
fn start((reference, distorted): (u64, u64)) -> Option<String> {
    if reference > 0 {
        return Some(format!("begins with frame {} of the source; aligned by picture", reference + 1));
    }
    (distorted > 0)
        .then(|| format!("has {distorted} frames before the first of the source; aligned by picture"))
}
