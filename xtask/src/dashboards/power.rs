//! Dashboard "Power Monitoring": upstream's dashboard under its uid, without panels that share an id or a place.

use super::panel::{lines, stat};
use super::{Dashboard, SCENARIOS};

/// Measured where RAPL exists, else the model's: the legend shows which.
const PACKAGES: &str = r#"sum(rapl_power_watts{zone=~"package.*"})"#;
const MODEL: &str =
    r#"sum(rate(ffwatt_host_energy_joules_total{domain="package", source="model"}[$__rate_interval]))"#;

fn of_scenarios(metric: &str) -> String {
    format!(
        r#"max by (scenario, output_ladder, encoder_type) ({metric}{{run_id=~"$run_id", output_ladder=~"$output_ladder", encoder_type=~"$encoder_type"}})"#
    )
}

pub(crate) fn dashboard() -> Dashboard {
    let scenario = "{{scenario}} ({{output_ladder}})";
    Dashboard {
        file: "power-monitoring",
        uid: "power-monitoring-dashboard",
        title: "Power Monitoring",
        description: "Power and energy of the host, of its zones, and of the scenarios of the last run.",
        refresh: "5s",
        since: "now-15m",
        variables: SCENARIOS.to_vec(),
        panels: vec![
            stat("Energy is measured", "bool_yes_no", "Whether hardware measures the energy of this host. If not, a model estimates it.")
                .query("min(rapl_available)", "measured"),
            stat("Packages now", "watt", "Power of all processor packages.")
                .query(format!("{PACKAGES} or {MODEL}"), "packages"),
            stat("Containers", "none", "Running containers.").query("sum(docker_containers_total)", "containers"),
            stat("Container CPU", "percent", "CPU use of all containers, in percent of one CPU.")
                .query("sum(docker_containers_total_cpu_percent)", "cpu"),
            stat("Engine CPU", "percent", "CPU use of the container engine, in percent of one CPU.")
                .query("sum(docker_engine_cpu_percent)", "cpu"),
            stat("Engine memory", "kbytes", "Resident memory of the container engine.")
                .query("sum(docker_engine_memory_kb)", "memory"),
            lines("CPU package power", "watt", "Power of the processor packages, and the part that is charged to containers.")
                .query(format!("{PACKAGES} or {MODEL}"), "packages")
                .query(
                    r#"sum(rate(ffwatt_workload_energy_joules_total{domain="package", kind=~"docker|podman|containerd|crio|kubernetes"}[$__rate_interval]))"#,
                    "containers",
                ),
            lines("Power by zone", "watt", "Power of each RAPL zone. Zones contain other zones, so do \
                not add them. Without RAPL, estimated power by domain.")
                .query(
                    r#"sum by (zone) (rapl_power_watts) or label_replace(sum by (domain) (rate(ffwatt_host_energy_joules_total{source="model"}[$__rate_interval])), "zone", "$1 (model)", "domain", "(.*)")"#,
                    "{{zone}}",
                ),
            lines("Cumulative CPU energy", "watth", "Energy of the packages since the agent started.").query(
                r#"sum(rapl_energy_joules_total{zone=~"package.*"}) / 3600 or sum(ffwatt_host_energy_joules_total{domain="package", source="model"}) / 3600"#,
                "energy",
            ),
            lines("Host CPU", "percentunit", "Busy share of all CPUs, from node_exporter if it is scraped, else from the agent.").query(
                r#"1 - avg(rate(node_cpu_seconds_total{mode="idle"}[$__rate_interval])) or sum(rate(ffwatt_workload_cpu_seconds_total[$__rate_interval])) / sum(ffwatt_host_cpus)"#,
                "busy",
            ),
            lines("Container CPU by name", "percent", "CPU use of each container, in percent of one CPU.")
                .query("docker_container_cpu_percent", "{{container}}"),
            lines("Container memory by name", "percent", "Memory of each container, in percent of its limit or of installed memory.")
                .query("docker_container_memory_percent", "{{container}}"),
            lines("GPU power", "watt", "Power of graphics cards, if the DCGM exporter is scraped.")
                .query("sum(DCGM_FI_DEV_POWER_USAGE)", "gpu"),
            lines("Energy per minute of scenarios", "watth", "Energy per minute, in Wh, by scenario of the last run.")
                .query(of_scenarios("results_scenario_energy_wh_per_min"), scenario),
            lines("Energy per megabit per second", "watth", "Energy per megabit per second of the requested bitrate, in Wh.")
                .query(of_scenarios("results_scenario_energy_wh_per_mbps"), scenario),
            lines("Energy per frame", "none", "Energy per frame, in millijoules.")
                .query(of_scenarios("results_scenario_energy_mj_per_frame"), scenario),
            lines("Scenario power and engine overhead", "watt", "Mean power charged to a scenario, and an estimate of the power of the container engine.")
                .query(of_scenarios("results_scenario_measured_power_watts"), scenario)
                .query(of_scenarios("results_scenario_estimated_docker_overhead_watts"), "{{scenario}}: engine"),
        ],
    }
}
