//! Check of the cost of names in system calls.

use std::fs;

use anyhow::{Context, ensure};
use tests::agent::Trace;

use super::super::scene::Scene;
use crate::kube::workloads::{self, LIVE};

/// Folders of the kubelet.
const FOLDERS: [&str; 2] = ["/var/log/pods", "/var/log/containers"];

/// Traces the agent while it learns the name of a new pod.
pub(super) fn names(scene: &mut Scene<'_>) -> anyhow::Result<String> {
    let calls = scene.cluster.logs().join("calls.txt");
    let process = scene.process(&scene.agent.container)?;
    let trace = Trace::start(process, &["-y", "-e", "trace=connect,%file,%desc"], &calls)?;
    scene.cluster.create(&workloads::waiting_pod(LIVE, "traced"))?;
    scene.pod(LIVE, "traced", "Running")?;
    scene.names_all()?;
    trace.end()?;
    let calls = fs::read_to_string(&calls).context("strace has written nothing")?;
    let connection = calls.lines().find(|line| line.contains("connect("));
    ensure!(connection.is_none(), "a connection: {}", connection.unwrap_or_default());
    let ours: Vec<&str> =
        calls.lines().filter(|line| FOLDERS.iter().any(|folder| line.contains(folder))).collect();
    let count = |call: &str| ours.iter().filter(|line| line.contains(call)).count();
    let links = count("readlink");
    ensure!(links > 0, "the agent has read no link in {} calls", calls.lines().count());
    let is_open = |line: &&&str| ["open(", "openat(", "openat2("].iter().any(|call| line.contains(call));
    let opened = ours.iter().filter(is_open).find(|line| !line.contains("O_DIRECTORY"));
    ensure!(opened.is_none(), "a file: {}", opened.unwrap_or(&""));
    let read =
        ours.iter().find(|line| ["read(", "pread64(", "readv("].iter().any(|call| line.contains(call)));
    ensure!(read.is_none(), "a file is read: {}", read.unwrap_or(&""));
    Ok(format!("{} folders listed, {links} links read, no connection", count("getdents64(") / 2))
}
