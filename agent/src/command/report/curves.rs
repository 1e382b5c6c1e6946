//! Writes the curves of a run and their differences, as a table and as JSON.

use std::io::{self, Write};

use agent_core::comparison::curves::{Comparison, Curve};
use agent_core::comparison::difference::{Difference, NoDifference};
use serde_json::{Value, json};

use crate::command::report::csv::print;

/// The curves, compared with one of them; and the number of scenarios that are in none.
pub(super) fn as_text(
    run: &str,
    curves: &[Curve<'_>],
    anchor: &Curve<'_>,
    left_out: usize,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{run}: curves compared with {}\n", title(anchor))?;
    writeln!(out, "{:<44}{:>9}{:>20}{:>20}{:>20}{:>10}", "", "", "J/frame", "bitrate", "VMAF", "VMAF in")?;
    writeln!(
        out,
        "{:<44}{:>9}{:>20}{:>20}{:>20}{:>10}",
        "curve", "encodes", "at equal VMAF", "at equal VMAF", "at equal bitrate", "common"
    )?;
    for curve in curves {
        let Comparison { energy, bitrate, vmaf } = curve.against(anchor);
        writeln!(
            out,
            "{:<44}{:>9}{:>20}{:>20}{:>20}{:>10}",
            title(curve),
            curve.scenarios.len(),
            cell(energy, percent),
            cell(bitrate, percent),
            cell(vmaf, |points| format!("{points:+.2}")),
            energy.map_or_else(|_| "-".to_owned(), |energy| format!("{:.0} %", energy.overlap * 100.0)),
        )?;
    }
    writeln!(
        out,
        "\nBitrates are those that were set. A difference of curves with fewer than four encodes is rough."
    )?;
    if left_out > 0 {
        let why = "without energy for each frame or a VMAF of the whole source";
        writeln!(out, "In no curve, {why}: {left_out}")?;
    }
    Ok(())
}

/// The same for programs. Costs are ratios less 1; a missing difference has its reason.
pub(super) fn as_json(curves: &[Curve<'_>], anchor: &Curve<'_>, out: &mut dyn Write) -> io::Result<()> {
    let entry = |curve: &Curve<'_>| {
        let Comparison { energy, bitrate, vmaf } = curve.against(anchor);
        let scenarios: Vec<&str> =
            curve.scenarios.iter().map(|figures| figures.names.scenario.as_str()).collect();
        json!({
            "encoder": curve.names.encoder,
            "preset": curve.names.preset,
            "resolution": curve.names.resolution,
            "fps": curve.names.frame_rate,
            "output_ladder": curve.names.ladder,
            "streams": curve.names.streams,
            "scenarios": scenarios,
            "is_anchor": std::ptr::eq(curve, anchor),
            "energy_at_equal_vmaf": value(energy),
            "bitrate_at_equal_vmaf": value(bitrate),
            "vmaf_at_equal_bitrate": value(vmaf),
        })
    };
    print(&curves.iter().map(entry).collect(), out)
}

fn value(difference: Result<Difference, NoDifference>) -> Value {
    match difference {
        Ok(Difference { mean, overlap }) => json!({ "difference": mean, "in_common_ratio": overlap }),
        Err(reason) => json!({ "reason": reason.to_string() }),
    }
}

fn cell(difference: Result<Difference, NoDifference>, format: impl Fn(f64) -> String) -> String {
    difference.map_or_else(|reason| reason.to_string(), |difference| format(difference.mean))
}

fn percent(ratio: f64) -> String {
    format!("{:+.1} %", ratio * 100.0)
}

fn title(curve: &Curve<'_>) -> String {
    let names = curve.names;
    let rate = (!names.frame_rate.is_empty()).then(|| format!(", {} fps", names.frame_rate));
    let ladder = names.ladder.contains(',').then(|| format!(", ladder {}", names.ladder));
    let streams =
        (!matches!(names.streams.as_str(), "" | "1")).then(|| format!(", {} streams", names.streams));
    let name = format!("{} {} {}", names.encoder, names.preset, names.resolution);
    [Some(name), rate, ladder, streams].into_iter().flatten().collect()
}
