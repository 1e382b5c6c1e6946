//! Writes the curves of a run and their differences, as a table and as JSON.

use std::collections::BTreeSet;
use std::io::{self, Write};

use agent_core::comparison::curves::{Axis, Comparison, Curve, hull, hull_of_both};
use agent_core::comparison::difference::{Difference, NoDifference};
use agent_core::comparison::setting::Setting;
use agent_core::join::bitrate::Megabits;
use serde_json::{Value, json};

use crate::command::report::csv::print;

/// What the energy of encodes of clips is.
pub(super) const WITHOUT_READING: &str =
    "Energy is that of the encoder: the energy that reading the clip takes is subtracted.";

/// Whether bitrates were reached or set.
pub(super) fn origin_of_bitrates<'a>(mut settings: impl Iterator<Item = &'a Setting<'a>>) -> &'static str {
    if settings.all(Setting::has_reached_bitrate) {
        "Bitrates are those of the encodes' files."
    } else {
        "Bitrates are those that were set."
    }
}

/// The curves, each compared with the anchor's curve of its clip; and the number of scenarios that are in none.
pub(super) fn as_text(
    run: &str,
    curves: &[Curve<'_>],
    anchor: &Curve<'_>,
    left_out: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    let clips: BTreeSet<&str> = curves.iter().map(|curve| curve.names.clip.as_str()).collect();
    let named = if clips.len() > 1 { encoder(anchor) } else { title(anchor) };
    writeln!(out, "{run}: curves compared with {named}\n")?;
    writeln!(out, "{:<52}{:>9}{:>20}{:>20}{:>20}{:>10}", "", "", "J/frame", "bitrate", "VMAF", "VMAF in")?;
    writeln!(
        out,
        "{:<52}{:>9}{:>20}{:>20}{:>20}{:>10}",
        "curve", "settings", "at equal VMAF", "at equal VMAF", "at equal bitrate", "common"
    )?;
    let mut row = |title: &str, settings: &str, comparison: &Comparison| {
        let Comparison { energy, bitrate, vmaf } = *comparison;
        writeln!(
            out,
            "{title:<52}{settings:>9}{:>20}{:>20}{:>20}{:>10}",
            cell(energy, percent),
            cell(bitrate, percent),
            cell(vmaf, |points| format!("{points:+.2}")),
            energy.map_or_else(|_| "-".to_owned(), |energy| format!("{:.0} %", energy.overlap * 100.0)),
        )
    };
    for curve in curves {
        row(&title(curve), &curve.settings.len().to_string(), &against(curve, curves, anchor))?;
    }
    for (encoder, mean) in means(curves, anchor, clips.len()) {
        row(&format!("mean of {} clips: {encoder}", clips.len()), "", &mean)?;
    }
    writeln!(out)?;
    for clip in &clips {
        let of = if clip.is_empty() { String::new() } else { format!("{clip}: ") };
        for (title, axis) in [("joules for each frame", Axis::Energy), ("bitrate", Axis::Bitrate)] {
            let names: Vec<String> = hull(curves, clip, axis).into_iter().map(Setting::name).collect();
            writeln!(out, "{of}most VMAF over {title} (convex hull): {}", names.join(", "))?;
        }
        let names: Vec<String> = hull_of_both(curves, clip).into_iter().map(Setting::name).collect();
        writeln!(out, "{of}most VMAF over both together (convex hull): {}", names.join(", "))?;
    }
    let mut settings = curves.iter().flat_map(|curve| &curve.settings);
    let bitrates = origin_of_bitrates(settings.clone());
    writeln!(out, "\n{bitrates} A difference of curves with fewer than four settings is rough.")?;
    if settings.any(|setting| !setting.readings.is_empty()) {
        writeln!(out, "{WITHOUT_READING}")?;
    }
    if left_out > 0 {
        let why = "without energy for each frame or a VMAF of the whole source";
        writeln!(out, "In no curve, {why}: {left_out}")?;
    }
    Ok(())
}

/// The same for programs. Costs are ratios less 1; a missing difference has its reason.
pub(super) fn as_json(curves: &[Curve<'_>], anchor: &Curve<'_>, out: &mut dyn Write) -> io::Result<()> {
    let entry = |curve: &Curve<'_>| {
        let Comparison { energy, bitrate, vmaf } = against(curve, curves, anchor);
        let scenarios: Vec<&str> = curve.scenarios().map(|figures| figures.names.scenario.as_str()).collect();
        json!({
            "clip": Some(&curve.names.clip).filter(|clip| !clip.is_empty()),
            "encoder": curve.names.encoder,
            "preset": curve.names.preset,
            "resolution": curve.names.resolution,
            "fps": curve.names.frame_rate,
            "output_ladder": curve.names.ladder,
            "streams": curve.names.streams,
            "scenarios": scenarios,
            "settings": curve.settings.iter().map(|setting| entry_of(setting, curves)).collect::<Vec<_>>(),
            "is_anchor": is_like(curve, anchor),
            "energy_at_equal_vmaf": value(energy),
            "bitrate_at_equal_vmaf": value(bitrate),
            "vmaf_at_equal_bitrate": value(vmaf),
        })
    };
    print(&curves.iter().map(entry).collect(), out)
}

fn entry_of(setting: &Setting<'_>, curves: &[Curve<'_>]) -> Value {
    let energy = setting.energy();
    let is_on =
        |axis| hull(curves, &setting.names.clip, axis).into_iter().any(|other| std::ptr::eq(other, setting));
    let is_on_both =
        hull_of_both(curves, &setting.names.clip).into_iter().any(|other| std::ptr::eq(other, setting));
    json!({
        "setting": Some(&setting.names.setting).filter(|name| !name.is_empty()),
        "encodes": setting.scenarios.len(),
        "joules_per_frame": energy.map(|energy| energy.mean),
        "joules_per_frame_margin": energy.and_then(|energy| energy.margin),
        "vmaf": setting.vmaf(),
        "megabits_per_second": setting.bitrate().map(|Megabits(rate)| rate),
        "is_on_energy_hull": is_on(Axis::Energy),
        "is_on_bitrate_hull": is_on(Axis::Bitrate),
        "is_on_combined_hull": is_on_both,
        "is_reading_subtracted": !setting.readings.is_empty(),
    })
}

/// The comparison with the anchor's curve of the same clip.
pub(super) fn against(curve: &Curve<'_>, curves: &[Curve<'_>], anchor: &Curve<'_>) -> Comparison {
    let is_its = |other: &&Curve<'_>| is_like(other, anchor) && other.names.clip == curve.names.clip;
    let anchors: Vec<&Curve<'_>> = curves.iter().filter(is_its).collect();
    let has_its_size = |other: &&&Curve<'_>| other.names.resolution == anchor.names.resolution;
    let own = anchors.iter().find(has_its_size).or(anchors.first());
    curve.against(own.copied().unwrap_or(anchor))
}

/// Whether two curves are of the same encoder and preset.
pub(super) fn is_like(curve: &Curve<'_>, other: &Curve<'_>) -> bool {
    let (one, another) = (curve.names, other.names);
    std::ptr::eq(curve, other)
        || (one.clip != another.clip
            && [&one.encoder, &one.preset, &one.streams]
                == [&another.encoder, &another.preset, &another.streams])
}

/// Mean differences of each encoder and preset that has all of them on each of several clips.
pub(super) fn means(curves: &[Curve<'_>], anchor: &Curve<'_>, clips: usize) -> Vec<(String, Comparison)> {
    let mut encoders: Vec<String> = curves.iter().map(encoder).collect();
    let mut known = BTreeSet::new();
    encoders.retain(|name| clips > 1 && known.insert(name.clone()));
    let of = |name: &String| {
        let own: Vec<Comparison> = curves
            .iter()
            .filter(|curve| encoder(curve) == *name)
            .map(|curve| against(curve, curves, anchor))
            .collect();
        let mean = |of: fn(&Comparison) -> Result<Difference, NoDifference>| {
            let all = own.iter().map(of).collect::<Result<Vec<_>, _>>()?;
            let mean = |of: fn(&Difference) -> f64| all.iter().map(of).sum::<f64>() / all.len() as f64;
            Ok(Difference { mean: mean(|all| all.mean), overlap: mean(|all| all.overlap) })
        };
        let comparison = Comparison {
            energy: mean(|comparison| comparison.energy),
            bitrate: mean(|comparison| comparison.bitrate),
            vmaf: mean(|comparison| comparison.vmaf),
        };
        (own.len() == clips).then(|| (name.clone(), comparison))
    };
    encoders.iter().filter_map(of).collect()
}

fn value(difference: Result<Difference, NoDifference>) -> Value {
    match difference {
        Ok(Difference { mean, overlap }) => json!({ "difference": mean, "in_common_ratio": overlap }),
        Err(reason) => json!({ "reason": reason.to_string() }),
    }
}

pub(super) fn cell(difference: Result<Difference, NoDifference>, format: impl Fn(f64) -> String) -> String {
    difference.map_or_else(|reason| reason.to_string(), |difference| format(difference.mean))
}

pub(super) fn percent(ratio: f64) -> String {
    format!("{:+.1} %", ratio * 100.0)
}

pub(super) fn title(curve: &Curve<'_>) -> String {
    let names = curve.names;
    let clip = (!names.clip.is_empty()).then(|| format!("{}: ", names.clip));
    let rate = (!names.frame_rate.is_empty()).then(|| format!(", {} fps", names.frame_rate));
    let ladder = names.ladder.contains(',').then(|| format!(", ladder {}", names.ladder));
    let streams =
        (!matches!(names.streams.as_str(), "" | "1")).then(|| format!(", {} streams", names.streams));
    let name = format!("{} {}", encoder(curve), names.resolution);
    [clip, Some(name), rate, ladder, streams].into_iter().flatten().collect()
}

pub(super) fn encoder(curve: &Curve<'_>) -> String {
    format!("{} {}", curve.names.encoder, curve.names.preset)
}
