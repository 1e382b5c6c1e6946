//! Energy counters that advance at a fixed power or by the real host's CPU time, in place of RAPL.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

use crate::command::{now, pause};
use crate::host::CLIENT_RANGE;

/// Zones and their watts, of a busy host where the load counts.
const ZONES: [(&str, &str, f64); 3] =
    [("intel-rapl:0", "package-0", 20.0), ("intel-rapl:0:0", "core", 12.0), ("intel-rapl:0:1", "dram", 3.0)];

/// Interval in which the counters advance.
const STEP: Duration = Duration::from_millis(10);

/// A tree in place of `/sys`, with counters that advance; the rest of it is the real one.
#[derive(Debug)]
pub struct LiveRapl {
    folder: tempfile::TempDir,
    stop: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LiveRapl {
    /// Makes the tree and lets it count, at a fixed power.
    pub fn start() -> anyhow::Result<Self> {
        let begin = now();
        Self::advance(move || Some(begin.elapsed().as_secs_f64()))
    }

    /// Makes the tree and lets it count, at this share of the power on an idle host and at all of it on a busy one.
    pub fn start_by_load(idle: f64) -> anyhow::Result<Self> {
        let (begin, before) = (now(), busy_seconds().context("cannot read /proc/stat")?);
        let load = move || Some((busy_seconds()? - before) / begin.elapsed().as_secs_f64());
        Self::advance(move || Some(begin.elapsed().as_secs_f64() * (idle + (1.0 - idle) * load()?)))
    }

    /// `full` are the seconds at full power so far.
    fn advance(full: impl Fn() -> Option<f64> + Send + 'static) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        link_the_rest(folder.path())?;
        let mut counters = Vec::new();
        for (zone, name, watts) in ZONES {
            counters.push((Counter::make(folder.path(), zone, name, CLIENT_RANGE, 0.0)?, watts));
            if name.starts_with("package") {
                let constraint = folder.path().join("class/powercap").join(zone).join("constraint_0_");
                let file = |suffix: &str| format!("{}{suffix}", constraint.display());
                fs::write(file("name"), "long_term\n")?;
                fs::write(file("power_limit_uw"), "28000000\n")?;
            }
        }
        let stop = Arc::new(AtomicBool::new(false));
        let broken = Arc::new(AtomicBool::new(false));
        let (told, is_broken) = (Arc::clone(&stop), Arc::clone(&broken));
        let count = move || {
            while !told.load(Ordering::Relaxed) {
                pause(STEP);
                let full = full().filter(|_| !is_broken.load(Ordering::Relaxed));
                for (counter, watts) in &mut counters {
                    match full {
                        Some(seconds) => counter.set(seconds * *watts),
                        None => counter.spoil(),
                    }
                }
            }
        };
        Ok(Self { folder, stop, broken, thread: Some(std::thread::spawn(count)) })
    }

    /// Sets whether the counters show nonsense; they continue to count behind it.
    pub fn set_broken(&self, is_broken: bool) {
        self.broken.store(is_broken, Ordering::Relaxed);
    }

    /// The tree.
    pub fn path(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }
}

/// Mean busy time of the host's CPUs since its start (proc(5): user, nice, system, idle, iowait, irq, softirq, steal, in 1/100 s).
fn busy_seconds() -> Option<f64> {
    let text = fs::read_to_string("/proc/stat").ok()?;
    let cpus = text.lines().filter(|line| line.starts_with("cpu")).count().checked_sub(1)?;
    let ticks = text.lines().next()?.split_ascii_whitespace().skip(1).take(8).map(str::parse::<u64>);
    let [user, nice, system, _, _, irq, softirq, steal] = ticks.collect::<Result<Vec<_>, _>>().ok()?[..]
    else {
        return None;
    };
    Some((user + nice + system + irq + softirq + steal) as f64 / 100.0 / cpus as f64)
}

impl Drop for LiveRapl {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A zone of the powercap interface with a simulated counter.
#[derive(Debug)]
pub(crate) struct Counter {
    sys: PathBuf,
    zone: String,
    name: String,
    range: u64,
    /// `None` while the zone does not exist.
    file: Option<File>,
}

impl Counter {
    /// Makes the zone in a tree in place of `/sys`, at this many joules.
    pub(crate) fn make(sys: &Path, zone: &str, name: &str, range: u64, joules: f64) -> anyhow::Result<Self> {
        let (sys, zone, name) = (sys.to_path_buf(), zone.to_owned(), name.to_owned());
        let mut counter = Self { sys, zone, name, range, file: None };
        counter.appear(joules).context("cannot make a zone")?;
        Ok(counter)
    }

    fn folder(&self) -> PathBuf {
        self.sys.join("class/powercap").join(&self.zone)
    }

    fn appear(&mut self, joules: f64) -> std::io::Result<()> {
        // In one step: a reader sees no zone without its number.
        let made = self.sys.join(format!("new-{}", self.zone));
        fs::create_dir_all(&made)?;
        fs::write(made.join("name"), format!("{}\n", self.name))?;
        fs::write(made.join("max_energy_range_uj"), format!("{}\n", self.range))?;
        let energy = made.join("energy_uj");
        fs::write(&energy, self.text(joules))?;
        self.file = Some(OpenOptions::new().write(true).open(&energy)?);
        fs::create_dir_all(self.sys.join("class/powercap"))?;
        fs::rename(&made, self.folder())
    }

    /// Removes the zone, as when its driver is unloaded: an open file of it is empty from now on.
    pub(crate) fn vanish(&mut self) {
        if let Some(file) = self.file.take() {
            // A reader detects that it has disappeared.
            let _ = file.set_len(0).and_then(|()| fs::remove_dir_all(self.folder()));
        }
    }

    /// Shows no number, as wide as one.
    pub(crate) fn spoil(&mut self) {
        self.write("no number at\n");
    }

    /// Sets it to this many joules; a zone that did not exist exists again.
    pub(crate) fn set(&mut self, joules: f64) {
        if self.file.is_none() {
            // It is tried again at the next step.
            let _ = self.appear(joules);
        }
        self.write(&self.text(joules));
    }

    /// Of constant width: a reader during a write sees no shorter number.
    fn text(&self, joules: f64) -> String {
        format!("{:012}\n", (joules * 1e6) as u64 % self.range)
    }

    fn write(&self, text: &str) {
        // A counter that cannot be written stands still, and the test fails for that.
        let _ = self.file.as_ref().map(|file| file.write_all_at(text.as_bytes(), 0));
    }
}

/// Links everything of the real `/sys` but its power.
pub(crate) fn link_the_rest(sys: &Path) -> anyhow::Result<()> {
    // Not `bus`: a performance counter for energy of the real host is no part of this one.
    for part in ["devices", "kernel", "fs", "module"] {
        symlink(Path::new("/sys").join(part), sys.join(part)).context("cannot link to /sys")?;
    }
    Ok(())
}
