//! Compares two videos with ffmpeg's filters.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use agent_core::model::transcode::Output;
use agent_core::units::{Pixels, Ratio};
use indicatif::ProgressBar;

use crate::clock::{Clock, SystemClock};
use crate::quality::alignment::rate;
use crate::quality::findings::Done;
use crate::quality::format::different_light;
use crate::quality::geometry::{self, Geometry};
use crate::quality::pairing::{self, Pairing};
use crate::quality::plan::{Metric, Plan, model};
use crate::quality::probe::{self, Video, absolute};
use crate::quality::process::Attempt;
use crate::quality::scores::{self, Scores};
use crate::quality::temporary_folder::TemporaryFolder;
use crate::quality::{Pair, QualityError, Tools, bars, measure};

/// Pairs by which one of several plans is chosen.
const TRIAL: usize = 50;

/// Result of comparing a pair.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Comparison {
    /// The scores.
    pub scores: Scores,
    /// Output of the encode.
    pub output: Output,
    /// Conversions that made the two comparable.
    pub findings: Vec<String>,
}

/// Conditions of a comparison.
pub(crate) struct Terms<'a> {
    /// Time limit.
    pub timeout: Duration,
    /// Whether VMAF ignores gain by enhancement.
    pub is_neg: bool,
    /// Ends the comparison when it becomes true.
    pub stop: &'a AtomicBool,
    /// Advances with every frame.
    pub bar: &'a ProgressBar,
    /// Called with the number of each process that compares.
    pub started: &'a dyn Fn(u32),
}

impl<'a> Terms<'a> {
    /// Terms with the usual VMAF models, of processes that nobody else follows.
    pub(crate) fn new(timeout: Duration, stop: &'a AtomicBool, bar: &'a ProgressBar) -> Self {
        Self { timeout, is_neg: false, stop, bar, started: &|_| {} }
    }
}

/// One comparison: its files, by absolute paths, and what it needs.
pub(super) struct Task<'a> {
    pub(super) tools: &'a Tools,
    pub(super) reference: PathBuf,
    pub(super) distorted: PathBuf,
    pub(super) folder: TemporaryFolder,
    pub(super) attempt: Attempt<'a>,
}

/// Compares a pair: the frames that both have, in the part of the picture that both have, at the source's size.
pub(crate) fn compare(tools: &Tools, pair: &Pair, terms: &Terms<'_>) -> Result<Comparison, QualityError> {
    let task = Task {
        tools,
        reference: absolute(&pair.reference)?,
        distorted: absolute(&pair.distorted)?,
        folder: TemporaryFolder::open()?,
        attempt: Attempt { terms, begin: SystemClock.now() },
    };
    let reference = probe::probe(tools, &task.reference, &task.attempt)?;
    let distorted = probe::probe(tools, &task.distorted, &task.attempt)?;
    if let Some(reason) = different_light(&reference, &distorted) {
        return Err(task.refused(reason));
    }
    let geometry = task.common_picture(&reference, &distorted)?;
    let plan = Plan::new(&reference, &distorted, &geometry);
    let pairing = pairing::pair(&task, &plan, pair.is_in_step)?;
    if pairing.alignment.is_doubtful() {
        let reason = "the pictures do not show the source: another video, other colours, or a start more than 10 frames apart";
        return Err(task.refused(reason.to_owned()));
    }
    let ways = geometry::ways(&reference, &distorted, geometry);
    let plans = ways.iter().flat_map(|way| Plan::new(&reference, &distorted, way).variants()).collect();
    let plan = task.best(plans, &pairing)?.unwrap_or(plan);
    let scores = task.scores(&plan, &pairing)?;
    let done = Done {
        encode: &pair.distorted,
        reference: &reference,
        distorted: &distorted,
        plan: &plan,
        pairing: &pairing,
        scores: &scores,
    };
    Ok(Comparison { findings: done.findings(), output: output(&distorted, &pairing, &scores), scores })
}

impl Task<'_> {
    /// The error of a comparison that would have no meaning.
    pub(super) fn refused(&self, problem: String) -> QualityError {
        QualityError::Compare { path: self.distorted.clone(), problem }
    }

    /// The part of the picture that both videos have.
    fn common_picture(&self, reference: &Video, distorted: &Video) -> Result<Geometry, QualityError> {
        if geometry::is_same_picture(reference, distorted) {
            return Ok(Geometry::default());
        }
        let in_reference = bars::inside(self, &self.reference)?;
        let in_distorted = bars::inside(self, &self.distorted)?;
        geometry::common(reference, distorted, in_reference, in_distorted).ok_or_else(|| {
            let (encode, source) = (distorted.aspect(), reference.aspect());
            self.refused(format!(
                "the shape of the picture is {encode:.3}:1 and the source's is {source:.3}:1, and black bars do not explain \
                 the difference"
            ))
        })
    }

    /// The plan with the greatest PSNR over the first pairs; `None` where there is no choice.
    fn best(&self, plans: Vec<Plan>, pairing: &Pairing) -> Result<Option<Plan>, QualityError> {
        if plans.len() < 2 {
            return Ok(None);
        }
        let mut tried = Vec::new();
        for plan in plans {
            let printed = measure::run(self, &plan, &pairing.first(TRIAL), &[Metric::Psnr], &|_| {})?;
            let psnr = scores::psnr(&printed.messages.said).map_or(0.0, |psnr| psnr.0);
            tried.push((psnr, plan));
        }
        Ok(tried.into_iter().max_by(|(one, _), (other, _)| one.total_cmp(other)).map(|(_, plan)| plan))
    }

    fn scores(&self, plan: &Plan, pairing: &Pairing) -> Result<Scores, QualityError> {
        let bar = self.attempt.terms.bar;
        bar.inc_length(pairing.alignment.pairs.len() as u64);
        let model = model(plan.size, self.attempt.terms.is_neg);
        let mut metrics = vec![Metric::Psnr, Metric::Ssim];
        metrics.extend(self.tools.has_vmaf.then_some(Metric::Vmaf(model)));
        metrics.extend(self.tools.has_xpsnr.then_some(Metric::Xpsnr));
        let said = measure::run(self, plan, pairing, &metrics, &|frames| bar.inc(frames))?.messages.said;
        Ok(Scores {
            vmaf: scores::vmaf(&self.folder.read("vmaf.json")?, model),
            psnr: scores::psnr(&said),
            ssim: scores::ssim(&said),
            xpsnr: scores::xpsnr(&said),
            frames: pairing.alignment.pairs.len() as u64,
            took: SystemClock.now().since(self.attempt.begin),
            covered: covered(pairing),
        })
    }
}

/// The share of the source between the first and the last compared frame; `None` for all of it, within a frame.
fn covered(pairing: &Pairing) -> Option<Ratio> {
    let pairs = &pairing.alignment.pairs;
    let (first, last) = (pairs.first()?.0, pairs.last()?.0);
    let all = pairing.times.reference.len() as u64;
    // An encode of half the rate has every second frame: its last frame stands for those up to the next one.
    let step = (last - first).div_ceil((pairs.len() as u64).saturating_sub(1).max(1)).max(1);
    let spanned = last - first + step;
    (spanned + step.max(1) < all).then(|| Ratio((last - first + 1) as f64 / all as f64))
}

fn output(distorted: &Video, pairing: &Pairing, scores: &Scores) -> Output {
    let times = &pairing.times.distorted;
    let frames = distorted.packets.unwrap_or(times.len() as u64);
    let by_times = || Some((times.last()? - times.first()?) + 1.0 / rate(times)?);
    let seconds = distorted.seconds.or_else(by_times);
    Output {
        frames: Some(frames),
        pixels: Some(Pixels((distorted.width * distorted.height * frames) as f64)),
        length: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        quality: scores.quality(),
    }
}
