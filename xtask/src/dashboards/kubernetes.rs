//! Dashboard "Kubernetes": power, energy, cost and carbon by namespace, pod, container and encode.
//!
//! Totals of namespaces and classes come from counters that never end, so energy of short jobs is complete after the first scrape. Rows
//! of pods, containers and encodes come from their own series, which end with them.

use super::links;
use super::money::MONEY;
use super::panel::{Panel, areas, bars, lines, stat, table};
use super::queries::{CLASS_LEGEND, highest, highest_and_mean, of_classes};
use super::{Dashboard, TOP, Variable};

const NAMESPACE: Variable = Variable::Label {
    name: "namespace",
    title: "Namespace",
    query: "label_values(ffwatt_namespace_energy_joules_total, namespace)",
};

/// Energy of namespaces, in the domains that count towards a total.
const NAMESPACES: &str = r#"ffwatt_namespace_energy_joules_total{instance=~"$instance(:.*)?", namespace=~"$namespace", domain=~"package|dram"}"#;

/// Energy of containers, with the pod's own cgroup and its sandbox, in the same domains.
const CONTAINERS: &str = r#"ffwatt_workload_energy_joules_total{instance=~"$instance(:.*)?", namespace=~"$namespace", namespace!="", domain=~"package|dram"}"#;

const ENCODES: &str = r#"instance=~"$instance(:.*)?", namespace=~"$namespace", namespace!="""#;

/// Labels of a row of the table of encodes.
const ROW: &str = "instance, namespace, pod, container, transcode";

/// Settings of transcodes, to join with their figures.
const SETTINGS: &str = r#"* on (instance, transcode, workload) group_left (codec, preset, resolution) ffwatt_transcode_info{instance=~"$instance(:.*)?"}"#;

const PRICE: &str = r#"ffwatt_energy_price_per_kwh{instance=~"$instance(:.*)?"}"#;

const CARBON: &str = r#"ffwatt_carbon_intensity_grams_per_kwh{instance=~"$instance(:.*)?"}"#;

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        file: "kubernetes",
        uid: "ffwatt-kubernetes",
        title: "Kubernetes",
        description: "Power, energy, cost and carbon by namespace, pod, container and encode.",
        refresh: "30s",
        since: "now-1h",
        variables: vec![Variable::Host, NAMESPACE, TOP],
        panels: totals()
            .map(|panel| panel.size(3, 4))
            .into_iter()
            .chain(namespaces_and_pods())
            .chain(encodes())
            .collect(),
    }
}

fn totals() -> [Panel; 8] {
    let energy = format!("sum by (instance) (increase({NAMESPACES}[$__range])) / 3.6e6");
    [
        stat("Power", "watt", "Power charged to the pods of the chosen namespaces.")
            .query(format!("sum(rate({NAMESPACES}[$__rate_interval]))"), "pods"),
        stat("Energy", "kwatth", "Energy charged to the pods of the chosen namespaces in the time range.")
            .query(format!("sum({energy})"), "pods")
            .decimals(4),
        stat("Energy cost", MONEY, "Cost of this energy, at the price of each node.")
            .query(
                format!("sum by (currency) ({PRICE} * on (instance) group_left () ({energy}))"),
                "{{currency}}",
            )
            .decimals(4),
        stat("Energy cost per hour", MONEY, "Energy cost of an hour at the present power, at the price of each node.")
            .query(
                format!(
                    "sum by (currency) ({PRICE} * on (instance) group_left () (sum by (instance) (rate({NAMESPACES}[$__rate_interval])) / 1000))"
                ),
                "{{currency}} per hour",
            )
            .decimals(4),
        stat("Energy cost per month", MONEY, "Energy cost of 720 hours at the mean power of the time range, at the price of each \
            node.")
            .query(
                format!(
                    "sum by (currency) ({PRICE} * on (instance) group_left () (sum by (instance) (rate({NAMESPACES}[$__range])) / 1000)) * 720"
                ),
                "{{currency}} per month",
            )
            .decimals(2),
        stat("Carbon", "massg", "Emission of this energy, in g CO2e, at the carbon intensity of each node.")
            .query(format!("sum(({energy}) * on (instance) {CARBON})"), "pods"),
        stat("Pods", "none", "Pods with a charge, ended pods of the last minutes included.")
            .query(format!("count(count by (namespace, pod) ({CONTAINERS}))"), "pods"),
        stat("Encodes running", "none", "Encoder processes that run now in pods.")
            .query(format!("sum(ffwatt_transcode_running{{{ENCODES}}})"), "encodes"),
    ]
}

fn namespaces_and_pods() -> [Panel; 5] {
    let containers = "sum by (instance, namespace, pod, container)";
    let watts = format!("sum by (namespace) (rate({NAMESPACES}[$__rate_interval]))");
    let energy = format!("sum by (namespace) (increase({NAMESPACES}[$__range])) / 3.6e6");
    let of_containers =
        |labels: &str| format!("(sum by ({labels}) (rate({CONTAINERS}[$__rate_interval])) > 0)");
    [
        areas("Power by namespace", "watt", "The namespaces with the highest power and the sum of the others, stacked.")
            .query(highest(&watts, "namespace"), "{{namespace}}")
            .link(links::NAMESPACE),
        bars("Energy by namespace", "kwatth", "Energy charged to the pods of each namespace in the time range.")
            .query(highest(&energy, "namespace"), "{{namespace}}")
            .link(links::NAMESPACE),
        areas("Power by pod", "watt", "The pods with the highest power and the sum of the others, stacked.")
            .query(highest(&of_containers("namespace, pod"), "pod"), "{{namespace}} {{pod}}"),
        lines("Power by container", "watt", "The containers with the highest power, and the sum of the others. The container POD \
            is the overhead of a pod: its own cgroup and its sandbox.")
            .query(
                highest(&of_containers("namespace, pod, container"), "container"),
                "{{namespace}} {{pod}} {{container}}",
            ),
        table("Containers", "none", "Power, CPU time and cost of each container now, and its energy since its \
            series began.")
            .query(format!("{containers} (rate({CONTAINERS}[$__rate_interval]))"), "")
            .query(format!("{containers} ({CONTAINERS})"), "")
            .query(
                format!("{containers} (rate(ffwatt_workload_cpu_seconds_total{{{ENCODES}}}[$__rate_interval]))"),
                "",
            )
            .query(
                format!("{containers} (rate({CONTAINERS}[$__rate_interval])) / 1000 * on (instance) group_left (currency) {PRICE}"),
                "",
            )
            .query(
                format!("{containers} (rate({CONTAINERS}[$__rate_interval])) / 1000 * on (instance) group_left () {CARBON}"),
                "",
            )
            .linked("instance", "Node", links::PAGE_OF_CELL)
            .linked("namespace", "Namespace", links::NAMESPACE_OF_CELL)
            .column("pod", "Pod", "string")
            .column("container", "Container", "string")
            .column("Value #A", "Power", "watt")
            .column("Value #B", "Energy", "joule")
            .column("Value #C", "CPUs", "none")
            .column("Value #D", "Cost per hour", MONEY)
            .column("currency", "Currency", "string")
            .column("Value #E", "g CO2e per hour", "none")
            .size(24, 10),
    ]
}

fn encodes() -> [Panel; 6] {
    let class = |name: &str| {
        format!(
            r#"ffwatt_class_{name}_total{{instance=~"$instance(:.*)?", namespace=~"$namespace", namespace!=""}}[$__range]"#
        )
    };
    let (energy, frames) = (class("energy_joules"), class("frames"));
    let figure = |name: &str| format!("avg by ({ROW}) ({name}{{{ENCODES}}})");
    [
        lines("Power of encodes", "watt", "The encodes with the highest power, and the sum of the others.")
            .query(
                highest(
                    &format!("(sum by (namespace, pod, transcode, codec, preset) (rate(ffwatt_transcode_energy_joules_total{{{ENCODES}}}[$__rate_interval])) > 0)"),
                    "pod",
                ),
                "{{namespace}} {{pod}} {{codec}} {{preset}} {{transcode}}",
            ),
        bars("Energy by class of encodes", "kwatth", "Energy in the time range of all encodes with the same \
            settings, ended encodes included, and the sum of the other classes.")
            .query(highest(&of_classes(&format!("increase({energy}) / 3.6e6")), "codec"), CLASS_LEGEND),
        bars("Joules per frame by class", "joule", "Energy of each class divided by its encoded frames, in the \
            time range. Absent without progress posts.")
            .query(
                highest_and_mean(
                    &format!(
                        "{} / ({} > 0)",
                        of_classes(&format!("increase({energy})")),
                        of_classes(&format!("increase({frames})"))
                    ),
                    "codec",
                ),
                CLASS_LEGEND,
            ),
        lines("Joules per frame", "joule", "The encodes with the highest energy per encoded frame, and the mean of the others.")
            .query(
                highest_and_mean(
                    &format!(
                        "avg by (namespace, pod, transcode, codec, preset) (ffwatt_transcode_joules_per_frame{{{ENCODES}}} {SETTINGS})"
                    ),
                    "pod",
                ),
                "{{namespace}} {{pod}} {{codec}} {{preset}} {{transcode}}",
            ),
        bars("Ended encodes", "none", "Encodes that ended in the time range, by class, and the sum of the other classes.")
            .query(highest(&of_classes(&format!("increase({})", class("jobs"))), "codec"), CLASS_LEGEND),
        table("Encodes", "none", "Energy, energy per frame, cost and carbon of each encode; figures per frame where \
            the encoder posts progress.")
            .query(
                format!("sum by ({ROW}, codec, preset, resolution) (ffwatt_transcode_energy_joules_total{{{ENCODES}}})"),
                "",
            )
            .query(figure("ffwatt_transcode_joules_per_frame"), "")
            .query(format!("sum by ({ROW}, currency) (ffwatt_transcode_cost{{{ENCODES}}})"), "")
            .query(figure("ffwatt_transcode_carbon_grams"), "")
            .linked("instance", "Node", links::PAGE_OF_CELL)
            .linked("namespace", "Namespace", links::NAMESPACE_OF_CELL)
            .column("pod", "Pod", "string")
            .column("container", "Container", "string")
            .column("transcode", "Encode", "string")
            .column("codec", "Codec", "string")
            .column("preset", "Preset", "string")
            .column("resolution", "Size", "string")
            .column("Value #A", "Energy", "joule")
            .column("Value #B", "J/frame", "joule")
            .column("Value #C", "Cost", MONEY)
            .column("currency", "Currency", "string")
            .column("Value #D", "g CO2e", "none")
            .size(24, 10),
    ]
}
