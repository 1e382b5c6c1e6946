//! Counters of a fixture host that advance by themselves, as hardware does.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

use crate::command::{now, pause};
use crate::host::Host;

/// Interval in which they advance.
const STEP: Duration = Duration::from_millis(5);

/// A thread that advances counters until it is dropped.
#[derive(Debug)]
pub struct Counting {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Counting {
    /// Advances the counters of these zones by these watts, from their present positions.
    pub fn start(host: &Host, zones: &[(&str, f64)]) -> anyhow::Result<Self> {
        let open = |(zone, watts): &(&str, f64)| -> anyhow::Result<(File, u64, f64)> {
            let path = host.path(&host.zone_file(zone, "energy_uj"));
            let text = fs::read_to_string(&path).with_context(|| format!("no {}", path.display()))?;
            let file = OpenOptions::new().write(true).open(&path)?;
            Ok((file, text.trim().parse().context("a counter shows a number")?, *watts))
        };
        let counters = zones.iter().map(open).collect::<anyhow::Result<Vec<_>>>()?;
        let stop = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&stop);
        let run = move || {
            let begin = now();
            while !told.load(Ordering::Relaxed) {
                let seconds = begin.elapsed().as_secs_f64();
                for (file, from, watts) in &counters {
                    let text = format!("{:<20}\n", from + (seconds * watts * 1e6) as u64);
                    // A counter that cannot be written stands still, and the test fails for that.
                    let _ = file.write_all_at(text.as_bytes(), 0);
                }
                pause(STEP);
            }
        };
        Ok(Self { stop, thread: Some(std::thread::spawn(run)) })
    }
}

impl Drop for Counting {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
