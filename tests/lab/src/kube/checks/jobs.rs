//! Checks of encodes: of a Deployment, of a Job that is deleted, and of a `CronJob`.

use std::path::PathBuf;

use anyhow::{Context, ensure};
use serde_json::Value;
use tests::cgroup::{cpu_stat, root};
use tests::exposition::Exposition;

use super::super::scene::{CPU, ENERGY, Scene, text};
use crate::kube::workloads::{self, BATCH, CONTAINER, LIVE};

/// Name of the deployment of encodes.
pub(super) const ENCODES: &str = "ladder";

/// Name of the job.
const JOB: &str = "vod";

/// Number of encodes of the deployment.
const REPLICAS: u32 = 2;

/// Difference that the start of a container and the kernel's own reading may make, in seconds and as a share.
const CPU_SECONDS: f64 = 0.05;
const CPU_SHARE: f64 = 0.02;

pub(super) fn joules(scrape: &Exposition, workload: &str) -> f64 {
    scrape.sum(ENERGY, &[("workload", workload)]).unwrap_or_default()
}

/// The cgroup of a container in the v2 hierarchy.
fn cgroup(uid: &str, id: &str) -> anyhow::Result<PathBuf> {
    let pods = root()?.join("kubepods");
    let classes = ["burstable", "besteffort", "."].map(|class| pods.join(class));
    let mut folders = classes.into_iter().map(|class| class.join(format!("pod{uid}")).join(id));
    folders.find(|folder| folder.is_dir()).with_context(|| format!("container {id} has no cgroup"))
}

/// Compares each encode with the kernel: the agent's figure is of a tick between two readings of `cpu.stat`.
pub(super) fn deployment(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    scene.cluster.create(&workloads::encodes(ENCODES, REPLICAS))?;
    scene.wait_rollout("deployment", LIVE, ENCODES)?;
    let label = format!("app={ENCODES}");
    let pods = scene.cluster.get(&["pods", "--namespace", LIVE, "--selector", &label])?;
    let pods = pods["items"].as_array().context("a list of pods has items")?;
    ensure!(pods.len() == 2, "{} pods", pods.len());
    // Enough CPU time for a comparison.
    scene.after_ticks(5.0)?;
    let mut seen = Vec::new();
    for pod in pods {
        let name = format!("{LIVE}/{}/{CONTAINER}", text(&pod["metadata"]["name"]));
        let id = text(&pod["status"]["containerStatuses"][0]["containerID"]);
        let cgroup = cgroup(text(&pod["metadata"]["uid"]), id.trim_start_matches("containerd://"))?;
        let before = cpu_stat(&cgroup)?.as_secs_f64();
        let scrape = scene.after_ticks(2.0)?;
        let after = cpu_stat(&cgroup)?.as_secs_f64();
        let ours = scrape.sum(CPU, &[("workload", &name)]).with_context(|| format!("no row {name}"))?;
        let is_between = ours >= before * (1.0 - CPU_SHARE) - CPU_SECONDS
            && ours <= after * (1.0 + CPU_SHARE) + CPU_SECONDS;
        ensure!(is_between, "{name}: {ours:.3} s, kernel {before:.3} to {after:.3} s");
        let energy = joules(&scrape, &name);
        ensure!(energy > 0.0, "{name} has no joules");
        seen.push(format!("{energy:.2} J, {ours:.2} s (kernel: {before:.2} to {after:.2} s)"));
    }
    Ok(seen.join("; "))
}

/// Runs a job, deletes it with its pod, and finds its energy in the report.
pub(super) fn job(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    scene.namespace(BATCH)?;
    scene.cluster.create(&workloads::job(JOB, "3"))?;
    let pod = scene.pod(BATCH, JOB, "Succeeded")?;
    scene.cluster.kubectl(&["delete", "job", JOB, "--namespace", BATCH, "--cascade=foreground", "--wait"])?;
    let rest = scene.cluster.get(&["pods", "--namespace", BATCH])?;
    ensure!(rest["items"].as_array().is_some_and(Vec::is_empty), "its pod is not deleted");
    // The job's last charge, and its row of the ledger.
    scene.after_ticks(3.0)?;
    let (name, energy) = reported(scene)?;
    ensure!(name == format!("{BATCH}/{pod}/{CONTAINER}"), "the report has {name}, the pod was {pod}");
    Ok(format!("`{name}`, {energy:.3} J"))
}

/// Name and joules of the job in the report.
pub(super) fn reported(scene: &Scene<'_>) -> anyhow::Result<(String, f64)> {
    let report = scene.exec(&["ffwatt", "report", "--by=workload", "--json"])?;
    let groups: Value = serde_json::from_str(&report).context("the report is no JSON")?;
    let prefix = format!("{BATCH}/{JOB}-");
    let mut groups = groups.as_array().context("the report is a list")?.iter();
    let group = groups.find(|group| text(&group["name"]).starts_with(&prefix));
    let group = group.with_context(|| format!("the report has no {prefix}…: {report}"))?;
    let energy = group["energy_joules"].as_f64().context("the job has no joules")?;
    ensure!(energy > 0.0, "the job has {energy} J");
    Ok((text(&group["name"]).to_owned(), energy))
}

/// Compares the counters that do not end with the report.
pub(super) fn classes(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    let (_, energy) = reported(scene)?;
    let scrape = scene.scrape()?;
    let of_job = [("namespace", BATCH), ("codec", "libx264")];
    let counter = |name: &str| scrape.sum(name, &of_job).with_context(|| format!("no {name} of the job"));
    let jobs = counter("ffwatt_class_jobs_total")?;
    let charged = counter("ffwatt_class_energy_joules_total")?;
    ensure!(jobs as u32 == 1, "{jobs} jobs");
    ensure!((charged / energy - 1.0).abs() < 1e-3, "{charged} J, and {energy} J in the report");
    let cpu = counter("ffwatt_class_cpu_seconds_total")?;
    Ok(format!("1 job, {charged:.3} J, {cpu:.3} s of CPU time"))
}

/// Waits for the next minute, and for the end of the run that begins then.
pub(super) fn cron_job(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    scene.cluster.create(&workloads::cron_job("nightly", "3"))?;
    let pod = scene.pod(BATCH, "nightly-", "Succeeded")?;
    let name = format!("{BATCH}/{pod}/{CONTAINER}");
    let exit = scene.until("the transcode has ended", |scrape| {
        scrape.sum("ffwatt_transcode_exit_code", &[("workload", &name)])
    })?;
    ensure!(exit == 0.0, "its exit code is {exit}");
    let energy = joules(&scene.after_ticks(2.0)?, &name);
    ensure!(energy > 0.0, "{name} has no joules");
    scene.cluster.kubectl(&["delete", "cronjob", "nightly", "--namespace", BATCH, "--wait"])?;
    Ok(format!("`{name}`, {energy:.3} J, exit code 0"))
}
