//! Validates a scrape with promtool and with the strict `OpenMetrics` parser of Prometheus' Python client, and reads Parquet with Arrow.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use serde_json::Value;

use crate::command::find;

/// Known findings of promtool that are accepted: names that dashboards of other projects use.
const MEANT: [(&str, &str); 5] = [
    ("cost_total", "non-counter metrics should not have \"_total\" suffix"),
    ("results_scenarios_total", "non-counter metrics should not have \"_total\" suffix"),
    ("docker_containers_total", "non-counter metrics should not have \"_total\" suffix"),
    ("docker_engine_memory_kb", "metric names should not contain abbreviated units"),
    ("rapl_energy_joules_total", "use base unit"),
];

/// Validates text 0.0.4 with promtool.
pub fn promtool(text: &str) -> anyhow::Result<()> {
    let program = find("promtool").context("there is no promtool here (package prometheus)")?;
    let (output, error) = feed(Command::new(program).args(["check", "metrics"]), text)?;
    let is_meant =
        |line: &&str| MEANT.iter().any(|(name, finding)| line.starts_with(name) && line.ends_with(finding));
    let findings: Vec<&str> = output
        .lines()
        .chain(error.lines())
        .filter(|line| !line.is_empty())
        .filter(|line| !is_meant(line))
        .collect();
    if !findings.is_empty() {
        bail!("promtool: {}", findings.join("; "));
    }
    Ok(())
}

/// Validates `OpenMetrics` text with the strict parser.
pub fn openmetrics(text: &str) -> anyhow::Result<()> {
    let python = python("prometheus_client")?;
    let script = "import sys\n\
        from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse\n\
        families = list(parse(sys.stdin.read()))\n\
        assert families, 'no families'\n";
    let (_, error) = feed(Command::new(python).args(["-c", script]), text)?;
    if !error.is_empty() {
        bail!("not strict OpenMetrics: {error}");
    }
    Ok(())
}

/// The rows of a Parquet file, as Apache Arrow reads them.
pub fn parquet(file: &Path) -> anyhow::Result<Value> {
    let script = "import json, sys, pyarrow.parquet as parquet\n\
        print(json.dumps(parquet.read_table(sys.stdin.read()).to_pylist()))\n";
    let mut command = Command::new(python("pyarrow")?);
    let (rows, error) = feed(command.args(["-c", script]), &file.display().to_string())?;
    serde_json::from_str(&rows).with_context(|| format!("Arrow does not read {}: {error}", file.display()))
}

fn python(package: &str) -> anyhow::Result<PathBuf> {
    std::env::var_os("FFWATT_PYTHON").map(PathBuf::from).with_context(|| {
        format!(
            "FFWATT_PYTHON does not name a Python with the package {package}; `cargo xtask test` makes one"
        )
    })
}

fn feed(command: &mut Command, text: &str) -> anyhow::Result<(String, String)> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().context("cannot start a referee")?;
    child.stdin.take().context("a referee reads from a pipe")?.write_all(text.as_bytes())?;
    let output = child.wait_with_output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((text(&output.stdout), text(&output.stderr)))
}
