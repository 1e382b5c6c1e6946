//! `cargo xtask fuzz`: searches for input on which a parser panics, hangs or allocates too much.
//!
//! A target begins with its seeds and with the committed corpus, an archive each. New inputs of a run stay in `target` until
//! `--keep` commits them to the corpus. `--replay` gives every one of those inputs to the targets once, with the usual compiler, as
//! continuous integration does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail, ensure};

use xtask::process::{run, say, succeeds};
use xtask::{install, root};

/// The crate of the targets.
const FUZZ: &str = "tests/fuzz";

/// Longest input, in bytes.
const LONGEST: &str = "-max_len=8192";

/// Limits of each input of a replay: seconds and megabytes.
const LIMITS: [&str; 2] = ["-timeout=30", "-rss_limit_mb=512"];

/// Debian packages that a replay needs.
pub(crate) const REPLAY_PACKAGES: [&str; 2] = ["g++", "xz-utils"];

/// A task for the targets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Task {
    /// Search for inputs for this many seconds each.
    Search(u64),
    /// Commit the found inputs to the corpus.
    Keep,
    /// Try every committed input.
    Replay,
}

/// Runs a task for all targets, or for one.
pub(crate) fn fuzz(task: Task, only: Option<&str>) -> anyhow::Result<()> {
    let root = root()?;
    let targets = targets(&root)?;
    if let Some(only) = only.filter(|only| !targets.iter().any(|target| target == only)) {
        bail!("no fuzz target {only:?}; there are {}", targets.join(", "));
    }
    let targets: Vec<String> =
        targets.into_iter().filter(|target| only.is_none_or(|only| only == target)).collect();
    let seconds = match task {
        Task::Replay => return replay(&root, &targets),
        Task::Search(seconds) => Some(seconds),
        Task::Keep => None,
    };
    let tool = tool(&root)?;
    for target in &targets {
        let corpus = unpack(&root, target, "target/fuzz/corpus")?;
        if let Some(seconds) = seconds {
            say(&format!("\n== {target}, {seconds} s"));
            let seeds = Path::new("seeds").join(target);
            let time = format!("-max_total_time={seconds}");
            let options = ["--", &time, LONGEST, "-print_final_stats=1"];
            run(cargo_fuzz(&root, &tool, "run").arg(target).arg(&corpus).arg(seeds).args(options))?;
        } else {
            run(cargo_fuzz(&root, &tool, "cmin").arg(target).arg(&corpus).args(["--", LONGEST]))?;
            pack(&root, target, &corpus)?;
        }
    }
    Ok(())
}

/// cargo-fuzz, which is installed if it is missing.
fn tool(root: &Path) -> anyhow::Result<PathBuf> {
    let tool = install::cargo_tool(root, "cargo-fuzz")?;
    if !succeeds(Command::new("cargo").args(["+nightly", "--version"])) {
        bail!("fuzzing needs a nightly compiler: rustup toolchain install nightly");
    }
    Ok(tool)
}

fn cargo_fuzz(root: &Path, tool: &Path, action: &str) -> Command {
    let mut fuzz = Command::new(tool);
    fuzz.current_dir(root.join(FUZZ))
        .env("RUSTUP_TOOLCHAIN", "nightly")
        .env("FFWATT_EBPF_OBJECT", "/no/object")
        .args(["fuzz", action, "--fuzz-dir", ".", "--target-dir"])
        .arg(root.join("target/fuzz"));
    fuzz
}

fn archive(root: &Path, target: &str) -> PathBuf {
    root.join(FUZZ).join("corpus").join(format!("{target}.tar.xz"))
}

/// The folder of a target's corpus: committed inputs, and new ones.
fn unpack(root: &Path, target: &str, folder: &str) -> anyhow::Result<PathBuf> {
    let corpus = root.join(folder).join(target);
    fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
    let archive = archive(root, target);
    if archive.is_file() {
        run(Command::new("tar").arg("-xJf").arg(&archive).arg("-C").arg(&corpus))?;
    }
    Ok(corpus)
}

/// Packs a corpus: the same inputs give the same bytes.
fn pack(root: &Path, target: &str, corpus: &Path) -> anyhow::Result<()> {
    let archive = archive(root, target);
    if let Some(folder) = archive.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let mut tar = Command::new("tar");
    tar.args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner", "-cJf"]);
    run(tar.arg(&archive).arg("-C").arg(corpus).arg("."))
}

/// Gives every input of seeds and corpora to the targets once. They are built like any program: this only shows whether they panic.
fn replay(root: &Path, targets: &[String]) -> anyhow::Result<()> {
    install::packages("the fuzz targets", &REPLAY_PACKAGES)?;
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(root.join(FUZZ)).args(["build", "--quiet", "--locked"]);
    let built = root.join("target/replay");
    run(build.env("FFWATT_EBPF_OBJECT", "/no/object").env("CARGO_TARGET_DIR", &built))?;
    for target in targets {
        let mut inputs = Vec::new();
        for folder in
            [unpack(root, target, "target/replay/corpus")?, root.join(FUZZ).join("seeds").join(target)]
        {
            let entries =
                fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
            for entry in entries {
                inputs.push(entry?.path());
            }
        }
        ensure!(!inputs.is_empty(), "{target} has no inputs");
        say(&format!("{target}: {} inputs", inputs.len()));
        for some in inputs.chunks(1000) {
            let output = Command::new(built.join("debug").join(target)).args(LIMITS).args(some).output();
            let output = output.with_context(|| format!("cannot run {target}"))?;
            ensure!(
                output.status.success(),
                "{target} ended with {}: {}",
                output.status,
                String::from_utf8_lossy(&output.stderr)
            );
        }
    }
    Ok(())
}

/// All targets, by the names of their files.
fn targets(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join(FUZZ).join("fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let name = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.ok()?.path();
        path.file_stem()?.to_str().map(str::to_owned)
    };
    let mut targets: Vec<String> = entries.filter_map(name).collect();
    targets.sort();
    Ok(targets)
}
