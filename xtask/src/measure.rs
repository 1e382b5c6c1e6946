//! `cargo xtask bench`, `pictures` and `cargo xtask fuzz`: commands for whoever has the time.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::process::{run, say, succeeds};
use crate::{install, root};

/// Where fuzz targets are.
const FUZZ: &str = "tests/fuzz";

/// The micro benches. They measure; nothing in the tests depends on them.
pub(crate) fn bench() -> anyhow::Result<()> {
    run(Command::new(env!("CARGO")).current_dir(root()?).args([
        "bench",
        "--quiet",
        "--package",
        "ffwatt",
        "--benches",
    ]))
}

/// Pictures of the data of every dashboard, into `docs/pictures`.
pub(crate) fn pictures() -> anyhow::Result<()> {
    let root = root()?;
    let python = install::python(&root, &["imageio-ffmpeg==0.8.1", "matplotlib==3.10.3"])?;
    let series = root.join("target/series");
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(&root).args(arguments);
        command
    };
    run(&mut cargo(&["build", "--quiet", "--package", "ffwatt"]))?;
    let every = "every_panel_variable_rule_and_alert_has_data";
    run(cargo(&["test", "--package", "tests", "--test", "stack", "--", every])
        .env("FFWATT_PYTHON", &python)
        .env("FFWATT_SERIES", &series))?;
    run(Command::new(&python)
        .arg(root.join("tests/pictures.py"))
        .arg(&series)
        .arg(root.join("docs/pictures")))?;
    page_picture()
}

/// The live page as its test sees it, with real encodes that have run for a minute: README has it.
pub(crate) fn page_picture() -> anyhow::Result<()> {
    let root = root()?;
    let python = install::python(&root, &["imageio-ffmpeg==0.8.1"])?;
    install::playwright(&root)?;
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(&root).args(arguments);
        command
    };
    run(&mut cargo(&["build", "--quiet", "--package", "ffwatt"]))?;
    let real = "real_encodes_are_shown_as_the_metrics_have_them";
    run(cargo(&["test", "--package", "tests", "--test", "page", "--", real])
        .env("FFWATT_PYTHON", &python)
        .env("FFWATT_PICTURES", "1"))?;
    let (from, to) = (root.join("target/page/readme.png"), root.join("docs/pictures/ffwatt-page.png"));
    std::fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

/// Every fuzz target for so many seconds, from its corpus on.
pub(crate) fn fuzz(seconds: u64, only: Option<&str>) -> anyhow::Result<()> {
    let root = root()?;
    let tool = root.join("target/tools/bin/cargo-fuzz");
    if !tool.is_file() {
        let mut install = Command::new(env!("CARGO"));
        install.args(["install", "--locked", "cargo-fuzz", "--root"]).arg(root.join("target/tools"));
        run(&mut install)?;
    }
    if !succeeds(Command::new("cargo").args(["+nightly", "--version"])) {
        bail!("fuzzing needs a nightly compiler: rustup toolchain install nightly");
    }
    let targets = targets(&root)?;
    if let Some(only) = only.filter(|only| !targets.iter().any(|target| target == only)) {
        bail!("no fuzz target {only:?}; there are {}", targets.join(", "));
    }
    for target in targets.iter().filter(|target| only.is_none_or(|only| only == *target)) {
        say(&format!("\n== {target}, {seconds} s"));
        // What was found before is gone on with; what is committed is where it begins.
        let corpus = root.join("target/fuzz/corpus").join(target);
        std::fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
        let mut fuzz = Command::new(&tool);
        fuzz.current_dir(root.join(FUZZ))
            .env("RUSTUP_TOOLCHAIN", "nightly")
            .env("FFWATT_EBPF_OBJECT", "/no/object")
            .args(["fuzz", "run", "--fuzz-dir", ".", "--target-dir"])
            .arg(root.join("target/fuzz"))
            .arg(target)
            .arg(&corpus)
            .arg(Path::new("seeds").join(target))
            .arg("--")
            .args([&format!("-max_total_time={seconds}"), "-max_len=8192", "-print_final_stats=1"]);
        run(&mut fuzz)?;
    }
    Ok(())
}

fn targets(root: &Path) -> anyhow::Result<Vec<String>> {
    let folder = root.join(FUZZ).join("fuzz_targets");
    let entries = std::fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let name = |entry: std::io::Result<std::fs::DirEntry>| {
        let path = entry.ok()?.path();
        path.file_stem()?.to_str().map(str::to_owned)
    };
    let mut targets: Vec<String> = entries.filter_map(name).collect();
    targets.sort();
    Ok(targets)
}
