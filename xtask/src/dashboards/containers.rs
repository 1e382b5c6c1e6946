//! Dashboard "Container energy": power and energy by workload.

use super::panel::{BAD, GOOD, areas, bars, lines, pie, stat, table};
use super::{Dashboard, INSTANCE};

/// Watts of all workloads, in the domains that count towards a total.
const WATTS: &str = r#"rate(ffwatt_workload_energy_joules_total{instance=~"$instance", domain=~"package|dram"}[$__rate_interval])"#;

const CONTAINERS: &str = r#"rate(ffwatt_workload_energy_joules_total{instance=~"$instance", domain=~"package|dram", kind!="pseudo"}[$__rate_interval])"#;

const CONTAINERS_ENERGY: &str =
    r#"ffwatt_workload_energy_joules_total{instance=~"$instance", domain=~"package|dram", kind!="pseudo"}"#;

const HOST: &str = r#"rate(ffwatt_host_energy_joules_total{instance=~"$instance", domain=~"package|dram"}[$__rate_interval])"#;

/// Settings of transcodes, to join with their figures.
const ASKED: &str = r#"* on (instance, transcode, workload) group_left (codec, preset, resolution) ffwatt_transcode_info{instance=~"$instance"}"#;

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        file: "container-energy",
        uid: "ffwatt-containers",
        title: "Container energy",
        description: "Power and energy by workload, and energy per frame of transcodes.",
        refresh: "5s",
        since: "now-15m",
        variables: vec![INSTANCE],
        panels: vec![
            stat("Host", "watt", "Power of the host: processor packages and, where a counter exists, memory.")
                .query(format!("sum({HOST})"), "host"),
            stat("Containers and units", "watt", "Power charged to containers, systemd units and other cgroups.")
                .query(format!("sum({CONTAINERS})"), "named"),
            stat("Idle", "watt", "Power of the host without running tasks.").query(
                format!("sum({})", of_pseudo("idle")),
                "idle",
            ),
            stat("Unattributed", "watt", "Power without a claimant. If it is high, the agent loses \
                events or charges: see the dashboard of the agent.")
                .query(format!("sum({})", of_pseudo("unattributed")), "unattributed"),
            stat("Encodes running", "none", "Encoder processes that run now.").query(
                r#"sum(ffwatt_transcode_running{instance=~"$instance"}) or vector(0)"#,
                "encodes",
            ),
            stat("Residual", "joule", "Host energy minus the sum of all charges. Always 0; another value is a bug of the agent.")
                .query(r#"sum(abs(ffwatt_attribution_residual_joules{instance=~"$instance"}))"#, "residual")
                .thresholds(GOOD, &[(0.000_001, BAD)]),
            areas("Power by workload", "watt", "Power of each workload, stacked: the top edge is the \
                host. The energy of an ended workload moves to no other workload.")
                .query(format!("sum by (workload) ({WATTS}) > 0"), "{{workload}}")
                .size(16, 10),
            pie("Share of the host", "watt", "Power of each workload now.")
                .query(format!("sum by (workload) ({WATTS}) > 0"), "{{workload}}")
                .size(8, 10),
            bars("Highest power now", "watt", "The ten containers, units and cgroups with the highest power.")
                .query(format!("topk(10, sum by (workload) ({CONTAINERS}))"), "{{workload}}"),
            bars("Highest energy in the time range", "joule", "Energy since the start of the time range. A workload \
                that began within it counts with all its energy, also with energy before its first scrape.").query(
                format!("topk(10, sum by (workload) ({}))", energy(CONTAINERS_ENERGY)),
                "{{workload}}",
            ),
            bars("Energy by class", "joule", "Energy of the transcodes with the same settings since the start of the time range. \
                These counters never end, so they include transcodes that no scrape saw.").query(
                r#"topk(10, sum by (namespace, scenario, codec, preset, resolution) (increase(ffwatt_class_energy_joules_total{instance=~"$instance"}[$__range])))"#,
                "{{namespace}} {{scenario}} {{codec}} {{preset}} {{resolution}}",
            ),
            lines("Power by class", "watt", "Power of the transcodes with the same settings, over five minutes.")
                .query(
                    r#"sum by (namespace, scenario, codec, preset, resolution) (class:ffwatt_power:watts{instance=~"$instance"}) > 0"#,
                    "{{namespace}} {{scenario}} {{codec}} {{preset}} {{resolution}}",
                ),
            lines("CPU time", "none", "Busy CPUs of each workload.").query(
                r#"sum by (workload) (rate(ffwatt_workload_cpu_seconds_total{instance=~"$instance"}[$__rate_interval])) > 0.001"#,
                "{{workload}}",
            ),
            lines("Power of transcodes", "watt", "Power of each transcode.").query(
                r#"sum by (workload, transcode, codec, preset) (rate(ffwatt_transcode_energy_joules_total{instance=~"$instance"}[$__rate_interval])) > 0"#,
                "{{workload}} {{codec}} {{preset}} ({{transcode}})",
            ),
            table("Transcodes", "none", "Energy and carbon of each transcode; joules per frame and VMAF \
                where they are known. Each column can be sorted.")
                .query(
                    format!(r#"sum by (instance, transcode, workload, codec, preset, resolution) (ffwatt_transcode_carbon_grams{{instance=~"$instance"}} {ASKED})"#),
                    "",
                )
                .query(
                    r#"sum by (instance, transcode, workload, codec, preset, resolution) (ffwatt_transcode_energy_joules_total{instance=~"$instance", transcode!~"\\(.*"})"#,
                    "",
                )
                .query(
                    format!(r#"sum by (instance, transcode, workload, codec, preset, resolution) (ffwatt_transcode_joules_per_frame{{instance=~"$instance"}} {ASKED})"#),
                    "",
                )
                .query(
                    format!(r#"sum by (instance, transcode, workload, codec, preset, resolution) (ffwatt_transcode_vmaf_score{{instance=~"$instance"}} {ASKED})"#),
                    "",
                )
                .column("workload", "Workload", "string")
                .column("transcode", "Transcode", "string")
                .column("codec", "Codec", "string")
                .column("preset", "Preset", "string")
                .column("resolution", "Size", "string")
                .column("Value #B", "Energy", "joule")
                .column("Value #C", "J/frame", "none")
                .column("Value #D", "VMAF", "none")
                .column("Value #A", "g CO2e", "none")
                .size(24, 10),
        ],
    }
}

/// Growth of a counter in the time range. `increase()` does not count the value of a series at its first sample; for a series that began
/// within the range, its last value is its growth.
fn energy(metric: &str) -> String {
    format!(
        "(increase({metric}[$__range]) and {metric} offset $__range) or (last_over_time({metric}[$__range]) unless {metric} offset $__range)"
    )
}

fn of_pseudo(name: &str) -> String {
    WATTS.replace("instance=~", &format!("workload=\"{name}\", kind=\"pseudo\", instance=~"))
}
