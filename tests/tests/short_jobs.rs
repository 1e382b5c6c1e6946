//! Tests that counters of classes have the energy of jobs that no scrape sees: real encodes, the real agent and a real Prometheus.
//! The energy counters are simulated; all other parts are real. Needs root and cgroups.
//!
//! `FFWATT_LONG=1` selects 500 jobs of 1 to 6 s at scrapes of 15 s. The short form has jobs of 0.1 to 0.4 s at scrapes of 0.5 s.
//!
//! Run: alone (it measures encodes).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::process::Command;
use std::time::Duration;

use tests::cgroup::Cgroup;
use tests::command::{eventually, output};
use tests::exposition::Exposition;
use tests::length::short_or_long;
use tests::namespace::Namespace;
use tests::rapl::LiveRapl;
use tests::scraped::Scraped;

const CLASSES: &str = "ffwatt_class_energy_joules_total";
const TRANSCODES: &str = "ffwatt_transcode_energy_joules_total";
const ENDED: &str = "ffwatt_ended_transcode_energy_joules_total";

/// Presets of the jobs: a class each.
const PRESETS: [&str; 2] = ["ultrafast", "veryfast"];

/// Sizes of the test.
struct Plan {
    jobs: usize,
    /// Lengths of the jobs, in milliseconds.
    lengths: [u64; 4],
    /// Jobs at the same time.
    lanes: usize,
    /// Scrape interval in milliseconds.
    scrape: u64,
    tick: &'static str,
}

fn plan() -> Plan {
    let short = Plan { jobs: 160, lengths: [100, 200, 300, 400], lanes: 2, scrape: 500, tick: "100ms" };
    let long = Plan { jobs: 500, lengths: [1000, 2500, 4500, 6000], lanes: 2, scrape: 15_000, tick: "1s" };
    short_or_long(short, long)
}

/// The agent, and a Prometheus that scrapes it less often than jobs end.
struct Stack<'a> {
    namespace: &'a Namespace,
    scraped: Scraped<'a>,
    _rapl: LiveRapl,
}

fn start<'a>(namespace: &'a Namespace, plan: &Plan) -> Stack<'a> {
    let rapl = LiveRapl::start().unwrap();
    let flags = [
        &format!("--interval={}", plan.tick),
        &format!("--path.sysfs={}", rapl.path().display()),
        "--path.cgroupfs=/sys/fs/cgroup",
        "--energy.source=powercap",
    ];
    let scraped = Scraped::start(namespace, plan.scrape, &flags).unwrap();
    Stack { namespace, scraped, _rapl: rapl }
}

impl Stack<'_> {
    /// The agent's figures now.
    fn scrape(&self) -> Exposition {
        let mut ask = self.namespace.command("curl");
        let text = output(ask.args(["--silent", "--fail", "http://localhost:9510/metrics"])).unwrap();
        Exposition::parse(&text).unwrap()
    }

    /// Waits for another scrape; the time by Prometheus' clock after it.
    fn next_scrape(&self, plan: &Plan) -> f64 {
        let scrapes = || self.scraped.prometheus.value("count_over_time(up[1h])").ok();
        let from = scrapes().unwrap();
        let patience = Duration::from_millis(plan.scrape * 4) + Duration::from_secs(30);
        eventually("another scrape", patience, || scrapes().filter(|now| *now > from)).unwrap();
        self.scraped.prometheus.value("vector(time())").unwrap()
    }
}

/// One encode in real time, in a cgroup of its own that ends with it.
fn encode(number: usize, milliseconds: u64) {
    let cgroup = Cgroup::make(&format!("ffwatt-test-short-jobs/job-{number}")).unwrap();
    let length = (milliseconds as f64 / 1000.0).to_string();
    let mut ffmpeg: Command = cgroup.command("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-v", "error", "-re", "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25"])
        .args(["-t", &length, "-c:v", "libx264", "-preset", PRESETS[number % PRESETS.len()]])
        .args(["-f", "null", "-"]);
    output(&mut ffmpeg).unwrap();
    cgroup.remove().unwrap();
}

fn encode_all(plan: &Plan) {
    std::thread::scope(|scope| {
        for lane in 0..plan.lanes {
            scope.spawn(move || {
                for job in (lane..plan.jobs).step_by(plan.lanes) {
                    encode(job, plan.lengths[job / plan.lanes % plan.lengths.len()]);
                }
            });
        }
    });
}

/// Microjoules of all transcodes, by their own series: those shown, those beyond the limit, and those that have disappeared.
fn of_transcodes(scrape: &Exposition) -> i128 {
    let all = scrape.all(TRANSCODES).chain(scrape.all(ENDED));
    all.map(tests::exposition::Sample::millionths).sum()
}

fn of_classes(scrape: &Exposition) -> i128 {
    scrape.all(CLASSES).map(tests::exposition::Sample::millionths).sum()
}

#[test]
fn classes_have_the_energy_of_jobs_that_no_scrape_sees() {
    let plan = plan();
    let namespace = Namespace::start(&[]).unwrap();
    let stack = start(&namespace, &plan);
    // A job of each class: Prometheus does not count the value of a series at its first sample.
    for number in 0..PRESETS.len() {
        encode(number, plan.lengths[0]);
    }
    eventually("each class has ended a job", Duration::from_mins(1), || {
        (stack.scrape().sum("ffwatt_class_jobs_total", &[])? as usize >= PRESETS.len()).then_some(())
    })
    .unwrap();
    // The first scrape of the window is before the first job, the last one after the last job.
    let begin = stack.next_scrape(&plan);
    stack.next_scrape(&plan);
    let before = stack.scrape();
    encode_all(&plan);
    let all = PRESETS.len() + plan.jobs;
    eventually("every job has ended", Duration::from_mins(1), || {
        (stack.scrape().sum("ffwatt_class_jobs_total", &[])? as usize >= all).then_some(())
    })
    .unwrap();
    stack.next_scrape(&plan);
    let end = stack.next_scrape(&plan);
    let after = stack.scrape();

    for scrape in [&before, &after] {
        assert_eq!(of_classes(scrape), of_transcodes(scrape), "microjoules");
    }
    assert_eq!(after.sum("ffwatt_class_jobs_total", &[]), Some(all as f64), "each job counts once");
    let truth = (of_transcodes(&after) - of_transcodes(&before)) as f64 / 1e6;
    let span = format!("{}ms", ((end - begin) * 1000.0).floor());
    let increase = |metric: &str| {
        stack.scraped.prometheus.value(&format!("sum(increase({metric}[{span}] @ {end}))")).unwrap_or(0.0)
    };
    let (classes, transcodes) = (increase(CLASSES), increase(TRANSCODES));
    let percent = |joules: f64| joules / truth * 100.0;
    println!(
        "{} jobs in {span}, scraped each {} ms: {truth:.3} J; increase() of classes {:.2} %, of transcodes {:.2} %",
        plan.jobs,
        plan.scrape,
        percent(classes),
        percent(transcodes),
    );
    assert!((percent(classes) - 100.0).abs() <= 2.0, "{classes} J of {truth} J");
}
