//! Conditions of the host in a bench: what a result file says of it, and whether it was busy or hot before a scenario.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_core::units::Ratio;
use serde_json::{Value, json};

use crate::clock::{Clock, SystemClock};
use crate::command::bench::POLL;
use crate::host::HostRoots;
use crate::quality;

/// Other load above which an encode is marked: it slows the encode down, and shares its cores.
const BUSY: Ratio = Ratio(0.1);

/// Temperature in degrees Celsius above which an encode is marked: most processors lower their frequency at 95 to 105.
const HOT: f64 = 90.0;

/// The host in the pause before a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Before {
    /// Busy share of all CPUs, where the pause was long enough.
    pub(super) busy: Option<Ratio>,
    /// The hottest processor in degrees Celsius, where readable.
    pub(super) celsius: Option<f64>,
}

impl Before {
    /// Waits, and measures meanwhile; `None` when the bench was stopped.
    #[expect(clippy::disallowed_methods, reason = "a bench pauses between scenarios")]
    pub(super) fn wait(roots: &HostRoots, time: Duration, stop: &AtomicBool) -> Option<Self> {
        let earlier = roots.cpu_times();
        let begin = SystemClock.now();
        while SystemClock.now().since(begin) < time {
            if stop.load(Ordering::Relaxed) {
                return None;
            }
            std::thread::sleep(POLL);
        }
        let busy = earlier.and_then(|earlier| roots.cpu_times()?.busy_since(earlier));
        // A few clock ticks say nothing.
        let busy = busy.filter(|_| time >= POLL * 10);
        Some(Self { busy, celsius: roots.processor_temperature() })
    }

    /// What makes the figures of the scenario doubtful.
    pub(super) fn remark(&self) -> Option<String> {
        let busy = self.busy.filter(|busy| busy.0 > BUSY.0);
        let busy = busy.map(|busy| format!("CPUs {:.0} % busy before", busy.percent()));
        let hot =
            self.celsius.filter(|celsius| *celsius > HOT).map(|celsius| format!("{celsius:.0} °C before"));
        let remarks: Vec<String> = busy.into_iter().chain(hot).collect();
        (!remarks.is_empty()).then(|| remarks.join(", "))
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
    use super::*;

    #[test]
    fn a_busy_or_hot_host_is_marked_with_its_figure() {
        let of = |busy: Option<f64>, celsius| Before { busy: busy.map(Ratio), celsius }.remark();
        assert_eq!(of(Some(0.09), Some(89.0)), None);
        assert_eq!(of(None, None), None);
        let remark = of(Some(0.353), Some(96.0)).unwrap();
        assert_eq!(remark, "CPUs 35 % busy before, 96 °C before");
    }
}
