//! Checks of an installation: the agent is ready, and shows the names of all containers.

use anyhow::{Context, ensure};
use serde_json::Value;
use tests::command::now;

use super::super::scene::{RELEASE, Scene, text};

/// Installs the chart as docs/KUBERNETES.md says, with its default values.
pub(super) fn install(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    let cluster = &*scene.cluster;
    cluster.kubectl(&["create", "namespace", RELEASE])?;
    cluster.kubectl(&["label", "namespace", RELEASE, "pod-security.kubernetes.io/enforce=privileged"])?;
    let began = now();
    cluster.helm(&["install", RELEASE, &scene.chart, "--namespace", RELEASE])?;
    scene.wait_rollout("daemonset", RELEASE, RELEASE)?;
    scene.find_agent()?;
    let seconds = began.elapsed().as_secs();
    let scrape = scene.scrape()?;
    let info = scrape.all("ffwatt_attribution_info").next().context("the agent shows no sources")?;
    let [cpu, energy] = ["cpu_source", "energy_source"].map(|label| info.label(label));
    ensure!(cpu == "bpf", "CPU time by {cpu}");
    Ok(format!("ready after {seconds} s; CPU time by eBPF, energy by {energy}"))
}

pub(super) fn metrics(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    let running = scene.names_all()?;
    Ok(format!("{} of {} containers: {}", running.len(), running.len(), joined(&running)))
}

/// Gets the page, and the list that it shows.
pub(super) fn page(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    let page = scene.http("/")?;
    ensure!(page.contains("<title>"), "the page has no title");
    let running = scene.running()?;
    let list: Value = serde_json::from_str(&scene.http("/api/v1/workloads?per_page=1000")?)?;
    let items = list["items"].as_array().context("the list has no items")?;
    let missing: Vec<&String> = running
        .iter()
        .filter(|name| !items.iter().any(|item| text(&item["workload"]) == name.as_str()))
        .collect();
    ensure!(missing.is_empty(), "not in the list: {missing:?}");
    Ok(format!("the page, and {} of {} containers in its list", running.len(), running.len()))
}

fn joined(names: &std::collections::BTreeSet<String>) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
