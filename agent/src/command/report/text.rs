//! Writes the report as tables, for people.

use std::io::{self, Write};

use agent_core::join::cost;
use agent_core::join::figures::Prices;
use agent_core::join::pareto_front::pareto_front;
use agent_core::model::joined::{Efficiency, EnergyBasis, ScenarioFigures};
use agent_core::model::vmaf_model::VmafModel;
use agent_core::units::MicroJoules;

use crate::ledger::Group;

/// A measure of efficiency: its title, its figure, and its number of digits.
type Measure = (&'static str, fn(&Efficiency) -> Option<f64>);

/// More is better in all of them.
const MEASURES: [Measure; 4] = [
    ("quality-weighted pixels per joule", |efficiency| efficiency.quality_weighted_pixels_per_joule),
    ("VMAF points per watt", |efficiency| efficiency.vmaf_per_watt),
    ("pixels per joule", |efficiency| efficiency.pixels_per_joule),
    ("megabits per second per watt", |efficiency| efficiency.megabits_per_watt),
];

/// A run: energy and cost of its scenarios, rankings, the best of each ladder, the Pareto front of quality against energy.
pub(super) fn run(name: &str, all: &[ScenarioFigures], out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{name}\n")?;
    writeln!(
        out,
        "{:<32}{:>11}{:>9}{:>10}{:>8}{:>19}{:>13}{:>9}  energy by",
        "scenario", "joules", "watts", "J/frame", "VMAF", "VMAF model", "cost", "g CO2e"
    )?;
    for figures in all {
        let energy = figures.energy;
        let cost = figures.costs.first();
        let total = cost.and_then(|cost| Some((cost.shown()?.0, &*cost.currency)));
        writeln!(
            out,
            "{:<32}{:>11}{:>9}{:>10}{:>8}{:>19}{:>13}{:>9}  {}{}",
            figures.names.scenario,
            shown(energy.map(|energy| energy.energy.joules()), 3),
            shown(energy.and_then(|energy| Some(energy.mean?.0)), 3),
            shown(figures.efficiency.joules_per_frame, 4),
            shown(figures.vmaf.map(|vmaf| vmaf.0), 1),
            figures.vmaf_model.map_or("-", VmafModel::name),
            total.map_or_else(|| "-".to_owned(), |(amount, currency)| format!("{amount:.6} {currency}")),
            shown(figures.carbon.map(|carbon| carbon.0), 4),
            energy_by(figures),
            figures.covered.map_or_else(String::new, |share| {
                format!("; scores are of {:.0} % of the source", share.percent())
            }),
        )?;
    }
    for (title, figure) in MEASURES {
        let ranking = ranked(all, figure);
        if !ranking.is_empty() {
            writeln!(out, "\nBy {title}")?;
        }
        for (place, (figures, score)) in ranking.iter().enumerate() {
            writeln!(out, "{:>4}. {:<32}{:>12}", place + 1, figures.names.scenario, short(*score))?;
        }
    }
    best_of_ladders(all, out)?;
    let front = pareto_front(all);
    if !front.is_empty() {
        writeln!(out, "\nPareto front: no other scenario has more VMAF for fewer joules")?;
        for (figures, vmaf, joules) in front {
            writeln!(out, "      {:<32}VMAF {vmaf:.1} for {joules:.3} J", figures.names.scenario)?;
        }
    }
    Ok(())
}

/// Origin of a scenario's energy.
pub(super) fn energy_by(figures: &ScenarioFigures) -> &'static str {
    figures.energy.map_or("unknown", |energy| match energy.basis {
        EnergyBasis::Measured => "measured",
        EnergyBasis::Modelled => "ESTIMATE",
        EnergyBasis::File => "result file",
    })
}

/// A score with a prefix where it is large: long numbers are hard to compare.
fn short(score: f64) -> String {
    match score {
        score if score >= 1e6 => format!("{:.2} M", score / 1e6),
        score if score >= 1e4 => format!("{:.2} k", score / 1e3),
        score => format!("{score:.4}"),
    }
}

/// Scenarios with a score, the best first.
pub(super) fn ranked(
    all: &[ScenarioFigures],
    figure: impl Fn(&Efficiency) -> Option<f64>,
) -> Vec<(&ScenarioFigures, f64)> {
    let mut ranking: Vec<(&ScenarioFigures, f64)> =
        all.iter().filter_map(|figures| Some((figures, figure(&figures.efficiency)?))).collect();
    ranking.sort_by(|(_, one), (_, other)| other.total_cmp(one));
    ranking
}

fn best_of_ladders(all: &[ScenarioFigures], out: &mut dyn Write) -> io::Result<()> {
    let ranking = ranked(all, |efficiency| efficiency.pixels_per_joule);
    let mut ladders: Vec<&str> = ranking.iter().map(|(figures, _)| figures.names.ladder.as_str()).collect();
    ladders.sort_unstable();
    ladders.dedup();
    if ladders.len() > 1 {
        writeln!(out, "\nMost pixels per joule of each ladder")?;
        for ladder in ladders {
            if let Some((figures, _)) = ranking.iter().find(|(figures, _)| figures.names.ladder == ladder) {
                writeln!(out, "      {ladder:<32}{}", figures.names.scenario)?;
            }
        }
    }
    Ok(())
}

/// Two scenarios side by side, the second in percent of the first.
pub(super) fn comparison(
    one: &ScenarioFigures,
    other: &ScenarioFigures,
    out: &mut dyn Write,
) -> io::Result<()> {
    writeln!(out, "{:<40}{:>16}{:>16}{:>10}", "", one.names.scenario, other.names.scenario, "change")?;
    let mut row = |title: &str, figure: &dyn Fn(&ScenarioFigures) -> Option<f64>| {
        let (first, second) = (figure(one), figure(other));
        let change = first.zip(second).filter(|(first, _)| *first > 0.0);
        let change = change.map_or_else(
            || "-".to_owned(),
            |(first, second)| format!("{:+.1} %", (second / first - 1.0) * 100.0),
        );
        writeln!(out, "{title:<40}{:>16}{:>16}{change:>10}", shown(first, 4), shown(second, 4))
    };
    row("joules", &|figures| Some(figures.energy?.energy.joules()))?;
    row("watts", &|figures| Some(figures.energy?.mean?.0))?;
    row("joules per frame", &|figures| figures.efficiency.joules_per_frame)?;
    row("VMAF", &|figures| Some(figures.vmaf?.0))?;
    row("g CO2e", &|figures| Some(figures.carbon?.0))?;
    for (title, figure) in MEASURES {
        row(title, &|figures| figure(&figures.efficiency))?;
    }
    Ok(())
}

/// Transcodes in groups.
pub(super) fn groups(groups: &[Group], prices: &Prices, out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<32}{:>10}{:>12}{:>13}{:>10}{:>14}{:>10}",
        "", "transcodes", "seconds", "joules", "watts", "cost", "g CO2e"
    )?;
    for group in groups {
        let name = titled(group);
        let cost = prices.tariff.energy(group.energy).0 + prices.tariff.cores(group.cpu).0;
        // Energy is of the observed time.
        let watts = (group.observed_seconds > 0.0).then(|| group.energy.joules() / group.observed_seconds);
        writeln!(
            out,
            "{name:<32}{:>10}{:>12.1}{:>13.3}{:>10}{:>14}{:>10.4}",
            group.transcodes,
            group.seconds,
            group.energy.joules(),
            shown(watts, 3),
            format!("{cost:.6} {}", prices.currency),
            cost::carbon(group.energy, prices.carbon).0,
        )?;
    }
    Ok(())
}

/// VMAF of the groups: scores of two models cannot be compared, so each model has its own row.
pub(super) fn scores(groups: &[Group], out: &mut dyn Write) -> io::Result<()> {
    let mut rows = groups.iter().flat_map(|group| group.scored.iter().map(move |score| (group, score)));
    let Some(first) = rows.next() else { return Ok(()) };
    writeln!(out, "\n{:<32}{:>10}{:>12}  model", "", "scored", "mean VMAF")?;
    for (group, score) in std::iter::once(first).chain(rows) {
        let model = score.model.map_or("not recorded", VmafModel::name);
        writeln!(out, "{:<32}{:>10}{:>12.2}  {model}", titled(group), score.transcodes, score.mean)?;
    }
    Ok(())
}

fn titled(group: &Group) -> &str {
    if group.name.is_empty() { "(none)" } else { &group.name }
}

/// Notes about transcodes that the table does not contain.
pub(super) fn notes(
    groups: &[Group],
    (running, energy): (u64, MicroJoules),
    out: &mut dyn Write,
) -> io::Result<()> {
    let partly: u64 = groups.iter().map(|group| group.partly_observed).sum();
    let all: u64 = groups.iter().map(|group| group.transcodes).sum();
    let missing: f64 = groups.iter().map(|group| group.seconds - group.observed_seconds).sum();
    if partly > 0 {
        writeln!(
            out,
            "\nThe agent did not observe {partly} of {all} transcodes for all of their time \
             ({missing:.1} s or more are missing): their joules and watts are those of the observed time."
        )?;
    }
    if running > 0 {
        writeln!(
            out,
            "\n{running} transcodes were running when the agent last wrote the ledger; the table does \
             not include them: {:.3} J so far.",
            energy.joules()
        )?;
    }
    Ok(())
}

pub(super) fn shown(value: Option<f64>, digits: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"))
}
