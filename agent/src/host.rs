//! Paths of the host: every path that the agent reads starts here.
//!
//! **Invariant:** no other file names `/proc`, `/sys` or `/dev`: tests point these roots at fixture trees, and the container
//! image points them at `/host/…`.

mod conditions;
mod file_system;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use agent_core::cpu::topology::{CpuTopology, MAX_CPUS};
use agent_core::model::cpu::{CoreId, CpuPlace};
use agent_core::units::Bytes;

pub(crate) use conditions::{CpuTimes, ThrottleCounts};
pub(crate) use file_system::KernelFileSystem;

/// The roots of the host's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRoots {
    /// procfs, `/proc` by default.
    pub proc: PathBuf,
    /// sysfs, `/sys` by default.
    pub sys: PathBuf,
    /// Device files, `/dev` by default.
    pub dev: PathBuf,
    /// The cgroup file system, `/sys/fs/cgroup` by default.
    pub cgroup: PathBuf,
}

/// Folder of DRM devices, as procfs shows it for each process: programs look for them there, in containers too.
pub(crate) const DRM_DEVICES: &str = "/dev/dri";

impl Default for HostRoots {
    fn default() -> Self {
        Self {
            proc: PathBuf::from("/proc"),
            sys: PathBuf::from("/sys"),
            dev: PathBuf::from("/dev"),
            cgroup: PathBuf::from("/sys/fs/cgroup"),
        }
    }
}

impl HostRoots {
    /// Whether sysfs is the running kernel's own, and not a configured folder.
    pub fn has_own_sysfs(&self) -> bool {
        self.sys == Self::default().sys
    }

    /// Whether procfs is the running kernel's own, and not a configured folder.
    pub fn has_own_procfs(&self) -> bool {
        self.proc == Self::default().proc
    }

    /// A file of one process.
    pub fn process(&self, pid: u32, file: &str) -> PathBuf {
        self.proc.join(pid.to_string()).join(file)
    }

    /// A file of the agent's own process.
    pub fn own_process(&self, file: &str) -> PathBuf {
        self.proc.join("self").join(file)
    }

    /// Installed memory.
    pub fn memory(&self) -> Option<Bytes> {
        let text = fs::read_to_string(self.proc.join("meminfo")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
        let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(Bytes(kibibytes * 1024))
    }

    /// The processor's marketing name: figures that were learned on one host are not used on another.
    pub fn cpu_model(&self) -> Option<String> {
        self.cpu_info("model name")
    }

    /// The revision of the processor's microcode, which may change its power.
    pub fn microcode(&self) -> Option<String> {
        self.cpu_info("microcode")
    }

    /// A field of the first processor in `cpuinfo`.
    fn cpu_info(&self, name: &str) -> Option<String> {
        let text = fs::read_to_string(self.proc.join("cpuinfo")).ok()?;
        let mut lines = text.lines().filter_map(|line| line.split_once(':'));
        lines.find(|(known, _)| known.trim() == name).map(|(_, value)| value.trim().to_owned())
    }

    /// Whether a process only sees its own user's processes in procfs (mount option `hidepid`).
    pub fn hides_processes(&self) -> bool {
        let mounts = fs::read_to_string(self.proc.join("self/mounts")).unwrap_or_default();
        mounts.lines().filter_map(|line| parse_mount(line)).any(|(folder, kind, options)| {
            let hidden = |option: &str| {
                option.strip_prefix("hidepid=").is_some_and(|level| !matches!(level, "0" | "off"))
            };
            kind == "proc" && Path::new(folder) == self.proc && options.split(',').any(hidden)
        })
    }

    /// Whether perf needs more than `CAP_PERFMON`, as on Debian's and Ubuntu's kernels above 2.
    pub fn perf_is_strict(&self) -> bool {
        let text = fs::read_to_string(self.proc.join("sys/kernel/perf_event_paranoid")).unwrap_or_default();
        text.trim().parse::<i32>().is_ok_and(|level| level > 2)
    }

    /// The kernel's random id of this boot.
    pub fn boot_id(&self) -> Option<String> {
        let text = fs::read_to_string(self.proc.join("sys/kernel/random/boot_id")).ok()?;
        Some(text.trim().to_owned()).filter(|id| !id.is_empty())
    }

    /// The kernel's release, as `uname -r` prints it.
    pub fn kernel_release(&self) -> Option<String> {
        let text = fs::read_to_string(self.proc.join("sys/kernel/osrelease")).ok()?;
        Some(text.trim()).filter(|text| is_release(text)).map(str::to_owned)
    }
}

/// Whether a text is `6.1.0-13-amd64` or the like: the release is public, and must not be the content of another file.
fn is_release(text: &str) -> bool {
    let mut numbers = text.splitn(3, ['.', '-', '+']);
    let mut is_number = || numbers.next().is_some_and(|number| number.parse::<u16>().is_ok());
    let is_plain = |character: char| character.is_ascii_alphanumeric() || ".-_+~".contains(character);
    text.len() <= 64 && text.chars().all(is_plain) && is_number() && is_number()
}

/// Folder, file system and options of a line of `mounts`.
fn parse_mount(line: &str) -> Option<(&str, &str, &str)> {
    let mut words = line.split(' ').skip(1);
    Some((words.next()?, words.next()?, words.next()?))
}

/// Reads `devices/system/cpu`. CPUs without a `topology` folder are off line and have no place yet; where none has one, all are in
/// package 0.
pub(crate) fn read_topology(roots: &HostRoots) -> io::Result<CpuTopology> {
    let folder = roots.sys.join("devices/system/cpu");
    let named =
        |error: io::Error| io::Error::new(error.kind(), format!("cannot list {}: {error}", folder.display()));
    let mut cpus = Vec::new();
    for entry in fs::read_dir(&folder).map_err(named)? {
        let entry = entry.map_err(named)?;
        let name = entry.file_name();
        let Some(number) = name.to_str().and_then(|name| name.strip_prefix("cpu")?.parse::<usize>().ok())
        else {
            continue;
        };
        if number >= MAX_CPUS {
            continue;
        }
        if cpus.len() <= number {
            cpus.resize(number + 1, None);
        }
        cpus[number] = Some(cpu_place(roots, number));
    }
    if cpus.is_empty() {
        return Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("no cpu folders in {}", folder.display()),
        ));
    }
    // A host that does not show the places of its CPUs has one package.
    let says_nothing = cpus.iter().flatten().all(Option::is_none);
    let first = CpuPlace::on_die(0, 0);
    let cpus = cpus.into_iter().map(|cpu| cpu.and_then(|place| place.or(says_nothing.then_some(first))));
    Ok(cpus.collect())
}

/// The present place of a CPU; `None` while the CPU is off line.
pub(crate) fn cpu_place(roots: &HostRoots, cpu: usize) -> Option<CpuPlace> {
    let topology = roots.sys.join(format!("devices/system/cpu/cpu{cpu}/topology"));
    topology.is_dir().then(|| CpuPlace {
        package: read_id(&topology.join("physical_package_id")),
        die: read_id(&topology.join("die_id")),
        core: core_of(&topology),
    })
}

/// The core of a CPU: the first of its hardware threads, which the kernel lists in ascending order. `core_cpus_list` is the newer name
/// of `thread_siblings_list` (`Documentation/admin-guide/cputopology.rst`).
fn core_of(topology: &Path) -> Option<CoreId> {
    let read = |file: &str| fs::read_to_string(topology.join(file)).ok();
    let threads = read("core_cpus_list").or_else(|| read("thread_siblings_list"))?;
    let first = threads.trim().split([',', '-']).next()?.parse::<u32>().ok()?;
    Some(CoreId(first)).filter(|_| (first as usize) < MAX_CPUS)
}

/// −1 (no such level, as on some virtual machines) and unreadable count as 0.
fn read_id(path: &Path) -> u32 {
    fs::read_to_string(path).ok().and_then(|text| text.trim().parse::<u32>().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_is_shown_and_nothing_else() {
        for release in [
            "6.1.0-13-amd64",
            "5.10.0",
            "6.18",
            "6.8.0-1015-aws",
            "4.18.0-553.el8_10.x86_64",
            "6.1.0-fixture",
        ] {
            assert!(is_release(release), "{release}");
        }
        for other in ["", "root:x:0:0", "6", "6.x", "secret", "6.1.0 secret", "6.1\nsecret", "1234567.1"] {
            assert!(!is_release(other), "{other:?}");
        }
    }

    #[test]
    fn a_folder_that_was_named_is_not_the_kernels() {
        let named =
            |path: &str| HostRoots { sys: PathBuf::from(path), ..HostRoots::default() }.has_own_sysfs();
        assert!(named("/sys") && named("/sys/"));
        assert!(!named("/sys/../tmp") && !named("/host/sys") && !named("/sys/kernel") && !named(""));
    }
}
