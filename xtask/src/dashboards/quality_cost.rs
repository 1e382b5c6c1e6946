//! Dashboard `QoE × cost`: the energy and cost of quality.

use super::links::{PAGE_OF_CELL, SCENARIO, SCENARIO_OF_CELL, WORKLOAD};
use super::money::MONEY;
use super::panel::{Panel, bars, lines, scatter, table};
use super::queries::{highest_scenarios, largest_scenarios, lowest_and_mean, of_scenarios};
use super::{Dashboard, TOP, Variable};

const REAL: &str = r#"instance=~"$instance(:.*)?", scenario=~"$scenario", scenario!~"(?i).*baseline.*""#;

const SELECTED: &str = r#"{instance=~"$instance(:.*)?"}"#;

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        file: "quality-cost",
        uid: "ffwatt-quality-cost",
        title: "QoE × cost",
        description: "VMAF by energy and by cost, for the scenarios of the last run, and at other prices.",
        refresh: "30s",
        since: "now-1h",
        variables: vec![
            Variable::Host,
            Variable::Label {
                name: "scenario",
                title: "Scenario",
                query: "label_values(ffwatt_scenario_energy_joules, scenario)",
            },
            Variable::One {
                name: "currency",
                title: "Currency",
                query: "label_values(ffwatt_scenario_cost, currency)",
            },
            Variable::Number { name: "price", title: "Price per kWh (what-if)", default: "0.30" },
            Variable::Number { name: "carbon", title: "g CO2e per kWh (what-if)", default: "50" },
            TOP,
        ],
        panels: fronts()
            .into_iter()
            .chain(scenarios())
            .chain(transcodes_and_prices())
            .chain([all()])
            .collect(),
    }
}

fn of(metric: &str) -> String {
    of_scenarios(&format!("{metric}{{{REAL}}}"), "")
}

/// A cost, in the selected currency.
fn cost(metric: &str) -> String {
    of_scenarios(&format!(r#"{metric}{{{REAL}, currency="$currency"}}"#), "currency")
}

fn sorted(query: &str) -> String {
    format!("sort_desc({query})")
}

fn fronts() -> [Panel; 2] {
    [
        scatter(
            "VMAF by energy",
            "none",
            "Scenarios at the upper left edge are the Pareto \
            front: no other scenario has more VMAF for less energy.",
        )
        .query(of("ffwatt_scenario_energy_joules"), "{{scenario}}")
        .query(of("ffwatt_scenario_vmaf_score"), "{{scenario}}")
        .column("Value #A", "Energy", "joule")
        .column("Value #B", "VMAF", "none"),
        scatter(
            "VMAF by cost ($currency)",
            "none",
            "VMAF by cost of energy and busy cores at the configured prices.",
        )
        .query(cost("ffwatt_scenario_cost"), "{{scenario}}")
        .query(of("ffwatt_scenario_vmaf_score"), "{{scenario}}")
        .column("Value #A", "Cost, $currency", MONEY)
        .column("Value #B", "VMAF", "none"),
    ]
}

fn scenarios() -> [Panel; 6] {
    let scenario = "{{scenario}} on {{instance}}";
    let energy = of("ffwatt_scenario_energy_joules");
    [
        bars("Quality per watt", "none", "VMAF points per watt of mean power.")
            .query(sorted(&highest_scenarios(&of("ffwatt_scenario_vmaf_per_watt"), "")), scenario)
            .link(SCENARIO),
        bars("Energy per VMAF point", "joule", "Energy per VMAF point.")
            .query(sorted(&highest_scenarios(&of("ffwatt_scenario_joules_per_vmaf_point"), "")), scenario)
            .link(SCENARIO),
        bars("Energy per frame", "joule", "Energy per frame.")
            .query(sorted(&highest_scenarios(&of("ffwatt_scenario_joules_per_frame"), "")), scenario)
            .link(SCENARIO),
        bars(
            "Cost per hour of output",
            MONEY,
            "Cost of energy and busy cores per hour of output, in the selected currency.",
        )
        .query(
            sorted(&highest_scenarios(&cost("ffwatt_scenario_cost_per_output_hour"), "currency")),
            "{{scenario}} on {{instance}}, {{currency}}",
        )
        .link(SCENARIO),
        bars(
            "What-if energy cost",
            MONEY,
            "Energy cost at the price in the field above, in the currency of that price.",
        )
        .query(sorted(&format!("({}) / 3.6e6 * $price", largest_scenarios(&energy, ""))), scenario)
        .link(SCENARIO),
        bars("What-if carbon", "massg", "Emission of the energy at the carbon intensity in the field above.")
            .query(sorted(&format!("({}) / 3.6e6 * $carbon", largest_scenarios(&energy, ""))), scenario)
            .link(SCENARIO),
    ]
}

fn transcodes_and_prices() -> [Panel; 3] {
    let vmaf = format!("avg by (workload, transcode, instance) (ffwatt_transcode_vmaf_score{SELECTED})");
    [
        lines(
            "VMAF of finished transcodes",
            "none",
            "The transcodes with the lowest VMAF, and the mean of the others. \
            The agent scores a transcode if the container names source and output.",
        )
        .query(lowest_and_mean(&vmaf, "workload"), "{{workload}} {{transcode}}")
        .link(WORKLOAD),
        lines("Price", MONEY, "Configured price of 1 kWh.")
            .query(format!("ffwatt_energy_price_per_kwh{SELECTED}"), "{{currency}} per kWh on {{instance}}")
            .size(6, 8),
        lines("Carbon intensity", "massg", "Configured carbon intensity of 1 kWh, in g CO2e.")
            .query(format!("ffwatt_carbon_intensity_grams_per_kwh{SELECTED}"), "{{instance}}")
            .size(6, 8),
    ]
}

fn all() -> Panel {
    table("Scenarios", "none", "All figures of the scenarios of the last run.")
        .query(of("ffwatt_scenario_energy_joules"), "")
        .query(of("ffwatt_scenario_vmaf_score"), "")
        .query(of("ffwatt_scenario_joules_per_frame"), "")
        .query(of("ffwatt_scenario_joules_per_megapixel"), "")
        .query(cost("ffwatt_scenario_cost"), "")
        .query(of("ffwatt_scenario_carbon_grams"), "")
        .linked("instance", "Host", PAGE_OF_CELL)
        .linked("scenario", "Scenario", SCENARIO_OF_CELL)
        .column("Value #A", "Energy", "joule")
        .column("Value #B", "VMAF", "none")
        .column("Value #C", "J/frame", "joule")
        .column("Value #D", "J/megapixel", "joule")
        .column("Value #E", "Cost", MONEY)
        .column("currency", "Currency", "string")
        .column("Value #F", "g CO2e", "none")
}
