//! Tests an agent in PID and cgroup namespaces of its own.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tests::agent::{Agent, WITH_BPF, binary};
use tests::cgroup::{Cgroup, root};
use tests::command::{Owned, eventually};
use tests::exposition::assert_closed;

use super::{copy, cpu_of, script, spawn, transcodes};

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
