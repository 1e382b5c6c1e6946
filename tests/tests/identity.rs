//! Tests that workloads and transcodes are identified, and that the agent's memory for them is bounded. Needs root.
//!
//! The real eBPF programs, on the running kernel.
//!
//! Run: alone (these tests burden the host). `FFWATT_LONG=1` asks for longer ones.

#![allow(
    clippy::unwrap_used,
    clippy::float_cmp,
    reason = "a test may panic, and means equal when it says equal"
)]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Signal;
use tests::agent::{Agent, WITH_BPF, binary};
use tests::cgroup::{Cgroup, root};
use tests::command::{Owned, eventually};
use tests::exposition::{Exposition, assert_closed};
use tests::length::short_or_long;

const CPU: &str = "ffwatt_workload_cpu_seconds_total";
fn agent(more: &[&str]) -> Agent {
    Agent::start_with_bpf(more).unwrap()
}

/// A program under a name of its own.
fn copy(program: &str, folder: &Path, name: &str) -> PathBuf {
    let copy = folder.join(name);
    fs::copy(program, &copy).unwrap();
    copy
}

fn script(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

fn spawn(program: &Path, arguments: &[&str]) -> Child {
    Command::new(program).args(arguments).stdin(Stdio::null()).spawn().unwrap()
}

fn cpu_of(scrape: &Exposition, workload: &str) -> f64 {
    scrape
        .sum(CPU, &[("workload", workload)])
        .unwrap_or_else(|| panic!("{workload} is not known by its name"))
}

fn kept(scrape: &Exposition, what: &str) -> f64 {
    scrape.sum("ffwatt_kept_entries", &[("what", what)]).unwrap()
}

/// Key and whether it runs of each transcode of a program.
fn transcodes(scrape: &Exposition, program: &str) -> Vec<(String, bool)> {
    let labels = [("program", program)];
    let infos = scrape.find("ffwatt_transcode_info", &labels);
    let runs = |key: &str| scrape.sum("ffwatt_transcode_running", &[("transcode", key)]) == Some(1.0);
    infos.map(|info| info.label("transcode").to_owned()).map(|key| (key.clone(), runs(&key))).collect()
}

/// Makes and removes cgroups at full speed, as a user with one delegated cgroup may.
fn storm(folder: &Path, count: usize) {
    let long = "d".repeat(230);
    for number in 0..count {
        let path = folder.join(format!("{long}{number}"));
        fs::create_dir(&path).unwrap();
        fs::remove_dir(&path).unwrap();
    }
}

#[test]
fn a_storm_of_cgroups_takes_no_memory_and_nothing_from_others() {
    let agent = agent(&[]);
    let delegated = Cgroup::make("ffwatt-test/delegated").unwrap();
    let busy = Cgroup::make("ffwatt-test/beside").unwrap();
    let before = agent.wait_ticks(1).unwrap();
    let mut worker = Owned(busy.command("sh").args(["-c", "while :; do :; done"]).spawn().unwrap());
    // As many as in ten seconds, or a minute, on a machine that does 11,000 a second.
    let rounds = short_or_long(10, 60);
    let mut most = 0.0_f64;
    let mut kernel = Vec::new();
    for round in 0..rounds {
        storm(delegated.folder(), 11_000);
        // A job that starts and ends during the storm.
        let job = Cgroup::make(&format!("ffwatt-test/short-{round}")).unwrap();
        let burn = "i=0; while [ $i -lt 60000 ]; do i=$((i+1)); done";
        job.command("sh").args(["-c", burn]).spawn().unwrap().wait().unwrap();
        kernel.push((job.path.clone(), job.cpu_stat().unwrap().as_secs_f64()));
        job.remove().unwrap();
        let scrape = agent.scrape().unwrap();
        assert_closed(&scrape);
        most = most.max(scrape.sum("process_resident_memory_bytes", &[]).unwrap() / 1e6);
        for (what, limit) in [("cgroup", 20_000.0), ("workload", 4000.0), ("history", 2000.0)] {
            assert!(kept(&scrape, what) < limit, "{} of {what} are kept", kept(&scrape, what));
        }
    }
    worker.0.kill().unwrap();
    worker.0.wait().unwrap();
    let after = agent.wait_ticks(3).unwrap();
    assert_closed(&after);
    println!(
        "{} cgroups: {most:.1} MB at most, {} events lost, {} entries given up",
        rounds * 11_000,
        after.sum("ffwatt_lost_events_total", &[]).unwrap(),
        after.sum("ffwatt_evicted_total", &[]).unwrap()
    );
    assert!(most <= 60.0, "{most} MB resident");
    assert!(kept(&after, "workload") < kept(&before, "workload") + f64::from(rounds) + 100.0);
    let (seconds, ours) = (busy.cpu_stat().unwrap().as_secs_f64(), cpu_of(&after, &busy.path));
    assert!((ours / seconds - 1.0).abs() < 0.01, "beside it: kernel {seconds}, ffwatt {ours}");
    let names: f64 = kernel.iter().filter_map(|(path, _)| after.sum(CPU, &[("workload", path)])).sum();
    let numbers = after.all(CPU).filter(|sample| sample.label("workload").starts_with("cgroup "));
    let known = names + numbers.map(|sample| sample.value).sum::<f64>();
    let all: f64 = kernel.iter().map(|(_, seconds)| seconds).sum();
    assert!((known / all - 1.0).abs() < 0.05, "jobs in the midst of it: kernel {all}, ffwatt {known}");
}

/// Ends everything in a cgroup that is removed; the agent sleeps meanwhile, and its ring buffer is too small for the events.
#[test]
fn after_lost_events_what_ended_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    let encoder = copy("/bin/sleep", folder.path(), "enc-lost");
    let agent = agent(&["--cpu.tracked=enc-lost", "--interval=500ms", "--attribution.keep-ended=10s"]);
    let mut ends = spawn(&encoder, &["1000"]);
    let mut stays = Owned(spawn(&encoder, &["1000"]));
    let removed = Cgroup::make("ffwatt-test/removed-unseen").unwrap();
    removed.command("true").spawn().unwrap().wait().unwrap();
    agent
        .until("both are known", |scrape| {
            let known = transcodes(scrape, "enc-lost").len() == 2;
            (known && scrape.sum(CPU, &[("workload", &removed.path)]).is_some()).then_some(())
        })
        .unwrap();
    agent.signal(Signal::STOP).unwrap();
    let flood = Cgroup::make("ffwatt-test/flood").unwrap();
    storm(flood.folder(), 8000);
    ends.kill().unwrap();
    ends.wait().unwrap();
    removed.remove().unwrap();
    let mut late = Owned(spawn(&encoder, &["1000"]));
    for number in 0..20 {
        let job = Cgroup::make(&format!("ffwatt-test/unseen-{number}")).unwrap();
        let burn = "i=0; while [ $i -lt 5000 ]; do i=$((i+1)); done";
        job.command("sh").args(["-c", burn]).spawn().unwrap().wait().unwrap();
        job.remove().unwrap();
    }
    agent.signal(Signal::CONT).unwrap();
    agent
        .until("the loss is counted", |scrape| {
            (scrape.sum("ffwatt_lost_events_total", &[])? > 0.0).then_some(())
        })
        .unwrap();
    let running = |scrape: &Exposition| {
        transcodes(scrape, "enc-lost").iter().filter(|(_, runs)| *runs).map(|(key, _)| key.clone()).collect()
    };
    let numbers = [stays.0.id(), late.0.id()];
    // Ten ticks are the five seconds.
    let after = agent.wait_ticks(10).unwrap();
    let mut keys: Vec<String> = running(&after);
    keys.retain(|key| !numbers.iter().any(|number| key.starts_with(&format!("{number}-"))));
    assert_eq!((keys, running(&after).len()), (Vec::<String>::new(), 2), "who runs");
    agent
        .until("ghosts and what was removed are gone", |scrape| {
            let is_ghost = |name: &str| name.starts_with("cgroup ") || name.contains("-unseen");
            let mut names = scrape.all(CPU).map(|sample| sample.label("workload").to_owned());
            (!names.any(|name| is_ghost(&name))).then_some(())
        })
        .unwrap();
    assert_closed(&agent.scrape().unwrap());
    for encoder in [&mut stays, &mut late] {
        encoder.0.kill().unwrap();
        encoder.0.wait().unwrap();
    }
    agent.until("both have ended", |scrape| running(scrape).is_empty().then_some(())).unwrap();
}

#[test]
fn a_wrapper_that_execs_another_program_is_one_transcode() {
    for source in ["bpf", "cgroupfs"] {
        let folder = tempfile::tempdir().unwrap();
        let real = copy("/bin/bash", folder.path(), "real-encoder");
        let burn = "read go; i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; exit 3";
        // A name that is not tracked is not shown: the line shows what the wrapper has become.
        let line = "worker -i in.mp4 out.mp4";
        let text = format!("#!/bin/sh\nread go\nexec {} -c '{burn}' {line}\n", real.display());
        let wrapper = script(folder.path(), "enc-wrap", &text);
        let source = format!("--cpu.source={source}");
        let flags = [&WITH_BPF[1..], &[&source, "--cpu.tracked=enc-wrap", "--interval=500ms"]].concat();
        let agent = Agent::start(&flags).unwrap();
        let mut child = Command::new(&wrapper).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let running = "ffwatt_transcode_running";
        let key = agent
            .until("the wrapper is known", |scrape| {
                scrape.all(running).next().map(|one| one.label("transcode").to_owned())
            })
            .unwrap();
        assert!(key.starts_with(&format!("{}-", child.id())), "{key}");
        stdin.write_all(b"\n").unwrap();
        let known = [(key.clone(), true)];
        agent
            .until("it is known by what it has become", |scrape| {
                (transcodes(scrape, "ffmpeg") == known).then_some(())
            })
            .unwrap();
        drop(stdin);
        child.wait().unwrap();
        let labels = [("transcode", key.as_str())];
        let after = agent
            .until("its end is known", |scrape| {
                let runs = scrape.sum("ffwatt_transcode_running", &labels)?;
                (runs == 0.0).then(|| scrape.clone())
            })
            .unwrap();
        assert_eq!(transcodes(&after, "ffmpeg").len(), 1);
        assert_eq!(after.all(running).count(), 1);
        let used = after.sum("ffwatt_transcode_cpu_seconds_total", &labels).unwrap();
        assert!(used > 0.05, "{source}: {used} s");
        // Polling does not know the exit status of a process.
        let code = after.sum("ffwatt_transcode_exit_code", &labels);
        assert_eq!(code, (source == "--cpu.source=bpf").then_some(3.0));
    }
}

#[test]
fn in_a_pid_namespace_of_its_own_the_agent_takes_no_process_for_another() {
    let folder = tempfile::tempdir().unwrap();
    let encoder = copy("/bin/sleep", folder.path(), "enc-pidns");
    // It runs before the agent does, and outside one does too.
    let mut outside = Owned(spawn(&encoder, &["1000"]));
    let inside = format!("{} 1000 & exec {} \"$@\"", encoder.display(), binary().unwrap().display());
    let text = format!(
        "#!/bin/sh\nexec unshare --pid --fork --kill-child --mount-proc sh -c '{inside}' agent \"$@\"\n"
    );
    let wrapper = script(folder.path(), "agent-in-pidns", &text);
    let flags = [&WITH_BPF[..], &["--cpu.tracked=enc-pidns", "--interval=500ms"]].concat();
    let mut agent = Agent::spawn(&wrapper, &flags, &[("PATH", "/usr/bin:/bin")]).unwrap();
    agent.wait_ready().unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    assert_eq!(transcodes(&scrape, "enc-pidns"), [], "no number of procfs is the kernel's");
    assert_eq!(scrape.sum("ffwatt_source_up", &[("source", "processes")]), Some(0.0));
    assert!(agent.log().contains("PID namespace"), "{}", agent.log());
    // One that starts in the namespace has a command line; of one outside it only the number is known.
    let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", agent.pid())).unwrap();
    let target = children.split_whitespace().next().unwrap().to_owned();
    let mut enter = Command::new("nsenter");
    // It ends with its input, because the child of this process is not visible.
    let folder = tempfile::tempdir().unwrap();
    enter.args(["--target", &target, "--pid"]).arg(copy("/bin/cat", folder.path(), "enc-pidns"));
    let mut within = Owned(enter.stdin(Stdio::piped()).spawn().unwrap());
    let mut without = Owned(spawn(&encoder, &["1000"]));
    let scrape = agent
        .until("both are told apart", |scrape| {
            let running = scrape.all("ffwatt_transcode_running").filter(|one| one.value == 1.0);
            (running.count() == 2).then(|| scrape.clone())
        })
        .unwrap();
    assert_eq!(transcodes(&scrape, "enc-pidns").len(), 1);
    let number = format!("{}-", without.0.id());
    let mut infos = scrape.all("ffwatt_transcode_info");
    let unread = infos.find(|info| info.label("transcode").starts_with(&number)).unwrap();
    assert_eq!(unread.label("program"), "");
    drop(within.0.stdin.take());
    within.0.wait().unwrap();
    for encoder in [&mut outside, &mut without] {
        encoder.0.kill().unwrap();
        encoder.0.wait().unwrap();
    }
    eventually("none is left", Duration::from_secs(10), || {
        let scrape = agent.scrape().ok()?;
        scrape.all("ffwatt_transcode_running").all(|one| one.value == 0.0).then_some(())
    })
    .unwrap();
    assert_closed(&agent.scrape().unwrap());
}

/// A program that runs the agent after this shell script.
fn wrapper(folder: &Path, name: &str, script_text: &str) -> PathBuf {
    let text = format!("#!/bin/sh\n{script_text} {} \"$@\"\n", binary().unwrap().display());
    script(folder, name, &text)
}

#[test]
fn in_a_cgroup_namespace_of_its_own_the_agent_knows_whose_an_encoder_is() {
    knows_whose_an_encoder_is("bpf");
}

#[test]
fn in_a_cgroup_namespace_of_its_own_the_agent_that_polls_knows_whose_an_encoder_is() {
    knows_whose_an_encoder_is("cgroupfs");
}

fn knows_whose_an_encoder_is(source: &str) {
    let folder = tempfile::tempdir().unwrap();
    let encoder = copy("/bin/dash", folder.path(), "enc-cgns");
    let start = |cgroup: &Cgroup| {
        let mut command = cgroup.command(encoder.to_str().unwrap());
        Owned(command.args(["-c", "while :; do :; done"]).spawn().unwrap())
    };
    // For the agent procfs shows the first two as `/../elsewhere` and `/decoy`; there is another `/decoy`.
    let _decoy = Cgroup::make("decoy").unwrap();
    let own = Cgroup::make("ffwatt-test/agent").unwrap();
    let cgroups = ["elsewhere", "agent/decoy", "later"]
        .map(|name| Cgroup::make(&format!("ffwatt-test/{name}")).unwrap());
    let earlier = [start(&cgroups[0]), start(&cgroups[1])];
    let enter = format!("echo $$ > {}/cgroup.procs && exec unshare --cgroup", own.folder().display());
    let wrapper = wrapper(folder.path(), "agent-in-cgns", &enter);
    let path = [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")];
    let source = format!("--cpu.source={source}");
    let flags =
        [&[source.as_str()], &WITH_BPF[1..], &["--cpu.tracked=enc-cgns", "--interval=200ms"]].concat();
    let mut agent = Agent::spawn(&wrapper, &flags, &path).unwrap();
    agent.wait_ready().unwrap();
    let later = start(&cgroups[2]);
    let scrape = agent
        .until("all are known", |scrape| (transcodes(scrape, "enc-cgns").len() == 3).then(|| scrape.clone()))
        .unwrap();
    let infos = scrape.find("ffwatt_transcode_info", &[("program", "enc-cgns")]);
    let mut owners: Vec<String> = infos.map(|info| info.label("workload").to_owned()).collect();
    owners.sort();
    let mut expected = cgroups.each_ref().map(|cgroup| cgroup.path.clone());
    expected.sort();
    assert_eq!(owners, expected);
    assert_closed(&scrape);
    drop((earlier, later));
    agent
        .until("all have ended", |scrape| {
            transcodes(scrape, "enc-cgns").iter().all(|(_, runs)| !runs).then_some(())
        })
        .unwrap();
    let check = Command::new(&wrapper).args(["check", &source]).env_clear().envs(path).output().unwrap();
    let report = String::from_utf8_lossy(&check.stdout);
    assert!(report.contains("its own cgroup namespace"), "{report}");
    assert!(report.contains("cgroup: host"), "{report}");
}

#[test]
fn where_only_a_part_of_the_hierarchy_is_to_be_seen_nothing_outside_is_taken_for_gone() {
    let folder = tempfile::tempdir().unwrap();
    let own = Cgroup::make("ffwatt-test/part").unwrap();
    // As in a container without `--cgroupns=host`.
    let enter = format!(
        "echo $$ > {0}/cgroup.procs && exec unshare --cgroup --mount sh -c 'umount {1} && mount -t cgroup2 none {1} && exec \"$@\"' agent",
        own.folder().display(),
        root().unwrap().display()
    );
    let wrapper = wrapper(folder.path(), "agent-in-part", &enter);
    let path = [("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")];
    let mut agent = Agent::spawn(&wrapper, &[&WITH_BPF[..], &["--interval=200ms"]].concat(), &path).unwrap();
    agent.wait_ready().unwrap();
    assert_eq!(agent.scrape().unwrap().sum("ffwatt_source_up", &[("source", "cgroups")]), Some(0.0));
    let job = Cgroup::make("ffwatt-test/outside").unwrap();
    let burn = || job.burn(0.3).status().unwrap();
    burn();
    // Longer than a walk, and than the time after which ended entries are dropped.
    agent.wait_ticks(10).unwrap();
    burn();
    let scrape = agent.wait_ticks(2).unwrap();
    let (kernel, ours) = (job.cpu_stat().unwrap().as_secs_f64(), cpu_of(&scrape, &job.path));
    assert!((ours - kernel).abs() < kernel * 0.05 + 0.02, "kernel {kernel}, ffwatt {ours}");
    assert_closed(&scrape);
    let check = Command::new(&wrapper).arg("check").env_clear().envs(path).output().unwrap();
    let report = String::from_utf8_lossy(&check.stdout);
    assert!(report.contains("numbers instead of names") && report.contains("cgroup: host"), "{report}");
}

#[test]
fn a_cgroup_deeper_than_the_kernel_tells_is_known_by_its_path() {
    let agent = agent(&["--interval=200ms"]);
    let names: Vec<String> = (0..6).map(|level| format!("{level}{}", "x".repeat(249))).collect();
    let path = |levels: usize| format!("ffwatt-test/{}", names[..levels].join("/"));
    let mut cgroups: Vec<Cgroup> = (1..=6).map(|levels| Cgroup::make(&path(levels)).unwrap()).collect();
    // The deepest is removed first.
    cgroups.reverse();
    let deep = &cgroups[0];
    assert!(deep.path.len() > 1500);
    // As long as a walk may be delayed: until then the cgroup would be known by its number.
    agent.wait_ticks(8).unwrap();
    deep.burn(0.5).status().unwrap();
    let scrape = agent.wait_ticks(2).unwrap();
    let known = scrape.all("ffwatt_workload_info").filter(|info| info.label("kind") == "cgroup");
    let known: Vec<&str> = known.map(|info| info.label("workload")).collect();
    let ours = known.iter().filter(|name| name.starts_with("/ffwatt-test/0xx")).count();
    assert_eq!(ours, 1, "{known:?}");
    assert!(!known.iter().any(|name| name.starts_with("cgroup ")), "none is known by its number only");
    assert_closed(&scrape);
}

/// File names of programs that are encoders without any configuration, and one that is none.
const ENCODERS: [&str; 6] =
    ["ffmpeg-7.1", "jellyfin-ffmpeg", ".ffmpeg-wrapped", "Plex Transcoder", "HandBrakeCLI", "x265"];
const NO_ENCODER: &str = "ffprobe-7.1";

#[test]
fn encoders_are_seen_under_the_names_that_people_give_them() {
    for source in ["--cpu.source=bpf", "--cpu.source=cgroupfs"] {
        let folder = tempfile::tempdir().unwrap();
        let flags = [&[source], &WITH_BPF[1..], &["--interval=200ms"]].concat();
        let agent = Agent::start(&flags).unwrap();
        agent.wait_ticks(1).unwrap();
        let start = |name: &str| Owned(spawn(&copy("/usr/bin/sleep", folder.path(), name), &["60"]));
        // It starts first: it would be seen first.
        let other = start(NO_ENCODER);
        let encoders = ENCODERS.map(start);
        let is_seen = |process: &Owned, scrape: &Exposition| {
            let number = format!("{}-", process.0.id());
            scrape.all("ffwatt_transcode_info").any(|info| info.label("transcode").starts_with(&number))
        };
        let scrape = eventually("all encoders are transcodes", Duration::from_secs(20), || {
            let scrape = agent.scrape().ok()?;
            encoders.iter().all(|encoder| is_seen(encoder, &scrape)).then_some(scrape)
        });
        assert!(!is_seen(&other, &scrape.unwrap()), "{NO_ENCODER}, {source}");
    }
}
