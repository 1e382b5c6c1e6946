//! Runs test files at the same time: mostly they wait for ticks, timeouts and programs.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use serde_json::Value;
use xtask::process::{output, say};

/// Test files at the same time; each runs as many of its tests at the same time as there are CPUs.
const AT_ONCE: usize = 3;

/// A test file, built.
#[derive(Debug, PartialEq, Eq)]
struct Program {
    name: String,
    path: PathBuf,
}

/// Builds these test files and the unit tests of their harness, and runs them. The others go on after a failure.
pub(super) fn run(root: &Path, names: &[String], python: &Path) -> anyhow::Result<()> {
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(root).args(["test", "--quiet", "--package", "tests", "--lib", "--no-run"]);
    build.args(names.iter().flat_map(|name| ["--test", name])).arg("--message-format=json");
    let programs = programs(&output(&mut build)?)?;
    ensure!(programs.len() == names.len() + 1, "cargo built {} of {} tests", programs.len(), names.len() + 1);
    let (waiting, failed) = (Mutex::new(programs.into_iter()), Mutex::new(Vec::new()));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let work = || {
        while let Some(program) = next() {
            if let Err(error) = run_one(root, &program, python) {
                say(&format!("{error:#}"));
                failed.lock().unwrap_or_else(PoisonError::into_inner).push(program.name);
            }
        }
    };
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(work);
        }
    });
    let failed = failed.into_inner().unwrap_or_else(PoisonError::into_inner);
    ensure!(failed.is_empty(), "these tests failed: {}", failed.join(", "));
    Ok(())
}

/// Runs one test file. Its output is in one piece, because others write at the same time.
#[expect(clippy::disallowed_methods, reason = "the rule is the agent's")]
fn run_one(root: &Path, program: &Program, python: &Path) -> anyhow::Result<()> {
    let begin = Instant::now();
    let mut command = Command::new(&program.path);
    // As cargo does.
    command.current_dir(root.join("tests")).env("FFWATT_PYTHON", python);
    let ran = command.output().with_context(|| format!("cannot run {}", program.path.display()))?;
    let text = [&ran.stdout[..], &ran.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text);
    if !ran.status.success() {
        bail!("{text}\n== {} ended with {}", program.name, ran.status);
    }
    let result = text.lines().rfind(|line| line.starts_with("test result: ok"));
    let result = result.with_context(|| format!("{text}\n== {} ended without a result", program.name))?;
    say(&format!("{}: {result} ({:.0} s)", program.name, begin.elapsed().as_secs_f64()));
    Ok(())
}

/// Test programs, from the messages of cargo.
fn programs(messages: &str) -> anyhow::Result<Vec<Program>> {
    let mut programs = Vec::new();
    for line in messages.lines() {
        let message: Value = serde_json::from_str(line).context("a message of cargo")?;
        if message["profile"]["test"] == true
            && let Some(path) = message["executable"].as_str()
        {
            let name = message["target"]["name"].as_str().context("a target without a name")?;
            programs.push(Program { name: name.to_owned(), path: path.into() });
        }
    }
    Ok(programs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tests_are_programs() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"tests"},"profile":{"test":false},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"idle"},"profile":{"test":true},"executable":"/t/idle-1"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        let idle = Program { name: "idle".to_owned(), path: "/t/idle-1".into() };
        assert_eq!(programs(messages).unwrap(), [idle]);
        assert!(programs("warning").is_err());
    }
}
