//! Writes an advice, as text and as JSON.

use std::io::{self, Write};

use agent_core::comparison::advice::{Advice, Choice, Distinction};
use agent_core::comparison::estimate::Estimate;
use agent_core::comparison::setting::Setting;
use agent_core::join::bitrate::Megabits;
use serde_json::{Value, json};

use crate::command::advise::month::LedgerMonth;
use crate::command::advise::{Answer, Unit};
use crate::command::bench::rate_control;
use crate::command::report::print;

/// The cheapest setting with its command line, what it saves, and the other settings that are good enough.
pub(super) fn as_text(answer: &Answer<'_>, out: &mut dyn Write) -> io::Result<()> {
    let Answer { run, options, advice, .. } = answer;
    let constraints = options.constraints;
    let most = constraints.most_bitrate.map(|most| format!(" and {} Mbit/s at most", most.0));
    let by = match options.unit {
        Unit::Energy => "energy",
        Unit::Cost => "cost",
        Unit::Carbon => "carbon",
    };
    let vmaf = constraints.least_vmaf.0;
    writeln!(out, "{run}: the lowest {by} with VMAF {vmaf} or more{}\n", most.unwrap_or_default())?;
    let unit = format!("{} an hour", answer.unit());
    writeln!(out, "{:<44}{unit:>16}{:>12}{:>8}{:>10}", "setting", "± 95 %", "VMAF", "Mbit/s")?;
    let mut row = |choice: &Choice<'_>, remark: &str| {
        let Choice { cost, vmaf, bitrate, .. } = choice;
        let line = format!(
            "{:<44}{:>16}{:>12}{vmaf:>8.2}{:>10}  {remark}",
            name(choice),
            amount(cost.mean),
            cost.margin.map_or_else(|| "-".to_owned(), amount),
            bitrate.map_or_else(|| "-".to_owned(), |Megabits(rate)| format!("{rate:.3}")),
        );
        writeln!(out, "{}", line.trim_end())
    };
    row(&advice.best, "the lowest")?;
    for (choice, distinction) in &advice.others {
        row(choice, told(*distinction))?;
    }
    for (clip, advice) in &answer.clips {
        let best =
            advice.as_ref().map_or_else(|| "none is good enough".to_owned(), |advice| name(&advice.best));
        writeln!(out, "{clip} alone: {best}")?;
    }
    if let Some(today) = &answer.today {
        writeln!(out, "\nagainst {}: {}", name(today), answer.saved(today))?;
        if let Some(month) = &answer.month {
            writeln!(out, "{}", answer.month(today, month))?;
        }
    }
    writeln!(out, "\n{}", command_line(&advice.best))?;
    if advice.best.cost.margin.is_none() {
        writeln!(
            out,
            "\nThe error is not known: encode each setting three times (`ffwatt bench --repeat 3`)."
        )?;
    }
    if answer.unlike > 0 {
        let why = "their energy or VMAF has another origin than that of the first";
        writeln!(out, "\nLeft out, because {why}: {} settings", answer.unlike)?;
    }
    Ok(())
}

/// The same for programs.
pub(super) fn as_json(answer: &Answer<'_>, out: &mut dyn Write) -> io::Result<()> {
    let choice = |choice: &Choice<'_>| {
        let scenarios: Vec<&str> = choice
            .settings
            .iter()
            .flat_map(|setting| &setting.scenarios)
            .map(|figures| figures.names.scenario.as_str())
            .collect();
        json!({
            "setting": name(choice),
            "scenarios": scenarios,
            "cost": choice.cost.mean,
            "cost_margin": choice.cost.margin,
            "vmaf": choice.vmaf,
            "megabits_per_second": choice.bitrate.map(|Megabits(rate)| rate),
            "command_line": command_line(choice),
        })
    };
    let other = |(other, distinction): &(Choice<'_>, Distinction)| {
        let mut value = choice(other);
        let is_distinct = match distinction {
            Distinction::Distinct => Some(true),
            Distinction::NotDistinguishable => Some(false),
            Distinction::NotKnown => None,
        };
        if let Some(fields) = value.as_object_mut() {
            fields.insert("is_distinct".to_owned(), is_distinct.into());
        }
        value
    };
    let of_clip = |(clip, advice): &(&str, Option<Advice<'_>>)| json!({ "clip": clip, "best": advice.as_ref().map(|advice| choice(&advice.best)) });
    let document: Value = json!({
        "unit": answer.unit(),
        "best": choice(&answer.advice.best),
        "others": answer.advice.others.iter().map(other).collect::<Vec<_>>(),
        "today": answer.today.as_ref().map(choice),
        "month": answer.today.as_ref().zip(answer.month.as_ref()).map(|(today, month)| {
            let saved = month.saved(today.cost.less(answer.advice.best.cost));
            json!({
                "ledger_transcodes": month.transcodes,
                "ledger_transcodes_of_unknown_length": month.unknown,
                "ledger_days": month.days,
                "ledger_kilowatt_hours_per_output_hour": month.kilowatt_hours,
                "output_hours": month.hours,
                "saved": saved.mean,
                "saved_margin": saved.margin,
            })
        }),
        "clips": answer.clips.iter().map(of_clip).collect::<Vec<_>>(),
        "left_out": answer.unlike,
    });
    print(&document, out)
}

impl Answer<'_> {
    /// Unit of the cost of an hour of output.
    fn unit(&self) -> &str {
        match self.options.unit {
            Unit::Energy => "kWh",
            Unit::Cost => self.currency,
            Unit::Carbon => "g CO2e",
        }
    }

    /// How much less the best choice costs than today's.
    fn saved(&self, today: &Choice<'_>) -> String {
        let best = self.advice.best.cost;
        let Estimate { mean, margin } = today.cost.less(best);
        let part = mean / today.cost.mean * 100.0;
        let amount = format!("{} {} ({part:.1} %) less for an hour of output", amount(mean), self.unit());
        match (today.cost.differs_from(best), margin) {
            (Some(true), Some(margin)) => format!("{amount}, ± {}", self::amount(margin)),
            (Some(_), _) if mean == 0.0 => "the same setting".to_owned(),
            (Some(_), _) => format!("not distinguishable ({amount})"),
            (None, _) => format!("{amount}, with an error that is not known"),
        }
    }
}

impl Answer<'_> {
    /// How much less a month costs, and what that supposes.
    fn month(&self, today: &Choice<'_>, month: &LedgerMonth) -> String {
        let LedgerMonth { name, transcodes, unknown, days, hours, .. } = month;
        let left_out = if *unknown == 0 {
            String::new()
        } else {
            format!("; left out, because their length of output is not known: {unknown}")
        };
        let Some(measured) = month.kilowatt_hours else {
            return format!("in the ledger: no output of {name} in {days:.1} days{left_out}");
        };
        let saved = month.saved(today.cost.less(self.advice.best.cost));
        let margin = saved.margin.map_or_else(
            || "with an error that is not known".to_owned(),
            |margin| format!("± {}", amount(margin)),
        );
        let is_told = today.cost.differs_from(self.advice.best.cost) != Some(false);
        let saves = if is_told {
            format!("{} {} less, {margin}", amount(saved.mean), self.unit())
        } else {
            format!("not distinguishable ({} {} less, {margin})", amount(saved.mean), self.unit())
        };
        format!(
            "in the ledger: {transcodes} transcodes with {name} in {days:.1} days, with {} kWh an hour of output{left_out}\n\
             in a month of 30 days like these, with {hours:.1} h of output: {saves}\n\
             This supposes that the material is like the clips, and that its size has the same limit: the ledger has no limits.",
            amount(measured)
        )
    }
}

fn told(distinction: Distinction) -> &'static str {
    match distinction {
        Distinction::Distinct => "",
        Distinction::NotDistinguishable => "not distinguishable from the lowest",
        Distinction::NotKnown => "error not known",
    }
}

/// Four significant digits, for values from microwatt hours to megawatt hours.
fn amount(value: f64) -> String {
    let digits = 3.0 - value.abs().max(1e-9).log10().floor();
    format!("{value:.*}", digits.clamp(0.0, 9.0) as usize)
}

/// Name of the setting, which is the same for all clips.
pub(super) fn name(choice: &Choice<'_>) -> String {
    choice.settings.first().map(Setting::name).unwrap_or_default()
}

/// The ffmpeg command line that encodes as the bench did.
fn command_line(choice: &Choice<'_>) -> String {
    let Some(setting) = choice.settings.first() else { return String::new() };
    let names = setting.names;
    let limit = if names.setting.is_empty() { &names.bitrate } else { &names.setting };
    let preset = Some(names.preset.as_str()).filter(|preset| !preset.is_empty());
    let words = rate_control::words(&names.encoder, preset, limit, setting.frame_rate());
    format!("ffmpeg -i INPUT {} OUTPUT", words.join(" "))
}
