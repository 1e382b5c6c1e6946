//! Dashboard "Power Monitoring": upstream's dashboard under its uid, without panels that share an id or a place.

use super::links::SCENARIO;
use super::panel::{lines, stat};
use super::queries::{highest, highest_and_mean, highest_scenarios, of_scenarios};
use super::{Dashboard, SCENARIOS, TOP};

/// Measured where RAPL exists, else the model's: the legend shows which.
const PACKAGES: &str = r#"sum(rapl_power_watts{instance=~"$instance(:.*)?", zone=~"package.*"})"#;
const MODEL: &str = r#"sum(rate(ffwatt_host_energy_joules_total{instance=~"$instance(:.*)?", domain="package", source="model"}[$__rate_interval]))"#;

/// A figure of each container on each host.
fn of_containers(metric: &str) -> String {
    format!(r#"avg by (container, instance) ({metric}{{instance=~"$instance(:.*)?"}})"#)
}

/// A figure of the chosen scenarios.
fn of_chosen(metric: &str) -> String {
    let chosen = r#"instance=~"$instance(:.*)?", run_id=~"$run_id", output_ladder=~"$output_ladder", encoder_type=~"$encoder_type""#;
    highest_scenarios(&of_scenarios(&format!("{metric}{{{chosen}}}"), "output_ladder, encoder_type"), "")
}

pub(crate) fn dashboard() -> Dashboard {
    let scenario = "{{scenario}} ({{output_ladder}}) on {{instance}}";
    Dashboard {
        file: "power-monitoring",
        uid: "power-monitoring-dashboard",
        title: "Power Monitoring",
        description: "Power and energy of the host, of its zones, and of the scenarios of the last run.",
        refresh: "5s",
        since: "now-15m",
        variables: SCENARIOS.into_iter().chain([TOP]).collect(),
        panels: vec![
            stat("Energy is measured", "bool_yes_no", "Whether hardware measures the energy of this host. If not, a model estimates it.")
                .query(r#"min(rapl_available{instance=~"$instance(:.*)?"})"#, "measured"),
            stat("Packages now", "watt", "Power of all processor packages.")
                .query(format!("{PACKAGES} or {MODEL}"), "packages"),
            stat("Containers", "none", "Running containers.").query(r#"sum(docker_containers_total{instance=~"$instance(:.*)?"})"#, "containers"),
            stat("Container CPU", "percent", "CPU use of all containers, in percent of one CPU.")
                .query(r#"sum(docker_containers_total_cpu_percent{instance=~"$instance(:.*)?"})"#, "cpu"),
            stat("Engine CPU", "percent", "CPU use of the container engine, in percent of one CPU.")
                .query(r#"sum(docker_engine_cpu_percent{instance=~"$instance(:.*)?"})"#, "cpu"),
            stat("Engine memory", "kbytes", "Resident memory of the container engine.")
                .query(r#"sum(docker_engine_memory_kb{instance=~"$instance(:.*)?"})"#, "memory"),
            lines("CPU package power", "watt", "Power of the processor packages, and the part that is charged to containers.")
                .query(format!("{PACKAGES} or {MODEL}"), "packages")
                .query(
                    r#"sum(rate(ffwatt_workload_energy_joules_total{instance=~"$instance(:.*)?", domain="package", kind=~"docker|podman|containerd|crio|kubernetes"}[$__rate_interval]))"#,
                    "containers",
                ),
            lines("Power by zone", "watt", "Power of each RAPL zone. Zones contain other zones, so do \
                not add them. Without RAPL, estimated power by domain.")
                .query(
                    r#"sum by (zone) (rapl_power_watts{instance=~"$instance(:.*)?"}) or label_replace(sum by (domain) (rate(ffwatt_host_energy_joules_total{instance=~"$instance(:.*)?", source="model"}[$__rate_interval])), "zone", "$1 (model)", "domain", "(.*)")"#,
                    "{{zone}}",
                ),
            lines("Cumulative CPU energy", "watth", "Energy of the packages since the agent started.").query(
                r#"sum(rapl_energy_joules_total{instance=~"$instance(:.*)?", zone=~"package.*"}) / 3600 or sum(ffwatt_host_energy_joules_total{instance=~"$instance(:.*)?", domain="package", source="model"}) / 3600"#,
                "energy",
            ),
            lines("Host CPU", "percentunit", "Busy share of all CPUs, from node_exporter if it is scraped, else from the agent.").query(
                r#"1 - avg(rate(node_cpu_seconds_total{instance=~"$instance(:.*)?", mode="idle"}[$__rate_interval])) or sum(rate(ffwatt_workload_cpu_seconds_total{instance=~"$instance(:.*)?"}[$__rate_interval])) / sum(ffwatt_host_cpus{instance=~"$instance(:.*)?"})"#,
                "busy",
            ),
            lines("Container CPU by name", "percent", "The containers with the highest CPU use, in percent of one CPU, and the sum of the others.")
                .query(highest(&of_containers("docker_container_cpu_percent"), "container"), "{{container}} {{instance}}"),
            lines("Container memory by name", "percent", "The containers with the highest use of memory, in percent of the limit or of installed memory, and the mean of the others.")
                .query(highest_and_mean(&of_containers("docker_container_memory_percent"), "container"), "{{container}} {{instance}}"),
            lines("GPU power", "watt", "Power of graphics cards, if the DCGM exporter is scraped.")
                .query(r#"sum(DCGM_FI_DEV_POWER_USAGE{instance=~"$instance(:.*)?"})"#, "gpu"),
            lines("Energy per minute of scenarios", "watth", "Energy per minute, in Wh, by scenario of the last run.")
                .query(of_chosen("results_scenario_energy_wh_per_min"), scenario)
                .link(SCENARIO),
            lines("Energy per megabit per second", "watth", "Energy per megabit per second of the requested bitrate, in Wh.")
                .query(of_chosen("results_scenario_energy_wh_per_mbps"), scenario)
                .link(SCENARIO),
            lines("Energy per frame", "joule", "Energy per frame, by scenario of the last run.")
                .query(of_chosen("0.001 * results_scenario_energy_mj_per_frame"), scenario)
                .link(SCENARIO),
            lines("Scenario power and engine overhead", "watt", "Mean power charged to a scenario, and an estimate of the power of the container engine.")
                .query(of_chosen("results_scenario_measured_power_watts"), scenario)
                .link(SCENARIO)
                .query(of_chosen("results_scenario_estimated_docker_overhead_watts"), "{{scenario}} on {{instance}}: engine"),
        ],
    }
}
