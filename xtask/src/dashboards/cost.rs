//! Dashboard "Cost Analysis": upstream's eight panels, in one currency at a time, and the panels of its later version.

use super::panel::{BAD, GOOD, WARN, areas, bars, gauge, lines, pie, table};
use super::{Dashboard, Variable};

/// A baseline is not an encode, and amounts of several currencies cannot be added up.
const REAL: &str = r#"{currency="$currency", scenario!~"(?i).*baseline.*"}"#;

pub(crate) fn dashboard() -> Dashboard {
    let of = |metric: &str| format!("{metric}{REAL}");
    let scenario = "{{scenario}}";
    Dashboard {
        file: "cost",
        uid: "cost-dashboard",
        title: "Cost Analysis",
        description: "Cost of the scenarios of the last run: energy and host time, and cost by load.",
        refresh: "5s",
        since: "now-1h",
        variables: vec![Variable::One {
            name: "currency",
            title: "Currency",
            query: "label_values(cost_total, currency)",
        }],
        panels: vec![
            areas(
                "Energy and host time",
                "none",
                "Both parts of a scenario's cost, in the selected currency.",
            )
            .query(of("cost_energy"), "{{scenario}}: energy")
            .query(of("cost_compute"), "{{scenario}}: host time"),
            lines("Total", "none", "Cost of energy and host time, in the selected currency.")
                .query(of("cost_total"), scenario),
            lines("Cost per million pixels", "none", "Total cost per million pixels.")
                .query(format!("{} * 1e6", of("cost_per_pixel")), scenario),
            lines("Cost per viewer hour", "none", "Total cost per viewer hour.")
                .query(of("cost_per_watch_hour"), scenario),
            gauge("All scenarios", "none", "Total cost of the run, without its baseline.")
                .query(format!("sum({})", of("cost_total")), "total")
                .thresholds(GOOD, &[(0.5, WARN), (1.0, BAD)])
                .decimals(4),
            gauge("Energy of all scenarios", "none", "Energy cost of the run, without its baseline.")
                .query(format!("sum({})", of("cost_energy")), "energy")
                .thresholds(GOOD, &[(0.05, WARN), (0.1, BAD)])
                .decimals(6),
            pie("Shares", "none", "Share of each scenario in the cost of the run.")
                .query(format!("sum by (scenario) ({})", of("cost_total")), scenario)
                .size(8, 6),
            table("Scenarios", "none", "Cost of energy, of host time and in total, by time and by load.")
                .query(format!("sum by (scenario) ({})", of("cost_total")), "")
                .query(format!("sum by (scenario) ({})", of("cost_energy")), "")
                .query(format!("sum by (scenario) ({})", of("cost_compute")), "")
                .query(format!("sum by (scenario) ({})", of("cost_total_load_aware")), "")
                .query(format!("sum by (scenario) ({})", of("cost_compute_load_aware")), "")
                .column("scenario", "Scenario", "string")
                .column("Value #A", "Total", "none")
                .column("Value #B", "Energy", "none")
                .column("Value #C", "Host time", "none")
                .column("Value #D", "Total by load", "none")
                .column("Value #E", "Busy cores", "none"),
            bars("Total by load", "none", "Cost of a scenario's energy and busy cores.")
                .query(of("cost_total_load_aware"), "{{scenario}} ({{streams}} streams @ {{bitrate}})"),
            bars("Energy cost per month", "none", "Energy cost of 720 hours.")
                .query(of("cost_monthly_projection"), scenario),
            bars("Carbon per hour", "masskg", "Emission per hour, in kg CO2e.")
                .query(r#"co2_emissions_kg_per_hour{scenario!~"(?i).*baseline.*"}"#, scenario),
            bars("Carbon per month", "masskg", "Emission of 720 hours, in kg CO2e.")
                .query(r#"co2_monthly_projection{scenario!~"(?i).*baseline.*"}"#, scenario),
        ],
    }
}
