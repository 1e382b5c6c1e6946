//! Checks of changes: of a Deployment, and of the release itself.

use std::collections::BTreeSet;

use anyhow::ensure;

use super::super::scene::{RELEASE, Scene, names};
use super::jobs::{ENCODES, reported};
use crate::kube::workloads::LIVE;

/// The changed value, and the lines of the agent's configuration with it and without it.
const VALUE: &str = r"config.attribution\.max_workloads=500";
const CHANGED: &str = "max_workloads = 500";
const UNCHANGED: &str = "max_workloads = 1000";

/// Containers of the deployment that run.
fn encodes(scene: &Scene<'_>) -> anyhow::Result<BTreeSet<String>> {
    let prefix = format!("{LIVE}/{ENCODES}-");
    Ok(scene.running()?.into_iter().filter(|name| name.starts_with(&prefix)).collect())
}

pub(super) fn restart(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    let before = encodes(scene)?;
    let object = format!("deployment/{ENCODES}");
    scene.cluster.kubectl(&["rollout", "restart", &object, "--namespace", LIVE])?;
    scene.wait_rollout("deployment", LIVE, ENCODES)?;
    scene.wait("the old pods are gone", |cluster| {
        let label = format!("app={ENCODES}");
        let pods = cluster.get(&["pods", "--namespace", LIVE, "--selector", &label]).ok()?;
        (pods["items"].as_array()?.len() == before.len()).then_some(())
    })?;
    scene.names_all()?;
    let after = encodes(scene)?;
    ensure!(after.is_disjoint(&before) && after.len() == before.len(), "{before:?} became {after:?}");
    let shown = names(&scene.scrape()?);
    ensure!(shown.is_superset(&before), "rows are lost: {:?}", before.difference(&shown));
    Ok(format!("{} new and {} old rows", after.len(), before.len()))
}

/// Waits for another agent with this line in its configuration, and for all names.
fn replaced(scene: &mut Scene<'_>, line: &str) -> anyhow::Result<String> {
    let before = scene.agent.name.clone();
    scene.wait_rollout("daemonset", RELEASE, RELEASE)?;
    scene.find_agent()?;
    ensure!(scene.agent.name != before, "the pod {before} is not replaced");
    let running = scene.names_all()?;
    ensure!(scene.agent.restarts == 0, "the agent was restarted {} times", scene.agent.restarts);
    let config = scene.exec(&["ffwatt", "config"])?;
    ensure!(config.lines().any(|found| found == line), "the configuration has no line `{line}`");
    Ok(format!("`{line}`, {} names", running.len()))
}

pub(super) fn upgrade(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    scene.cluster.helm(&["upgrade", RELEASE, &scene.chart, "--namespace", RELEASE, "--set", VALUE])?;
    replaced(scene, CHANGED)
}

pub(super) fn ledger(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    let (name, energy) = reported(scene)?;
    Ok(format!("`{name}`, {energy:.3} J"))
}

pub(super) fn rollback(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    scene.cluster.helm(&["rollback", RELEASE, "1", "--namespace", RELEASE])?;
    let seen = replaced(scene, UNCHANGED)?;
    let (_, energy) = reported(scene)?;
    Ok(format!("{seen}, {energy:.3} J of the Job"))
}
