//! Dashboard "Energy Efficiency Analysis": output and quality per joule.

use super::links::{SCENARIO, SCENARIO_OF_CELL};
use super::panel::{BAD, GOOD, Panel, WARN, bars, lines, table};
use super::queries::{highest_scenarios, of_scenarios};
use super::{Dashboard, SCENARIOS, TOP};

const REAL: &str = r#"{instance=~"$instance(:.*)?", scenario!~".*[Bb]aseline.*", run_id=~"$run_id", output_ladder=~"$output_ladder", encoder_type=~"$encoder_type"}"#;

pub(crate) fn dashboard() -> Dashboard {
    let by = |labels: &str, metric: &str| of_scenarios(&format!("{metric}{REAL}"), labels);
    let top = |labels: &str, metric: &str| highest_scenarios(&by(labels, metric), "");
    let each = "output_ladder, encoder_type, streams";
    let legend = "{{scenario}} ({{output_ladder}}) on {{instance}}";
    Dashboard {
        file: "energy-efficiency",
        uid: "energy-efficiency-dashboard",
        title: "Energy Efficiency Analysis",
        description: "Pixels, frames and bits per joule, by scenario of the last run.",
        refresh: "30s",
        since: "now-1h",
        variables: SCENARIOS.into_iter().chain([TOP]).collect(),
        panels: vec![
            figures_of_scenarios(
                "Leaderboard",
                "Pixels per joule, power and energy of each scenario. Each column can be sorted.",
                [
                    (
                        format!("sort_desc({})", by(each, "results_scenario_efficiency_score")),
                        "Pixels per joule",
                        "short",
                    ),
                    (by(each, "results_scenario_mean_power_watts"), "Mean power", "watt"),
                    (by(each, "results_scenario_total_energy_joules"), "Energy", "joule"),
                ],
            ),
            bars(
                "Pixels per joule",
                "short",
                "More is better. The best scenarios, and the mean of the others.",
            )
            .query(
                format!(
                    "sort_desc({})",
                    top("output_ladder, encoder_type", "results_scenario_efficiency_score")
                ),
                legend,
            )
            .link(SCENARIO),
            bars(
                "Energy above the best scenario of the ladder",
                "joule",
                "Energy of a scenario minus the energy of the most efficient scenario of the same ladder.",
            )
            .query(highest_scenarios(&above_the_best(), ""), legend)
            .link(SCENARIO)
            .thresholds(GOOD, &[(100.0, WARN), (500.0, BAD)]),
            bars("Power by streams and encoder", "watt", "Mean power by number of streams.").query(
                format!(
                    "avg by (instance, streams, encoder_type) ({})",
                    by(each, "results_scenario_mean_power_watts")
                ),
                "{{streams}} × {{encoder_type}} on {{instance}}",
            ),
            bars("Efficiency by ladder", "short", "Pixels per joule of the best scenario of each ladder.")
                .query(
                    format!(
                        "sort_desc(max by (instance, output_ladder) ({}))",
                        by(each, "results_scenario_efficiency_score")
                    ),
                    "{{output_ladder}} on {{instance}}",
                ),
            lines(
                "Energy per megabit per second",
                "watth",
                "Energy per megabit per second of the requested bitrate, in Wh.",
            )
            .query(top("output_ladder, encoder_type", "results_scenario_energy_wh_per_mbps"), legend)
            .link(SCENARIO),
            lines("Energy per frame", "joule", "Energy per frame, by scenario of the last run.")
                .query(
                    top("output_ladder, encoder_type", "0.001 * results_scenario_energy_mj_per_frame"),
                    legend,
                )
                .link(SCENARIO),
            figures_of_scenarios(
                "Power above the baseline",
                "Power of the host, compared with the baseline of the run.",
                [
                    (by(each, "results_scenario_power_pct_increase"), "Increase", "percent"),
                    (by(each, "results_scenario_mean_power_watts"), "Encode power", "watt"),
                    (by(each, "results_scenario_delta_power_watts"), "Host power above the baseline", "watt"),
                ],
            ),
        ],
    }
}

/// A table with a row for each scenario. Each figure has its query, the title of its column, and its unit.
fn figures_of_scenarios(
    title: &'static str,
    description: &'static str,
    figures: [(String, &'static str, &'static str); 3],
) -> Panel {
    const FIELDS: [&str; 3] = ["Value #A", "Value #B", "Value #C"];
    let queries = figures.iter().map(|(query, ..)| query);
    let table =
        queries.fold(table(title, "none", description), |table, query| table.query(query.as_str(), ""));
    let table = table
        .column("instance", "Host", "string")
        .linked("scenario", "Scenario", SCENARIO_OF_CELL)
        .column("output_ladder", "Ladder", "string")
        .column("encoder_type", "Encoder", "string")
        .column("streams", "Streams", "string");
    let columns = FIELDS.into_iter().zip(figures);
    columns.fold(table, |table, (field, (_, title, unit))| table.column(field, title, unit))
}

/// Energy of each scenario above that of the most efficient one of the same ladder on the same host.
fn above_the_best() -> String {
    let energy = of_scenarios(&format!("results_scenario_total_energy_joules{REAL}"), "output_ladder");
    format!(
        "({energy} - on (instance, output_ladder) group_left () min by (instance, output_ladder) ({energy}))"
    )
}
