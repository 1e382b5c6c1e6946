//! Dashboard `QoE × cost`: the energy and cost of quality.

use super::panel::{bars, lines, scatter, table};
use super::{Dashboard, INSTANCE, Variable};

const REAL: &str = r#"{instance=~"$instance", scenario!~"(?i).*baseline.*"}"#;

pub(crate) fn dashboard() -> Dashboard {
    let of = |metric: &str| format!("sum by (scenario) ({metric}{REAL})");
    Dashboard {
        file: "quality-cost",
        uid: "ffwatt-quality-cost",
        title: "QoE × cost",
        description: "VMAF by energy and by cost, for the scenarios of the last run, and at other prices.",
        refresh: "30s",
        since: "now-1h",
        variables: vec![
            INSTANCE,
            Variable::One {
                name: "currency",
                title: "Currency",
                query: "label_values(ffwatt_scenario_cost, currency)",
            },
            Variable::Number { name: "price", title: "Price per kWh (what-if)", default: "0.30" },
            Variable::Number { name: "carbon", title: "g CO2e per kWh (what-if)", default: "50" },
        ],
        panels: vec![
            scatter("VMAF by energy", "none", "Scenarios at the upper left edge are the Pareto \
                front: no other scenario has more VMAF for less energy.")
                .query(of("ffwatt_scenario_energy_joules"), "{{scenario}}")
                .query(of("ffwatt_scenario_vmaf_score"), "{{scenario}}")
                .column("Value #A", "Energy", "joule")
                .column("Value #B", "VMAF", "none"),
            scatter("VMAF by cost", "none", "VMAF by cost of energy and busy cores at the configured prices.")
                .query(r#"sum by (scenario) (ffwatt_scenario_cost{instance=~"$instance", currency="$currency", scenario!~"(?i).*baseline.*"})"#, "{{scenario}}")
                .query(of("ffwatt_scenario_vmaf_score"), "{{scenario}}")
                .column("Value #A", "Cost", "none")
                .column("Value #B", "VMAF", "none"),
            bars("Quality per watt", "none", "VMAF points per watt of mean power.")
                .query(format!("sort_desc({})", of("ffwatt_scenario_vmaf_per_watt")), "{{scenario}}"),
            bars("Energy per VMAF point", "joule", "Energy per VMAF point.")
                .query(format!("sort_desc({})", of("ffwatt_scenario_joules_per_vmaf_point")), "{{scenario}}"),
            bars("Energy per frame", "joule", "Energy per frame.")
                .query(format!("sort_desc({})", of("ffwatt_scenario_joules_per_frame")), "{{scenario}}"),
            bars("Cost per hour of output", "none", "Cost of energy and busy cores per hour of output, in the selected currency.").query(
                r#"sort_desc(sum by (scenario) (ffwatt_scenario_cost_per_output_hour{instance=~"$instance", currency="$currency", scenario!~"(?i).*baseline.*"}))"#,
                "{{scenario}}",
            ),
            bars("What-if energy cost", "none", "Energy cost at the price in the field above, in the currency of that price.")
                .query(format!("sort_desc({} / 3.6e6 * $price)", of("ffwatt_scenario_energy_joules")), "{{scenario}}"),
            bars("What-if carbon", "massg", "Emission of the energy at the carbon intensity in the field above.")
                .query(format!("sort_desc({} / 3.6e6 * $carbon)", of("ffwatt_scenario_energy_joules")), "{{scenario}}"),
            lines("VMAF of finished transcodes", "none", "VMAF of transcodes that the agent has scored, \
                because the container names source and output.")
                .query(r#"ffwatt_transcode_vmaf_score{instance=~"$instance"}"#, "{{workload}} {{transcode}}"),
            lines("Price and carbon intensity", "none", "Configured price and carbon intensity of 1 kWh.")
                .query(r#"ffwatt_energy_price_per_kwh{instance=~"$instance"}"#, "{{currency}}/kWh, {{instance}}")
                .query(r#"ffwatt_carbon_intensity_grams_per_kwh{instance=~"$instance"} / 1000"#, "kg CO2e/kWh, {{instance}}"),
            table("Scenarios", "none", "All figures of the scenarios of the last run.")
                .query(of("ffwatt_scenario_energy_joules"), "")
                .query(of("ffwatt_scenario_vmaf_score"), "")
                .query(of("ffwatt_scenario_joules_per_frame"), "")
                .query(of("ffwatt_scenario_joules_per_megapixel"), "")
                .query(r#"sum by (scenario) (ffwatt_scenario_cost{instance=~"$instance", currency="$currency", scenario!~"(?i).*baseline.*"})"#, "")
                .query(of("ffwatt_scenario_carbon_grams"), "")
                .column("scenario", "Scenario", "string")
                .column("Value #A", "Energy", "joule")
                .column("Value #B", "VMAF", "none")
                .column("Value #C", "J/frame", "none")
                .column("Value #D", "J/megapixel", "none")
                .column("Value #E", "Cost", "none")
                .column("Value #F", "g CO2e", "none"),
        ],
    }
}
