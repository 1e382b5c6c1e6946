//! Runs other programs, and waits for conditions with a deadline.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// Runs a command and takes its standard output; anything but success is an error that quotes standard error.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let shown = shown(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot run {shown}"))?;
    if !output.status.success() {
        bail!("{shown} ended with {}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Makes a program of a shell script.
pub fn script(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    let executable = fs::set_permissions(path, Permissions::from_mode(0o755));
    executable.with_context(|| format!("cannot make {} executable", path.display()))
}

/// Path of a program, by `PATH` and the folders for administrators' programs.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Longest time that counts for one call and the pause after it: time in which the host stood still is not waiting time.
const LONGEST_ROUND: Duration = Duration::from_secs(1);

/// Calls `ask` repeatedly until it returns an answer; fails after `patience`.
pub fn eventually<T>(
    what: &str,
    patience: Duration,
    mut ask: impl FnMut() -> Option<T>,
) -> anyhow::Result<T> {
    let mut waited = Duration::ZERO;
    loop {
        let began = now();
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if waited > patience {
            bail!("{what}: not within {patience:?}");
        }
        pause(Duration::from_millis(20));
        waited += began.elapsed().min(LONGEST_ROUND);
    }
}

/// A child that is killed when dropped.
#[derive(Debug)]
pub struct Owned(pub Child);

impl Drop for Owned {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Sets a flag when it is dropped, also where a test panics.
#[derive(Debug)]
pub struct Ends<'a>(pub &'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The command as a user would type it.
pub fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Lets this much time pass: a part of a measurement, or of a fault. A test waits for a state with [`eventually`] instead.
#[expect(clippy::disallowed_methods, reason = "the only sleep of the tests")]
pub fn pause(length: Duration) {
    std::thread::sleep(length);
}

/// Now. The harness is not the agent: it may read the clock.
#[expect(clippy::disallowed_methods, reason = "the rule is the agent's")]
pub fn now() -> Instant {
    Instant::now()
}
