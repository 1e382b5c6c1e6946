//! Writes the settings of two runs side by side: energy, VMAF and bitrate of each, and whether the energies differ.

use std::io::{self, Write};

use agent_core::comparison::estimate::Estimate;
use agent_core::comparison::run_difference::{EnergyChange, RunDifference, SettingPair};
use agent_core::comparison::setting::{Setting, settings};
use agent_core::join::bitrate::Megabits;
use agent_core::model::scenario::Conditions;
use serde_json::{Value, json};

use crate::command::report::csv::{print, quoted};
use crate::command::report::curves::percent;
use crate::command::report::settings::titled;
use crate::command::report::text::shown;
use crate::command::report::{FiguredRun, Form};

/// A setting of the first run, of the second one, and both where both runs have it.
type SettingRow<'b, 'a> = (Option<&'b Setting<'a>>, Option<&'b Setting<'a>>, Option<&'b SettingPair<'a>>);

/// Both runs, and what differs.
struct Compared<'a> {
    runs: [&'a FiguredRun; 2],
    difference: RunDifference<'a>,
}

/// Writes the comparison of two runs.
pub(super) fn write(runs: [&FiguredRun; 2], form: Form, out: &mut dyn Write) -> io::Result<()> {
    let [before, after] = runs.map(|run| settings(&run.figures));
    let compared = Compared { runs, difference: RunDifference::of(&before, &after) };
    match form {
        Form::Text => as_text(&compared, out),
        Form::Csv => as_csv(&compared, out),
        Form::Json => as_json(&compared, out),
    }
}

fn as_text(compared: &Compared<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Compared { runs: [one, other], difference } = compared;
    writeln!(out, "{} compared with {}\n", other.id, one.id)?;
    if !difference.pairs.is_empty() {
        writeln!(
            out,
            "{:<58}{:>10}{:>10}{:>10}{:>9}{:>8}{:>8}{:>10}",
            "setting", "J/frame", "now", "change", "± 95 %", "VMAF", "change", "Mbit/s"
        )?;
    }
    for pair in &difference.pairs {
        let [before, after] = pair.energies().map(|energy| shown(energy.map(|energy| energy.mean), 4));
        let change = pair.energy();
        let margin = change.and_then(|change| change.margin);
        let line = format!(
            "{:<58}{before:>10}{after:>10}{:>10}{:>9}{:>8.2}{:>8}{:>10}  {}",
            titled(&pair.before),
            change.map_or_else(|| "-".to_owned(), |change| percent(change.ratio)),
            margin.map_or_else(|| "-".to_owned(), |margin| format!("{:.1} %", margin * 100.0)),
            pair.after.vmaf(),
            pair.vmaf().map_or_else(|| "-".to_owned(), |points| format!("{points:+.2}")),
            pair.bitrate().map_or_else(|| "-".to_owned(), percent),
            verdict(pair, change),
        );
        writeln!(out, "{}", line.trim_end())?;
    }
    for (run, settings) in [(one, &difference.only_before), (other, &difference.only_after)] {
        if !settings.is_empty() {
            let names: Vec<String> = settings.iter().map(titled).collect();
            writeln!(out, "\nonly in {}: {}", run.id, names.join(", "))?;
        }
    }
    let conditions = differences(&one.conditions, &other.conditions);
    if !conditions.is_empty() {
        writeln!(out)?;
    }
    for (name, before, after) in conditions {
        writeln!(out, "other {name}: {}, then {}", before.unwrap_or("unknown"), after.unwrap_or("unknown"))?;
    }
    Ok(())
}

/// What the change of energy says.
fn verdict(pair: &SettingPair<'_>, change: Option<EnergyChange>) -> &'static str {
    match change {
        _ if !pair.is_alike() => "not comparable: energy of another origin",
        None => "energy not known",
        Some(EnergyChange { is_distinct: None, .. }) => "error not known: encoded once",
        Some(EnergyChange { is_distinct: Some(false), .. }) => "not distinguishable",
        Some(EnergyChange { is_distinct: Some(true), ratio, .. }) => {
            if ratio > 0.0 {
                "more energy"
            } else {
                "less energy"
            }
        }
    }
}

/// Properties of the host and programs that differ: name, before, after.
fn differences<'a>(
    before: &'a Conditions,
    after: &'a Conditions,
) -> Vec<(&'a str, Option<&'a str>, Option<&'a str>)> {
    let find = |conditions: &'a Conditions, name: &str| {
        conditions.host.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    };
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in before.host.iter().chain(&after.host) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let all = names.into_iter().map(|name| (name, find(before, name), find(after, name)));
    all.filter(|(_, one, other)| one != other).collect()
}

const COLUMNS: &str = "clip,encoder,preset,setting,scenario_before,scenario_after,joules_per_frame_before,\
joules_per_frame_after,joules_per_frame_margin_before,joules_per_frame_margin_after,vmaf_before,vmaf_after,\
megabits_per_second_before,megabits_per_second_after,is_distinct";

/// One row for each setting of either run; what a run does not have is empty.
fn as_csv(compared: &Compared<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{COLUMNS}")?;
    for (before, after, pair) in rows(&compared.difference) {
        let Some(names) = before.or(after).map(|setting| setting.names) else { continue };
        let sides = [before, after];
        let each = |of: &dyn Fn(&Setting<'_>) -> Option<f64>| {
            sides.map(|side| side.and_then(of).map(|value| value.to_string()).unwrap_or_default())
        };
        let is_distinct = pair.and_then(SettingPair::energy).and_then(|change| change.is_distinct);
        let mut fields =
            vec![quoted(&names.clip), quoted(&names.encoder), quoted(&names.preset), quoted(&names.setting)];
        fields.extend(sides.map(|side| side.map(|side| quoted(&side.names.scenario)).unwrap_or_default()));
        fields.extend(each(&|setting| Some(setting.energy()?.mean)));
        fields.extend(each(&|setting| setting.energy()?.margin));
        fields.extend(each(&|setting| Some(setting.vmaf())));
        fields.extend(each(&|setting| setting.bitrate().map(|Megabits(rate)| rate)));
        fields.push(is_distinct.map(|is| is.to_string()).unwrap_or_default());
        writeln!(out, "{}", fields.join(","))?;
    }
    Ok(())
}

fn as_json(compared: &Compared<'_>, out: &mut dyn Write) -> io::Result<()> {
    let side = |setting: Option<&Setting<'_>>| {
        let energy: Option<Estimate> = setting.and_then(Setting::energy);
        setting.map(|setting| {
            json!({
                "scenario": setting.names.scenario,
                "encodes": setting.scenarios.len(),
                "joules_per_frame": energy.map(|energy| energy.mean),
                "joules_per_frame_margin": energy.and_then(|energy| energy.margin),
                "vmaf": setting.vmaf(),
                "megabits_per_second": setting.bitrate().map(|Megabits(rate)| rate),
            })
        })
    };
    let row = |(before, after, pair): SettingRow<'_, '_>| {
        let change = pair.and_then(SettingPair::energy);
        json!({
            "setting": before.or(after).map(titled),
            "before": side(before),
            "after": side(after),
            "energy_change_ratio": change.map(|change| change.ratio),
            "energy_change_margin": change.and_then(|change| change.margin),
            "is_distinct": change.and_then(|change| change.is_distinct),
            "vmaf_change": pair.and_then(SettingPair::vmaf),
            "bitrate_change_ratio": pair.and_then(SettingPair::bitrate),
        })
    };
    let [one, other] = compared.runs;
    let differing: Vec<Value> = differences(&one.conditions, &other.conditions)
        .into_iter()
        .map(|(name, before, after)| json!({ "name": name, "before": before, "after": after }))
        .collect();
    let document = json!({
        "before": one.id,
        "after": other.id,
        "settings": rows(&compared.difference).map(row).collect::<Vec<_>>(),
        "differing_host": differing,
    });
    print(&document, out)
}

/// All settings: those of both runs, of the first one only, of the second one only.
fn rows<'b, 'a>(difference: &'b RunDifference<'a>) -> impl Iterator<Item = SettingRow<'b, 'a>> {
    let pairs = difference.pairs.iter().map(|pair| (Some(&pair.before), Some(&pair.after), Some(pair)));
    let before = difference.only_before.iter().map(|setting| (Some(setting), None, None));
    let after = difference.only_after.iter().map(|setting| (None, Some(setting), None));
    pairs.chain(before).chain(after)
}
