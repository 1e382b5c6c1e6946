//! Reads conditions of the host that change what an encode costs: governor, turbo, temperature, and other load.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use agent_core::units::Ratio;

use super::HostRoots;

/// Hardware monitors of processors (Documentation/hwmon/coretemp.rst, k10temp.rst of the kernel).
const PROCESSOR_MONITORS: [&str; 3] = ["coretemp", "k10temp", "zenpower"];

/// Time of all CPUs since the start, in clock ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CpuTimes {
    idle: u64,
    all: u64,
}

impl CpuTimes {
    /// Busy share of all CPUs since an earlier time; `None` when no time has passed.
    pub(crate) fn busy_since(self, earlier: Self) -> Option<Ratio> {
        let all = self.all.checked_sub(earlier.all).filter(|all| *all > 0)?;
        let idle = self.idle.saturating_sub(earlier.idle).min(all);
        Some(Ratio(1.0 - idle as f64 / all as f64))
    }
}

/// How often heat slowed CPUs and packages down since the start of the host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ThrottleCounts(BTreeMap<PathBuf, u64>);

impl ThrottleCounts {
    /// The largest number of times since earlier counts: CPUs of a package count the same event. `None` where the kernel does not count.
    pub(crate) fn since(&self, earlier: &Self) -> Option<u64> {
        let one = |(file, count): (&PathBuf, &u64)| Some(count.saturating_sub(*earlier.0.get(file)?));
        self.0.iter().filter_map(one).max()
    }
}

impl HostRoots {
    /// Time of all CPUs (`man 5 proc_stat`: user, nice, system, idle, iowait, irq, softirq, steal).
    pub(crate) fn cpu_times(&self) -> Option<CpuTimes> {
        let text = fs::read_to_string(self.proc.join("stat")).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("cpu "))?;
        // Guests' time is in user and nice already.
        let times: Vec<u64> =
            line.split_whitespace().take(8).map(|time| time.parse().ok()).collect::<Option<_>>()?;
        let idle = times.get(3)? + times.get(4)?;
        Some(CpuTimes { idle, all: times.iter().sum() })
    }

    /// Frequency governors of the CPUs, most hosts have one; none in most virtual machines.
    pub(crate) fn governors(&self) -> BTreeSet<String> {
        let files = self.cpu_folders().into_iter().map(|folder| folder.join("cpufreq/scaling_governor"));
        files.filter_map(|file| line(&file)).collect()
    }

    /// Whether the processor may exceed its nominal frequency, where the kernel says so
    /// (Documentation/admin-guide/pm/intel_pstate.rst, cpufreq.rst).
    pub(crate) fn has_turbo(&self) -> Option<bool> {
        let folder = self.sys.join("devices/system/cpu");
        let is_one = |file: &str| line(&folder.join(file)).map(|text| text == "1");
        is_one("intel_pstate/no_turbo").map(|is_off| !is_off).or_else(|| is_one("cpufreq/boost"))
    }

    /// The highest temperature of a processor, in degrees Celsius, where it is readable.
    pub(crate) fn processor_temperature(&self) -> Option<f64> {
        let monitors = children(&self.sys.join("class/hwmon")).into_iter().filter(|folder| {
            line(&folder.join("name")).is_some_and(|name| PROCESSOR_MONITORS.contains(&name.as_str()))
        });
        let is_input = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.starts_with("temp") && name.ends_with("_input")
        };
        let inputs = monitors.flat_map(|folder| children(&folder)).filter(is_input);
        let millidegrees = inputs.filter_map(|file| line(&file)?.parse::<i64>().ok()).max();
        millidegrees.map(|millidegrees| millidegrees as f64 / 1000.0)
    }

    /// Counts of each CPU and package of how often heat slowed it down, where the kernel counts
    /// (`drivers/thermal/intel/therm_throt.c` of the kernel).
    pub(crate) fn throttle_counts(&self) -> ThrottleCounts {
        let files = self.cpu_folders().into_iter().flat_map(|folder| {
            ["core", "package"].map(|part| folder.join(format!("thermal_throttle/{part}_throttle_count")))
        });
        let count = |file: PathBuf| line(&file)?.parse().ok().map(|count| (file, count));
        ThrottleCounts(files.filter_map(count).collect())
    }

    fn cpu_folders(&self) -> Vec<PathBuf> {
        let is_cpu = |path: &PathBuf| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            name.strip_prefix("cpu").is_some_and(|number| number.parse::<u32>().is_ok())
        };
        children(&self.sys.join("devices/system/cpu")).into_iter().filter(is_cpu).collect()
    }
}

fn children(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn line(path: &Path) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(files: &[(&str, &str)]) -> (tempfile::TempDir, HostRoots) {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let (proc, sys) = (folder.path().join("proc"), folder.path().join("sys"));
        (folder, HostRoots { proc, sys, ..HostRoots::default() })
    }

    #[test]
    fn load_is_what_was_not_idle() {
        let times = |text: &str| host(&[("proc/stat", text)]).1.cpu_times();
        let (_folder, roots) = host(&[("proc/stat", "cpu  10 0 10 70 10 0 0 0 5 0\ncpu0 1 2 3 4\n")]);
        let before = roots.cpu_times().unwrap();
        assert_eq!(before, CpuTimes { idle: 80, all: 100 });
        let after = CpuTimes { idle: 140, all: 180 };
        assert_eq!(after.busy_since(before), Some(Ratio(0.25)));
        assert_eq!(before.busy_since(before), None);
        assert_eq!(times("cpu  10 x\n"), None);
    }

    #[test]
    fn throttling_is_the_largest_increase_of_a_count() {
        let counts = |[core, package]: [&str; 2]| {
            let of =
                |part: &str| format!("sys/devices/system/cpu/cpu0/thermal_throttle/{part}_throttle_count");
            let (folder, roots) = host(&[(&of("core"), core), (&of("package"), package)]);
            let named = roots.throttle_counts().0.into_iter();
            let relative =
                |(file, count): (PathBuf, u64)| (file.strip_prefix(folder.path()).unwrap().to_owned(), count);
            ThrottleCounts(named.map(relative).collect())
        };
        let before = counts(["4", "10"]);
        assert_eq!(counts(["5", "13"]).since(&before), Some(3));
        assert_eq!(before.since(&before), Some(0));
        assert_eq!(ThrottleCounts::default().since(&ThrottleCounts::default()), None);
    }

    #[test]
    fn governor_turbo_and_temperature_where_the_host_has_them() {
        let (_folder, roots) = host(&[
            ("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"),
            ("sys/devices/system/cpu/cpu1/cpufreq/scaling_governor", "performance\n"),
            ("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n"),
            ("sys/class/hwmon/hwmon0/name", "coretemp\n"),
            ("sys/class/hwmon/hwmon0/temp1_input", "61000\n"),
            ("sys/class/hwmon/hwmon0/temp2_input", "64500\n"),
            ("sys/class/hwmon/hwmon1/name", "nvme\n"),
            ("sys/class/hwmon/hwmon1/temp1_input", "80000\n"),
        ]);
        assert_eq!(roots.governors().into_iter().collect::<Vec<_>>(), ["performance", "powersave"]);
        assert_eq!((roots.has_turbo(), roots.processor_temperature()), (Some(false), Some(64.5)));
        let (_folder, roots) = host(&[("sys/devices/system/cpu/cpufreq/boost", "1")]);
        assert_eq!((roots.has_turbo(), roots.processor_temperature()), (Some(true), None));
        assert!(roots.governors().is_empty());
    }
}
