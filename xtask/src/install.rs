//! Is a tool there, and if not, can it be had?
//!
//! Installed without asking only where that is a package manager's job (apt, as root) or stays below `target/`. Otherwise the exact
//! command is printed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use anyhow::{Context, bail};

use crate::process::{find, is_root, output, run, say, succeeds};

/// Installs Debian packages unless they are there.
pub(crate) fn packages(why: &str, names: &[&str]) -> anyhow::Result<()> {
    let missing: Vec<&str> = names.iter().copied().filter(|name| !has_package(name)).collect();
    if missing.is_empty() { Ok(()) } else { newest(why, &missing) }
}

/// Installs the newest Debian packages on offer, in place of older ones too.
pub(crate) fn newest(why: &str, names: &[&str]) -> anyhow::Result<()> {
    let by_hand = format!("apt-get install --no-install-recommends {}", names.join(" "));
    if find("apt-get").is_none() {
        bail!(
            "{why} needs {}, and there is no apt-get here: install them by your own package manager",
            names.join(", ")
        );
    }
    if !is_root() {
        bail!("{why} needs packages that only root can install: sudo {by_hand}");
    }
    say(&format!("{why}: installing {}", names.join(", ")));
    refresh();
    // Services of installed packages are not started: the tests start their own.
    run(apt().env("RUNLEVEL", "1").args(["install", "--no-install-recommends"]).args(names))
}

/// Makes the package lists today's, once: those of a new machine are as old as its image, or not there.
fn refresh() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The old lists may do; where they do not, installing says what is missing.
        if is_root() && find("apt-get").is_some() && !succeeds(apt().arg("update")) {
            say("the package lists could not be brought up to date: going on with those that are here");
        }
    });
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    // Somebody else's apt ends some time.
    command.args(["-q", "-y", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300"]);
    command
}

/// Whether apt could install a package, without installing it.
pub(crate) fn is_offered(name: &str) -> bool {
    refresh();
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

/// What drives the browser: without a browser of its own.
const PLAYWRIGHT: &str = "playwright-core@1.55.0";

/// Node, npm, and what drives the browser in the tests of the live page, below `target/`.
pub(crate) fn playwright(root: &Path) -> anyhow::Result<()> {
    node("the tests of the live page")?;
    let folder = root.join("target/playwright");
    let version = PLAYWRIGHT.rsplit('@').next().unwrap_or_default();
    let manifest = folder.join("node_modules/playwright-core/package.json");
    let is_there = std::fs::read_to_string(manifest)
        .is_ok_and(|text| text.contains(&format!("\"version\": \"{version}\"")));
    if is_there { Ok(()) } else { npm(&folder, PLAYWRIGHT) }
}

/// Brings a package from npm into a folder.
pub(crate) fn npm(folder: &Path, package: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let options = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", "."];
    run(Command::new("npm").current_dir(folder).args(options).arg(package))
}

/// Node and npm, by whatever package has them: upstream's own package of node has npm in it, Debian's has not.
pub(crate) fn node(why: &str) -> anyhow::Result<()> {
    for (program, package) in [("node", "nodejs"), ("npm", "npm")] {
        if find(program).is_none() {
            packages(why, &[package])?;
        }
    }
    Ok(())
}
