//! Tests `ffwatt calibrate`, and idle power on a host that is never quiet: measured, estimated and marked, or unknown with a finding.
//!
//! Run: alone (it measures the power of an idle host).

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "the host of the fixture goes by the real time")]

use std::fs;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::agent::{Agent, Ports};
use tests::command::{eventually, pause};
use tests::exposition::Exposition;
use tests::host::{CGROUPS, CLIENT_RANGE, Host, PowercapZone};

/// Watts of the fixture's package without running tasks, and above that when all of its CPUs run.
const IDLE: f64 = 10.0;
const BUSY: f64 = 20.0;

const CPUS: f64 = 4.0;

const ZONE: PowercapZone =
    PowercapZone { folder: "intel-rapl:0", name: "package-0", energy: 1_000_000, range: CLIENT_RANGE };

/// Interval in which the fixture's files are written, energy and CPU times together: a tick has a step more or less than the next.
const STEP: Duration = Duration::from_millis(10);

const FILE: &str = "calibration.json";

const PACKAGE: [(&str, &str); 2] = [("package", "0"), ("domain", "package")];

/// A host whose counter follows its load, which is a function of the time in seconds.
struct LoadedHost {
    flags: Vec<String>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    state: tempfile::TempDir,
}

impl LoadedHost {
    fn start(load: fn(f64) -> f64) -> Self {
        let host = Host::of(&[(0, 0); 4], &[ZONE]).unwrap();
        let state = tempfile::tempdir().unwrap();
        let mut flags = host.flags();
        flags.push(format!("--state-dir={}", state.path().display()));
        let is_over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&is_over);
        let thread = Some(thread::spawn(move || live(&host, load, &told)));
        Self { flags, is_over, thread, state }
    }

    fn agent(&self) -> Agent {
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).chain(["--interval=500ms"]).collect();
        let agent = Agent::start(&flags).unwrap();
        agent.wait_ticks(1).unwrap();
        agent
    }

    /// `ffwatt` for the agent at this port.
    fn ffwatt(&self, arguments: &[&str], port: u16) -> Output {
        let mut command = tests::agent::command().unwrap();
        let port = format!("--listen.port={port}");
        command.env_clear().args(arguments).args(&self.flags).arg(port).output().unwrap()
    }

    fn kept(&self, file: &str) -> Option<String> {
        fs::read_to_string(self.state.path().join(file)).ok()
    }
}

impl Drop for LoadedHost {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

fn live(host: &Host, load: fn(f64) -> f64, is_over: &AtomicBool) {
    let begin = Instant::now();
    let (mut last, mut joules, mut used) = (0.0, 0.0, 0.0);
    let container = format!("cgroup/{}/cpu.stat", CGROUPS[0]);
    let counted = [&container, "cgroup/system.slice/cpu.stat", "cgroup/cpu.stat"];
    while !is_over.load(Ordering::Relaxed) {
        pause(STEP);
        let now = begin.elapsed().as_secs_f64();
        let (load, passed) = (load(now), now - last);
        last = now;
        joules += (IDLE + BUSY * load) * passed;
        used += load * CPUS * passed;
        host.set_energy(ZONE.folder, ZONE.energy + (joules * 1e6) as u64).unwrap();
        for file in counted {
            host.write(file, &format!("usage_usec {}\n", (used * 1e6) as u64)).unwrap();
        }
        // Time that the cgroup did not use was idle.
        let idle = (now * 1e4) as u64;
        let lines = (0..4).map(|cpu| format!("cpu{cpu} 0 0 0 {idle} 0 0 0 0 0 0\n"));
        host.write("proc/stat", &lines.collect::<String>()).unwrap();
    }
}

/// A port without an agent.
fn nobody() -> u16 {
    Ports::free().unwrap().main
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn idle_power(scrape: &Exposition, origin: &str) -> Option<f64> {
    scrape.sum("ffwatt_idle_power_watts", &[&PACKAGE[..], &[("origin", origin)]].concat())
}

fn is_near(watts: Option<f64>) -> bool {
    watts.is_some_and(|watts| (watts / IDLE - 1.0).abs() < 0.1)
}

fn wait_for<T>(agent: &Agent, what: &str, patience: u64, look: impl Fn(&Exposition) -> Option<T>) -> T {
    eventually(what, Duration::from_secs(patience), || look(&agent.scrape().ok()?))
        .unwrap_or_else(|error| panic!("{error:#}: {}", agent.log()))
}

fn snapshot(agent: &Agent) -> Value {
    serde_json::from_str(&agent.get(agent.ports.main, "/api/v1/snapshot").unwrap().text()).unwrap()
}

#[test]
fn a_quiet_host_is_calibrated_beside_a_running_agent_and_nothing_overwrites_it() {
    let host = LoadedHost::start(|_| 0.01);
    let agent = host.agent();
    let port = agent.ports.main;
    let output = host.ffwatt(&["calibrate", "--length=15s"], port);
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    let uses_it = format!("(pid {}) uses the calibration", agent.pid());
    for words in ["package-0", "standard error", "spread", "% busy", FILE, &uses_it] {
        assert!(said.contains(words), "{words:?} is not in {said:?}");
    }
    let scrape = agent.scrape().unwrap();
    assert!(is_near(idle_power(&scrape, "calibrated")), "{:?}", idle_power(&scrape, "calibrated"));
    let error = scrape.sum("ffwatt_idle_power_standard_error_watts", &PACKAGE);
    assert!(error.is_some_and(|error| error < 1.0), "{error:?}");
    let idle = snapshot(&agent)["idle_power"][0].clone();
    assert_eq!((&idle["zone"], &idle["origin"]), (&"package-0".into(), &"calibrated".into()));
    let checked = text(&host.ffwatt(&["check"], nobody()).stdout);
    assert!(checked.contains("(calibrated)"), "{checked}");

    // The agent keeps learned figures in another file, and its next run uses the calibration from its first tick.
    let kept = host.kept(FILE).unwrap();
    wait_for(&agent, "the agent has learned too", 30, |_| host.kept("idle.json"));
    assert!(agent.stop().unwrap().0.success());
    assert_eq!(host.kept(FILE).as_ref(), Some(&kept));
    let agent = host.agent();
    assert!(idle_power(&agent.scrape().unwrap(), "calibrated").is_some());
    let forgotten = text(&host.ffwatt(&["calibrate", "--forget"], agent.ports.main).stdout);
    assert!(forgotten.contains(FILE), "{forgotten}");
    let learned =
        wait_for(&agent, "the agent goes by what it learned", 30, |scrape| idle_power(scrape, "learned"));
    assert!(is_near(Some(learned)), "{learned}");
    assert!(
        text(&host.ffwatt(&["calibrate", "--forget"], nobody()).stdout)
            .contains("there is no calibration to remove")
    );
    assert!(agent.stop().unwrap().0.success());
}

#[test]
fn a_busy_host_is_not_calibrated_and_what_was_kept_stays() {
    let host = LoadedHost::start(|_| 0.7);
    fs::write(host.state.path().join(FILE), "kept").unwrap();
    let output = host.ffwatt(&["calibrate", "--length=15s"], nobody());
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    let (said, error) = (text(&output.stdout), text(&output.stderr));
    assert!(said.contains("package-0") && said.contains("% busy, 0 of 15 s quiet"), "{said}");
    for words in ["this host is busy", "Nothing was stored", "ffwatt top"] {
        assert!(error.contains(words), "{words:?} is not in {error:?}");
    }
    assert_eq!(host.kept(FILE).as_deref(), Some("kept"));
}

#[test]
fn a_host_without_counters_and_a_folder_that_cannot_be_written_are_refused_at_once() {
    let refused = |flags: &[String], words: &str| {
        let mut command = tests::agent::command().unwrap();
        let output = command.env_clear().arg("calibrate").args(flags).output().unwrap();
        let error = text(&output.stderr);
        assert!(output.status.code() == Some(1) && error.contains(words), "{error}");
    };
    let state = tempfile::tempdir().unwrap();
    let in_folder = |host: &Host, folder: &Path| {
        [host.flags(), vec![format!("--state-dir={}", folder.display())]].concat()
    };
    refused(
        &in_folder(&Host::without_energy().unwrap(), state.path()),
        "no energy counter of this host works",
    );
    refused(&in_folder(&Host::client().unwrap(), Path::new("/proc/nowhere")), "set --state-dir");
}

#[test]
fn a_host_that_is_never_quiet_has_an_estimate_that_is_marked_or_a_finding() {
    // From 60 to 100 % and back; and constant, which shows nothing of the idle host.
    let changing = LoadedHost::start(|now| 0.8 + 0.2 * (now / 1.9).sin());
    let steady = LoadedHost::start(|_| 0.8);
    let (estimating, lost) = (changing.agent(), steady.agent());
    let found = |code: &'static str| {
        move |scrape: &Exposition| {
            scrape.sum("ffwatt_finding", &[("code", code), ("subject", "host")]).filter(|found| *found > 0.0)
        }
    };
    wait_for(&lost, "idle power is not known", 120, found("idle_power_not_known"));
    let scrape = lost.scrape().unwrap();
    assert!(scrape.find("ffwatt_idle_power_watts", &PACKAGE).next().is_none());
    let answer = snapshot(&lost);
    let finding = answer["findings"][0].clone();
    assert_eq!(
        (&finding["finding"], answer["idle_power"].as_array().map(Vec::len)),
        (&"idle_power_not_known".into(), Some(0))
    );
    assert!(finding["text"].as_str().unwrap().contains("package-0"), "{finding}");
    assert!(finding["fix"].as_str().unwrap().contains("ffwatt calibrate"), "{finding}");
    let said = text(&steady.ffwatt(&["check"], lost.ports.main).stdout);
    let shown = text(&steady.ffwatt(&["top", "--once"], lost.ports.main).stdout);
    for text in [&said, &shown, &lost.log()] {
        assert!(text.contains("The idle power of package-0 is not known"), "{text}");
    }

    wait_for(&estimating, "idle power is estimated", 240, found("idle_power_is_estimated"));
    let scrape = estimating.scrape().unwrap();
    let estimate = idle_power(&scrape, "regression");
    assert!(is_near(estimate), "{estimate:?}");
    let error = scrape.sum("ffwatt_idle_power_standard_error_watts", &[("origin", "regression")]).unwrap();
    assert!(error > 0.0 && error <= 0.1 * estimate.unwrap() + 1e-9, "{error}");
    assert_eq!(snapshot(&estimating)["idle_power"][0]["origin"], "regression");
    let charged = scrape.sum("ffwatt_workload_energy_joules_total", &[("workload", "idle")]);
    assert!(charged.is_some_and(|joules| joules > 0.0), "{charged:?}");
    assert!(scrape.residuals().values().all(|residual| *residual == 0));
    assert!(estimating.stop().unwrap().0.success() && lost.stop().unwrap().0.success());
    // It is not kept as a figure of a quiet host.
    assert_eq!((changing.kept("idle.json"), changing.kept(FILE)), (None, None));
}
