//! `cargo xtask page`: updates the live page's chart library from npm.

use std::fs;

use anyhow::Context;

use xtask::process::say;
use xtask::{install, root};

/// The library and its version: small, without dependencies, and kept.
const LIBRARY: &str = "uplot@1.6.32";

/// The files of the library that the page needs.
const FILES: [&str; 3] = ["dist/uPlot.iife.min.js", "dist/uPlot.min.css", "LICENSE"];

/// Fetches the library into the agent's sources.
pub(crate) fn update() -> anyhow::Result<()> {
    let root = root()?;
    install::node("the live page")?;
    let folder = root.join("target/page-library");
    install::npm(&folder, LIBRARY)?;
    for file in FILES {
        let from = folder.join("node_modules/uplot").join(file);
        let mut text =
            fs::read_to_string(&from).with_context(|| format!("cannot read {}", from.display()))?;
        if !text.ends_with('\n') {
            text.push('\n');
        }
        let name = file.rsplit('/').next().unwrap_or(file);
        let to = root.join("agent/src/server/page/uplot").join(name);
        fs::write(&to, text).with_context(|| format!("cannot write {}", to.display()))?;
    }
    say(&format!("{LIBRARY} is in agent/src/server/page/uplot"));
    Ok(())
}
