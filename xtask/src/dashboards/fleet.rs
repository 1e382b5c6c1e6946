//! Dashboard "Fleet": many hosts at once, from the recorded series.

use super::links::{NAMESPACE, PAGE, PAGE_OF_CELL, WORKLOAD};
use super::money::MONEY;
use super::panel::{BAD, GOOD, Panel, areas, bars, lines, stat, table};
use super::queries::{highest, highest_and_mean};
use super::{Dashboard, TOP, Variable};

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        file: "fleet",
        uid: "ffwatt-fleet",
        title: "Fleet",
        description: "Power, cost and health of all hosts that run ffwatt.",
        refresh: "30s",
        since: "now-6h",
        variables: vec![Variable::Host, TOP],
        panels: now().into_iter().chain(power()).chain([hosts()]).chain(forecasts()).collect(),
    }
}

fn now() -> [Panel; 8] {
    [
        stat("Hosts", "none", "Hosts with an agent that answers.")
            .query(r#"sum(up{job="ffwatt", instance=~"$instance(:.*)?"})"#, "hosts"),
        stat("Power", "watt", "Power of all hosts.")
            .query(r#"sum(instance:ffwatt_power:watts{instance=~"$instance(:.*)?"})"#, "watts"),
        stat("Encodes running", "none", "Encodes that run on all hosts.")
            .query(r#"sum(ffwatt_transcode_running{instance=~"$instance(:.*)?"}) or vector(0)"#, "encodes"),
        stat("Hosts with estimates", "none", "Hosts without energy counters: a model estimates their energy.")
            .query(r#"sum(ffwatt_attribution_info{instance=~"$instance(:.*)?", energy_source="model"}) or vector(0)"#, "hosts"),
        stat("Residual", "joule", "Host energy minus the sum of all charges, over all hosts. Always 0.")
            .query(r#"sum(abs(ffwatt_attribution_residual_joules{instance=~"$instance(:.*)?"}))"#, "residual")
            .thresholds(GOOD, &[(0.000_001, BAD)]),
        stat("Carbon per hour", "massg", "Emission per hour at the present power, in g CO2e.")
            .query(r#"sum(instance:ffwatt_carbon:grams_per_hour{instance=~"$instance(:.*)?"})"#, "per hour"),
        stat("Energy cost per hour", MONEY, "Energy cost of an hour at the present power and the price of each \
            host. Different currencies are not added.")
            .query(r#"sum by (currency) (instance:ffwatt_energy_cost:per_hour{instance=~"$instance(:.*)?"})"#, "{{currency}} per hour")
            .decimals(4)
            .size(12, 4),
        stat("Energy cost per month", MONEY, "Energy cost of 720 hours at the mean power of the last hour and the price of \
            each host. Different currencies are not added.")
            .query(
                r#"sum by (currency) (avg_over_time(instance:ffwatt_energy_cost:per_hour{instance=~"$instance(:.*)?"}[1h])) * 720"#,
                "{{currency}} per month",
            )
            .decimals(2)
            .size(12, 4),
    ]
}

fn power() -> [Panel; 5] {
    let of_hosts = |metric: &str| format!(r#"{metric}{{instance=~"$instance(:.*)?"}}"#);
    let workloads = r#"sum by (workload, instance) (workload:ffwatt_power:watts{instance=~"$instance(:.*)?", kind!="pseudo"})"#;
    let namespaces = r#"sum by (namespace) (rate(ffwatt_namespace_energy_joules_total{instance=~"$instance(:.*)?", domain=~"package|dram"}[$__rate_interval]))"#;
    let codecs =
        r#"avg by (codec, preset) (transcode:ffwatt_joules_per_frame:ratio{instance=~"$instance(:.*)?"})"#;
    [
        areas(
            "Power by host",
            "watt",
            "The hosts with the highest power and the sum of the others, stacked: \
            the top edge is the fleet.",
        )
        .query(highest(&of_hosts("instance:ffwatt_power:watts"), "instance"), "{{instance}} ({{source}})")
        .link(PAGE),
        lines(
            "Share of idle power",
            "percentunit",
            "Idle power as a share of the power of \
            each host. The share is high on hosts with little load.",
        )
        .query(highest_and_mean(&of_hosts("instance:ffwatt_idle_share:ratio"), "instance"), "{{instance}}")
        .range(0.0, 1.0)
        .link(PAGE),
        bars(
            "Workloads with the highest power",
            "watt",
            "The workloads with the highest power on all hosts, and the sum of the others.",
        )
        .query(highest(workloads, "workload"), "{{workload}} {{instance}}")
        .link(PAGE)
        .link(WORKLOAD),
        lines(
            "Power by namespace",
            "watt",
            "Power charged to the workloads of each Kubernetes namespace, ended ones included.",
        )
        .query(highest(namespaces, "namespace"), "{{namespace}}")
        .link(NAMESPACE),
        bars("Joules per frame by codec", "joule", "Mean over the transcodes with known frames.")
            .query(highest_and_mean(codecs, "codec"), "{{codec}} {{preset}}"),
    ]
}

fn hosts() -> Panel {
    table("Hosts", "none", "Sources of CPU time and energy, and problems of each host. The name of a host is a link to its live page.")
        .query(r#"ffwatt_attribution_info{instance=~"$instance(:.*)?"}"#, "")
        .query(r#"sum by (instance) (ffwatt_source_up{instance=~"$instance(:.*)?"} == bool 0)"#, "")
        .query(r#"sum by (instance) (instance:ffwatt_power:watts{instance=~"$instance(:.*)?"})"#, "")
        .linked("instance", "Host", PAGE_OF_CELL)
        .column("cpu_source", "CPU source", "string")
        .column("energy_source", "Energy source", "string")
        .column("idle_policy", "Idle policy", "string")
        .column("Value #C", "Power", "watt")
        .column("Value #B", "Sources down", "none")
        .size(12, 8)
}

fn forecasts() -> [Panel; 2] {
    [
        lines(
            "Expected power in one hour",
            "watt",
            "Linear trend of the last half hour, one hour ahead, never below 0. \
            Absent for a host with fewer than 20 minutes of data.",
        )
        .query(
            highest(r#"instance:ffwatt_power:watts_in_1h{instance=~"$instance(:.*)?"}"#, "instance"),
            "{{instance}}",
        )
        .query(r#"sum(instance:ffwatt_power:watts{instance=~"$instance(:.*)?"})"#, "all, now")
        .least(0.0),
        lines(
            "Expected energy cost in one hour",
            MONEY,
            "Linear trend of the energy cost per hour over the last half hour, one \
            hour ahead, never below 0. Absent for a host with fewer than 20 minutes of data.",
        )
        .query(
            r#"sum by (currency) (instance:ffwatt_energy_cost:per_hour_in_1h{instance=~"$instance(:.*)?"})"#,
            "{{currency}} per hour, in one hour",
        )
        .query(
            r#"sum by (currency) (instance:ffwatt_energy_cost:per_hour{instance=~"$instance(:.*)?"})"#,
            "{{currency}} per hour, now",
        )
        .least(0.0),
    ]
}
