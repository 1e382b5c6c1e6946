//! Runs an ffmpeg or ffprobe at the lowest priority, until it ends, a user stops it, or its time is over.

use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use agent_core::time::MonoTime;
use indicatif::ProgressBar;
use rustix::process::{Pid, setpriority_process};

use crate::child::{ChildGroup, Messages, Unfinished, lines};
use crate::clock::{Clock, SystemClock};
use crate::quality::{QualityError, Terms};

/// The lowest priority: encodes on the same host have precedence.
pub(super) const LOWEST_PRIORITY: i32 = 19;

/// One comparison: its terms and its start.
pub(super) struct Attempt<'a> {
    pub(super) terms: &'a Terms<'a>,
    pub(super) begin: MonoTime,
}

/// Output of a process that ended well.
#[derive(Clone, Debug, Default)]
pub(super) struct Printed {
    pub(super) output: String,
    pub(super) messages: Messages,
}

/// Output of a process, and whether it ended well.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    pub(super) is_good: bool,
    pub(super) printed: Printed,
}

/// Runs a command on a file; `read` is called with each line of its output.
pub(super) fn run(
    command: &mut Command,
    path: &Path,
    attempt: &Attempt<'_>,
    read: impl FnMut(&str) + Send,
) -> Result<Printed, QualityError> {
    let ended = finish(command, path, attempt, read)?;
    if ended.is_good {
        return Ok(ended.printed);
    }
    let problem =
        ended.printed.messages.cause().unwrap_or_else(|| "ffmpeg failed and said nothing".to_owned());
    Err(QualityError::Compare { path: path.to_path_buf(), problem })
}

/// Output of a program that is asked about itself, whatever its status.
pub(super) fn query(
    command: &mut Command,
    limit: Duration,
    stop: &AtomicBool,
) -> Result<String, QualityError> {
    let bar = ProgressBar::hidden();
    let terms = Terms::new(limit, stop, &bar);
    let program = command.get_program().to_string_lossy().into_owned();
    let attempt = Attempt { terms: &terms, begin: SystemClock.now() };
    match finish(command, Path::new(&program), &attempt, |_| {}) {
        Err(QualityError::Timeout { .. }) => {
            let cause = io::Error::new(io::ErrorKind::TimedOut, format!("no answer after {limit:?}"));
            Err(QualityError::NoProgram { program, cause })
        }
        result => Ok(result?.printed.output),
    }
}

/// Runs a command on a file until its end, good or not.
pub(super) fn finish(
    command: &mut Command,
    path: &Path,
    attempt: &Attempt<'_>,
    mut read: impl FnMut(&str) + Send,
) -> Result<Ended, QualityError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = ChildGroup::spawn(command).map_err(|cause| {
        let program = command.get_program().to_string_lossy().into_owned();
        QualityError::NoProgram { program, cause }
    })?;
    (attempt.terms.started)(child.id());
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // When that is refused, it runs at normal priority.
        let _ = setpriority_process(Some(pid), LOWEST_PRIORITY);
    }
    let (output, errors) = (child.output(), child.errors());
    std::thread::scope(|scope| {
        let output = scope.spawn(move || {
            let mut text = String::new();
            for line in output.into_iter().flat_map(|pipe| lines(pipe, u64::MAX)) {
                read(&line);
                text.push_str(&line);
                text.push('\n');
            }
            text
        });
        let messages = scope.spawn(move || errors.map(Messages::read).unwrap_or_default());
        let Terms { timeout, stop, .. } = *attempt.terms;
        let is_read = || output.is_finished() && messages.is_finished();
        let status = child.wait(attempt.begin.plus(timeout), stop, is_read).map_err(|why| match why {
            Unfinished::Late => QualityError::Timeout { path: path.to_path_buf(), limit: timeout },
            Unfinished::Stopped => QualityError::Stopped,
            Unfinished::Unknown(cause) => QualityError::io("wait for ffmpeg", cause),
        })?;
        let (output, messages) = (output.join().unwrap_or_default(), messages.join().unwrap_or_default());
        Ok(Ended { is_good: status.success(), printed: Printed { output, messages } })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::chain;

    #[test]
    fn a_program_that_does_not_answer_is_an_error() {
        let ask = |arguments: [&str; 2], limit| {
            let mut command = Command::new("sh");
            query(command.args(arguments), limit, &AtomicBool::new(false))
        };
        // The last ones hold the pipes after the end of the shell, or of its process group.
        for script in ["exec sleep 600", "sleep 600; true", "sleep 600 &", "setsid sleep 5 &"] {
            let error = ask(["-c", script], Duration::ZERO).unwrap_err();
            assert!(chain(&error).ends_with("no answer after 0ns"), "{script}: {}", chain(&error));
        }
        let said = ask(["-c", "echo text; exit 3"], Duration::from_secs(500));
        assert_eq!(said.unwrap(), "text\n");
    }
}
