//! Dashboard of ffwatt itself: its cost, its losses and its sources.

use super::panel::{BAD, GOOD, lines, stat, table};
use super::{Dashboard, INSTANCE};

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        file: "ffwatt",
        uid: "ffwatt-agent",
        title: "ffwatt itself",
        description: "Overhead, losses, sources and ticks of the agent.",
        refresh: "10s",
        since: "now-1h",
        variables: vec![INSTANCE],
        panels: vec![
            stat("CPU", "percentunit", "The agent's own use of one CPU, by its process.")
                .query(r#"sum(rate(process_cpu_seconds_total{job="ffwatt", instance=~"$instance"}[$__rate_interval]))"#, "cpu")
                .thresholds(GOOD, &[(0.05, BAD)])
                .decimals(2),
            stat("Memory", "bytes", "Resident memory of the agent, in bytes.")
                .query(r#"sum(process_resident_memory_bytes{job="ffwatt", instance=~"$instance"})"#, "resident"),
            stat("Power", "watt", "What the agent charges itself, its quality scoring included.")
                .query(r#"sum(rate(ffwatt_workload_energy_joules_total{instance=~"$instance", workload="ffwatt", kind="pseudo", domain=~"package|dram"}[$__rate_interval]))"#, "watts"),
            stat("Left over", "joule", "Host energy less the sum of all workloads and of what has ended. Always 0.")
                .query(r#"sum(abs(ffwatt_attribution_residual_joules{instance=~"$instance"}))"#, "left over")
                .thresholds(GOOD, &[(0.000_001, BAD)]),
            stat("Ticks missed", "none", "Ticks that were due while the agent could not run, in this time.")
                .query(r#"sum(increase(ffwatt_missed_ticks_total{instance=~"$instance"}[$__range]))"#, "missed")
                .thresholds(GOOD, &[(1.0, BAD)])
                .decimals(0),
            stat("Sources down", "none", "Sources that were asked and do not work; `ffwatt check` says what helps.")
                .query(r#"sum(ffwatt_source_up{instance=~"$instance"} == bool 0)"#, "down"),
            lines("Length of a tick", "s", "Reading, splitting and publishing: half of all ticks, and 99 of 100.")
                .query(r#"histogram_quantile(0.5, sum by (le) (rate(ffwatt_tick_duration_seconds_bucket{instance=~"$instance"}[$__rate_interval])))"#, "median")
                .query(r#"histogram_quantile(0.99, sum by (le) (rate(ffwatt_tick_duration_seconds_bucket{instance=~"$instance"}[$__rate_interval])))"#, "p99"),
            lines("Losses", "ops", "Events and charges that found no room, readings taken again. Nothing is lost from the sum: such energy is unattributed.")
                .query(r#"rate(ffwatt_lost_events_total{instance=~"$instance"}[$__rate_interval])"#, "events, {{instance}}")
                .query(r#"rate(ffwatt_lost_charges_total{instance=~"$instance"}[$__rate_interval])"#, "charges, {{instance}}")
                .query(r#"rate(ffwatt_torn_reads_total{instance=~"$instance"}[$__rate_interval])"#, "read again, {{instance}}"),
            lines("Energy counters", "none", "Wraps are nothing; resets cost a tick's energy.")
                .query(r#"sum by (instance) (increase(ffwatt_energy_wraps_total{instance=~"$instance"}[$__rate_interval]))"#, "wraps, {{instance}}")
                .query(r#"sum by (instance) (increase(ffwatt_energy_resets_total{instance=~"$instance"}[$__rate_interval]))"#, "resets, {{instance}}"),
            lines("Room in the kernel's map", "percentunit", "Cgroups and encoders in the accounting map, of its room.")
                .query(r#"ffwatt_bpf_map_entries{instance=~"$instance"} / ffwatt_bpf_map_entries_limit{instance=~"$instance"}"#, "{{instance}}")
                .range(0.0, 1.0),
            lines("eBPF programs", "s", "Time of one run, where the kernel counts it (sysctl kernel.bpf_stats_enabled=1).")
                .query(r#"sum by (program) (rate(ffwatt_bpf_run_seconds_total{instance=~"$instance"}[$__rate_interval])) / sum by (program) (rate(ffwatt_bpf_runs_total{instance=~"$instance"}[$__rate_interval]))"#, "{{program}}"),
            lines("Uncertainty", "percentunit", "Sum of the bounds on each tick's error, of the energy charged.")
                .query(r#"sum by (domain) (rate(ffwatt_workload_energy_uncertainty_joules_total{instance=~"$instance", kind!="pseudo"}[$__rate_interval])) / sum by (domain) (rate(ffwatt_workload_energy_joules_total{instance=~"$instance", kind!="pseudo"}[$__rate_interval]))"#, "{{domain}}"),
            table("Sources", "none", "What the agent has to go by: 1 works, 0 does not.")
                .query(r#"ffwatt_source_up{instance=~"$instance"}"#, "")
                .query(r#"sum by (instance, source) (ffwatt_source_errors_total{instance=~"$instance"}) or on (instance, source) ffwatt_source_up{instance=~"$instance"} * 0"#, "")
                .column("instance", "Host", "string")
                .column("source", "Source", "string")
                .column("Value #A", "Works", "none")
                .column("Value #B", "Failures", "none")
                .size(12, 8),
            table("Version", "none", "Which agent runs where, and how it attributes.")
                .query(r#"ffwatt_build_info{instance=~"$instance"}"#, "")
                .query(r#"ffwatt_attribution_info{instance=~"$instance"}"#, "")
                .column("instance", "Host", "string")
                .column("version", "Version", "string")
                .column("cpu_source", "CPU time by", "string")
                .column("energy_source", "Energy by", "string")
                .column("idle_policy", "Idle policy", "string")
                .size(12, 8),
        ],
    }
}
