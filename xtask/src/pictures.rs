//! `cargo xtask pictures`: takes pictures of the dashboards and the live page with data.

use std::path::Path;
use std::process::Command;

use anyhow::Context;

use xtask::process::run;
use xtask::{install, root};

/// Pictures of the data of every dashboard, into `docs/pictures`.
pub(crate) fn pictures() -> anyhow::Result<()> {
    let root = root()?;
    let python = install::python(&root, &["imageio-ffmpeg==0.8.1", "matplotlib==3.10.3"])?;
    let series = root.join("target/series");
    let every = "every_panel_variable_rule_and_alert_has_data";
    run(test(&root, "stack", every)?.env("FFWATT_PYTHON", &python).env("FFWATT_SERIES", &series))?;
    run(Command::new(&python)
        .arg(root.join("tests/pictures.py"))
        .arg(&series)
        .arg(root.join("docs/pictures")))?;
    page_picture()
}

/// Takes a picture of the live page in its test, with real encodes that have run for a minute, for README.
pub(crate) fn page_picture() -> anyhow::Result<()> {
    let root = root()?;
    let python = install::python(&root, &["imageio-ffmpeg==0.8.1"])?;
    install::playwright(&root)?;
    let real = "real_encodes_are_shown_as_the_metrics_have_them";
    run(test(&root, "page", real)?.env("FFWATT_PYTHON", &python).env("FFWATT_PICTURES", "1"))?;
    let (from, to) = (root.join("target/page/readme.png"), root.join("docs/pictures/ffwatt-page.png"));
    std::fs::copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    Ok(())
}

/// A test of the built agent, which has data to show.
fn test(root: &Path, file: &str, name: &str) -> anyhow::Result<Command> {
    let cargo = || {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(root);
        command
    };
    run(cargo().args(["build", "--quiet", "--package", "ffwatt"]))?;
    let mut test = cargo();
    test.args(["test", "--package", "tests", "--test", file, "--", name]);
    Ok(test)
}
