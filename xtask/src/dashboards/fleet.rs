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
            stat("Hosts", "none", "Hosts whose agent answers.").query(r#"sum(up{job="ffwatt", instance=~"$instance"})"#, "hosts"),
            stat("Power", "watt", "All hosts together.")
                .query(r#"sum(instance:ffwatt_power:watts{instance=~"$instance"})"#, "watts"),
            stat("Energy cost", "none", "Of an hour at this power, at each host's own price; currencies are not added up.")
                .query(r#"sum by (currency) (instance:ffwatt_energy_cost:per_hour{instance=~"$instance"})"#, "{{currency}} an hour")
                .decimals(4),
            stat("Carbon", "massg", "Carbon dioxide of an hour at this power.")
                .query(r#"sum(instance:ffwatt_carbon:grams_per_hour{instance=~"$instance"})"#, "an hour"),
            stat("Encodes running", "none", "On all hosts.")
                .query(r#"sum(ffwatt_transcode_running{instance=~"$instance"}) or vector(0)"#, "encodes"),
            stat("Hosts that estimate", "none", "Hosts without energy counters: their joules are a model's.")
                .query(r#"sum(ffwatt_attribution_info{instance=~"$instance", energy_source="model"}) or vector(0)"#, "hosts"),
            areas("Power by host", "watt", "One on the other: the top edge is the fleet.")
                .query(r#"instance:ffwatt_power:watts{instance=~"$instance"}"#, "{{instance}} ({{source}})"),
            lines("Share of the idle machine", "percentunit", "The part of each host's power that is there when nobody runs: high on hosts with room to spare.")
                .query(r#"instance:ffwatt_idle_share:ratio{instance=~"$instance"}"#, "{{instance}}")
                .range(0.0, 1.0),
            bars("Workloads that draw the most", "watt", "Over all hosts.")
                .query(r#"topk(15, sum by (workload, instance) (workload:ffwatt_power:watts{instance=~"$instance", kind!="pseudo"}))"#, "{{workload}} on {{instance}}"),
            lines("Power in an hour", "watt", "Where the last half hour's trend leads.")
                .query(r#"instance:ffwatt_power:watts_in_1h{instance=~"$instance"}"#, "{{instance}}")
                .query(r#"sum(instance:ffwatt_power:watts{instance=~"$instance"})"#, "all, now"),
            bars("Joules per frame by codec", "joule", "Mean over the transcodes whose frames are known.")
                .query(r#"avg by (codec, preset) (transcode:ffwatt_joules_per_frame:ratio{instance=~"$instance"})"#, "{{codec}} {{preset}}"),
            table("Hosts", "none", "Where CPU time and energy come from, and whether anything is wrong.")
                .query(r#"ffwatt_attribution_info{instance=~"$instance"}"#, "")
                .query(r#"sum by (instance) (ffwatt_source_up{instance=~"$instance"} == bool 0)"#, "")
                .query(r#"sum by (instance) (instance:ffwatt_power:watts{instance=~"$instance"})"#, "")
                .column("instance", "Host", "string")
                .column("cpu_source", "CPU time by", "string")
                .column("energy_source", "Energy by", "string")
                .column("idle_policy", "Idle policy", "string")
                .column("Value #C", "Power", "watt")
                .column("Value #B", "Sources down", "none")
                .size(12, 8),
            stat("Left over", "joule", "Host energy less the sum of all workloads and of what has ended, over all hosts. Always 0.")
                .query(r#"sum(abs(ffwatt_attribution_residual_joules{instance=~"$instance"}))"#, "left over")
                .thresholds(GOOD, &[(0.000_001, BAD)]),
        ],
    }
}
