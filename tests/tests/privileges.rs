//! Tests the agent's remaining privileges: the real binary on this kernel, by what `/proc` shows of its threads. Needs root.
//!
//! Run: together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::Duration;

use rustix::process::Signal;
use tests::agent::{Agent, Ports, binary, status_field};
use tests::command::eventually;
use tests::exposition::Exposition;
use tests::host::Host;
use tests::nobody::{self, Capabilities, NOBODY};

/// Bits of `linux/capability.h`.
const DAC_READ_SEARCH: u64 = 1 << 2;
const BPF: u64 = 1 << 39;

/// Capabilities with which an ordinary user's agent loads eBPF programs and reads counters.
const LOADING: [&str; 3] = ["bpf", "perfmon", "dac_read_search"];

/// Rights in a thread's status.
#[derive(Debug, PartialEq, Eq)]
struct Rights {
    effective: u64,
    permitted: u64,
    bounding: u64,
    ambient: u64,
    no_new_privs: u64,
    seccomp: u64,
}

fn rights(agent: &Agent) -> Vec<Rights> {
    let of = |text: String| {
        let value =
            |name: &str, radix: u32| u64::from_str_radix(status_field(&text, name).unwrap(), radix).unwrap();
        Rights {
            effective: value("CapEff", 16),
            permitted: value("CapPrm", 16),
            bounding: value("CapBnd", 16),
            ambient: value("CapAmb", 16),
            no_new_privs: value("NoNewPrivs", 10),
            seccomp: value("Seccomp", 10),
        }
    };
    let found: Vec<Rights> = agent.threads().unwrap().into_iter().map(of).collect();
    assert!(found.len() > 4, "{found:?}");
    found
}

const NO_ENGINES: [&str; 2] = ["--containers.docker-socket=", "--containers.podman-socket="];

/// Burns CPU until the agent charges energy for it: the accounts are read and flushed.
fn sees_a_busy_process(agent: &Agent) {
    let mut busy =
        tests::command::Owned(Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap());
    let cpu = |scrape: &Exposition| {
        let all = scrape.sum("ffwatt_workload_cpu_seconds_total", &[]).unwrap_or(0.0);
        let own = scrape.sum("ffwatt_workload_cpu_seconds_total", &[("workload", "ffwatt")]).unwrap_or(0.0);
        all - own
    };
    let before = cpu(&agent.scrape().unwrap());
    agent.until("its CPU time is accounted", |scrape| (cpu(scrape) > before + 0.5).then_some(())).unwrap();
    busy.0.kill().unwrap();
    let scrape = agent.wait_ticks(1).unwrap();
    assert!(scrape.residuals().values().all(|left| *left == 0));
    let up = scrape.sum("ffwatt_source_up", &[("source", "bpf")]);
    assert!(up > Some(0.0), "{up:?}: {}", agent.log());
}

#[test]
fn root_gives_up_what_it_no_longer_needs_and_still_accounts() {
    let flags =
        [&["--cpu.source=bpf", "--energy.source=model", "--interval=200ms"][..], &NO_ENGINES].concat();
    let agent = Agent::start(&flags).unwrap();
    for thread in rights(&agent) {
        // No source reads files that only root may read.
        assert_eq!((thread.effective, thread.permitted), (BPF, BPF), "{thread:x?}");
        assert_eq!((thread.bounding, thread.ambient), (0, 0), "{thread:x?}");
        assert_eq!((thread.no_new_privs, thread.seccomp), (1, 2), "{thread:x?}");
    }
    sees_a_busy_process(&agent);
    for words in ["capabilities: kept CAP_BPF of", "landlock: ", "seccomp: "] {
        assert!(agent.log().contains(words), "{words:?}: {}", agent.log());
    }
    let (status, log) = agent.stop().unwrap();
    assert!(status.success() && !log.contains("ERROR"), "{log}");
}

#[test]
fn each_restriction_can_be_turned_off() {
    let mine = fs::read_to_string("/proc/self/status").unwrap();
    let mine = mine.lines().find_map(|line| line.strip_prefix("CapEff:")).unwrap().trim().to_owned();
    let mine = u64::from_str_radix(&mine, 16).unwrap();
    for (off, effective, no_new_privs, seccomp) in [
        ("capabilities,no_new_privs,landlock,seccomp", mine & !DAC_READ_SEARCH, 0, 0),
        ("seccomp", BPF, 1, 0),
        ("capabilities", mine & !DAC_READ_SEARCH, 1, 2),
    ] {
        let flag = format!("--sandbox.off={off}");
        let flags = ["--cpu.source=bpf", "--energy.source=model", "--interval=200ms", &flag];
        let agent = Agent::start(&[&flags[..], &NO_ENGINES].concat()).unwrap();
        for thread in rights(&agent) {
            let found = (thread.effective, thread.no_new_privs, thread.seccomp);
            assert_eq!(found, (effective, no_new_privs, seccomp), "without {off}: {thread:x?}");
        }
    }
}

#[test]
fn what_changes_later_still_works_when_restricted() {
    let host = Host::client().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (old, new) = (folder.path().join("old"), folder.path().join("new"));
    for results in [&old, &new] {
        fs::create_dir(results).unwrap();
        let name = results.file_name().unwrap().to_str().unwrap();
        let text = format!(
            r#"{{"timestamp":"20260101_000000","scenarios":[{{"name":"of the {name} folder","duration":10}}]}}"#
        );
        fs::write(results.join("test_results_20260101_000000.json"), text).unwrap();
    }
    let file = folder.path().join("ffwatt.toml");
    let configure = |results: &PathBuf| {
        fs::write(&file, format!("results_dir = \"{}\"\n", results.display())).unwrap();
    };
    configure(&old);
    let mut flags = host.flags();
    flags.retain(|flag| !flag.starts_with("--results-dir"));
    flags.extend(["--interval=200ms".to_owned(), format!("--config={}", file.display())]);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let agent = Agent::start(&flags).unwrap();
    for thread in rights(&agent) {
        assert_eq!(thread.seccomp, 2, "{thread:x?}");
    }
    let shows = |name: &str| {
        let name = name.to_owned();
        eventually("the scenario is shown", Duration::from_secs(20), || {
            let scrape = agent.scrape_port(agent.ports.results).ok()?;
            scrape.find("results_scenario_duration_seconds", &[("scenario", &name)]).next().map(|_| ())
        })
        .unwrap_or_else(|error| panic!("{error}: {}", agent.log()));
    };
    shows("of the old folder");
    configure(&new);
    agent.signal(Signal::HUP).unwrap();
    shows("of the new folder");
    // The ledger is written to all the time.
    let ledger = agent.state_dir().join("ledger.sqlite");
    let written = eventually("the ledger is written", Duration::from_secs(20), || {
        let files = fs::read_dir(agent.state_dir()).ok()?;
        files.flatten().any(|file| file.metadata().is_ok_and(|file| file.len() > 4096)).then_some(())
    });
    written.unwrap_or_else(|error| panic!("{error}: {}: {}", ledger.display(), agent.log()));
    assert!(!agent.log().contains("ERROR"), "{}", agent.log());
}

/// A folder that belongs to user `nobody`.
fn state_of_nobody() -> tempfile::TempDir {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    nobody::give(folder.path()).unwrap();
    folder
}

#[test]
fn somebody_else_with_three_capabilities_has_ebpf_and_keeps_one() {
    let state = state_of_nobody();
    // A script starts the agent: the harness starts programs without privileges.
    let script = state.path().join("start");
    nobody::script(&script, &binary().unwrap(), Capabilities::Only(&LOADING)).unwrap();
    let state_dir = format!("--state-dir={}", state.path().join("state").display());
    let flags =
        [&["--cpu.source=bpf", "--energy.source=model", "--interval=200ms", &state_dir][..], &NO_ENGINES]
            .concat();
    let mut agent = Agent::spawn(&script, &flags, &[("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")]).unwrap();
    agent.wait_ready().unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", agent.pid())).unwrap();
    assert!(status.lines().any(|line| line.starts_with(&format!("Uid:\t{NOBODY}\t{NOBODY}"))), "{status}");
    for thread in rights(&agent) {
        assert_eq!(
            (thread.effective, thread.permitted),
            (BPF, BPF),
            "the others were for loading: {thread:x?}"
        );
        assert_eq!(thread.ambient, 0, "{thread:x?}");
        assert_eq!((thread.no_new_privs, thread.seccomp), (1, 2));
    }
    sees_a_busy_process(&agent);
    assert!(!agent.log().contains("ERROR"), "{}", agent.log());
}

#[test]
fn check_names_the_capability_that_is_missing_and_what_it_is_for() {
    let ports = Ports::free().unwrap();
    let state = state_of_nobody();
    let check = |capabilities: &[&str]| -> String {
        let port = format!("--listen.port={}", ports.main);
        let state_dir = format!("--state-dir={}", state.path().join("state").display());
        let mut command = nobody::command(&binary().unwrap(), Capabilities::Only(capabilities));
        command.args(["check", &port, &state_dir]);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").args(NO_ENGINES);
        let Output { stdout, stderr, .. } = command.output().unwrap();
        assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    };
    let program = "loading the eBPF program";
    let all = check(&LOADING);
    for words in ["CAP_BPF: held", "CAP_PERFMON: held", "CAP_DAC_READ_SEARCH: held", "landlock", "seccomp"] {
        assert!(all.contains(words), "{words}: {all}");
    }
    assert!(!all.contains("is missing for"), "{all}");
    for (given, missing) in
        [(["perfmon", "dac_read_search"], "CAP_BPF"), (["bpf", "dac_read_search"], "CAP_PERFMON")]
    {
        let said = check(&given);
        assert!(said.contains(&format!("{missing} is missing for {program}")), "{said}");
        // With a binary that all users may execute, all users could read the counters.
        assert!(said.contains("setcap cap_bpf,cap_perfmon") && said.contains("chmod 0750"), "{said}");
    }
    let said = check(&[]);
    for words in ["CAP_BPF is missing", "CAP_PERFMON is missing", "CAP_DAC_READ_SEARCH: not held", "powercap"]
    {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert!(said.contains("ready, with limits"), "the agent would run, and poll: {said}");
}
