//! Runs one ffmpeg of a scenario: starts it in a cgroup, follows its progress, and says why it ended.

use std::io::Read;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use agent_core::ffmpeg::progress::Lines;
use agent_core::model::progress::Block;
use agent_core::time::MonoTime;
use rustix::process::Signal;

use crate::child::{self, ChildGroup, MAX_LINE, Messages, Unfinished};
use crate::clock::{Clock, SystemClock};
use crate::command::bench::BenchError;
use crate::command::bench::cgroup::Cgroup;

/// Time in which an ffmpeg has to end after a signal.
const GRACE: Duration = Duration::from_secs(5);

/// ffmpeg's last progress.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    pub(super) frames: u64,
    pub(super) dropped: u64,
    /// Playing time of the written output.
    pub(super) written: Duration,
}

impl Progress {
    fn take(&mut self, block: &Block) {
        self.frames = block.frames.unwrap_or(self.frames);
        self.dropped = block.dropped.unwrap_or(self.dropped);
        self.written = block.output_time.unwrap_or(self.written);
    }
}

/// One ffmpeg process.
#[derive(Debug)]
pub(super) struct Process {
    child: ChildGroup,
    progress: Arc<Mutex<Progress>>,
    pub(super) started: MonoTime,
    readers: Vec<JoinHandle<()>>,
    messages: Arc<Mutex<Messages>>,
}

impl Process {
    #[expect(clippy::disallowed_methods, reason = "a bench starts its encodes; `end` ends them")]
    pub(super) fn start(
        program_and_arguments: &[String],
        cgroup: Option<&Cgroup>,
    ) -> Result<Self, BenchError> {
        // The shell moves itself into the cgroup before it becomes ffmpeg, so that no cycle is charged elsewhere. And with util-linux,
        // a bench that is killed ends its ffmpegs.
        let script = r#"if [ -n "$1" ]; then echo 0 > "$1" || exit 125; fi; shift
            command -v setpriv > /dev/null && exec setpriv --pdeathsig KILL "$@"
            exec "$@""#;
        let processes = cgroup.map(Cgroup::processes).unwrap_or_default();
        let mut command = Command::new("sh");
        command.args(["-c", script, "sh"]).arg(processes).args(program_and_arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = SystemClock.now();
        let mut child =
            ChildGroup::spawn(&mut command).map_err(|cause| BenchError::io("start sh".to_owned(), cause))?;
        let progress = Arc::new(Mutex::new(Progress::default()));
        let messages = Arc::new(Mutex::new(Messages::default()));
        let mut readers = Vec::new();
        if let Some(output) = child.output() {
            let progress = Arc::clone(&progress);
            readers.push(std::thread::spawn(move || follow(output, &progress)));
        }
        if let Some(output) = child.errors() {
            let messages = Arc::clone(&messages);
            readers.push(std::thread::spawn(move || {
                let read = Messages::read(output);
                *messages.lock().unwrap_or_else(PoisonError::into_inner) = read;
            }));
        }
        Ok(Self { child, progress, started, readers, messages })
    }

    /// Whether it has ended, or nothing tells.
    pub(super) fn has_ended(&self) -> bool {
        matches!(self.child.has_ended(), Ok(true) | Err(_))
    }

    /// The progress so far.
    pub(super) fn progress(&self) -> Progress {
        *self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The reason why it does not run, when it should. One that `has_end` may have ended without an error.
    pub(super) fn problem(&mut self, has_end: bool) -> Option<String> {
        if let Ok(false) = self.child.has_ended() {
            return None;
        }
        // Its messages are complete once no process has its pipes open.
        let status = match self.end() {
            Ok(status) if has_end && status.success() => return None,
            Ok(status) => status.to_string(),
            Err(Unfinished::Unknown(error)) => error.to_string(),
            Err(Unfinished::Late | Unfinished::Stopped) => "a process that it started went on".to_owned(),
        };
        let cause = self.messages.lock().unwrap_or_else(PoisonError::into_inner).cause();
        let cause = cause.as_deref().unwrap_or("no error message");
        Some(format!("ffmpeg ended ({status}): {cause}"))
    }

    pub(super) fn tell_to_end(&self) {
        self.child.signal(Signal::TERM);
    }

    /// Waits for its end, and kills it after the grace time, with all processes that it started.
    pub(super) fn end(&mut self) -> Result<ExitStatus, Unfinished> {
        let is_read = || self.readers.iter().all(JoinHandle::is_finished);
        let status = self.child.wait(SystemClock.now().plus(GRACE), &AtomicBool::new(false), is_read);
        for reader in self.readers.drain(..) {
            // A reader ends with its pipe, and does not panic.
            let _ = reader.join();
        }
        status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.tell_to_end();
        // Its status does not matter: it was told to end.
        let _ = self.end();
    }
}

/// Follows the progress of an ffmpeg until its end; a figure that a block does not have stays as it was.
fn follow(output: impl Read, progress: &Mutex<Progress>) {
    let mut parsed = Lines::default();
    for block in child::lines(output, MAX_LINE).filter_map(|line| parsed.line(&line)) {
        progress.lock().unwrap_or_else(PoisonError::into_inner).take(&block);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Vec<String> {
        ["sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[test]
    fn an_encode_of_a_clip_may_end_only_without_an_error() {
        let problem = |script: &str, has_end: bool| {
            let mut process = Process::start(&shell(script), None).unwrap();
            while !process.child.has_ended().unwrap() {
                std::thread::yield_now();
            }
            process.problem(has_end)
        };
        assert_eq!(problem("exit 0", true), None);
        assert!(problem("exit 0", false).is_some(), "a live source has no end");
        assert!(problem("exit 1", true).unwrap().contains("exit status: 1"));
    }

    #[test]
    fn a_failed_encode_has_the_cause_as_its_problem() {
        let script = "echo '[libx264 @ 0x1] Error setting preset fastest' >&2
            echo 'Conversion failed!' >&2; exit 3";
        let mut process = Process::start(&shell(script), None).unwrap();
        while !process.child.has_ended().unwrap() {
            std::thread::yield_now();
        }
        let expected = "ffmpeg ended (exit status: 3): Error setting preset fastest";
        assert_eq!(process.problem(false).as_deref(), Some(expected));
    }

    #[test]
    fn an_ffmpeg_that_a_script_starts_ends_with_the_script() {
        let script = "sleep 600 & echo $! >&2; wait";
        let mut process = Process::start(&shell(script), None).unwrap();
        process.tell_to_end();
        assert!(process.end().is_ok(), "none of them waits for the grace time");
        assert_eq!(process.readers.len(), 0);
    }

    #[test]
    fn progress_is_that_of_the_last_whole_block() {
        let script = "yes | head -c 100000 | tr -d '\\n'
            printf '\\nframe=5\\ndrop_frames=1\\nout_time_us=2000000\\nprogress=continue\\n'
            printf 'frame=7\\nout_time_us=N/A\\nprogress=end\\nframe=9\\n'";
        let mut process = Process::start(&shell(script), None).unwrap();
        assert!(process.end().unwrap().success());
        let progress = process.progress();
        assert_eq!((progress.frames, progress.dropped, progress.written), (7, 1, Duration::from_secs(2)));
    }
}
