//! Waits for the end of a child process until a deadline, and keeps its error messages.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, Read};
use std::process::{Child, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_core::ffmpeg::cause::is_error;
use agent_core::time::MonoTime;

use crate::clock::{Clock, SystemClock};

/// Interval in which a running process is checked: the end of an encode ends a measured window.
const POLL: Duration = Duration::from_millis(5);

/// Most lines that are kept of each kind: a damaged file has an error for each picture.
const MAX_LINES: usize = 200;

/// Longest line of ffmpeg's progress and error messages, in bytes; the rest of a longer one is a line of its own.
pub(crate) const MAX_LINE: u64 = 4096;

/// The reason why a child has no status of its own. It is dead.
#[derive(Debug)]
pub(crate) enum Unfinished {
    /// The deadline is over.
    Late,
    /// A user stopped it.
    Stopped,
    /// The kernel does not tell whether it runs.
    Unknown(io::Error),
}

/// Waits for the end of a child; kills it after the deadline, or once `stop` is true.
#[expect(clippy::disallowed_methods, reason = "the caller waits for its child")]
pub(crate) fn wait(
    child: &mut Child,
    deadline: MonoTime,
    stop: &AtomicBool,
) -> Result<ExitStatus, Unfinished> {
    let why = loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if stop.load(Ordering::Relaxed) => break Unfinished::Stopped,
            Ok(None) if SystemClock.now() >= deadline => break Unfinished::Late,
            Ok(None) => std::thread::sleep(POLL),
            Err(error) => break Unfinished::Unknown(error),
        }
    };
    // It may have just ended by itself.
    let _ = child.kill();
    let _ = child.wait();
    Err(why)
}

/// Error messages of an ffmpeg.
#[derive(Clone, Debug, Default)]
pub(crate) struct Messages {
    /// The last lines.
    pub said: Vec<String>,
    marked: Vec<String>,
}

impl Messages {
    /// Reads an error stream until its end.
    pub(crate) fn read(pipe: impl Read) -> Self {
        let (mut said, mut marked) = (VecDeque::new(), Vec::new());
        for line in lines(pipe, MAX_LINE) {
            if is_error(&line) && marked.len() < MAX_LINES {
                marked.push(line.clone());
            }
            if said.len() == MAX_LINES {
                said.pop_front();
            }
            said.push_back(line);
        }
        Self { said: said.into(), marked }
    }

    /// The cause of a failure.
    pub(crate) fn cause(&self) -> Option<String> {
        agent_core::ffmpeg::cause::cause(if self.marked.is_empty() { &self.said } else { &self.marked })
    }
}

/// Lines of a pipe, cut at a length in bytes; bytes that are not UTF-8 are replaced.
pub(crate) fn lines(pipe: impl Read, longest: u64) -> impl Iterator<Item = String> {
    let mut pipe = BufReader::new(pipe);
    std::iter::from_fn(move || {
        let mut line = Vec::new();
        let read = pipe.by_ref().take(longest).read_until(b'\n', &mut line).ok()?;
        (read > 0).then(|| String::from_utf8_lossy(&line).trim_end().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "`wait` ends it")]
    fn sleeper() -> Child {
        Command::new("sleep").arg("600").spawn().unwrap()
    }

    #[test]
    fn a_child_that_is_late_or_stopped_is_dead() {
        let (later, never) = (SystemClock.now().plus(Duration::from_secs(500)), AtomicBool::new(false));
        let mut child = sleeper();
        assert!(matches!(wait(&mut child, SystemClock.now(), &never), Err(Unfinished::Late)));
        assert!(child.try_wait().unwrap().is_some());
        let mut child = sleeper();
        assert!(matches!(wait(&mut child, later, &AtomicBool::new(true)), Err(Unfinished::Stopped)));
        assert!(child.try_wait().unwrap().is_some());
        let mut child = sleeper();
        child.kill().unwrap();
        assert!(!wait(&mut child, later, &never).unwrap().success());
    }

    #[test]
    fn messages_are_bounded_and_errors_come_before_what_is_said_last() {
        let mut text = "[mov @ 0x1] [error] moov atom not found\n".to_owned();
        text.push_str(&"[info] a line\n".repeat(1000));
        text.push_str(&"x".repeat(1 << 20));
        let messages = Messages::read(text.as_bytes());
        assert_eq!(messages.cause().as_deref(), Some("moov atom not found"));
        assert_eq!(messages.said.len(), MAX_LINES);
        assert!(messages.said.iter().all(|line| line.len() as u64 <= MAX_LINE));
        let plain = Messages::read(&b"[libx264 @ 0x1] no such preset\nConversion failed!\n"[..]);
        assert_eq!(plain.cause().as_deref(), Some("no such preset"));
        assert_eq!(Messages::read(io::empty()).cause(), None);
    }
}
