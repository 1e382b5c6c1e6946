//! Conditions of the host in a bench: what a result file says of it, and whether it was busy or hot before a scenario.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_core::units::Ratio;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use crate::clock::{Clock, SystemClock};
use crate::command::bench::POLL;
use crate::host::{CpuTimes, HostRoots, ThrottleCounts};
use crate::quality;

/// Other load above which an encode is marked: it slows the encode down, and shares its cores.
const BUSY: Ratio = Ratio(0.1);

/// Temperature in degrees Celsius above which an encode is marked: most processors lower their frequency at 95 to 105.
const HOT: f64 = 90.0;

/// Longest time for which a bench waits until the host is neither busy nor hot.
const LONGEST_WAIT: Duration = Duration::from_mins(10);

/// What a bench does on a host that is busy or hot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenBusy {
    /// It encodes, and marks the scenario.
    Mark,
    /// It ends.
    Refuse,
    /// It waits first.
    Wait,
}

impl WhenBusy {
    /// All, by their names on the command line.
    pub(super) const NAMED: [(&str, Self); 3] =
        [("mark", Self::Mark), ("refuse", Self::Refuse), ("wait", Self::Wait)];
}

/// A host that would change the figures of a scenario.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{scenario:?} is not measured: {remark}; stop other work on this host or let it cool down, or choose --busy wait or --busy mark"
)]
pub(crate) struct Unfit {
    scenario: String,
    remark: String,
}

/// The host in the pause before a scenario.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Before {
    /// Busy share of all CPUs, where the pause was long enough.
    pub(super) busy: Option<Ratio>,
    /// The hottest processor in degrees Celsius, where readable.
    pub(super) celsius: Option<f64>,
    /// How often heat slowed a processor down, where the kernel counts it.
    pub(super) throttled: Option<u64>,
}

impl Before {
    /// Waits, and measures meanwhile; `None` when the bench was stopped.
    #[expect(clippy::disallowed_methods, reason = "a bench pauses between scenarios")]
    fn wait(roots: &HostRoots, time: Duration, stop: &AtomicBool) -> Option<Self> {
        let meanwhile = Meanwhile::begin(roots);
        let begin = SystemClock.now();
        while SystemClock.now().since(begin) < time {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            std::thread::sleep(POLL);
        }
        let (busy, throttled) = meanwhile.end(roots);
        // A few clock ticks say nothing.
        let busy = busy.filter(|_| time >= POLL * 10);
        Some(Self { busy, celsius: roots.processor_temperature(), throttled })
    }

    /// What makes the figures of the scenario doubtful.
    pub(super) fn remark(&self) -> Option<String> {
        let hot = self.celsius.filter(|celsius| *celsius > HOT);
        let hot = hot.map(|celsius| format!("{celsius:.0} °C before (limit {HOT:.0})"));
        let remarks = [busy_remark(self.busy, "before"), hot, throttle_remark(self.throttled, "before")];
        let remarks: Vec<String> = remarks.into_iter().flatten().collect();
        (!remarks.is_empty()).then(|| remarks.join(", "))
    }
}

/// Words about CPUs that were busy with other work.
pub(super) fn busy_remark(busy: Option<Ratio>, when: &str) -> Option<String> {
    let busy = busy.filter(|busy| busy.0 > BUSY.0)?;
    Some(format!("CPUs {:.0} % busy {when} (limit {:.0} %)", busy.percent(), BUSY.percent()))
}

/// Words about a processor that heat slowed down.
pub(super) fn throttle_remark(times: Option<u64>, when: &str) -> Option<String> {
    let times = times.filter(|times| *times > 0)?;
    Some(format!("slowed down by heat {times} times {when}"))
}

/// The host while something is measured.
#[derive(Debug)]
pub(super) struct Meanwhile {
    times: Option<CpuTimes>,
    counts: ThrottleCounts,
}

impl Meanwhile {
    pub(super) fn begin(roots: &HostRoots) -> Self {
        Self { times: roots.cpu_times(), counts: roots.throttle_counts() }
    }

    /// Busy share of all CPUs since the beginning, and how often heat slowed a processor down.
    pub(super) fn end(self, roots: &HostRoots) -> (Option<Ratio>, Option<u64>) {
        let busy = self.times.and_then(|earlier| roots.cpu_times()?.busy_since(earlier));
        (busy, roots.throttle_counts().since(&self.counts))
    }
}

/// Looks at the host before each scenario.
pub(super) struct Lookout<'a> {
    pub(super) roots: &'a HostRoots,
    pub(super) when_busy: WhenBusy,
    /// Ends a pause when it becomes true.
    pub(super) stop: &'a AtomicBool,
    pub(super) bar: &'a ProgressBar,
}

impl Lookout<'_> {
    /// Pauses for this time at least, and looks at the host meanwhile; `None` when the bench was stopped.
    pub(super) fn pause(&self, scenario: &str, time: Duration) -> Result<Option<Before>, Unfit> {
        let begin = SystemClock.now();
        let mut is_told = false;
        loop {
            let Some(before) = Before::wait(self.roots, time, self.stop) else { return Ok(None) };
            let Some(remark) = before.remark() else {
                self.bar.set_message("");
                return Ok(Some(before));
            };
            let is_over = SystemClock.now().since(begin) > LONGEST_WAIT;
            match self.when_busy {
                WhenBusy::Mark => return Ok(Some(before)),
                WhenBusy::Wait if !is_over => {
                    if !std::mem::replace(&mut is_told, true) {
                        tracing::warn!("{scenario:?} waits: {remark}");
                    }
                    self.bar.set_message(format!(", waits: {remark}"));
                }
                WhenBusy::Wait | WhenBusy::Refuse => {
                    return Err(Unfit { scenario: scenario.to_owned(), remark });
                }
            }
        }
    }

    /// Refuses a baseline in which the host was not idle.
    pub(super) fn judge_baseline(&self, scenario: &str, busy: Option<Ratio>) -> Result<(), Unfit> {
        match busy_remark(busy, "meanwhile") {
            Some(remark) if self.when_busy != WhenBusy::Mark => {
                Err(Unfit { scenario: scenario.to_owned(), remark })
            }
            _ => Ok(()),
        }
    }
}

/// The host and the programs, for a result file. Unknown is absent.
pub(super) fn host(roots: &HostRoots, ffmpeg: &str, stop: &AtomicBool) -> Value {
    let governors: Vec<String> = roots.governors().into_iter().collect();
    let all = json!({
        "processor": roots.cpu_model(),
        "kernel": roots.kernel_release(),
        "governors": Some(governors).filter(|governors| !governors.is_empty()),
        "has_turbo": roots.has_turbo(),
        "ffmpeg": quality::version(Path::new(ffmpeg), stop),
        "ffwatt": env!("CARGO_PKG_VERSION"),
    });
    let known = all.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    known.map(|(name, value)| (name.clone(), value.clone())).collect::<serde_json::Map<_, _>>().into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_busy_or_hot_host_is_marked_with_its_figure() {
        let of = |busy: Option<f64>, celsius, throttled| {
            Before { busy: busy.map(Ratio), celsius, throttled }.remark()
        };
        assert_eq!(of(Some(0.09), Some(89.0), Some(0)), None);
        assert_eq!(of(None, None, None), None);
        let remark = of(Some(0.353), Some(96.0), Some(4)).unwrap();
        assert_eq!(
            remark,
            "CPUs 35 % busy before (limit 10 %), 96 °C before (limit 90), slowed down by heat 4 times before"
        );
    }

    /// A host whose processor has this temperature.
    fn host(millidegrees: &str) -> (tempfile::TempDir, HostRoots) {
        let folder = tempfile::tempdir().unwrap();
        let monitor = folder.path().join("class/hwmon/hwmon0");
        fs::create_dir_all(&monitor).unwrap();
        fs::write(monitor.join("name"), "coretemp\n").unwrap();
        fs::write(monitor.join("temp1_input"), millidegrees).unwrap();
        let roots = HostRoots { sys: folder.path().to_owned(), ..HostRoots::default() };
        (folder, roots)
    }

    #[test]
    fn a_hot_host_is_marked_or_refused_or_waited_for() {
        let (folder, roots) = host("96000");
        let (stop, bar) = (AtomicBool::new(false), ProgressBar::hidden());
        let lookout = |when_busy| Lookout { roots: &roots, when_busy, stop: &stop, bar: &bar };
        let pause = |when_busy| lookout(when_busy).pause("a crf22", Duration::ZERO);
        assert_eq!(pause(WhenBusy::Mark).unwrap().unwrap().celsius, Some(96.0));
        let error = pause(WhenBusy::Refuse).unwrap_err().to_string();
        assert!(
            error.contains("\"a crf22\"") && error.contains("96 °C") && error.contains("--busy mark"),
            "{error}"
        );
        let waited = std::thread::scope(|scope| {
            let waiting = scope.spawn(|| pause(WhenBusy::Wait));
            while bar.message().is_empty() {
                std::thread::yield_now();
            }
            let (new, file) = ("class/hwmon/new", "class/hwmon/hwmon0/temp1_input");
            fs::write(folder.path().join(new), "60000").unwrap();
            fs::rename(folder.path().join(new), folder.path().join(file)).unwrap();
            waiting.join().unwrap()
        });
        assert_eq!(waited.unwrap().unwrap().celsius, Some(60.0));
        stop.store(true, Ordering::Relaxed);
        assert_eq!(lookout(WhenBusy::Wait).pause("a", Duration::from_mins(10)), Ok(None));
    }

    #[test]
    fn a_baseline_of_a_busy_host_is_refused() {
        let (_folder, roots) = host("60000");
        let (stop, bar) = (AtomicBool::new(false), ProgressBar::hidden());
        let judge = |when_busy, busy| {
            Lookout { roots: &roots, when_busy, stop: &stop, bar: &bar }
                .judge_baseline("idle", Some(Ratio(busy)))
        };
        assert!(judge(WhenBusy::Mark, 0.5).is_ok() && judge(WhenBusy::Refuse, 0.05).is_ok());
        assert!(judge(WhenBusy::Refuse, 0.5).unwrap_err().to_string().contains("50 % busy"));
    }
}
