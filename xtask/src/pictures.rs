//! `cargo xtask pictures`: takes pictures of the dashboards and the live page with data.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, ensure};

use xtask::process::run;
use xtask::{install, root};

/// Pictures of the data of every dashboard over this many minutes, into `docs/pictures`.
pub(crate) fn pictures(minutes: u64) -> anyhow::Result<()> {
    let root = root()?;
    let python = install::python(&root, &["imageio-ffmpeg==0.8.1"])?;
    let series = root.join("target/series");
    let every = "every_panel_variable_rule_and_alert_has_data";
    let mut stack = test(&root, "stack", every)?;
    stack
        .env("FFWATT_PYTHON", &python)
        .env("FFWATT_SERIES", &series)
        .env("FFWATT_MINUTES", minutes.to_string());
    run(&mut stack)?;
    install::playwright(&root)?;
    run(Command::new("node")
        .arg(root.join("tests/pictures.mjs"))
        .arg(&series)
        .arg(root.join("docs/pictures"))
        .env("FFWATT_PLAYWRIGHT", root.join("target/playwright")))?;
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

/// Records the live page and `ffwatt top` beside real encodes, for README.
pub(crate) fn motion() -> anyhow::Result<()> {
    let root = root()?;
    let python = install::python(&root, &["imageio-ffmpeg==0.8.1"])?;
    install::playwright(&root)?;
    install::packages("the recordings", &["ffmpeg", "tmux"])?;
    let real = "real_encodes_are_shown_as_the_metrics_have_them";
    run(test(&root, "page", real)?.env("FFWATT_PYTHON", &python).env("FFWATT_MOTION", "1"))?;
    let pictures = root.join("target/page/motion");
    for (name, rate, width) in [("page", 4, 960), ("top", 2, 900)] {
        let to = root.join(format!("docs/pictures/ffwatt-{name}.webp"));
        run(Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-y", "-framerate", &rate.to_string(), "-i"])
            .arg(pictures.join(format!("{name}-%03d.png")))
            .args(["-vf", &format!("scale={width}:-2:flags=lanczos"), "-c:v", "libwebp_anim"])
            .args(["-quality", "60", "-compression_level", "6", "-loop", "0"])
            .arg(&to))?;
        let size = std::fs::metadata(&to).with_context(|| format!("cannot read {}", to.display()))?.len();
        ensure!(size <= MOST_BYTES, "{} has {size} bytes, and {MOST_BYTES} are the limit", to.display());
    }
    Ok(())
}

/// Largest recording: a reader of README waits for it.
const MOST_BYTES: u64 = 2_000_000;

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
