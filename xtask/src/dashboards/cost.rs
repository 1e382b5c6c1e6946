//! Dashboard "Cost Analysis": upstream's eight panels, in one currency at a time, and the panels of its later version.

use super::money::MONEY;
use super::panel::{BAD, GOOD, WARN, areas, bars, gauge, lines, pie, table};
use super::queries::{highest_scenarios, largest_scenarios, of_scenarios};
use super::{Dashboard, TOP, Variable};

/// A baseline is not an encode, and amounts of several currencies cannot be added up.
const REAL: &str = r#"{instance=~"$instance(:.*)?", currency="$currency", scenario!~"(?i).*baseline.*"}"#;

const CARBON: &str = r#"{instance=~"$instance(:.*)?", scenario!~"(?i).*baseline.*"}"#;

pub(crate) fn dashboard() -> Dashboard {
    let of = |metric: &str| of_scenarios(&format!("{metric}{REAL}"), "currency");
    let sum = |metric: &str| largest_scenarios(&of(metric), "currency");
    let mean = |metric: &str| highest_scenarios(&of(metric), "currency");
    let all = |metric: &str| format!("sum by (currency) ({metric}{REAL})");
    let scenario = "{{scenario}} on {{instance}}, {{currency}}";
    Dashboard {
        file: "cost",
        uid: "cost-dashboard",
        title: "Cost Analysis",
        description: "Cost of the scenarios of the last run: energy and host time, and cost by load.",
        refresh: "5s",
        since: "now-1h",
        variables: vec![
            Variable::Host,
            Variable::One {
                name: "currency",
                title: "Currency",
                query: "label_values(cost_total, currency)",
            },
            TOP,
        ],
        panels: vec![
            areas(
                "Energy and host time",
                MONEY,
                "Both parts of a scenario's cost, in the selected currency.",
            )
            .query(sum("cost_energy"), "{{scenario}} on {{instance}}: energy, {{currency}}")
            .query(sum("cost_compute"), "{{scenario}} on {{instance}}: host time, {{currency}}"),
            lines("Total", MONEY, "Cost of energy and host time, in the selected currency.")
                .query(sum("cost_total"), scenario),
            lines("Cost per million pixels", MONEY, "Total cost per million pixels.")
                .query(format!("({}) * 1e6", mean("cost_per_pixel")), scenario),
            lines("Cost per viewer hour", MONEY, "Total cost per viewer hour.")
                .query(mean("cost_per_watch_hour"), scenario),
            gauge("All scenarios", MONEY, "Total cost of the run, without its baseline.")
                .query(all("cost_total"), "total, {{currency}}")
                .thresholds(GOOD, &[(0.5, WARN), (1.0, BAD)])
                .decimals(4),
            gauge("Energy of all scenarios", MONEY, "Energy cost of the run, without its baseline.")
                .query(all("cost_energy"), "energy, {{currency}}")
                .thresholds(GOOD, &[(0.05, WARN), (0.1, BAD)])
                .decimals(6),
            pie("Shares", MONEY, "Share of each scenario in the cost of the run.")
                .query(sum("cost_total"), scenario)
                .size(8, 6),
            table("Scenarios", "none", "Cost of energy, of host time and in total, by time and by load.")
                .query(of("cost_total"), "")
                .query(of("cost_energy"), "")
                .query(of("cost_compute"), "")
                .query(of("cost_total_load_aware"), "")
                .query(of("cost_compute_load_aware"), "")
                .column("instance", "Host", "string")
                .column("scenario", "Scenario", "string")
                .column("currency", "Currency", "string")
                .column("Value #A", "Total", MONEY)
                .column("Value #B", "Energy", MONEY)
                .column("Value #C", "Host time", MONEY)
                .column("Value #D", "Total by load", MONEY)
                .column("Value #E", "Busy cores", MONEY),
            bars("Total by load", MONEY, "Cost of a scenario's energy and busy cores.")
                .query(sum("cost_total_load_aware"), scenario),
            bars("Energy cost per hour", MONEY, "Energy cost of an hour at the mean power of the scenario.")
                .query(sum("cost_usd_per_hour"), scenario),
            bars("Energy cost per month", MONEY, "Energy cost of 720 hours.")
                .query(sum("cost_monthly_projection"), scenario),
            bars("Carbon per hour", "masskg", "Emission per hour, in kg CO2e.").query(
                largest_scenarios(&of_scenarios(&format!("co2_emissions_kg_per_hour{CARBON}"), ""), ""),
                "{{scenario}} on {{instance}}",
            ),
            bars("Carbon per month", "masskg", "Emission of 720 hours, in kg CO2e.").query(
                largest_scenarios(&of_scenarios(&format!("co2_monthly_projection{CARBON}"), ""), ""),
                "{{scenario}} on {{instance}}",
            ),
        ],
    }
}
