//! Error of the model's watts by generation of processors, each result left out once.
//!
//! A result is predicted by the row that the other results of its generation make, and compared with the flat figures. The error is
//! relative to the result; a result is covered when it lies within the bound that the row states around its median.

use std::fmt::Write;

use agent_core::energy::estimate::VcpuPower;
use agent_core::energy::generation::{self, Generation};
use agent_core::energy::specpower::{self, ServerResult};
use agent_core::energy::spread::{PowerSpread, quantile};
use agent_core::units::{Ratio, Watts};

/// One result that was left out.
#[derive(Clone, Copy, Debug)]
struct HeldOut {
    /// Error of the median of the others; `None` where there are no others.
    by_row: Option<Ratio>,
    /// Whether the result lies within the bound that the others state.
    is_covered: bool,
    /// Error of the flat figure.
    flat: Ratio,
}

/// Errors of the results of a generation, or of all.
#[derive(Debug, Default)]
struct Errors(Vec<HeldOut>);

impl Errors {
    fn quantile(&self, of: impl Fn(&HeldOut) -> Option<Ratio>, part: f64) -> Option<Ratio> {
        let mut errors: Vec<f64> = self.0.iter().filter_map(of).map(|error| error.0).collect();
        errors.sort_by(f64::total_cmp);
        quantile(&errors, part).map(Ratio)
    }

    /// Part of the results that the bound of the others covers.
    fn covered(&self) -> Ratio {
        Ratio(self.0.iter().filter(|one| one.is_covered).count() as f64 / self.0.len().max(1) as f64)
    }

    /// Median and 90th percentile of the row and of the flat figure, and coverage, as cells of a table.
    fn cells(&self) -> String {
        let percent = |error: Option<Ratio>| {
            error.map_or_else(|| "–".to_owned(), |error| format!("{:.0} %", error.percent()))
        };
        let row = [0.5, 0.9].map(|part| percent(self.quantile(|one| one.by_row, part)));
        let flat = [0.5, 0.9].map(|part| percent(self.quantile(|one| Some(one.flat), part)));
        format!("{} | {} | {} | {} | {:.0} %", row[0], row[1], flat[0], flat[1], self.covered().percent())
    }
}

/// Leaves each result of a generation out once.
fn leave_one_out(results: &[ServerResult], power: impl Fn(&ServerResult) -> Watts, flat: Watts) -> Errors {
    let off = |estimate: Watts, truth: Watts| Ratio((estimate.0 / truth.0 - 1.0).abs());
    let held_out = results.iter().enumerate().map(|(index, result)| {
        let truth = power(result);
        let others = results.iter().enumerate().filter(|(other, _)| *other != index);
        let spread = PowerSpread::of(others.map(|(_, other)| power(other)));
        HeldOut {
            by_row: spread.map(|spread| off(spread.median, truth)),
            is_covered: spread.is_some_and(|spread| {
                (truth.0 - spread.median.0).abs() <= spread.median.0 * spread.error().0
            }),
            flat: off(flat, truth),
        }
    });
    Errors(held_out.collect())
}

fn results_of(generation: &Generation) -> Vec<ServerResult> {
    specpower::results().filter(|result| result.generation == generation.name).collect()
}

/// Errors of the busy power of all generations together.
fn of_all(power: impl Fn(&ServerResult) -> Watts, flat: Watts) -> Errors {
    let each = generation::ALL.iter().map(|row| leave_one_out(&results_of(row), &power, flat));
    Errors(each.flat_map(|errors| errors.0).collect())
}

/// The section of docs/ACCURACY.md.
pub(super) fn section() -> String {
    let VcpuPower { idle: flat_idle, busy: flat_busy } = VcpuPower::FLAT;
    let mut text = format!(
        "## Estimates by processor\n\n\
         Written by `cargo xtask accuracy --model`. On a host without energy counters, `energy.model_cpu` takes the watts of one of these rows. \
         A row is a generation of processors, by vendor, family and model (`AMD 25/1`). *Idle* and *busy* are watts of a hardware thread: median, \
         and tenth to ninetieth percentile. *Bound*: the relative error that the agent states for the busy watts, the distance from the median to the \
         farther percentile, and at least 50 % where a row has fewer than ten results.\n\n\
         The data are {} results of SPECpower_ssj2008, a benchmark of whole servers, since 2014, as published by their makers at spec.org and collected by \
         Cloud Carbon Footprint on 2026-03-09 (`ccf-coefficients`, Apache-2.0; `agent-core/src/energy/specpower.csv` has each result). SPEC and \
         SPECpower_ssj are registered trademarks of the Standard Performance Evaluation Corporation.\n\n\
         | `energy.model_cpu` | processors | family/model | results | idle | busy | bound |\n|---|---|---|---|---|---|---|\n",
        specpower::results().count()
    );
    for row in &generation::ALL {
        let Some(power) = row.thread_power() else { continue };
        let cell = |spread: PowerSpread| {
            format!("{:.2} W ({:.2}–{:.2})", spread.median.0, spread.low.0, spread.high.0)
        };
        let _ = writeln!(
            text,
            "| `{}` | {} | {} | {} | {} | {} | ±{:.0} % |",
            row.name,
            row.title,
            row.identity(),
            power.busy.results,
            cell(power.idle),
            cell(power.busy),
            power.busy.error().percent()
        );
    }
    let _ = write!(
        text,
        "\n### Error of results that the row has not seen\n\n\
         Each result is left out once, and estimated by the others of its row, and by the flat figure ({} W busy, {} W idle). Errors are relative to \
         the result. *Covered*: results within the bound that the others state. The errors are those of systems that their makers chose and tuned, \
         under this benchmark; makers also publish systems that are nearly alike. The error of a cloud's host is larger.\n\n\
         | row | results | median | p90 | flat: median | flat: p90 | covered |\n|---|---|---|---|---|---|---|\n",
        flat_busy.power.plain(),
        flat_idle.power.plain()
    );
    for row in &generation::ALL {
        let errors = leave_one_out(&results_of(row), ServerResult::busy, flat_busy.power);
        let _ = writeln!(text, "| `{}` | {} | {} |", row.name, errors.0.len(), errors.cells());
    }
    let busy = of_all(ServerResult::busy, flat_busy.power);
    let idle = of_all(ServerResult::idle, flat_idle.power);
    let _ = writeln!(text, "| **all, busy** | {} | {} |", busy.0.len(), busy.cells());
    let _ = writeln!(text, "| **all, idle** | {} | {} |", idle.0.len(), idle.cells());
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn rows_estimate_results_that_they_have_not_seen() {
        let errors = of_all(ServerResult::busy, VcpuPower::FLAT.busy.power);
        let at = |part| errors.quantile(|one| one.by_row, part).unwrap();
        assert!(at(0.5) <= Ratio(0.10), "median {:?}", at(0.5));
        assert!(at(0.9) <= Ratio(0.35), "p90 {:?}", at(0.9));
        assert!(errors.covered() >= Ratio(0.80), "covered {:?}", errors.covered());
        let flat = errors.quantile(|one| Some(one.flat), 0.9).unwrap();
        assert!(flat > at(0.9), "flat {flat:?}");
    }

    #[test]
    fn idle_bounds_cover_their_results_too() {
        let errors = of_all(ServerResult::idle, VcpuPower::FLAT.idle.power);
        assert!(errors.covered() >= Ratio(0.80), "covered {:?}", errors.covered());
    }

    #[test]
    fn a_result_alone_is_neither_estimated_nor_covered() {
        let results = results_of(generation::named("zen5-desktop").unwrap());
        let errors = leave_one_out(&results[..1], ServerResult::busy, Watts(3.5));
        assert_eq!((errors.0[0].by_row, errors.0[0].is_covered), (None, false));
        let errors = leave_one_out(&results, ServerResult::busy, Watts(3.5));
        assert_eq!(errors.0.len(), 2);
        assert!(errors.covered() == Ratio(1.0), "{errors:?}");
    }

    #[test]
    fn the_page_has_the_section() {
        let page = fs::read_to_string(xtask::root().unwrap().join("docs/ACCURACY.md")).unwrap();
        let section = section();
        assert!(page.contains(section.trim_end()), "run: cargo xtask accuracy --model");
    }
}
