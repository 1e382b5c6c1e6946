//! Finds in procfs the process that started a container, and names the container by it, without a socket: Podman's conmon of any user, and
//! the shim of containerd for a container that nerdctl has named.
//!
//! A process can have any command line. Its report counts only where the process is the nearest ancestor of the container's processes that
//! is outside of the container, where it names this container's id, and where its user is root or owns the container's cgroup. So a user
//! can only name containers that the user may run. A shim names a file, so that only root's shims count.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use agent_core::identity::directory::ContainerFacts;
use agent_core::identity::{cgroup_path, conmon, containerd_shim};
use agent_core::model::cpu::{CgroupId, ProcessId};
use agent_core::model::workload::WorkloadKind;

use crate::host::HostRoots;
use crate::source::cgroup_tree::CgroupTree;
use crate::source::identity::docker::own_labels;
use crate::source::identity::processes;

/// Kinds of containers that are named by the process that started them.
pub(crate) const KINDS: [WorkloadKind; 2] = [WorkloadKind::Podman, WorkloadKind::Containerd];

/// Longest configuration of a container that is read. Usual ones have 10 kB.
const LONGEST_CONFIG: u64 = 1 << 20;

/// Longest part of `cgroup.procs` that is read. Every process of a container has the same conmon.
const PROCESSES_LIMIT: u64 = 4096;

/// Processes of a cgroup that are tried: one may end meanwhile.
const TRIED: usize = 4;

/// Cgroups of a container that are tried: one may have no processes.
const CGROUPS: usize = 8;

/// Most ancestors of a process within its container.
const MAX_ANCESTORS: usize = 64;

/// The facts of the container with this id, by the process that started it. The container has these cgroups.
pub(crate) fn facts<'a>(
    roots: &HostRoots,
    tree: &CgroupTree,
    container: &str,
    cgroups: impl IntoIterator<Item = (CgroupId, &'a str)>,
) -> Option<ContainerFacts> {
    cgroups.into_iter().take(CGROUPS).find_map(|cgroup| {
        let folder = tree.file_in(cgroup.0.hierarchy(), cgroup.1, "")?;
        processes_in(&folder).find_map(|process| facts_by(roots, tree, container, cgroup, process))
    })
}

/// The facts of the container with this id, by the starter of a process in this cgroup of it.
pub(crate) fn facts_by(
    roots: &HostRoots,
    tree: &CgroupTree,
    container: &str,
    cgroup: (CgroupId, &str),
    process: ProcessId,
) -> Option<ContainerFacts> {
    let folder = tree.file_in(cgroup.0.hierarchy(), cgroup.1, "")?;
    let owner = fs::metadata(folder).ok()?.uid();
    let starter = starter(roots, process, container)?;
    let user = fs::metadata(roots.process(starter.0, "")).ok()?.uid();
    let command_line = processes::command_line(roots, starter);
    if let Some(found) = conmon::parse(&command_line) {
        let is_its = found.id == container && (user == 0 || user == owner);
        return is_its.then(|| facts_of(WorkloadKind::Podman, found.name));
    }
    let found = containerd_shim::parse(&command_line).filter(|found| found.id == container && user == 0)?;
    let written = containerd_shim::nerdctl(&read(&found.config).ok()?)?;
    let labels = own_labels(written.annotations);
    Some(ContainerFacts { labels, ..facts_of(WorkloadKind::Containerd, written.name) })
}

fn facts_of(engine: WorkloadKind, name: String) -> ContainerFacts {
    ContainerFacts { engine: Some(engine), name, ..ContainerFacts::default() }
}

fn read(config: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(config)?.take(LONGEST_CONFIG).read_to_end(&mut text)?;
    Ok(text)
}

/// The first processes in a cgroup, by the numbers of the agent's own PID namespace; 0 is a process outside of it.
fn processes_in(folder: &Path) -> impl Iterator<Item = ProcessId> {
    let mut text = String::new();
    // A cgroup that was removed meanwhile has no processes.
    if let Ok(file) = File::open(folder.join("cgroup.procs")) {
        let _ = file.take(PROCESSES_LIMIT).read_to_string(&mut text);
    }
    let numbers: Vec<u32> =
        text.lines().filter_map(|line| line.parse().ok()).filter(|number| *number != 0).take(TRIED).collect();
    numbers.into_iter().map(ProcessId)
}

/// The nearest ancestor of a process that is outside of the container.
fn starter(roots: &HostRoots, process: ProcessId, container: &str) -> Option<ProcessId> {
    let mut process = process;
    for _ in 0..MAX_ANCESTORS {
        process = ProcessId(u32::try_from(processes::stat(roots, process)?.ppid).ok()?);
        if !is_within(roots, process, container)? {
            return Some(process);
        }
    }
    None
}

/// Whether a process is in a container, in any hierarchy; `None` when it is gone.
fn is_within(roots: &HostRoots, process: ProcessId, container: &str) -> Option<bool> {
    let paths = processes::cgroup_paths(roots, process)?;
    let is_its = |path: &String| cgroup_path::identify(path).container.as_deref() == Some(container);
    Some(paths.iter().any(is_its))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3726184226f5d3147c25fdeab5b60097e378e8a720503a5e19ecfdf29f869860";
    const OTHER: &str = "99f3a16ea25b7724cb56a4f0c0df1113ad9474fbf5545bead97fd5c7f61c13f4";

    /// A host with one Podman container, as folders of files.
    struct Host {
        folder: tempfile::TempDir,
        roots: HostRoots,
        cgroup: String,
    }

    impl Host {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let roots = HostRoots {
                proc: folder.path().join("proc"),
                cgroup: folder.path().join("cgroup"),
                ..HostRoots::default()
            };
            let cgroup = format!("/machine.slice/libpod-{ID}.scope");
            let host = Self { folder, roots, cgroup };
            fs::create_dir_all(host.container()).unwrap();
            fs::write(host.roots.cgroup.join("cgroup.controllers"), "").unwrap();
            fs::write(host.container().join("cgroup.procs"), "20\n21\n").unwrap();
            host.process(20, 10, &host.cgroup, "ffmpeg\0");
            host.process(21, 20, &host.cgroup, "ffmpeg\0");
            host
        }

        fn container(&self) -> std::path::PathBuf {
            self.folder.path().join("cgroup").join(&self.cgroup[1..])
        }

        fn process(&self, number: u32, parent: u32, cgroup: &str, command_line: &str) {
            let folder = self.roots.process(number, "");
            fs::create_dir_all(&folder).unwrap();
            let rest = "0 ".repeat(48);
            fs::write(folder.join("stat"), format!("{number} (x) S {parent} {rest}\n")).unwrap();
            fs::write(folder.join("cgroup"), format!("0::{cgroup}\n")).unwrap();
            fs::write(folder.join("cmdline"), command_line).unwrap();
        }

        fn facts(&self) -> Option<ContainerFacts> {
            let tree = CgroupTree::find(&self.roots).unwrap();
            facts(&self.roots, &tree, ID, [(CgroupId(1), &*self.cgroup)])
        }

        fn name(&self) -> Option<String> {
            self.facts().map(|facts| facts.name)
        }
    }

    fn conmon(id: &str) -> String {
        format!("/usr/bin/conmon\0--api-version\01\0-c\0{id}\0-n\0live-a\0")
    }

    #[test]
    fn the_parent_of_a_container_names_it() {
        let host = Host::new();
        host.process(10, 1, "/machine.slice/libpod-conmon.scope", &conmon(ID));
        assert_eq!(host.name().as_deref(), Some("live-a"));
    }

    #[test]
    fn a_process_that_did_not_start_the_container_does_not_name_it() {
        let host = Host::new();
        let conmons = "/machine.slice/libpod-conmon.scope";
        // No parent, another program, the conmon of another container, and an ancestor that is not the nearest.
        assert_eq!(host.name(), None);
        host.process(10, 1, conmons, "runc\0create\0");
        assert_eq!(host.name(), None);
        host.process(10, 1, conmons, &conmon(OTHER));
        assert_eq!(host.name(), None);
        host.process(9, 1, "/", &conmon(ID));
        host.process(10, 9, conmons, "runc\0create\0");
        assert_eq!(host.name(), None);
    }

    #[test]
    fn a_process_within_the_container_does_not_name_it() {
        let host = Host::new();
        let within = format!("{}/container", host.cgroup);
        host.process(9, 1, "/", "systemd\0");
        host.process(10, 9, &within, &conmon(ID));
        assert_eq!(host.name(), None);
        host.process(9, 1, "/", &conmon(ID));
        assert!(host.name().is_some(), "the nearest one outside does");
    }

    #[test]
    fn the_configuration_that_a_shim_names_has_the_name_of_nerdctl() {
        let host = Host::new();
        let state = host.folder.path().join("containerd");
        let shim = format!(
            "/usr/bin/containerd-shim-runc-v2\0-namespace\0default\0-id\0{ID}\0-address\0{}\0",
            state.join("containerd.sock").display()
        );
        host.process(10, 1, "/system.slice/containerd.service", &shim);
        assert_eq!(host.facts(), None, "there is no configuration");
        let bundle = state.join("io.containerd.runtime.v2.task/default").join(ID);
        fs::create_dir_all(&bundle).unwrap();
        fs::write(bundle.join("config.json"), r#"{"annotations": {}}"#).unwrap();
        assert_eq!(host.facts(), None, "ctr names no containers");
        let annotations = r#"{"annotations": {"nerdctl/name": "live-a", "ffwatt.scenario": "live"}}"#;
        fs::write(bundle.join("config.json"), annotations).unwrap();
        let facts = host.facts();
        let is_root = fs::metadata(host.roots.process(10, "")).unwrap().uid() == 0;
        let expected = ContainerFacts {
            engine: Some(WorkloadKind::Containerd),
            name: "live-a".to_owned(),
            labels: [("scenario".to_owned(), "live".to_owned())].into(),
            ..ContainerFacts::default()
        };
        assert_eq!(facts, is_root.then_some(expected), "a shim of another user names no file");
    }

    #[test]
    fn a_container_without_processes_has_no_name() {
        let host = Host::new();
        host.process(10, 1, "/", &conmon(ID));
        fs::write(host.container().join("cgroup.procs"), "0\n").unwrap();
        assert_eq!(host.name(), None);
        fs::remove_dir_all(host.container()).unwrap();
        assert_eq!(host.name(), None);
    }
}
