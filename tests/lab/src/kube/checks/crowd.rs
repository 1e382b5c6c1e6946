//! Checks of the names of many pods that come at once, and of all scrapes of the run.

use anyhow::ensure;
use tests::exposition::Exposition;

use super::super::scene::{INFO, Scene, names as names_of};
use crate::kube::workloads::{self, CROWD};

/// Number of pods.
const PODS: u32 = 50;

/// Digits of an id that the agent shows.
const SHOWN: usize = 12;

/// Lists the containers again and again while the pods come. Two ticks after a list, each of its containers must have its name.
pub(super) fn names(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    scene.namespace(CROWD)?;
    scene.cluster.create(&workloads::crowd("crowd", PODS))?;
    let prefix = format!("{CROWD}/");
    let (mut looks, mut seen) = (0, Vec::new());
    // Each look takes two ticks; the pods come within minutes.
    while seen.len() < PODS as usize && looks < 300 {
        let mut links = scene.links()?;
        links.retain(|(_, name)| name.starts_with(&prefix));
        let scrape = scene.after_ticks(2.0)?;
        for (id, name) in &links {
            let shown = shown(&scrape, id);
            ensure!(shown.as_ref() == Some(name), "{name} is shown as {shown:?}");
        }
        looks += usize::from(!links.is_empty() || seen.is_empty());
        seen = links;
    }
    scene.wait_rollout("deployment", CROWD, "crowd")?;
    let running = scene.names_all()?;
    let shown = names_of(&scene.scrape()?);
    let crowd = shown.iter().filter(|name| name.starts_with(&prefix) && !name.ends_with("/POD")).count();
    ensure!(crowd == PODS as usize, "{crowd} rows of {PODS} pods");
    Ok(format!("{crowd} of {PODS} pods in {looks} looks; {} containers run", running.len()))
}

/// Name of the row of a container.
fn shown(scrape: &Exposition, id: &str) -> Option<String> {
    let labels = [("id", id.get(..SHOWN)?)];
    scrape.find(INFO, &labels).next().map(|row| row.label("workload").to_owned())
}

/// A scrape that is not exact is an error in its own check; this one counts the others.
pub(super) fn scrapes(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    ensure!(scene.scrapes > 0, "no scrape was exact");
    ensure!(scene.faults == 0, "{} of {} scrapes failed", scene.faults, scene.scrapes + scene.faults);
    Ok(format!("{} scrapes", scene.scrapes))
}
