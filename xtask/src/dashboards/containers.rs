//! Dashboard "Container energy": power and energy by workload.

use super::panel::{BAD, GOOD, areas, bars, lines, pie, stat, table};
use super::{Dashboard, INSTANCE};

/// Watts of all workloads, in the domains that count towards a total.
const WATTS: &str = r#"rate(ffwatt_workload_energy_joules_total{instance=~"$instance", domain=~"package|dram"}[$__rate_interval])"#;

const CONTAINERS: &str = r#"rate(ffwatt_workload_energy_joules_total{instance=~"$instance", domain=~"package|dram", kind!="pseudo"}[$__rate_interval])"#;

const HOST: &str = r#"rate(ffwatt_host_energy_joules_total{instance=~"$instance", domain=~"package|dram"}[$__rate_interval])"#;

/// Settings of transcodes, to join with their figures.
const ASKED: &str = r#"* on (instance, transcode, workload) group_left (codec, preset, resolution) ffwatt_transcode_info{instance=~"$instance"}"#;

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        file: "container-energy",
        uid: "ffwatt-containers",
        title: "Container energy",
        description: "Who draws the power, now and over time; which transcodes pay the most for a frame.",
        refresh: "5s",
        since: "now-15m",
        variables: vec![INSTANCE],
        panels: vec![
            stat("Host", "watt", "Power of the whole machine: processor packages and, where counted, memory.")
                .query(format!("sum({HOST})"), "host"),
            stat("Containers and units", "watt", "Power charged to everything that has a name: containers, units, cgroups.")
                .query(format!("sum({CONTAINERS})"), "named"),
            stat("Idle", "watt", "What the machine draws when nobody runs.").query(
                format!("sum({})", of_pseudo("idle")),
                "idle",
            ),
            stat("Unattributed", "watt", "Power that nobody can be charged with. More than a little means losses: see the agent's own dashboard.")
                .query(format!("sum({})", of_pseudo("unattributed")), "unattributed"),
            stat("Encodes running", "none", "Runs of ffmpeg and the like at this moment.").query(
                r#"sum(ffwatt_transcode_running{instance=~"$instance"}) or vector(0)"#,
                "encodes",
            ),
            stat("Left over", "joule", "Host energy less the sum of all workloads and of what has ended. Always 0: anything else is a bug.")
                .query(r#"sum(abs(ffwatt_attribution_residual_joules{instance=~"$instance"}))"#, "left over")
                .thresholds(GOOD, &[(0.000_001, BAD)]),
            areas("Power by workload", "watt", "The power of each workload, stacked: the top edge is the host. A workload that ends adds nothing to any other.")
                .query(format!("sum by (workload) ({WATTS}) > 0"), "{{workload}}")
                .size(16, 10),
            pie("Share of the host", "watt", "The same, now.")
                .query(format!("sum by (workload) ({WATTS}) > 0"), "{{workload}}")
                .size(8, 10),
            bars("Highest power now", "watt", "The ten containers, units and cgroups that draw the most.")
                .query(format!("topk(10, sum by (workload) ({CONTAINERS}))"), "{{workload}}"),
            bars("Most energy in this time", "joule", "Joules since the left edge of the dashboard, less what a workload had before its first scrape.").query(
                r#"topk(10, sum by (workload) (increase(ffwatt_workload_energy_joules_total{instance=~"$instance", domain=~"package|dram", kind!="pseudo"}[$__range])))"#,
                "{{workload}}",
            ),
            lines("CPU time", "none", "CPUs that each workload keeps busy.").query(
                r#"sum by (workload) (rate(ffwatt_workload_cpu_seconds_total{instance=~"$instance"}[$__rate_interval])) > 0.001"#,
                "{{workload}}",
            ),
            lines("Power of transcodes", "watt", "Each run of an encoder.").query(
                r#"sum by (workload, transcode, codec, preset) (rate(ffwatt_transcode_energy_joules_total{instance=~"$instance"}[$__rate_interval])) > 0"#,
                "{{workload}} {{codec}} {{preset}} ({{transcode}})",
            ),
            table("Transcodes", "none", "Energy, cost and carbon of each run; joules per frame and VMAF where they are known. Sort by any column.")
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
                .column("Value #A", "g CO2", "none")
                .size(24, 10),
        ],
    }
}

fn of_pseudo(name: &str) -> String {
    WATTS.replace("instance=~", &format!("workload=\"{name}\", kind=\"pseudo\", instance=~"))
}
