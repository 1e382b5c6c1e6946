//! Dashboard "Baseline vs Test": the power of an encode above the idle host.

use super::links::{SCENARIO, SCENARIO_OF_CELL};
use super::panel::{lines, table};
use super::queries::{highest_scenarios, of_scenarios};
use super::{Dashboard, SCENARIOS, TOP};

pub(crate) fn dashboard() -> Dashboard {
    let of = |metric: &str| {
        of_scenarios(&format!(r#"{metric}{{instance=~"$instance(:.*)?", run_id=~"$run_id"}}"#), "run_id")
    };
    let top = |metric: &str| highest_scenarios(&of(metric), "");
    let scenario = "{{scenario}} on {{instance}}";
    Dashboard {
        file: "baseline-vs-test",
        uid: "baseline-vs-test",
        title: "Baseline vs Test",
        description: "Increase of power, energy and CPU use of each scenario over the baseline of its run.",
        refresh: "10s",
        since: "now-1h",
        variables: SCENARIOS[..2].iter().copied().chain([TOP]).collect(),
        panels: vec![
            lines(
                "Power added",
                "watt",
                "Mean power of the host minus its mean power during the baseline, in watts.",
            )
            .query(top("results_scenario_delta_power_watts"), scenario)
            .link(SCENARIO),
            lines(
                "Container CPU added",
                "percent",
                "CPU use of all containers minus their CPU use during the baseline.",
            )
            .query(top("results_scenario_net_container_cpu_percent"), scenario)
            .link(SCENARIO),
            lines(
                "Energy added",
                "watth",
                "Energy of the host minus the energy at the baseline's power over the same time.",
            )
            .query(top("results_scenario_delta_energy_wh"), scenario)
            .link(SCENARIO),
            table(
                "Increase",
                "percent",
                "Increase of the host's power over the baseline, in percent of the baseline's power.",
            )
            .query(of("results_scenario_power_pct_increase"), "")
            .column("instance", "Host", "string")
            .linked("scenario", "Scenario", SCENARIO_OF_CELL)
            .column("Value", "Increase", "percent")
            .size(12, 8),
        ],
    }
}
