//! Energy counters that advance, on the real host's own CPU time: what RAPL would be, were it here.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

use crate::command::now;
use crate::host::CLIENT_RANGE;

/// Zones and their watts.
const ZONES: [(&str, &str, f64); 3] =
    [("intel-rapl:0", "package-0", 20.0), ("intel-rapl:0:0", "core", 12.0), ("intel-rapl:0:1", "dram", 3.0)];

/// How often the counters advance.
const STEP: Duration = Duration::from_millis(10);

/// A tree that stands for `/sys`, with counters that advance at a fixed power; the rest of it is the real one.
#[derive(Debug)]
pub struct LiveRapl {
    folder: tempfile::TempDir,
    stop: Arc<AtomicBool>,
    broken: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl LiveRapl {
    /// Makes the tree and lets it count.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        link_the_rest(folder.path())?;
        let mut counters = Vec::new();
        for (zone, name, watts) in ZONES {
            counters.push((Counter::make(folder.path(), zone, name, CLIENT_RANGE)?, watts));
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
            let begin = now();
            while !told.load(Ordering::Relaxed) {
                std::thread::sleep(STEP);
                for (counter, watts) in &counters {
                    if is_broken.load(Ordering::Relaxed) {
                        counter.spoil();
                    } else {
                        counter.set(begin.elapsed().as_secs_f64() * watts);
                    }
                }
            }
        };
        Ok(Self { folder, stop, broken, thread: Some(std::thread::spawn(count)) })
    }

    /// Whether the counters show nonsense; they count on behind it.
    pub fn set_broken(&self, is_broken: bool) {
        self.broken.store(is_broken, Ordering::Relaxed);
    }

    /// The tree.
    pub fn path(&self) -> PathBuf {
        self.folder.path().to_path_buf()
    }
}

impl Drop for LiveRapl {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// A zone of the powercap interface whose counter somebody advances.
#[derive(Debug)]
pub(crate) struct Counter {
    file: File,
    range: u64,
}

impl Counter {
    /// Makes the zone in a tree that stands for `/sys`.
    pub(crate) fn make(sys: &Path, zone: &str, name: &str, range: u64) -> anyhow::Result<Self> {
        let zone = sys.join("class/powercap").join(zone);
        fs::create_dir_all(&zone).context("cannot make a zone")?;
        fs::write(zone.join("name"), format!("{name}\n"))?;
        fs::write(zone.join("max_energy_range_uj"), format!("{range}\n"))?;
        let path = zone.join("energy_uj");
        fs::write(&path, "000000000000\n")?;
        Ok(Self { file: OpenOptions::new().write(true).open(&path)?, range })
    }

    /// Shows no number, as wide as one.
    pub(crate) fn spoil(&self) {
        // As with a number.
        let _ = self.file.write_all_at(b"no number at\n", 0);
    }

    /// Sets it to as many joules.
    pub(crate) fn set(&self, joules: f64) {
        // As wide as ever: a reader in the middle of a write sees no shorter number. A counter that cannot be written stands still,
        // and is found out as that.
        let text = format!("{:012}\n", (joules * 1e6) as u64 % self.range);
        let _ = self.file.write_all_at(text.as_bytes(), 0);
    }
}

/// Everything of `/sys` but its power: the real one's.
pub(crate) fn link_the_rest(sys: &Path) -> anyhow::Result<()> {
    for part in ["devices", "kernel", "fs", "bus", "module"] {
        symlink(Path::new("/sys").join(part), sys.join(part)).context("cannot link to /sys")?;
    }
    Ok(())
}
