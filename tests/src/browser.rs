//! Plays scenes of the live page in Debian's Chromium, by `tests/*.mjs`. Pictures stay in `target/page`.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use crate::command::Owned;

/// Plays a scene of a file of scenes for the agent on this port; `act` performs the actions that the scene requests.
pub fn play(scenes: &str, scene: &str, port: u16, act: impl FnMut(&str)) -> anyhow::Result<()> {
    play_at(scenes, scene, &format!("http://127.0.0.1:{port}/"), act)
}

/// Plays a scene for a file, without a network.
pub fn play_file(scenes: &str, scene: &str, path: &Path) -> anyhow::Result<()> {
    play_at(scenes, scene, &format!("file://{}", path.display()), |_| ())
}

fn play_at(scenes: &str, scene: &str, address: &str, mut act: impl FnMut(&str)) -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("the tests are in the workspace")?;
    let pictures = root.join("target/page");
    fs::create_dir_all(&pictures).context("cannot make the folder of the pictures")?;
    let playwright =
        std::env::var_os("FFWATT_PLAYWRIGHT").map_or(root.join("target/playwright"), PathBuf::from);
    let log = pictures.join(format!("{scene}.log"));
    let mut command = Command::new("node");
    command
        .arg(root.join("tests").join(scenes))
        .args([scene, address])
        .arg(&pictures)
        .env("FFWATT_PLAYWRIGHT", playwright)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(fs::File::create(&log).context("cannot make a log")?);
    let mut child = Owned(command.spawn().context("cannot start node")?);
    let mut answers = child.0.stdin.take().context("node has an input")?;
    let requests = child.0.stdout.take().context("node has an output")?;
    for line in BufReader::new(requests).lines() {
        act(&line?);
        writeln!(answers)?;
    }
    let status = child.0.wait()?;
    ensure!(status.success(), "{scene}: {status}\n{}", fs::read_to_string(&log)?);
    Ok(())
}
