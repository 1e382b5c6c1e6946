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
        description: "What the last run's scenarios cost: energy and machine time, and by the load they made.",
        refresh: "5s",
        since: "now-1h",
        variables: vec![Variable::One {
            name: "currency",
            title: "Currency",
            query: "label_values(cost_total, currency)",
        }],
        panels: vec![
            areas(
                "Energy and machine time",
                "none",
                "Both parts of a scenario's cost, in the chosen currency.",
            )
            .query(of("cost_energy"), "{{scenario}}: energy")
            .query(of("cost_compute"), "{{scenario}}: machine"),
            lines("Total", "none", "Energy and machine time, in the chosen currency.")
                .query(of("cost_total"), scenario),
            lines("A million pixels", "none", "The total for a million pixels.")
                .query(format!("{} * 1e6", of("cost_per_pixel")), scenario),
            lines("An hour of one viewer", "none", "Total cost per viewer hour, in the currency of the \
                label.")
                .query(of("cost_per_watch_hour"), scenario),
            gauge("All scenarios", "none", "Total of the run, without its baseline.")
                .query(format!("sum({})", of("cost_total")), "total")
                .thresholds(GOOD, &[(0.5, WARN), (1.0, BAD)])
                .decimals(4),
            gauge("Their energy", "none", "Energy's part of it.")
                .query(format!("sum({})", of("cost_energy")), "energy")
                .thresholds(GOOD, &[(0.05, WARN), (0.1, BAD)])
                .decimals(6),
            pie("Shares", "none", "Each scenario's share of the run.")
                .query(format!("sum by (scenario) ({})", of("cost_total")), scenario)
                .size(8, 6),
            table("Scenarios", "none", "By time and by load: energy, machine, both.")
                .query(format!("sum by (scenario) ({})", of("cost_total")), "")
                .query(format!("sum by (scenario) ({})", of("cost_energy")), "")
                .query(format!("sum by (scenario) ({})", of("cost_compute")), "")
                .query(format!("sum by (scenario) ({})", of("cost_total_load_aware")), "")
                .query(format!("sum by (scenario) ({})", of("cost_compute_load_aware")), "")
                .column("scenario", "Scenario", "string")
                .column("Value #A", "Total", "none")
                .column("Value #B", "Energy", "none")
                .column("Value #C", "Machine", "none")
                .column("Value #D", "Total by load", "none")
                .column("Value #E", "Busy cores", "none"),
            bars("Total by load", "none", "Energy and busy cores: what the scenario itself caused.")
                .query(of("cost_total_load_aware"), "{{scenario}} ({{streams}} streams @ {{bitrate}})"),
            bars("A month of it", "none", "Energy cost of 720 hours, in the currency of the label.")
                .query(of("cost_monthly_projection"), scenario),
            bars("Carbon of an hour", "masskg", "Kilograms of carbon dioxide.")
                .query(r#"co2_emissions_kg_per_hour{scenario!~"(?i).*baseline.*"}"#, scenario),
            bars("Carbon of a month", "masskg", "Kilograms of carbon dioxide in 720 hours.")
                .query(r#"co2_monthly_projection{scenario!~"(?i).*baseline.*"}"#, scenario),
        ],
    }
}
