//! Dashboard "Fleet": many hosts at once, from the recorded series.

use super::panel::{BAD, GOOD, areas, bars, lines, stat, table};
use super::{Dashboard, INSTANCE};

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        file: "fleet",
        uid: "ffwatt-fleet",
        title: "Fleet",
        description: "Power, cost and health of all hosts that run ffwatt.",
        refresh: "30s",
        since: "now-6h",
        variables: vec![INSTANCE],
        panels: vec![
            stat("Hosts", "none", "Hosts with an agent that answers.").query(r#"sum(up{job="ffwatt", instance=~"$instance"})"#, "hosts"),
            stat("Power", "watt", "Power of all hosts.")
                .query(r#"sum(instance:ffwatt_power:watts{instance=~"$instance"})"#, "watts"),
            stat("Energy cost", "none", "Energy cost per hour at the present power and the price of each \
                host. Different currencies are not added.")
                .query(r#"sum by (currency) (instance:ffwatt_energy_cost:per_hour{instance=~"$instance"})"#, "{{currency}} per hour")
                .decimals(4),
            stat("Carbon", "massg", "Emission per hour at the present power, in g CO2e.")
                .query(r#"sum(instance:ffwatt_carbon:grams_per_hour{instance=~"$instance"})"#, "per hour"),
            stat("Encodes running", "none", "Encodes that run on all hosts.")
                .query(r#"sum(ffwatt_transcode_running{instance=~"$instance"}) or vector(0)"#, "encodes"),
            stat("Hosts with estimates", "none", "Hosts without energy counters: a model estimates their energy.")
                .query(r#"sum(ffwatt_attribution_info{instance=~"$instance", energy_source="model"}) or vector(0)"#, "hosts"),
            areas("Power by host", "watt", "Power of each host, stacked: the top edge is the fleet.")
                .query(r#"instance:ffwatt_power:watts{instance=~"$instance"}"#, "{{instance}} ({{source}})"),
            lines("Share of idle power", "percentunit", "Idle power as a share of the power of \
                each host. The share is high on hosts with little load.")
                .query(r#"instance:ffwatt_idle_share:ratio{instance=~"$instance"}"#, "{{instance}}")
                .range(0.0, 1.0),
            bars("Workloads with the highest power", "watt", "The fifteen workloads with the highest power on all hosts.")
                .query(r#"topk(15, sum by (workload, instance) (workload:ffwatt_power:watts{instance=~"$instance", kind!="pseudo"}))"#, "{{workload}} on {{instance}}"),
            lines("Power by namespace", "watt", "Power charged to the workloads of each Kubernetes namespace, ended ones included.")
                .query(r#"sum by (namespace) (rate(ffwatt_namespace_energy_joules_total{instance=~"$instance", domain=~"package|dram"}[$__rate_interval]))"#, "{{namespace}}"),
            lines("Expected power in one hour", "watt", "Linear trend of the last half hour, one hour ahead.")
                .query(r#"instance:ffwatt_power:watts_in_1h{instance=~"$instance"}"#, "{{instance}}")
                .query(r#"sum(instance:ffwatt_power:watts{instance=~"$instance"})"#, "all, now"),
            bars("Joules per frame by codec", "joule", "Mean over the transcodes with known frames.")
                .query(r#"avg by (codec, preset) (transcode:ffwatt_joules_per_frame:ratio{instance=~"$instance"})"#, "{{codec}} {{preset}}"),
            table("Hosts", "none", "Sources of CPU time and energy, and problems of each host.")
                .query(r#"ffwatt_attribution_info{instance=~"$instance"}"#, "")
                .query(r#"sum by (instance) (ffwatt_source_up{instance=~"$instance"} == bool 0)"#, "")
                .query(r#"sum by (instance) (instance:ffwatt_power:watts{instance=~"$instance"})"#, "")
                .column("instance", "Host", "string")
                .column("cpu_source", "CPU source", "string")
                .column("energy_source", "Energy source", "string")
                .column("idle_policy", "Idle policy", "string")
                .column("Value #C", "Power", "watt")
                .column("Value #B", "Sources down", "none")
                .size(12, 8),
            stat("Residual", "joule", "Host energy minus the sum of all charges, over all hosts. Always 0.")
                .query(r#"sum(abs(ffwatt_attribution_residual_joules{instance=~"$instance"}))"#, "residual")
                .thresholds(GOOD, &[(0.000_001, BAD)]),
        ],
    }
}
