//! `cargo xtask miri`: runs the tests of pure code under Miri, which finds undefined behaviour.
//!
//! Miri uses one CPU for a test process, and reads the whole crate again for each process. So there are as many processes as CPUs, each
//! with its part of the tests.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, bail, ensure};
use xtask::process::{output, say, succeeds};

/// Pure crates: the kernel's types, and all computation.
const PACKAGES: [&str; 2] = ["agent-common", "agent-core"];

/// Miri isolates the tests: a test that asks for a file, the time or a variable of the host fails. These variables exist for them.
/// Property tests would take hours with their usual number of cases, and would search for a file of earlier failures. Without the last
/// flag, Miri adds random errors to powers and logarithms, and no run could be repeated.
const FLAGS: &str = "-Zmiri-env-set=PROPTEST_CASES=4 -Zmiri-env-set=PROPTEST_DISABLE_FAILURE_PERSISTENCE=true \
                     -Zmiri-deterministic-floats";

/// Runs all unit tests of [`PACKAGES`].
pub(crate) fn miri() -> anyhow::Result<()> {
    if !succeeds(Command::new("cargo").args(["+nightly", "miri", "--version"])) {
        bail!("Miri is not here; get it with: rustup component add --toolchain nightly miri rust-src");
    }
    let mut all = 0;
    for package in PACKAGES {
        say(&format!("== {package}"));
        let names = names(package)?;
        ensure!(!names.is_empty(), "{package} has no tests");
        let processes = thread::available_parallelism().map_or(1, usize::from).min(names.len());
        thread::scope(|scope| {
            let parts = dealt(&names, processes).into_iter();
            let running: Vec<_> = parts.map(|part| scope.spawn(move || run_part(package, &part))).collect();
            // Every part runs to its end, also after a failure of another.
            let ended: Vec<_> = running.into_iter().map(thread::ScopedJoinHandle::join).collect();
            ended.into_iter().try_for_each(|part| part.unwrap_or_else(|_| bail!("a thread panicked")))
        })?;
        all += names.len();
    }
    say(&format!("{all} tests passed under Miri"));
    Ok(())
}

fn test(package: &str) -> Command {
    let mut command = Command::new("cargo");
    command.args(["+nightly", "miri", "test", "--quiet", "--package", package, "--lib", "--"]);
    command.env("MIRIFLAGS", FLAGS).stderr(Stdio::inherit());
    command
}

/// Names of all tests of a package, as Miri builds it.
fn names(package: &str) -> anyhow::Result<Vec<String>> {
    let list = output(test(package).args(["--list", "--format=terse"]))?;
    Ok(list.lines().filter_map(|line| line.strip_suffix(": test").map(str::to_owned)).collect())
}

/// Parts of about the same length: neighbours, which often take the same time, are in different ones.
fn dealt(names: &[String], parts: usize) -> Vec<Vec<&str>> {
    let part = |number| names.iter().skip(number).step_by(parts).map(String::as_str).collect();
    (0..parts).map(part).collect()
}

/// Runs these tests in one process; each line of its output is shown when it is whole.
fn run_part(package: &str, names: &[&str]) -> anyhow::Result<()> {
    let mut command = test(package);
    command.args(["--format=pretty", "--exact"]).args(names).stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot run cargo")?;
    let stdout = child.stdout.take().context("a child's output is a pipe")?;
    let mut passed = 0;
    for line in BufReader::new(stdout).lines() {
        let line = line.context("cannot read from cargo")?;
        passed += usize::from(line.starts_with("test ") && line.ends_with(" ... ok"));
        say(&line);
    }
    let status = child.wait().context("cannot wait for cargo")?;
    ensure!(status.success(), "tests of {package} ended with {status}");
    ensure!(passed == names.len(), "{passed} of {} tests of {package} ran", names.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_in_one_part() {
        let names: Vec<String> = (0..7).map(|number| number.to_string()).collect();
        assert_eq!(dealt(&names, 3), [&["0", "3", "6"][..], &["1", "4"], &["2", "5"]]);
        assert_eq!(dealt(&names, 1), [["0", "1", "2", "3", "4", "5", "6"]]);
    }
}
