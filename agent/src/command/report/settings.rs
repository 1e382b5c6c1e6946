//! Writes the settings of a run, each with the means of its repeats, as a table, CSV and JSON.

use std::io::{self, Write};

use agent_core::comparison::estimate::Estimate;
use agent_core::comparison::output_hour;
use agent_core::comparison::setting::Setting;
use agent_core::join::bitrate::Megabits;
use agent_core::join::figures::Prices;
use serde_json::{Value, json};

use crate::command::report::Form;
use crate::command::report::csv::{print, quoted};
use crate::command::report::text::shown;

/// Order of the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    /// As encoded.
    File,
    /// The lowest energy first.
    Energy,
    /// The lowest cost first; settings of unknown cost last.
    Cost,
    /// The highest VMAF first.
    Vmaf,
    /// The lowest bitrate first.
    Bitrate,
}

/// Width of the first column, unless a name is longer.
const LEAST_WIDTH: usize = 58;

/// Names of the orders on the command line.
pub(super) const ORDERS: [(&str, Order); 5] = [
    ("file", Order::File),
    ("energy", Order::Energy),
    ("cost", Order::Cost),
    ("vmaf", Order::Vmaf),
    ("bitrate", Order::Bitrate),
];

/// Figures of one setting.
pub(super) struct Row<'a> {
    pub(super) setting: &'a Setting<'a>,
    /// Joules for each frame.
    pub(super) energy: Option<Estimate>,
    /// Kilowatt hours for an hour of output.
    pub(super) kilowatt_hours: Option<Estimate>,
    /// Money for an hour of output.
    pub(super) cost: Option<Estimate>,
    /// Grams for an hour of output.
    pub(super) carbon: Option<Estimate>,
    /// Megabits a second.
    pub(super) bitrate: Option<f64>,
}

/// All settings of a run.
pub(super) fn write(
    run: &str,
    settings: &[Setting<'_>],
    (order, form): (Order, Form),
    prices: &Prices,
    out: &mut dyn Write,
) -> io::Result<()> {
    let rows = rows(settings, order, prices);
    match form {
        Form::Text => as_text(run, &rows, prices, out),
        Form::Csv => as_csv(&rows, out),
        Form::Json => print(&rows.iter().map(|row| entry(row, prices)).collect(), out),
    }
}

/// Figures of the settings, in this order.
pub(super) fn rows<'a>(settings: &'a [Setting<'a>], order: Order, prices: &Prices) -> Vec<Row<'a>> {
    let row = |setting| Row {
        setting,
        energy: setting.energy(),
        kilowatt_hours: output_hour::kilowatt_hours(setting),
        cost: output_hour::money(setting, &prices.tariff),
        carbon: output_hour::carbon(setting, prices.carbon),
        bitrate: setting.bitrate().map(|Megabits(rate)| rate),
    };
    let mut rows: Vec<Row<'_>> = settings.iter().map(row).collect();
    let place = |row: &Row<'_>| {
        let value = match order {
            Order::File => Some(0.0),
            Order::Energy => row.energy.map(|energy| energy.mean),
            Order::Cost => row.cost.map(|cost| cost.mean),
            Order::Vmaf => Some(-row.setting.vmaf()),
            Order::Bitrate => row.bitrate,
        };
        value.unwrap_or(f64::INFINITY)
    };
    rows.sort_by(|one, other| place(one).total_cmp(&place(other)));
    rows
}

/// Clip, encoder, preset and limit of size.
pub(super) fn titled(setting: &Setting<'_>) -> String {
    let clip = &setting.names.clip;
    let clip = if clip.is_empty() { String::new() } else { format!("{clip}: ") };
    clip + &setting.name()
}

impl Row<'_> {
    /// The 95 % interval of the energy, in percent of it.
    pub(super) fn margin(&self) -> String {
        let margin = self.energy.and_then(|energy| Some(energy.margin? / energy.mean * 100.0));
        margin.map_or_else(|| "-".to_owned(), |margin| format!("{margin:.1} %"))
    }
}

fn as_text(run: &str, rows: &[Row<'_>], prices: &Prices, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{run}: settings, with the mean of their repeats\n")?;
    let hour = "an hour of output";
    let first = rows.first().map(|row| &row.setting.names.run);
    let are_several = rows.iter().any(|row| Some(&row.setting.names.run) != first);
    let title = |row: &Row<'_>| {
        let run = if are_several { format!("{}: ", row.setting.names.run) } else { String::new() };
        run + &titled(row.setting)
    };
    let width = rows.iter().map(|row| title(row).chars().count() + 1).fold(LEAST_WIDTH, usize::max);
    writeln!(out, "{:<width$}{:>8}{:>8}{:>9}{:>10}{:>8}{hour:>38}", "", "", "", "", "", "")?;
    writeln!(
        out,
        "{:<width$}{:>8}{:>8}{:>9}{:>10}{:>8}{:>12}{:>14}{:>12}",
        "setting", "encodes", "VMAF", "Mbit/s", "J/frame", "± 95 %", "kWh", &*prices.currency, "g CO2e"
    )?;
    for row in rows {
        let mean =
            |estimate: Option<Estimate>, digits: usize| shown(estimate.map(|estimate| estimate.mean), digits);
        writeln!(
            out,
            "{:<width$}{:>8}{:>8.2}{:>9}{:>10}{:>8}{:>12}{:>14}{:>12}",
            title(row),
            row.setting.scenarios.len(),
            row.setting.vmaf(),
            shown(row.bitrate, 3),
            mean(row.energy, 4),
            row.margin(),
            mean(row.kilowatt_hours, 6),
            mean(row.cost, 6),
            mean(row.carbon, 3),
        )?;
    }
    Ok(())
}

const COLUMNS: &str = "clip,encoder,preset,setting,scenario,encodes,vmaf,megabits_per_second,joules_per_frame,\
joules_per_frame_margin,kilowatt_hours_per_output_hour,cost_per_output_hour,carbon_grams_per_output_hour,run";

fn as_csv(rows: &[Row<'_>], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{COLUMNS}")?;
    for row in rows {
        let names = row.setting.names;
        let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
        let mean = |estimate: Option<Estimate>| number(estimate.map(|estimate| estimate.mean));
        let fields = [
            quoted(&names.clip),
            quoted(&names.encoder),
            quoted(&names.preset),
            quoted(&names.setting),
            quoted(&names.scenario),
            row.setting.scenarios.len().to_string(),
            row.setting.vmaf().to_string(),
            number(row.bitrate),
            mean(row.energy),
            number(row.energy.and_then(|energy| energy.margin)),
            mean(row.kilowatt_hours),
            mean(row.cost),
            mean(row.carbon),
            quoted(&names.run),
        ];
        writeln!(out, "{}", fields.join(","))?;
    }
    Ok(())
}

fn entry(row: &Row<'_>, prices: &Prices) -> Value {
    let names = row.setting.names;
    let known = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let mean = |estimate: Option<Estimate>| estimate.map(|estimate| estimate.mean);
    json!({
        "clip": known(&names.clip),
        "encoder": names.encoder,
        "preset": known(&names.preset),
        "setting": known(&names.setting),
        "scenario": names.scenario,
        "run_id": names.run,
        "encodes": row.setting.scenarios.len(),
        "vmaf": row.setting.vmaf(),
        "megabits_per_second": row.bitrate,
        "joules_per_frame": mean(row.energy),
        "joules_per_frame_margin": row.energy.and_then(|energy| energy.margin),
        "kilowatt_hours_per_output_hour": mean(row.kilowatt_hours),
        "cost_per_output_hour": mean(row.cost),
        "currency": &*prices.currency,
        "carbon_grams_per_output_hour": mean(row.carbon),
    })
}
