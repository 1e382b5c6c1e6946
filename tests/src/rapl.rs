//! Energy counters that advance, on the real host's own CPU time: what RAPL would be, were it here.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

use crate::command::now;

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
    thread: Option<JoinHandle<()>>,
}

impl LiveRapl {
    /// Makes the tree and lets it count.
    pub fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        for part in ["devices", "kernel", "fs", "bus", "module"] {
            symlink(Path::new("/sys").join(part), folder.path().join(part)).context("cannot link to /sys")?;
        }
        let mut counters = Vec::new();
        for (zone, name, watts) in ZONES {
            let zone = folder.path().join("class/powercap").join(zone);
            fs::create_dir_all(&zone).context("cannot make a zone")?;
            fs::write(zone.join("name"), format!("{name}\n"))?;
            fs::write(zone.join("max_energy_range_uj"), "262143328850\n")?;
            let path = zone.join("energy_uj");
            fs::write(&path, counted(0.0))?;
            counters.push((OpenOptions::new().write(true).open(&path)?, watts));
        }
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let count = move || {
            let begin = now();
            while !told.load(Ordering::Relaxed) {
                std::thread::sleep(STEP);
                for (file, watts) in &counters {
                    // A counter that stands still is what the test will see then.
                    let _ = file.write_all_at(counted(begin.elapsed().as_secs_f64() * watts).as_bytes(), 0);
                }
            }
        };
        Ok(Self { folder, stop, thread: Some(std::thread::spawn(count)) })
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

/// As wide as ever: a reader in the middle of a write sees no shorter number.
fn counted(joules: f64) -> String {
    format!("{:012}\n", (joules * 1e6) as u64)
}
