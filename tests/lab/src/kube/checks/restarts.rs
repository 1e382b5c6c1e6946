//! Checks of restarts of the kubelet and of containerd, as at an upgrade of a node.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};

use super::super::scene::{CPU, Scene};
use crate::kube::daemons::{CONTAINERD, Daemon, KUBELET};
use crate::kube::workloads::{self, CONTAINER, LIVE};

pub(super) fn kubelet(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    restart(scene, KUBELET)
}

pub(super) fn containerd(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    restart(scene, CONTAINERD)
}

/// CPU seconds of all containers that run, by their names.
fn figures(scene: &mut Scene<'_>) -> anyhow::Result<BTreeMap<String, f64>> {
    let running = scene.names_all()?;
    let scrape = scene.scrape()?;
    let figure = |name: String| {
        let seconds = scrape.sum(CPU, &[("workload", &name)]).with_context(|| format!("no row {name}"))?;
        Ok((name, seconds))
    };
    running.into_iter().map(figure).collect()
}

/// Restarts a daemon, waits until it can start a pod again, and compares the rows.
fn restart(scene: &mut Scene<'_>, daemon: Daemon) -> anyhow::Result<String> {
    let before = figures(scene)?;
    scene.cluster.restart(daemon)?;
    scene.cluster.wait_node()?;
    let pod = format!("after-{}", daemon.name);
    scene.cluster.create(&workloads::waiting_pod(LIVE, &pod))?;
    scene.pod(LIVE, &pod, "Running")?;
    let after = figures(scene)?;
    ensure!(after.contains_key(&format!("{LIVE}/{pod}/{CONTAINER}")), "the new pod has no row");
    for (name, seconds) in &before {
        let now = after.get(name).with_context(|| format!("{name} has no row any more"))?;
        ensure!(now >= seconds, "{name} had {seconds} s and has {now} s");
    }
    let agent = scene.agent.clone();
    scene.find_agent()?;
    ensure!(scene.agent.container == agent.container, "the agent was started again");
    Ok(format!("{} of {} rows, and the new pod", before.len(), before.len()))
}
