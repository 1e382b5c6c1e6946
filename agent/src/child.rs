//! Waits for the end of a child process and of the processes that it starts until a deadline, and keeps its error messages.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, PipeReader, PipeWriter, Read};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use agent_core::ffmpeg::cause::is_error;
use agent_core::time::MonoTime;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

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

/// A child, and all processes that it starts: a script that does not `exec` ffmpeg starts it as a process of its own. They are a process
/// group, which ends with this value at the latest.
#[derive(Debug)]
pub(crate) struct ChildGroup {
    child: Child,
    /// The child's status, once it was reaped. Before that, its number stays that of the group.
    status: Option<ExitStatus>,
    /// Both ends of a pipe without data. Its readers see its end once the writer is gone.
    end: Arc<PipeReader>,
    end_writer: Option<PipeWriter>,
}

impl ChildGroup {
    /// Starts a child.
    pub(crate) fn spawn(command: &mut Command) -> io::Result<Self> {
        let (end, writer) = io::pipe()?;
        let child = command.process_group(0).spawn()?;
        Ok(Self { child, status: None, end: Arc::new(end), end_writer: Some(writer) })
    }

    /// The child's process number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child's output, until no process has it open, or until this value ends.
    pub(crate) fn output(&mut self) -> Option<Pipe<ChildStdout>> {
        let pipe = self.child.stdout.take()?;
        Some(Pipe { pipe, end: Arc::clone(&self.end) })
    }

    /// The child's error messages, for as long as its output.
    pub(crate) fn errors(&mut self) -> Option<Pipe<ChildStderr>> {
        let pipe = self.child.stderr.take()?;
        Some(Pipe { pipe, end: Arc::clone(&self.end) })
    }

    /// Whether the child has ended. Processes that it started may still run.
    pub(crate) fn has_ended(&self) -> io::Result<bool> {
        let (None, Some(pid)) = (self.status, self.pid()) else { return Ok(true) };
        // Its status stays with the kernel: with it, the number of the group stays reserved.
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        Ok(waitid(WaitId::Pid(pid), options)?.is_some())
    }

    /// Sends a signal to all processes of the group.
    pub(crate) fn signal(&self, signal: Signal) {
        if let (None, Some(pid)) = (self.status, self.pid()) {
            // They may have just ended.
            let _ = kill_process_group(pid, signal);
        }
    }

    /// Waits until the child has ended and `is_read` is true: until then, a process that it started has its pipes open. After the
    /// deadline, or once `stop` is true, the whole group is killed, and the pipes end.
    #[expect(clippy::disallowed_methods, reason = "the caller waits for its child")]
    pub(crate) fn wait(
        &mut self,
        deadline: MonoTime,
        stop: &AtomicBool,
        is_read: impl Fn() -> bool,
    ) -> Result<ExitStatus, Unfinished> {
        let why = loop {
            match self.has_ended() {
                Ok(true) if is_read() => match self.reap() {
                    Ok(status) => return Ok(status),
                    Err(error) => break Unfinished::Unknown(error),
                },
                Ok(_) if stop.load(Ordering::Relaxed) => break Unfinished::Stopped,
                Ok(_) if SystemClock.now() >= deadline => break Unfinished::Late,
                Ok(_) => std::thread::sleep(POLL),
                Err(error) => break Unfinished::Unknown(error),
            }
        };
        self.kill();
        Err(why)
    }

    fn reap(&mut self) -> io::Result<ExitStatus> {
        if let Some(status) = self.status {
            return Ok(status);
        }
        let status = self.child.wait()?;
        self.status = Some(status);
        Ok(status)
    }

    /// Kills the group, and ends the pipes: a process that left the group may still have them open.
    fn kill(&mut self) {
        self.signal(Signal::KILL);
        // It may have just ended by itself.
        let _ = self.reap();
        self.end_writer = None;
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }
}

impl Drop for ChildGroup {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A pipe of a child: it ends with the last process that has it open, or with its [`ChildGroup`].
#[derive(Debug)]
pub(crate) struct Pipe<P> {
    pipe: P,
    end: Arc<PipeReader>,
}

impl<P: Read + AsFd> Read for Pipe<P> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let mut ready = [PollFd::new(&self.pipe, PollFlags::IN), PollFd::new(&*self.end, PollFlags::IN)];
            match poll(&mut ready, None) {
                Ok(_) if !ready[1].revents().is_empty() => return Ok(0),
                Ok(_) if !ready[0].revents().is_empty() => return self.pipe.read(buffer),
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
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
    use std::process::Stdio;
    use std::thread;

    use super::*;

    /// A shell that runs this script.
    #[expect(clippy::disallowed_methods, reason = "its group ends it")]
    fn shell(script: &str) -> ChildGroup {
        let mut command = Command::new("sh");
        command.args(["-c", script]).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        ChildGroup::spawn(&mut command).unwrap()
    }

    fn later() -> MonoTime {
        SystemClock.now().plus(Duration::from_secs(500))
    }

    /// Whether a process runs: not one that has ended and is not reaped yet.
    fn is_running(process: &str) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
    }

    #[test]
    fn a_child_that_is_late_or_stopped_is_dead() {
        let never = AtomicBool::new(false);
        let mut child = shell("exec sleep 600");
        assert!(!child.has_ended().unwrap());
        assert!(matches!(child.wait(SystemClock.now(), &never, || true), Err(Unfinished::Late)));
        assert!(child.has_ended().unwrap());
        let mut child = shell("exec sleep 600");
        assert!(matches!(child.wait(later(), &AtomicBool::new(true), || true), Err(Unfinished::Stopped)));
        assert!(child.has_ended().unwrap());
        let mut child = shell("exec sleep 600");
        child.signal(Signal::KILL);
        assert!(!child.wait(later(), &never, || true).unwrap().success());
        let status = child.wait(later(), &never, || true);
        assert_eq!(status.unwrap().code(), None, "the status is known from then on");
    }

    #[test]
    fn a_process_that_the_child_started_ends_with_it_and_its_pipes_end() {
        // One waits for the other, or has ended before it.
        for script in ["sleep 600 & echo $!; wait", "sleep 600 & echo $!"] {
            let mut child = shell(script);
            let mut output = BufReader::new(child.output().unwrap());
            let mut started = String::new();
            output.read_line(&mut started).unwrap();
            let reader = thread::spawn(move || output.read_to_end(&mut Vec::new()));
            let stop = AtomicBool::new(false);
            let result = child.wait(SystemClock.now(), &stop, || reader.is_finished());
            assert!(matches!(result, Err(Unfinished::Late)), "{script}: {result:?}");
            reader.join().unwrap().unwrap();
            while is_running(started.trim()) {
                thread::yield_now();
            }
        }
    }

    #[test]
    fn pipes_end_although_a_process_that_left_the_group_has_them_open() {
        let mut child = shell("setsid sleep 600 & echo $!");
        let mut output = BufReader::new(child.output().unwrap());
        let mut started = String::new();
        output.read_line(&mut started).unwrap();
        let reader = thread::spawn(move || output.read_to_end(&mut Vec::new()));
        let other = started.trim().parse().ok().and_then(Pid::from_raw).unwrap();
        // It left the group before the group is killed.
        while rustix::process::getpgid(Some(other)).unwrap() != other {
            thread::yield_now();
        }
        drop(child);
        reader.join().unwrap().unwrap();
        rustix::process::kill_process(other, Signal::KILL).unwrap();
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
