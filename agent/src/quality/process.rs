//! Runs an ffmpeg or ffprobe at the lowest priority, until it ends, a user stops it, or its time is over.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::Duration;

use agent_core::time::MonoTime;
use rustix::process::{Pid, setpriority_process};

use crate::clock::{Clock, SystemClock};
use crate::quality::cause::{cause, is_error};
use crate::quality::{QualityError, Terms};

/// The lowest priority: encodes on the same host have precedence.
pub(super) const LOWEST_PRIORITY: i32 = 19;

/// Interval in which a running process is checked.
const POLL: Duration = Duration::from_millis(20);

/// Most lines that are kept of each kind: a damaged file has an error for each picture.
const MAX_LINES: usize = 200;

/// One comparison: its terms and its start.
pub(super) struct Attempt<'a> {
    pub(super) terms: &'a Terms<'a>,
    pub(super) begin: MonoTime,
}

/// Output of a process that ended well.
#[derive(Clone, Debug, Default)]
pub(super) struct Printed {
    pub(super) output: String,
    /// The last lines of the error stream.
    pub(super) said: Vec<String>,
}

/// Output of a process, and whether it ended well.
#[derive(Clone, Debug, Default)]
pub(super) struct Ended {
    pub(super) is_good: bool,
    pub(super) printed: Printed,
    /// The first errors; where no line is marked as an error, the last lines.
    pub(super) errors: Vec<String>,
}

/// Runs a command on a file; `read` is called with each line of its output.
pub(super) fn run(
    command: &mut Command,
    path: &Path,
    attempt: &Attempt<'_>,
    read: impl Fn(&str) + Send,
) -> Result<Printed, QualityError> {
    let ended = finish(command, path, attempt, read)?;
    if ended.is_good {
        return Ok(ended.printed);
    }
    let problem = cause(&ended.errors).unwrap_or_else(|| "ffmpeg failed and said nothing".to_owned());
    Err(QualityError::Compare { path: path.to_path_buf(), problem })
}

/// Runs a command on a file until its end, good or not.
pub(super) fn finish(
    command: &mut Command,
    path: &Path,
    attempt: &Attempt<'_>,
    read: impl Fn(&str) + Send,
) -> Result<Ended, QualityError> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|cause| {
        let program = command.get_program().to_string_lossy().into_owned();
        QualityError::NoProgram { program, cause }
    })?;
    (attempt.terms.started)(child.id());
    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // When that is refused, it runs at normal priority.
        let _ = setpriority_process(Some(pid), LOWEST_PRIORITY);
    }
    let (output, errors) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let output = scope.spawn(move || {
            let mut text = String::new();
            for line in lines(output) {
                read(&line);
                text.push_str(&line);
                text.push('\n');
            }
            text
        });
        let errors = scope.spawn(move || listen(errors));
        let is_good = wait(&mut child, path, attempt)?;
        let (said, marked) = errors.join().unwrap_or_default();
        let errors = if marked.is_empty() { said.clone() } else { marked };
        Ok(Ended { is_good, errors, printed: Printed { output: output.join().unwrap_or_default(), said } })
    })
}

fn wait(child: &mut Child, path: &Path, attempt: &Attempt<'_>) -> Result<bool, QualityError> {
    let Terms { timeout, stop, .. } = *attempt.terms;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status.success()),
            Ok(None) => {}
            Err(cause) => return Err(QualityError::io("wait for ffmpeg", cause)),
        }
        let is_late = SystemClock.now().since(attempt.begin) > timeout;
        let is_stopped = stop.load(Ordering::Relaxed);
        if is_late || is_stopped {
            // It may have just ended by itself.
            let _ = child.kill();
            let _ = child.wait();
            return Err(if is_late {
                QualityError::Timeout { path: path.to_path_buf(), limit: timeout }
            } else {
                QualityError::Stopped
            });
        }
        std::thread::sleep(POLL);
    }
}

/// Lines of a pipe; bytes that are not UTF-8 are replaced.
fn lines(pipe: Option<impl Read>) -> impl Iterator<Item = String> {
    let lines = pipe.into_iter().flat_map(|pipe| BufReader::new(pipe).split(b'\n').map_while(Result::ok));
    lines.map(|line| String::from_utf8_lossy(&line).trim_end().to_owned())
}

/// The last lines of an error stream, and the first lines that are marked as errors.
fn listen(pipe: Option<impl Read>) -> (Vec<String>, Vec<String>) {
    let (mut said, mut marked) = (VecDeque::new(), Vec::new());
    for line in lines(pipe) {
        if is_error(&line) && marked.len() < MAX_LINES {
            marked.push(line.clone());
        }
        if said.len() == MAX_LINES {
            said.pop_front();
        }
        said.push_back(line);
    }
    (said.into(), marked)
}
