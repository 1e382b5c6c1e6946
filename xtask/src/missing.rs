//! Prints in one line what a task is about to install, and asks for consent on a terminal.

use std::collections::BTreeSet;
use std::io::{self, BufRead, IsTerminal, Write};

use anyhow::{Context, ensure};

use crate::install;
use crate::process::{is_root, say};

/// Tools and packages that a task needs and the host lacks.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Missing {
    /// Debian packages.
    packages: BTreeSet<String>,
    /// Tools that are installed below `target/`.
    tools: BTreeSet<String>,
}

impl Missing {
    /// Adds the missing ones of these Debian packages. Only root installs packages; for other users the task ends where it
    /// needs one, and prints the command.
    #[must_use]
    pub fn with_packages(mut self, names: &[&str]) -> Self {
        if is_root() {
            self.packages.extend(install::absent(names).into_iter().map(str::to_owned));
        }
        self
    }

    /// Adds a tool that is installed below `target/`, unless it exists.
    #[must_use]
    pub fn with_tool(mut self, name: &str, is_there: bool) -> Self {
        if !is_there {
            self.tools.insert(name.to_owned());
        }
        self
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.packages.extend(other.packages);
        self.tools.extend(other.tools);
        self
    }

    /// Prints what is about to be installed. On a terminal the user may decline; without one the task continues.
    pub fn announce(&self, task: &str) -> anyhow::Result<()> {
        let is_terminal = io::stdin().is_terminal() && io::stderr().is_terminal();
        self.announce_to(task, is_terminal.then(|| io::stdin().lock()))
    }

    fn announce_to(&self, task: &str, terminal: Option<impl BufRead>) -> anyhow::Result<()> {
        let Some(line) = self.line(task) else { return Ok(()) };
        let Some(mut terminal) = terminal else {
            say(&line);
            return Ok(());
        };
        let mut err = io::stderr();
        write!(err, "{line}. Continue? [Y/n] ").and_then(|()| err.flush()).context("cannot ask")?;
        let mut answer = String::new();
        let length = terminal.read_line(&mut answer).context("cannot read the answer")?;
        ensure!(length > 0 && is_yes(&answer), "stopped before anything was installed");
        Ok(())
    }

    fn line(&self, task: &str) -> Option<String> {
        let list = |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let packages = (!self.packages.is_empty()).then(|| format!("by apt: {}", list(&self.packages)));
        let tools = (!self.tools.is_empty()).then(|| format!("into target/: {}", list(&self.tools)));
        let parts: Vec<String> = packages.into_iter().chain(tools).collect();
        (!parts.is_empty()).then(|| format!("cargo xtask {task} installs {}", parts.join("; ")))
    }
}

/// Whether an answer is yes, which is the default.
fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn missing() -> Missing {
        let packages = ["ffmpeg", "docker.io"].map(str::to_owned).into();
        Missing { packages, ..Missing::default() }.with_tool("bpf-linker", false).with_tool("cargo-deb", true)
    }

    #[test]
    fn one_line_names_everything_that_is_not_there() {
        assert_eq!(
            missing().line("demo").unwrap(),
            "cargo xtask demo installs by apt: docker.io, ffmpeg; into target/: bpf-linker"
        );
        assert_eq!(Missing::default().with_tool("bpf-linker", true).line("demo"), None);
        // A package that every Debian has.
        assert_eq!(Missing::default().with_packages(&["dpkg"]), Missing::default());
    }

    #[test]
    fn a_terminal_is_asked_and_the_default_is_yes() {
        for answer in ["\n", "y\n", "Yes\n", " \n"] {
            assert!(missing().announce_to("demo", Some(answer.as_bytes())).is_ok(), "{answer:?}");
        }
        // The last one is the end of the input.
        for answer in ["n\n", "no\n", "what\n", ""] {
            assert!(missing().announce_to("demo", Some(answer.as_bytes())).is_err(), "{answer:?}");
        }
        assert!(Missing::default().announce_to("demo", Some("n\n".as_bytes())).is_ok(), "no question");
    }

    #[test]
    fn without_a_terminal_the_task_goes_on() {
        assert!(missing().announce_to("demo", None::<&[u8]>).is_ok());
    }
}
