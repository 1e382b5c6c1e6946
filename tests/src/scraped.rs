//! Starts the agent beside a real Prometheus that scrapes it, in a namespace.

use std::fs;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;

use crate::agent::binary;
use crate::command::{Owned, eventually};
use crate::namespace::Namespace;
use crate::prometheus::Prometheus;

/// An agent on its usual ports, and the Prometheus that scrapes its main listener.
#[derive(Debug)]
pub struct Scraped<'a> {
    /// The Prometheus.
    pub prometheus: Prometheus<'a>,
    _agent: Owned,
    _folder: tempfile::TempDir,
}

impl<'a> Scraped<'a> {
    /// Starts both, with this scrape interval in milliseconds and these flags, and waits for the first scrape. Ended series stay for the
    /// shortest time.
    pub fn start(namespace: &'a Namespace, interval: u64, flags: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let in_folder = |name: &str| folder.path().join(name).display().to_string();
        let configuration = format!(
            "global: {{scrape_interval: {interval}ms, scrape_timeout: {interval}ms}}\n\
             scrape_configs: [{{job_name: ffwatt, static_configs: [{{targets: ['localhost:9510']}}]}}]\n"
        );
        fs::write(in_folder("prometheus.yml"), configuration).context("cannot write a configuration")?;
        let mut agent = namespace.command(binary()?.to_str().context("a path is text")?);
        agent.args(flags).args([
            "--attribution.keep-ended=10s",
            &format!("--state-dir={}", in_folder("state")),
            "--containers.docker-socket=",
            "--containers.podman-socket=",
        ]);
        let log = fs::File::create(in_folder("log")).context("cannot make a log")?;
        let agent = Owned(agent.stdout(Stdio::null()).stderr(log).spawn().context("cannot start the agent")?);
        let prometheus = Prometheus::start(namespace, folder.path())?;
        eventually("the host is scraped", Duration::from_mins(1), || {
            prometheus.value(r#"count(ffwatt_host_energy_joules_total{domain="package"})"#).ok()
        })
        .with_context(|| fs::read_to_string(in_folder("log")).unwrap_or_default())?;
        Ok(Self { prometheus, _agent: agent, _folder: folder })
    }
}
