//! Finds tools, and installs missing ones.
//!
//! Installed without asking only where that is a package manager's job (apt, as root) or stays below `target/`. Otherwise the exact
//! command is printed.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use anyhow::{Context, bail};

use crate::missing::Missing;
use crate::process::{find, is_root, output, run, say, succeeds};

/// Installs Debian packages that are missing.
pub fn packages(why: &str, names: &[&str]) -> anyhow::Result<()> {
    let missing = absent(names);
    if missing.is_empty() { Ok(()) } else { newest(why, &missing) }
}

/// The missing ones of these Debian packages.
pub fn absent<'a>(names: &[&'a str]) -> Vec<&'a str> {
    names.iter().copied().filter(|name| !has_package(name)).collect()
}

/// Installs the newest available Debian packages, in place of older ones too.
pub fn newest(why: &str, names: &[&str]) -> anyhow::Result<()> {
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

/// Updates the package lists once: those of a new host are as old as its image, or missing.
fn refresh() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // The old lists may be sufficient; where they are not, the installation names the missing packages.
        if is_root() && find("apt-get").is_some() && !succeeds(apt().arg("update")) {
            say("the package lists could not be brought up to date: going on with those that are here");
        }
    });
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    // Waits for another apt, which ends some time.
    command.args(["-q", "-y", "-o", "Dpkg::Use-Pty=0", "-o", "DPkg::Lock::Timeout=300"]);
    command
}

/// Whether apt could install a package, without installing it.
pub fn is_offered(name: &str) -> bool {
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

/// A program of the Rust ecosystem: the one in `target/tools`, the one in `PATH`, or one to be built.
pub fn cargo_tool(root: &Path, name: &str) -> anyhow::Result<PathBuf> {
    if let Some(tool) = find_cargo_tool(root, name) {
        return Ok(tool);
    }
    let tools = root.join("target/tools");
    say(&format!("building {name} into target/tools (once, some minutes)"));
    let mut install = Command::new(env!("CARGO"));
    install.args(["install", "--locked", name, "--root"]).arg(&tools);
    run(&mut install)?;
    Ok(tools.join("bin").join(name))
}

/// The program, if it exists.
pub fn find_cargo_tool(root: &Path, name: &str) -> Option<PathBuf> {
    let ours = root.join("target/tools/bin").join(name);
    Some(ours).filter(|tool| tool.is_file()).or_else(|| find(name))
}

/// Python and npm packages that the tests need and the host lacks.
pub fn missing_for_tests(root: &Path, requirements: &[&str]) -> Missing {
    let mut missing = Missing::default();
    let python = python_in(root);
    if !python.is_file() {
        missing = missing.with_packages(&["python3", "python3-venv"]);
    }
    for requirement in requirements {
        missing = missing.with_tool(requirement, has_requirement(&python, requirement));
    }
    for (program, package) in NODE {
        if find(program).is_none() {
            missing = missing.with_packages(&[package]);
        }
    }
    for (name, version) in PAGE_PACKAGES {
        let is_there = has_npm_package(&root.join(PLAYWRIGHT_FOLDER), name, version);
        missing = missing.with_tool(&format!("{name}@{version}"), is_there);
    }
    missing
}

fn python_in(root: &Path) -> PathBuf {
    root.join("target/python/bin/python3")
}

fn has_requirement(python: &Path, requirement: &str) -> bool {
    let name = requirement.split("==").next().unwrap_or(requirement);
    succeeds(Command::new(python).args(["-m", "pip", "show", "-q", name]))
}

/// A Python environment below `target/` with these packages; returns its interpreter.
pub fn python(root: &Path, requirements: &[&str]) -> anyhow::Result<PathBuf> {
    let folder = root.join("target/python");
    let python = python_in(root);
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
    if !requirements.iter().all(|requirement| has_requirement(&python, requirement)) {
        run(Command::new(&python).args(["-m", "pip", "install", "-q"]).args(requirements))?;
    }
    Ok(python)
}

/// Programs of the live page's tests, with the Debian packages that have them.
const NODE: [(&str, &str); 2] = [("node", "nodejs"), ("npm", "npm")];

/// Library that drives the browser, which contains no browser, and the one that checks the page's accessibility.
const PAGE_PACKAGES: [(&str, &str); 2] = [("playwright-core", "1.55.0"), ("axe-core", "4.10.3")];
const PLAYWRIGHT_FOLDER: &str = "target/playwright";

/// Installs node, npm, and the libraries for the tests of the live page, below `target/`.
pub fn playwright(root: &Path) -> anyhow::Result<()> {
    node("the tests of the live page")?;
    let folder = root.join(PLAYWRIGHT_FOLDER);
    for (name, version) in PAGE_PACKAGES {
        if !has_npm_package(&folder, name, version) {
            npm(&folder, &format!("{name}@{version}"))?;
        }
    }
    Ok(())
}

fn has_npm_package(folder: &Path, name: &str, version: &str) -> bool {
    let manifest = folder.join("node_modules").join(name).join("package.json");
    std::fs::read_to_string(manifest).is_ok_and(|text| text.contains(&format!("\"version\": \"{version}\"")))
}

/// Fetches a package from npm into a folder.
pub fn npm(folder: &Path, package: &str) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let options = ["install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", "."];
    run(Command::new("npm").current_dir(folder).args(options).arg(package))
}

/// Installs node and npm, from any package that has them: upstream's own package of node contains npm, Debian's does not.
pub fn node(why: &str) -> anyhow::Result<()> {
    for (program, package) in NODE {
        if find(program).is_none() {
            packages(why, &[package])?;
        }
    }
    Ok(())
}
