//! Writes trends as a table with sentences, CSV and JSON.

use std::io::{self, Write};

use agent_core::join::figures::Prices;
use jiff::civil::Date;
use serde_json::{Value, json};

use crate::command::report::csv::{print, quoted};
use crate::command::report::trends::month::Month;
use crate::command::report::trends::{Change, Day, Trend, Trends, Wanted, read};
use crate::command::report::{Form, ReportError};
use crate::ledger::Ledger;

/// Reads the ledger and writes its trends.
pub(crate) fn write(
    ledger: &Ledger,
    wanted: &Wanted,
    (form, prices): (Form, &Prices),
    out: &mut dyn Write,
) -> Result<(), ReportError> {
    let trends = read(ledger, wanted, prices)?;
    match form {
        Form::Text => as_text(&trends, prices, out)?,
        Form::Csv => as_csv(&trends, out)?,
        Form::Json => print(&document(&trends, prices), out)?,
    }
    Ok(())
}

fn as_text(trends: &Trends, prices: &Prices, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "finished transcodes since {}\n", trends.since)?;
    writeln!(out, "{:<48}{:>12}{:>12}{:>12}{:>10}", "", "day", "transcodes", "frames", "J/frame")?;
    for trend in &trends.trends {
        for day in &trend.days {
            let Day { date, transcodes, frames, .. } = day;
            let (name, each) = (shown_name(&trend.name), day.joules_per_frame());
            writeln!(out, "{name:<48}{:>12}{transcodes:>12}{frames:>12}{each:>10.4}", date.to_string())?;
        }
    }
    writeln!(out)?;
    for trend in &trends.trends {
        if let Some(change) = trend.change {
            writeln!(out, "{}", sentence(&trend.name, change))?;
        }
    }
    if trends.trends.iter().all(|trend| trend.change.is_none()) {
        writeln!(out, "No change of J/frame is outside the noise (Pettitt's test of each transcode).")?;
    }
    if trends.left_out > 0 {
        writeln!(
            out,
            "In no row, because their frames or joules are not known: {} transcodes",
            trends.left_out
        )?;
    }
    if trends.running > 0 {
        writeln!(
            out,
            "In no row, because they run: {} transcodes. The ledger has their totals only, not those of each day.",
            trends.running
        )?;
    }
    match &trends.month {
        Some(month) => writeln!(out, "\n{}", month.sentences(prices)),
        None => writeln!(out, "\nThe ledger has no energy of this month."),
    }
}

fn sentence(name: &str, Change { found, since, transcodes: [before, after] }: Change) -> String {
    let change = (found.after / found.before - 1.0) * 100.0;
    let verb = if change > 0.0 { "rose" } else { "fell" };
    format!(
        "J/frame of {} {verb} {:.0} % since {} {since}: the median was {:.4} in {before} transcodes and is {:.4} in {after} \
         (Pettitt's test: p = {:.2}).",
        shown_name(name),
        change.abs(),
        since.strftime("%A"),
        found.before,
        found.after,
        Significant(found.probability),
    )
}

/// A probability with two significant digits.
struct Significant(f64);

impl std::fmt::Display for Significant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0 < 0.0001 { f.write_str("less than 0.0001") } else { write!(f, "{:.4}", self.0) }
    }
}

impl Day {
    fn joules_per_frame(&self) -> f64 {
        self.joules / self.frames
    }
}

impl Month {
    fn sentences(&self, prices: &Prices) -> String {
        let amounts = |kilowatt_hours: f64| {
            let money = kilowatt_hours * self.cost;
            let grams = kilowatt_hours * self.carbon;
            format!("{kilowatt_hours:.3} kWh, {money:.4} {}, {grams:.1} g CO2e", prices.currency)
        };
        let so_far = format!(
            "{} so far: {}; an agent ran {:.0} % of the time.",
            self.first.strftime("%B %Y"),
            amounts(self.so_far),
            self.known * 100.0
        );
        let Some(forecast) = self.forecast else {
            return format!("{so_far}\nNo forecast: the ledger has no complete day.");
        };
        let based = match self.days {
            1 => "one complete day; the error is not known".to_owned(),
            days => format!("the mean of {days} complete days (weekdays are not told apart)"),
        };
        let margin = forecast.margin.map(|margin| {
            let money = margin * self.cost;
            format!(", ± {margin:.3} kWh (95 %), ± {money:.4} {}", prices.currency)
        });
        format!(
            "{so_far}\nAt the end of the month: {}{}, by {based}.",
            amounts(forecast.mean),
            margin.unwrap_or_default()
        )
    }
}

fn shown_name(name: &str) -> &str {
    if name.is_empty() { "(none)" } else { name }
}

fn as_csv(trends: &Trends, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "name,day,transcodes,frames,energy_joules,joules_per_frame")?;
    for Trend { name, days, .. } in &trends.trends {
        for day in days {
            let Day { date, transcodes, frames, joules } = day;
            let each = day.joules_per_frame();
            writeln!(out, "{},{date},{transcodes},{frames},{joules},{each}", quoted(name))?;
        }
    }
    Ok(())
}

fn document(trends: &Trends, prices: &Prices) -> Value {
    let date = |date: Date| date.to_string();
    let day = |day: &Day| {
        json!({
            "day": date(day.date),
            "transcodes": day.transcodes,
            "frames": day.frames,
            "energy_joules": day.joules,
            "joules_per_frame": day.joules_per_frame(),
        })
    };
    let change = |change: Change| {
        json!({
            "since": date(change.since),
            "joules_per_frame_before": change.found.before,
            "joules_per_frame_after": change.found.after,
            "change_ratio": change.found.after / change.found.before - 1.0,
            "probability": change.found.probability,
            "transcodes_before": change.transcodes[0],
            "transcodes_after": change.transcodes[1],
        })
    };
    let trend = |trend: &Trend| {
        json!({
            "name": trend.name,
            "days": trend.days.iter().map(day).collect::<Vec<_>>(),
            "change": trend.change.map(change),
        })
    };
    let month = trends.month.map(|month| {
        json!({
            "month": month.first.strftime("%Y-%m").to_string(),
            "kilowatt_hours": month.so_far,
            "cost": month.so_far * month.cost,
            "carbon_grams": month.so_far * month.carbon,
            "known_ratio": month.known,
            "forecast_kilowatt_hours": month.forecast.map(|forecast| forecast.mean),
            "forecast_margin_kilowatt_hours": month.forecast.and_then(|forecast| forecast.margin),
            "forecast_cost": month.forecast.map(|forecast| forecast.mean * month.cost),
            "forecast_days": month.days,
            "currency": &*prices.currency,
        })
    });
    json!({
        "since": date(trends.since),
        "trends": trends.trends.iter().map(trend).collect::<Vec<_>>(),
        "unknown_transcodes": trends.left_out,
        "running_transcodes": trends.running,
        "month": month,
    })
}
