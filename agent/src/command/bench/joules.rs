//! Follows the energy that the agent charges to the scenarios of a bench, for the progress bar.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use agent_core::units::MicroJoules;
use serde::Deserialize;

use crate::api::Workload;
use crate::command::bench::cgroup::PARENT;
use crate::command::check::ready;
use crate::config::Config;

/// Interval of the requests: the agent has new figures once a tick, one second by default.
const INTERVAL: Duration = Duration::from_secs(1);

const POLL: Duration = Duration::from_millis(100);

/// The energy so far. The requests end with it.
#[derive(Debug)]
pub(super) struct Joules {
    sum: Arc<Mutex<Option<MicroJoules>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Joules {
    /// Asks the agent of this host from now on, on a thread of its own: an answer that is late must not delay the end of a measured window.
    #[expect(clippy::disallowed_methods, reason = "the thread is its own")]
    pub(super) fn follow(config: &Config) -> Self {
        let (sum, stop) = (Arc::new(Mutex::new(None)), Arc::new(AtomicBool::new(false)));
        let (found, told, config) = (Arc::clone(&sum), Arc::clone(&stop), config.clone());
        let thread = std::thread::spawn(move || {
            // Totals of earlier benches, which the agent goes on from.
            let Some(mut charged) = workloads(&config).map(Charged::since) else { return };
            while !told.load(Ordering::Relaxed) {
                if let Some(now) = workloads(&config) {
                    charged.take(now);
                    *found.lock().unwrap_or_else(PoisonError::into_inner) = charged.sum();
                }
                for _ in 0..INTERVAL.as_millis() / POLL.as_millis() {
                    if !told.load(Ordering::Relaxed) {
                        std::thread::sleep(POLL);
                    }
                }
            }
        });
        Self { sum, stop, thread: Some(thread) }
    }

    /// The energy of all scenarios so far; `None` while it is unknown.
    pub(super) fn sum(&self) -> Option<MicroJoules> {
        *self.sum.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Joules {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // It does not panic.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

#[derive(Deserialize)]
struct Listed {
    items: Vec<Workload>,
}

/// Workloads of benches that the agent knows; `None` without an answer, as from an agent that requires a password.
fn workloads(config: &Config) -> Option<Vec<Workload>> {
    let path = format!("/api/v1/workloads?q={PARENT}/&sort=-power_watts&per_page=1000");
    let (status, body) = ready::get(config, &path).ok()?;
    let listed: Listed = serde_json::from_slice(&body).ok().filter(|_| status == "200")?;
    let is_of_bench =
        |one: &Workload| one.workload.trim_start_matches('/').starts_with(&format!("{PARENT}/"));
    Some(listed.items.into_iter().filter(is_of_bench).collect())
}

/// Energy of each workload, and what it had before the bench.
#[derive(Debug, Default)]
struct Charged {
    before: BTreeMap<String, Option<MicroJoules>>,
    now: BTreeMap<String, Option<MicroJoules>>,
}

impl Charged {
    fn since(before: Vec<Workload>) -> Self {
        Self { before: before.into_iter().map(energy).collect(), now: BTreeMap::new() }
    }

    /// Adds an answer. A workload that is not in it has disappeared some time after its end, and its last figure stays.
    fn take(&mut self, now: Vec<Workload>) {
        self.now.extend(now.into_iter().map(energy));
    }

    /// The energy since the beginning; `None` where none was charged, or that of a workload is unknown.
    fn sum(&self) -> Option<MicroJoules> {
        let since = |(name, now): (&String, &Option<MicroJoules>)| {
            let MicroJoules(now) = (*now)?;
            let before = self.before.get(name).copied().flatten().unwrap_or_default();
            // The total of a workload that came back may begin at 0.
            Some(if now < before.0 { now } else { now - before.0 })
        };
        self.now.iter().map(since).sum::<Option<u64>>().filter(|sum| *sum > 0).map(MicroJoules)
    }
}

fn energy(workload: Workload) -> (String, Option<MicroJoules>) {
    (workload.workload, workload.energy_joules.and_then(MicroJoules::from_joules))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload(name: &str, energy_joules: Option<f64>) -> Workload {
        Workload { workload: name.to_owned(), energy_joules, ..Workload::default() }
    }

    #[test]
    fn the_energy_is_that_since_the_beginning_of_the_bench() {
        let mut charged = Charged::since(vec![workload("a", Some(5.0)), workload("b", Some(7.0))]);
        assert_eq!(charged.sum(), None, "nothing is known yet");
        charged.take(vec![workload("a", Some(6.5)), workload("b", Some(7.0)), workload("c", Some(1.0))]);
        assert_eq!(charged.sum(), Some(MicroJoules(2_500_000)));
        // `b` disappeared and began again; `a` is no longer shown.
        charged.take(vec![workload("b", Some(2.0)), workload("c", Some(3.0))]);
        assert_eq!(charged.sum(), Some(MicroJoules(6_500_000)));
    }

    #[test]
    fn without_the_energy_of_a_scenario_there_is_none() {
        let mut charged = Charged::default();
        charged.take(vec![workload("a", Some(1.0)), workload("b", None)]);
        assert_eq!(charged.sum(), None);
        charged.take(vec![workload("a", Some(0.0)), workload("b", Some(0.0))]);
        assert_eq!(charged.sum(), None, "nothing was charged yet");
    }
}
