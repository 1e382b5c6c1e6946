//! `cargo xtask dist`: builds the files of a release in `target/dist`: the program, a tarball, a Debian package, checksums.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context;

use crate::missing::Missing;
use crate::process::{output, run, say};
use crate::{build_ebpf, install, root};

/// The only platform for which the eBPF object is built.
pub const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The program that makes the Debian package.
const PACKER: &str = "cargo-deb";

/// Contents of the tarball besides the program and its manual: source path, and path in the tarball.
const FILES: [(&str, &str); 13] = [
    ("README.md", "README.md"),
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("docs", "docs"),
    ("docker-compose.yml", "docker-compose.yml"),
    ("grafana", "grafana"),
    ("packaging/prometheus", "packaging/prometheus"),
    ("packaging/alertmanager", "packaging/alertmanager"),
    ("packaging/helm", "packaging/helm"),
    ("packaging/kubernetes", "packaging/kubernetes"),
    ("packaging/systemd/ffwatt.service", "ffwatt.service"),
    ("packaging/systemd/ffwatt.default", "ffwatt.default"),
];

/// Options of the task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Only the program.
    pub binary_only: bool,
    /// The debug build, which is quicker to make: for tests of the packaging.
    pub debug: bool,
}

/// Builds everything.
pub fn run_all(options: Options) -> anyhow::Result<()> {
    let root = root()?;
    let dist = root.join("target/dist");
    fs::create_dir_all(&dist).with_context(|| format!("cannot make {}", dist.display()))?;
    build_ebpf::run()?;
    let binary = build(&root, options.debug)?;
    copy(&binary, &dist.join("ffwatt"))?;
    if options.binary_only {
        return Ok(());
    }
    let manual = dist.join("manual");
    if manual.exists() {
        fs::remove_dir_all(&manual).context("cannot remove the old manual")?;
    }
    let mut write = cargo(&root);
    write.args(["run", "--quiet", "--package", "ffwatt", "--example", "manual", "--"]).arg(&manual);
    run(&mut write)?;
    let version = env!("CARGO_PKG_VERSION");
    let tarball = tarball(&root, &dist, version)?;
    let package = debian(&root, &dist)?;
    write_checksums(&dist, &[&tarball, &package])
}

/// Writes `SHA256SUMS` of these files.
pub fn write_checksums(dist: &Path, files: &[&str]) -> anyhow::Result<()> {
    let sums = output(Command::new("sha256sum").current_dir(dist).args(files))?;
    fs::write(dist.join("SHA256SUMS"), &sums).context("cannot write SHA256SUMS")?;
    say(&format!("\nin {}:\n{sums}", dist.display()));
    Ok(())
}

/// The tarball's name.
pub fn tarball_name(version: &str) -> String {
    format!("{}.tar.gz", tarball_folder(version))
}

fn tarball_folder(version: &str) -> String {
    format!("ffwatt-{version}-x86_64-linux")
}

/// The Debian package's name.
pub fn package_name(version: &str) -> String {
    format!("ffwatt_{version}-1_amd64.deb")
}

/// Tools and packages that the packaging needs and the host lacks.
pub fn missing(root: &Path) -> Missing {
    Missing::default().with_tool(PACKER, install::find_cargo_tool(root, PACKER).is_some())
}

/// Builds a program that needs no library of the host: it runs on any distribution.
fn build(root: &Path, debug: bool) -> anyhow::Result<PathBuf> {
    let mut build = cargo(root);
    build.args(["build", "--package", "ffwatt"]);
    if debug {
        run(&mut build)?;
        return Ok(root.join("target/debug/ffwatt"));
    }
    build.args(["--release", "--target", TARGET]).env("RUSTFLAGS", "-C target-feature=+crt-static");
    run(&mut build)?;
    Ok(root.join("target").join(TARGET).join("release/ffwatt"))
}

fn tarball(root: &Path, dist: &Path, version: &str) -> anyhow::Result<String> {
    let name = tarball_folder(version);
    let folder = dist.join(&name);
    if folder.exists() {
        fs::remove_dir_all(&folder).context("cannot remove the old folder")?;
    }
    fs::create_dir_all(folder.join("packaging")).context("cannot make the folder")?;
    copy(&dist.join("ffwatt"), &folder.join("ffwatt"))?;
    run(Command::new("cp").arg("-r").arg(dist.join("manual")).arg(&folder))?;
    for (from, to) in FILES {
        run(Command::new("cp").arg("-r").arg(root.join(from)).arg(folder.join(to)))?;
    }
    let archive = tarball_name(version);
    // The same files make the same archive.
    let mut tar = Command::new("tar");
    tar.current_dir(dist).args(["--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--mtime=@0"]);
    run(tar.args(["-czf", &archive, &name]))?;
    fs::remove_dir_all(&folder).context("cannot remove the folder")?;
    Ok(archive)
}

fn debian(root: &Path, dist: &Path) -> anyhow::Result<String> {
    let tool = install::cargo_tool(root, PACKER)?;
    let mut pack = Command::new(&tool);
    pack.current_dir(root.join("agent")).args(["--no-build", "--no-strip", "--output"]).arg(dist);
    run(&mut pack)?;
    let name = package_name(env!("CARGO_PKG_VERSION"));
    anyhow::ensure!(dist.join(&name).is_file(), "cargo-deb has not made {name}");
    Ok(name)
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root);
    command
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    // The file of a running program cannot be written to, but replaced.
    let _ = fs::remove_file(to);
    fs::copy(from, to).with_context(|| format!("cannot copy {}", from.display())).map(drop)
}
