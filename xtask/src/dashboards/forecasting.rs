//! Dashboard "Efficiency Forecasting": comparison of scenarios.

use super::links::{SCENARIO, SCENARIO_OF_CELL};
use super::panel::{bars, lines, pie, table};
use super::queries::{highest_scenarios, of_scenarios};
use super::{Dashboard, SCENARIOS, TOP};

pub(crate) fn dashboard() -> Dashboard {
    let of = |metric: &str| {
        let selected = r#"instance=~"$instance(:.*)?", run_id=~"$run_id", scenario!~"(?i).*baseline.*""#;
        of_scenarios(&format!("{metric}{{{selected}}}"), "")
    };
    let score = of("results_scenario_efficiency_score");
    let scenario = "{{scenario}} on {{instance}}";
    Dashboard {
        file: "efficiency-forecasting",
        uid: "efficiency-forecasting",
        title: "Efficiency Forecasting",
        description: "Efficiency of the scenarios of the last run, measured and predicted by a fit over \
            all scenarios.",
        refresh: "30s",
        since: "now-1h",
        variables: SCENARIOS[..2].iter().copied().chain([TOP]).collect(),
        panels: vec![
            lines("Efficiency", "short", "Pixels per joule, measured.")
                .query(highest_scenarios(&score, ""), scenario)
                .link(SCENARIO),
            lines(
                "Expected efficiency",
                "short",
                "Pixels per joule of the predicted energy. Absent for a run \
                with fewer than three scenarios, or with one number of streams.",
            )
            .query(highest_scenarios(&of("results_scenario_predicted_efficiency_score"), ""), scenario)
            .least(0.0)
            .link(SCENARIO),
            table("Rankings", "none", "Efficiency, power, energy and pixels of each scenario.")
                .query(format!("sort_desc({score})"), "")
                .query(of("results_scenario_mean_power_watts"), "")
                .query(of("results_scenario_total_energy_joules"), "")
                .query(of("results_scenario_total_pixels"), "")
                .column("instance", "Host", "string")
                .linked("scenario", "Scenario", SCENARIO_OF_CELL)
                .column("Value #A", "Pixels per joule", "short")
                .column("Value #B", "Mean power", "watt")
                .column("Value #C", "Energy", "joule")
                .column("Value #D", "Pixels", "short"),
            bars(
                "Best scenarios",
                "short",
                "Pixels per joule of the best scenarios, and the mean of the others.",
            )
            .query(format!("sort_desc({})", highest_scenarios(&score, "")), scenario)
            .link(SCENARIO),
            pie("Comparison of scenarios", "short", "Pixels per joule.")
                .query(highest_scenarios(&score, ""), scenario)
                .size(12, 8),
        ],
    }
}
