//! Facts about one transcode or workload, with everything that the API has, as lines for the detail.

use crate::api::condition::Condition;
use crate::api::{Answer, Transcode, Workload};
use crate::command::top::fitting;
use crate::command::top::format::{
    UNKNOWN, bytes, digits, grams, moment, money, percent, shown, text, watts, with_unit,
};
use crate::command::top::rows::{encode_of, power_of, share_of};
use crate::command::top::state::Subject;

/// Longest text of the host in a fact.
const LONGEST: usize = 300;

/// Width of the names of facts.
const NAMES: usize = 10;

/// Narrower screens have the name of a fact on a line of its own.
const NARROW: usize = 50;

/// A name and a sentence.
type Fact = (&'static str, String);

/// The facts, wrapped: the name of the fact in its first line, and a line of text.
pub(super) fn lines(subject: Subject<'_>, answer: &Answer, width: usize) -> Vec<(&'static str, String)> {
    let facts = match subject {
        Subject::Transcode(one) => of_transcode(one, answer),
        Subject::Workload(one) => of_workload(one, answer),
    };
    let mut lines = Vec::new();
    for (name, fact) in facts {
        if width < NARROW {
            lines.push((name, String::new()));
            lines.extend(
                fitting::wrapped(&fact, width.saturating_sub(3))
                    .into_iter()
                    .map(|line| ("", format!("  {line}"))),
            );
        } else {
            let names = std::iter::once(name).chain(std::iter::repeat(""));
            let wrapped = fitting::wrapped(&fact, width - NAMES - 2);
            lines.extend(names.zip(wrapped));
        }
    }
    lines
}

/// The line of a screen: the name of the fact, and its text.
pub(super) fn label(name: &str, width: usize) -> String {
    if width < NARROW { format!(" {name}") } else { format!(" {name:<NAMES$}") }
}

fn word(value: Option<&str>) -> String {
    text(value.filter(|value| !value.is_empty()).unwrap_or(UNKNOWN), LONGEST)
}

fn whole(value: Option<u64>) -> String {
    shown(value, |value| value.to_string())
}

/// Watts, the share of the host's power, and joules.
fn energy(watts_now: Option<f64>, joules: Option<f64>, uncertainty: Option<f64>, answer: &Answer) -> String {
    let uncertainty =
        uncertainty.map_or_else(String::new, |joules| format!(" ± {}", with_unit(Some(joules), "J")));
    let share = percent(share_of(watts_now, answer));
    format!("{} now, {share} of the host, {}{uncertainty} in all", watts(watts_now), with_unit(joules, "J"))
}

fn of_transcode(one: &Transcode, answer: &Answer) -> Vec<Fact> {
    let (asked, told, figures) = (&one.asked, &one.told, &one.figures);
    let currency = &answer.prices.currency;
    let live = if one.is_live { ", live" } else { "" };
    let mut facts = vec![
        ("encode", format!("{} in {}{live}", text(&encode_of(one), LONGEST), text(&one.workload, LONGEST))),
        (
            "identity",
            format!(
                "transcode {}, workload {}, scenario {}",
                text(&one.transcode, LONGEST),
                word(Some(&one.workload_id)),
                word(asked.scenario.as_deref())
            ),
        ),
        ("state", state(one, answer)),
        (
            "settings",
            format!(
                "program {}, codec {}, standard {}, hardware {}, preset {}, resolution {}, bitrate {}",
                text(&one.program, LONGEST),
                word(asked.codec.as_deref()),
                word(asked.codec_standard.as_deref()),
                word(asked.hardware.as_deref()),
                word(asked.preset.as_deref()),
                word(asked.resolution.as_deref()),
                with_unit(asked.bitrate_bits_per_second.map(|bits| bits as f64), "bit/s"),
            ),
        ),
        (
            "outputs",
            format!(
                "outputs {}, renditions {}, encoded {}, copied {}",
                one.outputs, one.renditions, one.encoded_renditions, one.copied_streams
            ),
        ),
        ("energy", energy(power_of(one), figures.energy_joules, None, answer)),
        ("CPU", format!("{} cores now, {} s in all", digits(one.cpu_cores), digits(one.cpu_seconds))),
    ];
    facts.extend([
        (
            "per unit",
            format!(
                "{} per frame, {} per second of output, {} per megapixel, {} per VMAF point",
                with_unit(figures.joules_per_frame, "J"),
                with_unit(figures.joules_per_output_second, "J"),
                with_unit(figures.joules_per_megapixel, "J"),
                with_unit(figures.joules_per_vmaf_point, "J")
            ),
        ),
        (
            "progress",
            format!(
                "{} frames, {} fps, {} speed, {} s of output, bitrate {}, {} dropped, {} duplicated",
                whole(told.frames),
                shown(told.frames_per_second, digits),
                shown(told.speed_ratio, |speed| format!("{speed:.2}x")),
                shown(told.output_seconds, digits),
                with_unit(told.output_bits_per_second, "bit/s"),
                whole(told.dropped_frames),
                whole(told.duplicated_frames)
            ),
        ),
        (
            "quality",
            format!(
                "VMAF {} by {}, PSNR {}, SSIM {}, {} of the source",
                shown(figures.vmaf_score, |vmaf| format!("{vmaf:.2}")),
                word(figures.vmaf_model.as_deref()),
                shown(figures.psnr_decibels, |psnr| format!("{psnr:.2} dB")),
                shown(figures.ssim_score, |ssim| format!("{ssim:.4}")),
                percent(figures.quality_covered_ratio)
            ),
        ),
        (
            "cost",
            format!(
                "{}, {} CO2e; per hour of output {}, {} CO2e",
                money(figures.cost, currency),
                grams(figures.carbon_grams),
                money(figures.cost_per_output_hour, currency),
                grams(figures.carbon_grams_per_output_hour)
            ),
        ),
    ]);
    facts
}

fn state(one: &Transcode, answer: &Answer) -> String {
    let now = answer.time_unix_seconds;
    let mut parts = vec![Condition::of_transcode(one).text()];
    parts.push(format!("started {}", moment(one.started_unix_seconds, now)));
    parts.extend(one.observed_from_unix_seconds.map(|from| format!("observed from {}", moment(from, now))));
    parts.extend(one.unobserved_seconds.map(|seconds| format!("not observed for {} s", digits(seconds))));
    parts.extend(one.asked.ended_unix_seconds.map(|ended| format!("ended {}", moment(ended, now))));
    parts.extend(one.asked.exit_code.map(|code| format!("exit status {code}")));
    parts.join(", ")
}

fn of_workload(one: &Workload, answer: &Answer) -> Vec<Fact> {
    let currency = &answer.prices.currency;
    let mut facts = vec![
        ("workload", format!("{}, kind {}", text(&one.workload, LONGEST), text(&one.kind, LONGEST))),
        (
            "identity",
            format!(
                "id {}, image {}, scenario {}",
                word(Some(&one.id)),
                word(one.image.as_deref()),
                word(one.scenario.as_deref())
            ),
        ),
        ("state", format!("{}, belongs to {}", Condition::of_workload(one).text(), text(&one.part, LONGEST))),
        ("energy", energy(one.power_watts, one.energy_joules, one.uncertainty_joules, answer)),
        ("CPU", format!("{} cores now, {} s in all", digits(one.cpu_cores), digits(one.cpu_seconds))),
        ("memory", bytes(one.memory_bytes)),
        (
            "cost",
            format!(
                "{}, of it {} for energy, {} CO2e",
                money(one.cost, currency),
                money(one.energy_cost, currency),
                grams(one.carbon_grams)
            ),
        ),
    ];
    if let Some(transcodes) = &answer.transcodes {
        // All pseudo-workloads have an empty id.
        let is_own = |transcode: &&Transcode| {
            (&transcode.workload, &transcode.workload_id) == (&one.workload, &one.id)
        };
        let own = || transcodes.iter().filter(is_own);
        let running = own().filter(|transcode| transcode.is_running).count();
        facts.push(("encodes", format!("{running} running, {} ended", own().count() - running)));
    }
    facts
}
