//! A real Prometheus with the shipped configuration.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;

use crate::command::{Owned, eventually};
use crate::namespace::Namespace;

const ADDRESS: &str = "http://localhost:9090";

/// A Prometheus in a namespace.
#[derive(Debug)]
pub struct Prometheus<'a> {
    namespace: &'a Namespace,
    _child: Owned,
    _folder: tempfile::TempDir,
}

impl<'a> Prometheus<'a> {
    /// Starts one with the files of a folder: `prometheus.yml` and the files that it names.
    pub fn start(namespace: &'a Namespace, files: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let log = fs::File::create(folder.path().join("log")).context("cannot make a log")?;
        let mut command = namespace.command("prometheus");
        command
            .arg(format!("--config.file={}", files.join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg("--web.listen-address=127.0.0.1:9090")
            .stdout(Stdio::null())
            .stderr(log);
        let child = Owned(command.spawn().context("cannot start prometheus")?);
        let ready = eventually("prometheus answers", Duration::from_secs(30), || {
            let mut ask = namespace.command("curl");
            let is_up =
                ask.args(["--silent", "--fail", "--output", "/dev/null"]).arg(format!("{ADDRESS}/-/ready"));
            is_up.status().ok().filter(std::process::ExitStatus::success)
        });
        ready.with_context(|| fs::read_to_string(folder.path().join("log")).unwrap_or_default())?;
        Ok(Self { namespace, _child: child, _folder: folder })
    }

    /// The result of an expression now: its series, each with its labels and value.
    pub fn query(&self, expression: &str) -> anyhow::Result<Vec<Value>> {
        let text = self.namespace.post(&format!("{ADDRESS}/api/v1/query"), &[("query", expression)])?;
        let answer: Value = serde_json::from_str(&text).with_context(|| format!("{expression}: {text}"))?;
        if answer["status"] != "success" {
            bail!("{expression}: {}", answer["error"].as_str().unwrap_or(&text));
        }
        match &answer["data"]["result"] {
            // A scalar is a time and a value.
            Value::Array(list) if answer["data"]["resultType"] == "scalar" => {
                Ok(vec![Value::Array(list.clone())])
            }
            Value::Array(list) => Ok(list.clone()),
            other => bail!("{expression}: {other}"),
        }
    }

    /// The results of an expression over this time: 480 at most, and one in five seconds.
    pub fn range(&self, expression: &str, end: f64, length: Duration) -> anyhow::Result<Vec<Value>> {
        let (start, end) = ((end - length.as_secs_f64()).to_string(), end.to_string());
        let step = (length.as_secs() / 480).max(5).to_string();
        let fields = [("query", expression), ("start", &start), ("end", &end), ("step", &step)];
        let text = self.namespace.post(&format!("{ADDRESS}/api/v1/query_range"), &fields)?;
        let answer: Value = serde_json::from_str(&text).with_context(|| format!("{expression}: {text}"))?;
        Ok(answer["data"]["result"].as_array().cloned().unwrap_or_default())
    }

    /// The value of the only series.
    pub fn value(&self, expression: &str) -> anyhow::Result<f64> {
        let series = self.query(expression)?;
        let [one] = &series[..] else { bail!("{expression}: {} series", series.len()) };
        one["value"][1].as_str().context("a value is text")?.parse().context("a value is a number")
    }
}
