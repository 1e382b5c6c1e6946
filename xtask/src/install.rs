//! Is a tool there, and if not, can it be had?
//!
//! Installed without asking only where that is a package manager's job (apt, as root) or stays below `target/`. Otherwise the exact
//! command is printed.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::bail;

use crate::process::{find, is_root, output, run, say, succeeds};

/// Installs Debian packages unless they are there.
pub(crate) fn packages(why: &str, names: &[&str]) -> anyhow::Result<()> {
    let missing: Vec<&str> = names.iter().copied().filter(|name| !has_package(name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let by_hand = format!("apt-get install --no-install-recommends {}", missing.join(" "));
    if find("apt-get").is_none() {
        bail!(
            "{why} needs {}, and there is no apt-get here: install them by your own package manager",
            missing.join(", ")
        );
    }
    if !is_root() {
        bail!("{why} needs packages that only root can install: sudo {by_hand}");
    }
    say(&format!("{why}: installing {}", missing.join(", ")));
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(["-q", "-y", "-o", "Dpkg::Use-Pty=0"]);
        command
    };
    let install = || {
        let mut command = apt();
        // Services of installed packages are not started: the tests start their own.
        command.env("RUNLEVEL", "1").args(["install", "--no-install-recommends"]).args(&missing);
        command
    };
    // The package lists may be old or missing altogether.
    if !succeeds(&mut install()) {
        run(apt().arg("update"))?;
        run(&mut install())?;
    }
    Ok(())
}

/// Whether apt could install a package, without installing it.
pub(crate) fn is_offered(name: &str) -> bool {
    output(Command::new("apt-cache").args(["policy", name])).is_ok_and(|text| {
        text.lines().any(|line| {
            line.trim().strip_prefix("Candidate:").is_some_and(|version| version.trim() != "(none)")
        })
    })
}

fn has_package(name: &str) -> bool {
    output(Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", name]))
        .is_ok_and(|status| status == "installed")
}

/// A Python environment below `target/` with these packages; returns its interpreter.
pub(crate) fn python(root: &Path, requirements: &[&str]) -> anyhow::Result<PathBuf> {
    let folder = root.join("target/python");
    let python = folder.join("bin/python3");
    if !succeeds(Command::new(&python).arg("--version")) {
        if find("python3").is_none() {
            packages("the strict OpenMetrics parser", &["python3", "python3-venv"])?;
        }
        let make = || {
            let mut command = Command::new("python3");
            command.args(["-m", "venv", "--clear"]).arg(&folder);
            command
        };
        if !succeeds(&mut make()) {
            packages("the strict OpenMetrics parser", &["python3-venv"])?;
            run(&mut make())?;
        }
    }
    let has_all = requirements.iter().all(|name| {
        let name = name.split("==").next().unwrap_or(name);
        succeeds(Command::new(&python).args(["-m", "pip", "show", "-q", name]))
    });
    if !has_all {
        run(Command::new(&python).args(["-m", "pip", "install", "-q"]).args(requirements))?;
    }
    Ok(python)
}
