//! Measures the live page in Debian's Chromium: bytes from the agent, and the time of the page's main thread.

use std::path::Path;

use anyhow::{Context, ensure};
use serde_json::{Map, Value, json};
use tests::browser;
use tests::cgroup::Cgroup;

use super::sizes::{PARENT, populate};
use super::spawn;
use xtask::{install, root};

/// Workloads that the agent shows, each with a process that wakes up every second.
const WORKLOADS: usize = 300;

/// Measures its section.
pub(super) fn measure(binary: &Path, json: &mut Map<String, Value>) -> anyhow::Result<String> {
    install::playwright(&root()?)?;
    ensure!(xtask::process::find("chromium").is_some(), "this needs a browser: apt-get install chromium");
    let cgroups: Vec<Cgroup> = (0..WORKLOADS)
        .map(|number| Cgroup::make(&format!("{PARENT}/{number}")))
        .collect::<anyhow::Result<_>>()?;
    let children = populate(0, WORKLOADS)?;
    let agent = spawn(binary, &["--interval=1s"])?;
    agent.wait_ticks(5)?;
    let mut line = String::new();
    browser::play("page_cost.mjs", "open", agent.ports.main, |said| said.clone_into(&mut line))?;
    drop((agent, children, cgroups));
    let numbers: Vec<f64> =
        line.split(' ').map(str::parse).collect::<Result<_, _>>().context(line.clone())?;
    let [bytes, seconds, busy] = numbers[..] else { anyhow::bail!("not three numbers: {line:?}") };
    json.insert(
        "page".to_owned(),
        json!({ "workloads": WORKLOADS, "bytes_per_second": bytes / seconds, "main_thread": busy / seconds }),
    );
    Ok(format!(
        "## Live page\n\nThe page of an agent with {WORKLOADS} workloads and a tick of 1 s, open in Chromium for {seconds:.0} s: {:.1} kB/s \
         from the agent, compressed, and {:.1} % of the time of the page's main thread.\n",
        bytes / seconds / 1e3,
        busy / seconds * 100.0
    ))
}
