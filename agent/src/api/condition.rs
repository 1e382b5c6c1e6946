//! States of transcodes and workloads in words, for the API, the page and `ffwatt top`. No state is shown by its colour only.

use agent_core::model::transcode::TranscodeEnding;

use crate::api::{Transcode, Workload};

/// State of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Condition {
    Running,
    Behind,
    Stalled,
    Finished,
    Stopped,
    Failed(Option<u64>),
    StoppedOrFailed,
    Ended,
}

impl Condition {
    pub(crate) const ALL: [Self; 8] = [
        Self::Running,
        Self::Behind,
        Self::Stalled,
        Self::Finished,
        Self::Stopped,
        Self::Failed(None),
        Self::StoppedOrFailed,
        Self::Ended,
    ];

    pub(crate) fn of_transcode(one: &Transcode) -> Self {
        if one.is_running {
            // The agent reports a speed of 0 when no progress arrives.
            return match (one.told.is_stalled, one.told.speed_ratio) {
                (Some(true), Some(speed)) if speed <= 0.0 => Self::Stalled,
                (Some(true), _) => Self::Behind,
                _ => Self::Running,
            };
        }
        let is = |ending: TranscodeEnding| one.asked.ending.as_deref() == Some(ending.name());
        match () {
            () if is(TranscodeEnding::Ended) => Self::Finished,
            () if is(TranscodeEnding::Stopped) => Self::Stopped,
            () if is(TranscodeEnding::Failed) => Self::Failed(one.asked.exit_code),
            () if is(TranscodeEnding::StoppedOrFailed) => Self::StoppedOrFailed,
            () => Self::Ended,
        }
    }

    pub(crate) fn of_workload(one: &Workload) -> Self {
        Self::of(one.is_running)
    }

    /// Of a workload: a container's end has no reason that is known.
    pub(super) fn of(is_running: bool) -> Self {
        if is_running { Self::Running } else { Self::Ended }
    }

    pub(crate) fn text(self) -> String {
        match self {
            Self::Failed(Some(code)) => format!("failed ({code})"),
            _ => self.word().to_owned(),
        }
    }

    /// The state without the exit status.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Behind => "behind",
            Self::Stalled => "stalled",
            Self::Finished => "finished",
            Self::Stopped => "stopped",
            Self::Failed(_) => "failed",
            Self::StoppedOrFailed => "stopped or failed",
            Self::Ended => "ended",
        }
    }

    /// Definition, for the help.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Running => "uses the host",
            Self::Behind => "slower than live",
            Self::Stalled => "live, no progress",
            Self::Finished => "ended without error",
            Self::Stopped => "ended by a signal",
            Self::Failed(_) => "ended with an error",
            Self::StoppedOrFailed => "one of the two",
            Self::Ended => "status unknown",
        }
    }

    /// Mark before the name, where the state has no column.
    pub(crate) fn mark(self) -> &'static str {
        match self {
            Self::Running => "",
            _ if self.is_alarming() => "! ",
            _ => ". ",
        }
    }

    pub(crate) fn is_alarming(self) -> bool {
        matches!(self, Self::Behind | Self::Stalled | Self::Failed(_))
    }

    pub(crate) fn is_over(self) -> bool {
        !matches!(self, Self::Running | Self::Behind | Self::Stalled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::transcode::{EncodeSettings, ReportedProgress};

    #[test]
    fn an_ended_transcode_has_the_state_that_the_agent_tells() {
        let state = |exit_code, ending: Option<&str>| {
            let ending = ending.map(str::to_owned);
            let asked = EncodeSettings { exit_code, ending, ..EncodeSettings::default() };
            Condition::of_transcode(&Transcode { asked, ..Transcode::default() }).text()
        };
        assert_eq!(state(Some(254), Some("failed")), "failed (254)");
        assert_eq!(state(Some(143), Some("stopped")), "stopped");
        assert_eq!(state(Some(255), Some("stopped or failed")), "stopped or failed");
        assert_eq!(state(Some(0), Some("ended")), "finished");
        assert_eq!(state(None, None), "ended", "the exit status is not known");
    }

    #[test]
    fn a_live_transcode_is_behind_or_reports_nothing() {
        let state = |is_stalled, speed_ratio| {
            let told = ReportedProgress { speed_ratio, is_stalled, ..ReportedProgress::default() };
            Condition::of_transcode(&Transcode { is_running: true, told, ..Transcode::default() }).text()
        };
        assert_eq!(state(None, Some(0.5)), "running", "a file has no time to keep");
        assert_eq!(state(Some(false), Some(1.0)), "running");
        assert_eq!(state(Some(true), Some(0.5)), "behind");
        assert_eq!(state(Some(true), Some(0.0)), "stalled");
    }

    #[test]
    fn each_state_has_its_own_word_and_meaning() {
        for (place, one) in Condition::ALL.iter().enumerate() {
            for other in &Condition::ALL[..place] {
                assert_ne!(one.text(), other.text());
                assert_ne!(one.meaning(), other.meaning());
            }
        }
    }
}
