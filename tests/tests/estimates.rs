//! Tests the estimate of energy on fixture hosts without counters: the watts follow the processor, the configuration wins, and metric,
//! log, page and `ffwatt check` say which watts are used and why.
//!
//! Run: together.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

use tests::agent::Agent;
use tests::host::{CGROUPS, Host};
use tests::http::get;

/// An agent on this host, after a second in which a CPU was busy for 0.7 s.
fn live(host: &mut Host, flags: &[&str]) -> Agent {
    let own = host.flags();
    let flags: Vec<&str> =
        own.iter().map(String::as_str).chain(["--interval=1s"]).chain(flags.iter().copied()).collect();
    let agent = Agent::start(&flags).unwrap();
    agent.wait_ticks(1).unwrap();
    agent.between_ticks(|| host.step(&[(CGROUPS[0], 700)]).unwrap()).unwrap();
    agent.wait_ticks(2).unwrap();
    agent
}

/// A guest on an EPYC 9965. The hypervisor hides the name of the processor.
const ZEN5C: &str = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 26\nmodel\t\t: 17\nmodel name\t: AMD EPYC\n\
    stepping\t: 0\nflags\t\t: fpu hypervisor\n\n";

/// A processor that the table does not have.
const UNKNOWN: &str =
    "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 15\nmodel\t\t: 6\nstepping\t: 1\n\n";

/// Labels of the model in use: row, idle watts, busy watts, source; `None` when energy is measured.
fn model(agent: &Agent) -> Option<[String; 4]> {
    let scrape = agent.scrape().unwrap();
    let all: Vec<_> = scrape.all("ffwatt_energy_model_info").collect();
    assert!(all.len() <= 1 && all.iter().all(|sample| sample.value == 1.0), "{all:?}");
    let labels = &all.first()?.labels;
    Some(["cpu", "idle_watts", "busy_watts", "source"].map(|name| labels[name].clone()))
}

/// `ffwatt check --json` on a host: the lines of the model, detail and fix.
fn check_model(host: &Host, flags: &[&str]) -> String {
    let state = tempfile::tempdir().unwrap();
    let mut command = tests::agent::command().unwrap();
    command.env_clear().args(["check", "--json"]).args(host.flags()).args(flags);
    command.arg(format!("--state-dir={}", state.path().display()));
    let report: serde_json::Value = serde_json::from_slice(&command.output().unwrap().stdout).unwrap();
    let lines = report["lines"].as_array().unwrap().iter().filter(|line| line["source"] == "model");
    let lines: Vec<_> =
        lines.map(|line| format!("{} {} {}", line["state"], line["detail"], line["fix"])).collect();
    lines.join("\n")
}

#[test]
fn an_estimate_takes_the_watts_of_the_processor() {
    let mut host = Host::without_energy().unwrap();
    host.write("proc/cpuinfo", ZEN5C).unwrap();
    let agent = live(&mut host, &["--energy.model-cpu=auto"]);
    assert_eq!(model(&agent).unwrap(), ["zen5c", "0.209", "1.147", "SPECpower_ssj2008"]);
    // Two CPUs in one package.
    let idle = agent.scrape().unwrap().sum("ffwatt_idle_power_watts", &[("origin", "model")]).unwrap();
    assert!((idle - 2.0 * 0.209).abs() < 1e-6, "{idle}");
    let words = "0.209 to 1.147 W per virtual CPU for AMD Zen 5c (EPYC 9005), busy ±15 %";
    assert!(agent.log().contains(words), "{}", agent.log());
    let page = get(agent.ports.main, "/api/v1/snapshot").unwrap().text();
    assert!(page.contains(words), "{page}");
    let landing = get(agent.ports.rapl, "/").unwrap().text();
    assert!(landing.contains("0.209 to 1.147 W per virtual CPU (zen5c, SPECpower_ssj2008)"), "{landing}");
    let checked = check_model(&host, &[]);
    for words in
        ["used", "0.209 to 1.147 W per virtual CPU", "row zen5c", "33 results", "family 26, model 17"]
    {
        assert!(checked.contains(words), "{words}: {checked}");
    }
}

/// The bound follows from idle and busy time and the row's two errors; with the flat figures it is 150 % of the energy.
#[test]
fn the_uncertainty_of_an_estimate_is_that_of_its_watts() {
    let mut host = Host::without_energy().unwrap();
    host.write("proc/cpuinfo", ZEN5C).unwrap();
    for (cpu, least, most) in [("auto", 0.13, 0.16), ("flat", 1.49, 1.51), ("zen4c", 0.5, 4.1)] {
        let flag = format!("--energy.model-cpu={cpu}");
        let agent = live(&mut host, &[&flag]);
        let scrape = agent.scrape().unwrap();
        let of = |name: &str| scrape.sum(name, &[("workload", "idle")]).unwrap();
        let error =
            of("ffwatt_workload_energy_uncertainty_joules_total") / of("ffwatt_workload_energy_joules_total");
        assert!((least..=most).contains(&error), "{cpu}: {error}");
    }
}

#[test]
fn the_configuration_chooses_the_watts_of_an_estimate() {
    let mut host = Host::without_energy().unwrap();
    host.write("proc/cpuinfo", ZEN5C).unwrap();
    for (flags, expected) in [
        (&["--energy.model-cpu=zen2"][..], ["zen2", "0.437", "1.664", "SPECpower_ssj2008"]),
        (
            &["--energy.model-cpu=auto", "--energy.model-threads-per-vcpu=2"],
            ["zen5c", "0.418", "2.294", "SPECpower_ssj2008"],
        ),
        (&["--energy.model-cpu=flat"], ["flat", "0.74", "3.5", "Cloud Carbon Footprint"]),
        (
            &["--energy.model-cpu=auto", "--energy.model-idle-watts=0.5", "--energy.model-busy-watts=4.25"],
            ["configured", "0.5", "4.25", "configuration"],
        ),
        (
            &["--energy.model-cpu=zen2", "--energy.model-busy-watts=4"],
            ["configured", "0.74", "4", "configuration"],
        ),
    ] {
        let agent = live(&mut host, flags);
        assert_eq!(model(&agent).unwrap(), expected, "{flags:?}");
    }
    let checked = check_model(&host, &["--energy.model-busy-watts=4"]);
    assert!(
        checked.contains("0.74 to 4 W per virtual CPU") && checked.contains("not by the processor"),
        "{checked}"
    );
    let checked = check_model(&host, &["--energy.model-cpu=zen2"]);
    assert!(checked.contains("row zen2") && checked.contains("by energy.model_cpu"), "{checked}");
}

#[test]
fn an_unknown_processor_has_flat_watts_and_a_wide_bound() {
    let mut host = Host::without_energy().unwrap();
    host.write("proc/cpuinfo", UNKNOWN).unwrap();
    let agent = live(&mut host, &["--energy.model-cpu=auto"]);
    assert_eq!(model(&agent).unwrap(), ["flat", "0.74", "3.5", "Cloud Carbon Footprint"]);
    assert!(agent.log().contains("an unknown processor, busy ±150 %"), "{}", agent.log());
    let checked = check_model(&host, &[]);
    for words in
        ["no row for Intel family 15, model 6, stepping 1", "busy ±150 %", "note", "set energy.model_cpu"]
    {
        assert!(checked.contains(words), "{words}: {checked}");
    }
    std::fs::remove_file(host.path("proc/cpuinfo")).unwrap();
    let checked = check_model(&host, &[]);
    assert!(checked.contains("no row for a processor of an unknown vendor"), "{checked}");
}

#[test]
fn measured_energy_has_no_model() {
    let mut host = Host::client().unwrap();
    let agent = live(&mut host, &[]);
    assert_eq!(model(&agent), None);
}

#[test]
fn a_wrong_processor_is_refused_with_all_that_are_right() {
    for (flag, words) in [
        ("--energy.model-cpu=zen9", &["energy.model-cpu", "`auto`", "`flat`", "`haswell-ep`", "`zen5c`"][..]),
        ("--energy.model-threads-per-vcpu=3", &["energy.model_threads_per_vcpu", "must be 1 or 2"]),
        ("--energy.model-idle-watts=4", &["energy.model_busy_watts", "model_idle_watts or more (4 W)"]),
    ] {
        let answer = tests::agent::command().unwrap().args(["check", flag]).output().unwrap();
        let said = String::from_utf8_lossy(&answer.stderr).into_owned();
        assert!(!answer.status.success() && words.iter().all(|word| said.contains(word)), "{flag}: {said}");
    }
}
