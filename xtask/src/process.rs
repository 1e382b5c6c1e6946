//! Runs other programs.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

/// Prints a line for the user of the task.
pub fn say(text: &str) {
    // Without standard error the message cannot be shown.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Runs a command to its end, its output shown; anything but success is an error.
pub fn run(command: &mut Command) -> anyhow::Result<()> {
    say(&format!("$ {}", shown(command)));
    let status = command.status().with_context(|| format!("cannot run {}", shown(command)))?;
    if !status.success() {
        bail!("{} ended with {status}", shown(command));
    }
    Ok(())
}

/// Runs a command and takes its standard output; anything but success is an error.
pub fn output(command: &mut Command) -> anyhow::Result<String> {
    let output =
        command.stderr(Stdio::piped()).output().with_context(|| format!("cannot run {}", shown(command)))?;
    if !output.status.success() {
        let error = String::from_utf8_lossy(&output.stderr);
        bail!("{} ended with {}: {}", shown(command), output.status, error.trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a command runs and succeeds; its output is not shown.
pub fn succeeds(command: &mut Command) -> bool {
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
}

/// Path of a program, by `PATH` and the folders for administrators' programs.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain(["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from));
    folders.map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// Date and host of a measurement, in the form of the pages.
pub fn day_and_machine() -> anyhow::Result<String> {
    let date = output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let kernel = output(Command::new("uname").arg("-r"))?;
    let cpus = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    Ok(format!("{}, Linux {}, {cpus} CPUs (virtual)", date.trim(), kernel.trim()))
}

/// Whether this process is root.
pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
