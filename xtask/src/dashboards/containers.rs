//! Dashboard "Container energy": power and energy by workload.

use super::links::{PAGE_OF_CELL, WORKLOAD, WORKLOAD_OF_CELL};
use super::panel::{BAD, GOOD, Panel, areas, bars, lines, pie, stat, table};
use super::queries::{CLASS_LEGEND, highest, of_classes};
use super::{Dashboard, TOP, Variable};

const WORKLOADS: Variable = Variable::Label {
    name: "workload",
    title: "Workload",
    query: "label_values(ffwatt_workload_cpu_seconds_total, workload)",
};

/// Selects the chosen workloads of the chosen hosts.
const CHOSEN: &str = r#"instance=~"$instance(:.*)?", workload=~"$workload""#;

const HOST: &str = r#"rate(ffwatt_host_energy_joules_total{instance=~"$instance(:.*)?", domain=~"package|dram"}[$__rate_interval])"#;

/// Labels of a row of the table of transcodes.
const ROW: &str = "instance, transcode, workload, codec, preset, resolution";

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        file: "container-energy",
        uid: "ffwatt-containers",
        title: "Container energy",
        description: "Power and energy by workload, and energy per frame of transcodes.",
        refresh: "5s",
        since: "now-15m",
        variables: vec![Variable::Host, WORKLOADS, TOP],
        panels: totals().into_iter().chain(workloads()).chain(transcodes()).collect(),
    }
}

/// Energy of the chosen workloads, in the domains that count towards a total.
fn of_workloads(more: &str) -> String {
    format!(r#"ffwatt_workload_energy_joules_total{{{CHOSEN}, domain=~"package|dram"{more}}}"#)
}

/// Power of the chosen workloads.
fn watts(more: &str) -> String {
    format!("sum by (workload) (rate({}[$__rate_interval]))", of_workloads(more))
}

/// Power without a workload of its own, also when workloads are chosen.
fn of_pseudo(name: &str) -> String {
    format!(
        r#"sum(rate(ffwatt_workload_energy_joules_total{{instance=~"$instance(:.*)?", workload="{name}", kind="pseudo", domain=~"package|dram"}}[$__rate_interval]))"#
    )
}

/// Growth of a counter in the time range. `increase()` does not count the value of a series at its first sample; for a series that began
/// within the range, its last value is its growth.
fn energy(metric: &str) -> String {
    format!(
        "(increase({metric}[$__range]) and {metric} offset $__range) or (last_over_time({metric}[$__range]) unless {metric} offset $__range)"
    )
}

fn totals() -> [Panel; 6] {
    let containers = r#", kind!="pseudo""#;
    [
        stat("Host", "watt", "Power of the host: processor packages and, where a counter exists, memory.")
            .query(format!("sum({HOST})"), "host"),
        stat(
            "Containers and units",
            "watt",
            "Power charged to the chosen containers, systemd units and other cgroups.",
        )
        .query(format!("sum({})", watts(containers)), "named"),
        stat("Idle", "watt", "Power of the host without running tasks.").query(of_pseudo("idle"), "idle"),
        stat(
            "Unattributed",
            "watt",
            "Power without a claimant. If it is high, the agent loses \
            events or charges: see the dashboard of the agent.",
        )
        .query(of_pseudo("unattributed"), "unattributed"),
        stat("Encodes running", "none", "Encoder processes of the chosen workloads that run now.")
            .query(format!("sum(ffwatt_transcode_running{{{CHOSEN}}}) or vector(0)"), "encodes"),
        stat(
            "Residual",
            "joule",
            "Host energy minus the sum of all charges. Always 0; another value is a bug of the agent.",
        )
        .query(r#"sum(abs(ffwatt_attribution_residual_joules{instance=~"$instance(:.*)?"}))"#, "residual")
        .thresholds(GOOD, &[(0.000_001, BAD)]),
    ]
}

fn workloads() -> [Panel; 7] {
    let containers = r#", kind!="pseudo""#;
    let all = highest(&format!("({} > 0)", watts("")), "workload");
    let class = |query: String| highest(&of_classes(&query), "codec");
    [
        areas("Power by workload", "watt", "The workloads with the highest power and the sum of the others, stacked: \
            the top edge is the host, when all workloads are chosen. The energy of an ended workload moves to no other workload.")
            .query(&*all, "{{workload}}")
            .size(16, 10)
            .link(WORKLOAD),
        pie("Share of the host", "watt", "Power of the workloads now.")
            .query(&*all, "{{workload}}")
            .size(8, 10)
            .link(WORKLOAD),
        bars("Highest power now", "watt", "The containers, units and cgroups with the highest power, and the sum of the others.")
            .query(highest(&watts(containers), "workload"), "{{workload}}")
            .link(WORKLOAD),
        bars("Highest energy in the time range", "joule", "Energy since the start of the time range, and the sum of the others. \
            A workload that began within it counts with all its energy, also with energy before its first scrape.")
            .query(
                highest(&format!("sum by (workload) ({})", energy(&of_workloads(containers))), "workload"),
                "{{workload}}",
            )
            .link(WORKLOAD),
        bars("Energy by class", "joule", "Energy of the transcodes with the same settings since the start of the time range, and \
            the sum of the other classes. These counters never end, so they include transcodes that no scrape saw.").query(
            class(r#"increase(ffwatt_class_energy_joules_total{instance=~"$instance(:.*)?"}[$__range])"#.into()),
            CLASS_LEGEND,
        ),
        lines("Power by class", "watt", "Power of the transcodes with the same settings, over five minutes.")
            .query(class(r#"class:ffwatt_power:watts{instance=~"$instance(:.*)?"} > 0"#.into()), CLASS_LEGEND),
        lines("CPU time", "none", "Busy CPUs of the workloads with the highest CPU time, and the sum of the others.")
            .query(
                highest(
                    &format!("(sum by (workload) (rate(ffwatt_workload_cpu_seconds_total{{{CHOSEN}}}[$__rate_interval])) > 0.001)"),
                    "workload",
                ),
                "{{workload}}",
            )
            .link(WORKLOAD),
    ]
}

fn transcodes() -> [Panel; 2] {
    // Settings of transcodes, to join with their figures. Figures have no sum.
    let figure = |metric: &str| {
        format!(
            "avg by ({ROW}) ({metric}{{{CHOSEN}}} * on (instance, transcode, workload) group_left (codec, preset, resolution) \
             ffwatt_transcode_info{{{CHOSEN}}})"
        )
    };
    [
        lines("Power of transcodes", "watt", "The transcodes with the highest power, and the sum of the others.").query(
            highest(
                &format!(
                    "(sum by (workload, transcode, codec, preset) (rate(ffwatt_transcode_energy_joules_total{{{CHOSEN}}}[$__rate_interval])) > 0)"
                ),
                "workload",
            ),
            "{{workload}} {{codec}} {{preset}} {{transcode}}",
        ),
        table("Transcodes", "none", "Energy and carbon of each transcode; joules per frame and VMAF \
            where they are known. Each column can be sorted.")
            .query(figure("ffwatt_transcode_carbon_grams"), "")
            .query(
                format!(r#"sum by ({ROW}) (ffwatt_transcode_energy_joules_total{{{CHOSEN}, transcode!~"\\(.*"}})"#),
                "",
            )
            .query(figure("ffwatt_transcode_joules_per_frame"), "")
            .query(figure("ffwatt_transcode_vmaf_score"), "")
            .linked("instance", "Host", PAGE_OF_CELL)
            .linked("workload", "Workload", WORKLOAD_OF_CELL)
            .column("transcode", "Transcode", "string")
            .column("codec", "Codec", "string")
            .column("preset", "Preset", "string")
            .column("resolution", "Size", "string")
            .column("Value #B", "Energy", "joule")
            .column("Value #C", "J/frame", "joule")
            .column("Value #D", "VMAF", "none")
            .column("Value #A", "g CO2e", "none")
            .size(24, 10),
    ]
}
