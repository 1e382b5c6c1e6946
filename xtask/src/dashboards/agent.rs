//! Dashboard of ffwatt itself: its cost, its losses and its sources.

use super::links::PAGE_OF_CELL;
use super::panel::{BAD, GOOD, lines, stat, table};
use super::{Dashboard, Variable};

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        file: "ffwatt",
        uid: "ffwatt-agent",
        title: "ffwatt agent",
        description: "Overhead, losses, sources and ticks of the agent.",
        refresh: "10s",
        since: "now-1h",
        variables: vec![Variable::Host],
        panels: vec![
            stat("CPU", "percentunit", "CPU use of the agent's process, in shares of one CPU.")
                .query(r#"sum(rate(process_cpu_seconds_total{job="ffwatt", instance=~"$instance(:.*)?"}[$__rate_interval]))"#, "cpu")
                .thresholds(GOOD, &[(0.05, BAD)])
                .decimals(2),
            stat("Memory", "bytes", "Resident memory of the agent.")
                .query(r#"sum(process_resident_memory_bytes{job="ffwatt", instance=~"$instance(:.*)?"})"#, "resident"),
            stat("Power", "watt", "Power charged to the agent, including the scores of finished transcodes.")
                .query(r#"sum(rate(ffwatt_workload_energy_joules_total{instance=~"$instance(:.*)?", workload="ffwatt", kind="pseudo", domain=~"package|dram"}[$__rate_interval]))"#, "watts"),
            stat("Residual", "joule", "Host energy minus the sum of all charges. Always 0.")
                .query(r#"sum(abs(ffwatt_attribution_residual_joules{instance=~"$instance(:.*)?"}))"#, "residual")
                .thresholds(GOOD, &[(0.000_001, BAD)]),
            stat("Ticks missed", "none", "Ticks that were due while the agent could not run, in the time range of the dashboard.")
                .query(r#"sum(increase(ffwatt_missed_ticks_total{instance=~"$instance(:.*)?"}[$__range]))"#, "missed")
                .thresholds(GOOD, &[(1.0, BAD)])
                .decimals(0),
            stat("Sources down", "none", "Sources in use that do not work. `ffwatt check` reports what helps.")
                .query(r#"sum(ffwatt_source_up{instance=~"$instance(:.*)?"} == bool 0)"#, "down"),
            lines("Length of a tick", "s", "Duration of reading, attribution and publishing: median and 99th percentile.")
                .query(r#"histogram_quantile(0.5, sum by (le) (rate(ffwatt_tick_duration_seconds_bucket{instance=~"$instance(:.*)?"}[$__rate_interval])))"#, "median")
                .query(r#"histogram_quantile(0.99, sum by (le) (rate(ffwatt_tick_duration_seconds_bucket{instance=~"$instance(:.*)?"}[$__rate_interval])))"#, "p99"),
            lines("Losses", "ops", "Events and charges without a free entry, and repeated reads. The sum \
                stays exact: this energy is charged to unattributed.")
                .query(r#"rate(ffwatt_lost_events_total{instance=~"$instance(:.*)?"}[$__rate_interval])"#, "events, {{instance}}")
                .query(r#"rate(ffwatt_lost_charges_total{instance=~"$instance(:.*)?"}[$__rate_interval])"#, "charges, {{instance}}")
                .query(r#"rate(ffwatt_torn_reads_total{instance=~"$instance(:.*)?"}[$__rate_interval])"#, "torn reads, {{instance}}"),
            lines("Energy counters", "none", "Wraps lose no energy. A reset loses the energy of its tick before the reset.")
                .query(r#"sum by (instance) (increase(ffwatt_energy_wraps_total{instance=~"$instance(:.*)?"}[$__rate_interval]))"#, "wraps, {{instance}}")
                .query(r#"sum by (instance) (increase(ffwatt_energy_resets_total{instance=~"$instance(:.*)?"}[$__rate_interval]))"#, "resets, {{instance}}"),
            lines("Use of the accounting map", "percentunit", "Used entries of the accounting map, as a share of its capacity.")
                .query(r#"ffwatt_bpf_map_entries{instance=~"$instance(:.*)?"} / ffwatt_bpf_map_entries_limit{instance=~"$instance(:.*)?"}"#, "{{instance}}")
                .range(0.0, 1.0),
            lines("eBPF programs", "s", "Mean duration of one run, where the kernel counts it (sysctl kernel.bpf_stats_enabled=1).")
                .query(r#"sum by (program) (rate(ffwatt_bpf_run_seconds_total{instance=~"$instance(:.*)?"}[$__rate_interval])) / sum by (program) (rate(ffwatt_bpf_runs_total{instance=~"$instance(:.*)?"}[$__rate_interval]))"#, "{{program}}"),
            lines("Uncertainty", "percentunit", "Sum of the error bounds of all ticks, as a share of the charged energy.")
                .query(r#"sum by (domain) (rate(ffwatt_workload_energy_uncertainty_joules_total{instance=~"$instance(:.*)?", kind!="pseudo"}[$__rate_interval])) / sum by (domain) (rate(ffwatt_workload_energy_joules_total{instance=~"$instance(:.*)?", kind!="pseudo"}[$__rate_interval]))"#, "{{domain}}"),
            table("Sources", "none", "State of each source: 1 works, 0 does not work.")
                .query(r#"min by (instance, source) (ffwatt_source_up{instance=~"$instance(:.*)?"})"#, "")
                .query(r#"sum by (instance, source) (ffwatt_source_errors_total{instance=~"$instance(:.*)?"}) or min by (instance, source) (ffwatt_source_up{instance=~"$instance(:.*)?"}) * 0"#, "")
                .linked("instance", "Host", PAGE_OF_CELL)
                .column("source", "Source", "string")
                .column("Value #A", "Works", "none")
                .column("Value #B", "Failures", "none")
                .size(12, 8),
            table("Version", "none", "Version, sources and idle policy of each agent.")
                .query(r#"ffwatt_build_info{instance=~"$instance(:.*)?"}"#, "")
                .query(r#"ffwatt_attribution_info{instance=~"$instance(:.*)?"}"#, "")
                .linked("instance", "Host", PAGE_OF_CELL)
                .column("version", "Version", "string")
                .column("cpu_source", "CPU source", "string")
                .column("energy_source", "Energy source", "string")
                .column("idle_policy", "Idle policy", "string")
                .size(12, 8),
        ],
    }
}
