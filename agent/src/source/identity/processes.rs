//! Reads processes from procfs: names, start times, cgroups, command lines.
//!
//! Numbers here are those of the PID namespace that procfs was mounted in: see [`super::process_numbers`].

use std::fs::{self, File};
use std::io::Read;
use std::time::Duration;

use agent_core::model::cpu::ProcessId;
use agent_core::units::CpuTime;
use procfs::FromRead;
use procfs::process::Stat;

use crate::host::HostRoots;
use crate::source::cgroup_tree::Controller;

/// Longest name that the kernel keeps (`TASK_COMM_LEN` less the terminating zero).
const NAME_LIMIT: usize = 15;

/// Longest part of a command line that is read: the kernel's limit for the arguments and the environment of a program is a quarter of
/// the stack's (`execve(2)`), 2 MiB unless the administrator has raised it.
const COMMAND_LINE_LIMIT: u64 = 2 * 1024 * 1024;

/// A running process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Running {
    pub id: ProcessId,
    /// Start time, in the kernel's clock ticks since boot.
    pub start_time: u64,
}

impl Running {
    /// Start time, after boot.
    pub(crate) fn since_boot(&self) -> Duration {
        Duration::from_nanos(CpuTime::from_clock_ticks(self.start_time).0)
    }
}

/// Every process number in procfs.
pub(crate) fn numbers(roots: &HostRoots) -> Vec<ProcessId> {
    let Ok(entries) = fs::read_dir(&roots.proc) else { return Vec::new() };
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).map(ProcessId).collect()
}

/// A process's `stat`; `None` when it is gone.
pub(crate) fn stat(roots: &HostRoots, id: ProcessId) -> Option<Stat> {
    Stat::from_file(roots.process(id.0, "stat")).ok()
}

/// Start time of a process, in the kernel's clock ticks since boot: it distinguishes processes with the same number. `None` when no
/// process of this number runs.
pub(crate) fn start_time(roots: &HostRoots, id: ProcessId) -> Option<u64> {
    // The first thread may have ended before the others.
    let is_over = |stat: &Stat| matches!(stat.state, 'Z' | 'X') && stat.num_threads <= 1;
    stat(roots, id).filter(|stat| !is_over(stat)).map(|stat| stat.starttime)
}

/// A process's number in the innermost PID namespace that it is in.
pub(crate) fn innermost_number(roots: &HostRoots, id: ProcessId) -> Option<ProcessId> {
    let text = fs::read_to_string(roots.process(id.0, "status")).ok()?;
    let numbers = text.lines().find_map(|line| line.strip_prefix("NSpid:"))?;
    numbers.split_whitespace().next_back()?.parse().ok().map(ProcessId)
}

/// A program's name, cut to the kernel's limit.
pub(crate) fn kept_name(name: &str) -> &str {
    let mut end = name.len().min(NAME_LIMIT);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}

/// Running processes with a wanted name. The kernel keeps the first 15 bytes of a name.
pub(crate) fn named(roots: &HostRoots, is_wanted: impl Fn(&str) -> bool) -> Vec<Running> {
    numbers(roots)
        .into_iter()
        .filter_map(|id| {
            let stat = stat(roots, id).filter(|stat| is_wanted(&stat.comm))?;
            (!matches!(stat.state, 'Z' | 'X')).then_some(Running { id, start_time: stat.starttime })
        })
        .collect()
}

/// Whether a process has children (`/proc/<pid>/task/<tid>/children`); `None` when it is gone, and on a kernel without
/// `CONFIG_PROC_CHILDREN`.
pub(crate) fn has_children(roots: &HostRoots, id: ProcessId) -> Option<bool> {
    let mut threads = fs::read_dir(roots.process(id.0, "task")).ok()?;
    threads.try_fold(false, |found, thread| {
        let children = fs::read(thread.ok()?.path().join("children")).ok()?;
        Some(found || !children.is_empty())
    })
}

/// The agent's own number in procfs.
pub(crate) fn own(roots: &HostRoots) -> Option<ProcessId> {
    let link = fs::read_link(roots.proc.join("self")).ok()?;
    Some(ProcessId(link.to_str()?.parse().ok()?))
}

/// The path of a process's cgroup, in the hierarchy of a controller of cgroup v1 or, without one, in cgroup v2.
pub(crate) fn cgroup_path(
    roots: &HostRoots,
    id: ProcessId,
    controller: Option<Controller>,
) -> Option<String> {
    let text = fs::read_to_string(roots.process(id.0, "cgroup")).ok()?;
    text.lines().find_map(|line| hierarchy_line(line, controller)).map(|(_, path)| path.to_owned())
}

/// The paths of a process's cgroups, in all hierarchies; `None` when it is gone.
pub(crate) fn cgroup_paths(roots: &HostRoots, id: ProcessId) -> Option<Vec<String>> {
    let text = fs::read_to_string(roots.process(id.0, "cgroup")).ok()?;
    Some(text.lines().filter_map(|line| Some(line.splitn(3, ':').nth(2)?.to_owned())).collect())
}

/// The number of the hierarchy of a controller of cgroup v1; `None` where that is not mounted.
pub(crate) fn own_hierarchy(roots: &HostRoots, controller: Controller) -> Option<u32> {
    let text = fs::read_to_string(roots.own_process("cgroup")).ok()?;
    text.lines().find_map(|line| hierarchy_line(line, Some(controller))).map(|(number, _)| number)
}

/// Number of the hierarchy and path, of a line like `4:cpu,cpuacct:/docker/…`.
fn hierarchy_line(line: &str, controller: Option<Controller>) -> Option<(u32, &str)> {
    let (number, rest) = line.split_once(':')?;
    let (controllers, path) = rest.split_once(':')?;
    let is_it = match controller {
        Some(controller) => controllers.split(',').any(|name| name == controller.name()),
        None => controllers.is_empty(),
    };
    if is_it { Some((number.parse().ok()?, path)) } else { None }
}

/// The command line of a process, as in `/proc/<pid>/cmdline`; empty when the process is gone.
pub(crate) fn command_line(roots: &HostRoots, id: ProcessId) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Ok(file) = File::open(roots.process(id.0, "cmdline")) {
        // A part that was read before a failure is better than nothing.
        let _ = file.take(COMMAND_LINE_LIMIT).read_to_end(&mut bytes);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_at_fifteen_bytes() {
        assert_eq!(kept_name("gst-launch-1.0"), "gst-launch-1.0");
        assert_eq!(kept_name("a-very-long-program"), "a-very-long-pro");
        assert_eq!(kept_name("vierzehn-zeicheä"), "vierzehn-zeiche");
    }

    #[test]
    fn a_process_with_and_without_children() {
        let roots = HostRoots::default();
        #[expect(clippy::disallowed_methods, reason = "the test ends it")]
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let found = [std::process::id(), child.id()].map(|id| has_children(&roots, ProcessId(id)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(found, [Some(true), Some(false)]);
        assert_eq!(has_children(&roots, ProcessId(u32::MAX)), None);
    }

    #[test]
    fn the_cgroup_of_a_process_in_either_hierarchy() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("7")).unwrap();
        fs::write(root.path().join("7/cgroup"), "4:cpu,cpuacct:/v1/a\n1:name=systemd:/x\n0::/v2/a:b\n")
            .unwrap();
        let roots = HostRoots { proc: root.path().to_path_buf(), ..HostRoots::default() };
        assert_eq!(cgroup_path(&roots, ProcessId(7), None).as_deref(), Some("/v2/a:b"));
        assert_eq!(cgroup_path(&roots, ProcessId(7), Some(Controller::Cpuacct)).as_deref(), Some("/v1/a"));
        assert_eq!(cgroup_path(&roots, ProcessId(8), None), None);
    }
}
