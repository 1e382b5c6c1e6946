//! Dashboard "Energy Efficiency Analysis": output and quality per joule.

use super::panel::{BAD, GOOD, WARN, bars, lines, table};
use super::{Dashboard, SCENARIOS};

const REAL: &str = r#"{scenario!~".*[Bb]aseline.*", run_id=~"$run_id", output_ladder=~"$output_ladder", encoder_type=~"$encoder_type"}"#;

pub(crate) fn dashboard() -> Dashboard {
    let by = |labels: &str, metric: &str| format!("max by ({labels}) ({metric}{REAL})");
    let each = "scenario, output_ladder, encoder_type, streams";
    let legend = "{{scenario}} ({{output_ladder}})";
    Dashboard {
        file: "energy-efficiency",
        uid: "energy-efficiency-dashboard",
        title: "Energy Efficiency Analysis",
        description: "Pixels, frames and bits per joule, by scenario of the last run.",
        refresh: "30s",
        since: "now-1h",
        variables: SCENARIOS.to_vec(),
        panels: vec![
            table("Leaderboard", "none", "Pixels per joule, power and energy of each scenario. Each column can be sorted.")
                .query(format!("sort_desc({})", by(each, "results_scenario_efficiency_score")), "")
                .query(by(each, "results_scenario_mean_power_watts"), "")
                .query(by(each, "results_scenario_total_energy_joules"), "")
                .column("scenario", "Scenario", "string")
                .column("output_ladder", "Ladder", "string")
                .column("encoder_type", "Encoder", "string")
                .column("streams", "Streams", "string")
                .column("Value #A", "Pixels per joule", "short")
                .column("Value #B", "Mean power", "watt")
                .column("Value #C", "Energy", "joule"),
            bars("Pixels per joule", "short", "More is better.")
                .query(format!("sort_desc({})", by("scenario, output_ladder, encoder_type", "results_scenario_efficiency_score")), legend),
            bars("Energy above the best scenario of the ladder", "joule", "Energy of a scenario minus the energy of the most efficient scenario of the same ladder.")
                .query(
                    format!(
                        "{} - on (output_ladder) group_left () min by (output_ladder) (results_scenario_total_energy_joules{REAL})",
                        by("scenario, output_ladder", "results_scenario_total_energy_joules")
                    ),
                    legend,
                )
                .thresholds(GOOD, &[(100.0, WARN), (500.0, BAD)]),
            bars("Power by streams and encoder", "watt", "Mean power by number of streams.").query(
                format!("avg by (streams, encoder_type) (results_scenario_mean_power_watts{REAL})"),
                "{{streams}} × {{encoder_type}}",
            ),
            bars("Efficiency by ladder", "short", "Pixels per joule of the best scenario of each ladder.")
                .query(format!("sort_desc(max by (output_ladder) (results_scenario_efficiency_score{REAL}))"), "{{output_ladder}}"),
            lines("Energy per megabit per second", "watth", "Energy per megabit per second of the requested bitrate, in Wh.")
                .query(by("scenario, output_ladder, encoder_type", "results_scenario_energy_wh_per_mbps"), legend),
            lines("Energy per frame", "none", "Energy per frame, in millijoules.")
                .query(by("scenario, output_ladder, encoder_type", "results_scenario_energy_mj_per_frame"), legend),
            table("Power above the baseline", "none", "Power of the host, compared with the baseline of the run.")
                .query(by(each, "results_scenario_power_pct_increase"), "")
                .query(by(each, "results_scenario_mean_power_watts"), "")
                .query(by(each, "results_scenario_delta_power_watts"), "")
                .column("scenario", "Scenario", "string")
                .column("output_ladder", "Ladder", "string")
                .column("encoder_type", "Encoder", "string")
                .column("streams", "Streams", "string")
                .column("Value #A", "Increase", "percent")
                .column("Value #B", "Encode power", "watt")
                .column("Value #C", "Host power above the baseline", "watt"),
        ],
    }
}
