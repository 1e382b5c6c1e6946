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
        description: "VMAF against joules and money, for the scenarios of the last run; and at other prices.",
        refresh: "30s",
        since: "now-1h",
        variables: vec![
            INSTANCE,
            Variable::One {
                name: "currency",
                title: "Currency",
                query: "label_values(ffwatt_scenario_cost, currency)",
            },
            Variable::Number { name: "price", title: "What if a kWh cost", default: "0.30" },
            Variable::Number { name: "carbon", title: "What if a kWh were g CO2", default: "50" },
        ],
        panels: vec![
            scatter("VMAF against joules", "none", "Up is better, left is cheaper: scenarios at the upper left edge are beaten by nobody (the Pareto front).")
                .query(of("ffwatt_scenario_energy_joules"), "{{scenario}}")
                .query(of("ffwatt_scenario_vmaf_score"), "{{scenario}}")
                .column("Value #A", "Energy", "joule")
                .column("Value #B", "VMAF", "none"),
            scatter("VMAF against cost", "none", "The same against energy and busy cores at the configured prices.")
                .query(r#"sum by (scenario) (ffwatt_scenario_cost{instance=~"$instance", currency="$currency", scenario!~"(?i).*baseline.*"})"#, "{{scenario}}")
                .query(of("ffwatt_scenario_vmaf_score"), "{{scenario}}")
                .column("Value #A", "Cost", "none")
                .column("Value #B", "VMAF", "none"),
            bars("Quality for power", "none", "VMAF points per watt of mean power.")
                .query(format!("sort_desc({})", of("ffwatt_scenario_vmaf_per_watt")), "{{scenario}}"),
            bars("Energy for quality", "joule", "Energy per VMAF point, in joules.")
                .query(format!("sort_desc({})", of("ffwatt_scenario_joules_per_vmaf_point")), "{{scenario}}"),
            bars("Energy for a frame", "joule", "Energy per frame, in joules.")
                .query(format!("sort_desc({})", of("ffwatt_scenario_joules_per_frame")), "{{scenario}}"),
            bars("An hour of output", "none", "Energy and busy cores for an hour of output, in the chosen currency.").query(
                r#"sort_desc(sum by (scenario) (ffwatt_scenario_cost_per_output_hour{instance=~"$instance", currency="$currency", scenario!~"(?i).*baseline.*"}))"#,
                "{{scenario}}",
            ),
            bars("What if: energy cost", "none", "Energy alone at the price typed above, in whatever currency that is.")
                .query(format!("sort_desc({} / 3.6e6 * $price)", of("ffwatt_scenario_energy_joules")), "{{scenario}}"),
            bars("What if: carbon", "massg", "Carbon dioxide of the energy at the intensity typed above.")
                .query(format!("sort_desc({} / 3.6e6 * $carbon)", of("ffwatt_scenario_energy_joules")), "{{scenario}}"),
            lines("VMAF of finished transcodes", "none", "Scored by the agent where a container names its source and output.")
                .query(r#"ffwatt_transcode_vmaf_score{instance=~"$instance"}"#, "{{workload}} {{transcode}}"),
            lines("Price and carbon here", "none", "What a kilowatt hour costs and emits, as configured.")
                .query(r#"ffwatt_energy_price_per_kwh{instance=~"$instance"}"#, "{{currency}} a kWh, {{instance}}")
                .query(r#"ffwatt_carbon_intensity_grams_per_kwh{instance=~"$instance"} / 1000"#, "kg CO2 a kWh, {{instance}}"),
            table("Scenarios", "none", "Everything about the last run in one table.")
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
                .column("Value #F", "g CO2", "none"),
        ],
    }
}
