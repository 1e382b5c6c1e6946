//! Decides when to look for energy sources again while the agent runs.
//!
//! At once when the host's energy hardware has changed, as far as a few folders show; else once a minute.

use std::time::Duration;

use agent_core::time::MonoTime;

/// Interval in which the folders are listed.
const LOOK: Duration = Duration::from_secs(5);

/// Interval in which failed sources are tried again without a visible change: a list does not show permissions.
const RETRY: Duration = Duration::from_mins(1);

/// Times at which sources were looked for.
#[derive(Clone, Debug)]
pub(super) struct Probe {
    looked: MonoTime,
    tried: MonoTime,
    seen: Vec<String>,
}

impl Probe {
    /// Sources have just been opened, when the folders listed `seen`.
    pub(super) fn begin(now: MonoTime, seen: Vec<String>) -> Self {
        Self { looked: now, tried: now, seen }
    }

    /// Whether to list the folders.
    pub(super) fn is_due(&self, now: MonoTime) -> bool {
        now.since(self.looked) >= LOOK
    }

    /// Compares the list. Returns whether to open sources again; `is_lacking` means that a source does not work.
    pub(super) fn look(&mut self, now: MonoTime, seen: Vec<String>, is_lacking: bool) -> bool {
        self.looked = now;
        let has_changed = seen != self.seen;
        self.seen = seen;
        let opens = has_changed || (is_lacking && now.since(self.tried) >= RETRY);
        if opens {
            self.tried = now;
        }
        opens
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(number: u64) -> MonoTime {
        MonoTime(number * 1_000_000_000)
    }

    #[test]
    fn a_change_is_followed_at_once_and_nothing_is_tried_more_than_once_a_minute_without_one() {
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let mut probe = Probe::begin(second(0), list(&[]));
        let mut tried = Vec::new();
        for now in (0..200).filter(|now| *now < 70 || *now > 80).map(second) {
            let seen = if now < second(90) { list(&[]) } else { list(&["intel-rapl:0"]) };
            if probe.is_due(now) && probe.look(now, seen, now < second(90)) {
                tried.push(now.0 / 1_000_000_000);
            }
        }
        assert_eq!(tried, [60, 91]);
    }
}
