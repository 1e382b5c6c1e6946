//! Writes the report as CSV and JSON, for programs.

use std::io::{self, Write};

use agent_core::model::joined::ScenarioFigures;
use agent_core::model::vmaf_model::VmafModel;
use serde_json::{Value, json};

use crate::command::report::text::ranked;
use crate::ledger::{Group, GroupScore};

/// Upstream's columns.
const COLUMNS: &str = "name,bitrate,resolution,fps,duration,mean_power_w,median_power_w,total_energy_wh,\
predicted_mean_power_w,net_power_w,net_energy_wh,net_container_cpu_pct,docker_overhead_w,docker_overhead_pct,\
container_cpu_pct,container_power_w,efficiency_score,efficiency_rank,output_ladder,total_pixels";

/// One row for each scenario, in the order of the ranking by pixels per joule; unknown figures are empty. The median of power is
/// not kept, and the energy of all containers together is not a scenario's.
pub(super) fn run(all: &[ScenarioFigures], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{COLUMNS}")?;
    let ranking = ranked(all, |efficiency| efficiency.pixels_per_joule);
    let rest = all.iter().filter(|figures| figures.efficiency.pixels_per_joule.is_none());
    let rows = ranking.iter().enumerate().map(|(place, (figures, _))| (*figures, Some(place + 1)));
    for (figures, rank) in rows.chain(rest.map(|figures| (figures, None))) {
        let energy = figures.energy;
        let mean = energy.and_then(|energy| Some(energy.mean?.0));
        let engine = energy.and_then(|energy| energy.engine);
        let names = &figures.names;
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let fields = [
            quoted(&names.scenario),
            quoted(&names.bitrate),
            quoted(&names.resolution),
            names.frame_rate.clone(),
            number(figures.duration.map(|duration| duration.as_secs_f64())),
            number(mean),
            String::new(),
            number(energy.map(|energy| energy.energy.joules() / 3600.0)),
            number(figures.predicted.map(|predicted| predicted.power.0)),
            number(figures.net.map(|net| net.power.0)),
            number(figures.net.map(|net| net.energy_watt_hours)),
            number(figures.net.and_then(|net| Some(net.containers?.percent()))),
            number(engine.zip(mean).map(|(engine, mean)| engine.0 * mean)),
            number(engine.map(agent_core::units::Ratio::percent)),
            number(energy.and_then(|energy| Some(energy.containers?.percent()))),
            String::new(),
            number(figures.efficiency.pixels_per_joule),
            rank.map(|rank| rank.to_string()).unwrap_or_default(),
            quoted(&names.ladder),
            number(figures.pixels.map(|pixels| pixels.0)),
        ];
        writeln!(out, "{}", fields.join(","))?;
    }
    Ok(())
}

/// All known figures of each scenario; units are in the names.
pub(super) fn run_as_json(all: &[ScenarioFigures], out: &mut dyn Write) -> io::Result<()> {
    let entry = |figures: &ScenarioFigures| {
        let cost = figures.costs.first();
        json!({
            "scenario": figures.names.scenario,
            "run_id": figures.names.run,
            "output_ladder": figures.names.ladder,
            "encoder": figures.names.encoder,
            "preset": figures.names.preset,
            "duration_seconds": figures.duration.map(|duration| duration.as_secs_f64()),
            "energy_joules": figures.energy.map(|energy| energy.energy.joules()),
            "mean_power_watts": figures.energy.and_then(|energy| Some(energy.mean?.0)),
            "cpu_seconds": figures.energy.and_then(|energy| Some(energy.cpu?.seconds())),
            "basis": figures.energy.map(|energy| energy.basis.name()),
            "matched": figures.energy.map(|energy| energy.matched.name()),
            "vmaf": figures.vmaf.map(|vmaf| vmaf.0),
            "vmaf_model": figures.vmaf_model.map(VmafModel::name),
            "quality_covered_ratio": figures.covered.map(|share| share.0),
            "joules_per_frame": figures.efficiency.joules_per_frame,
            "joules_per_megapixel": figures.efficiency.joules_per_megapixel,
            "pixels_per_joule": figures.efficiency.pixels_per_joule,
            "vmaf_per_watt": figures.efficiency.vmaf_per_watt,
            "quality_weighted_pixels_per_joule": figures.efficiency.quality_weighted_pixels_per_joule,
            "megabits_per_watt": figures.efficiency.megabits_per_watt,
            "currency": cost.map(|cost| cost.currency.to_string()),
            "cost": cost.and_then(|cost| Some(cost.shown()?.0)),
            "carbon_grams": figures.carbon.map(|carbon| carbon.0),
        })
    };
    print(&all.iter().map(entry).collect(), out)
}

/// One row for each group.
pub(super) fn groups(groups: &[Group], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "name,transcodes,seconds,energy_joules,cpu_seconds,observed_seconds,partly_observed_transcodes"
    )?;
    for group in groups {
        let (joules, cpu) = (group.energy.joules(), group.cpu.seconds());
        let (observed, partly) = (group.observed_seconds, group.partly_observed);
        let name = quoted(&group.name);
        writeln!(out, "{name},{},{},{joules},{cpu},{observed},{partly}", group.transcodes, group.seconds)?;
    }
    Ok(())
}

/// The same as JSON.
pub(super) fn groups_as_json(groups: &[Group], out: &mut dyn Write) -> io::Result<()> {
    let score = |score: &GroupScore| {
        let model = score.model.map(VmafModel::name);
        json!({ "model": model, "transcodes": score.transcodes, "mean": score.mean })
    };
    let entry = |group: &Group| {
        json!({
            "name": group.name,
            "transcodes": group.transcodes,
            "seconds": group.seconds,
            "observed_seconds": group.observed_seconds,
            "partly_observed_transcodes": group.partly_observed,
            "energy_joules": group.energy.joules(),
            "cpu_seconds": group.cpu.seconds(),
            "vmaf": group.scored.iter().map(score).collect::<Vec<_>>(),
        })
    };
    print(&groups.iter().map(entry).collect(), out)
}

pub(crate) fn print(value: &Value, out: &mut dyn Write) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

/// Text by RFC 4180, without anything that a spreadsheet would take for a formula.
pub(super) fn quoted(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        assert_eq!(quoted("plain"), "plain");
        assert_eq!(quoted("a,\"b\""), "\"a,\"\"b\"\"\"");
        assert_eq!(quoted("=1+1"), "'=1+1");
        assert_eq!(COLUMNS.split(',').count(), 20);
    }
}
