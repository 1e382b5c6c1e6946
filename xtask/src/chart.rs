//! `cargo xtask chart`: writes the generated files of the Helm chart, and the plain manifests that the chart renders.
//!
//! A chart cannot read files outside of its folder. So it has copies of the rules, the alerts and the dashboards, and its schema lists the
//! keys of the configuration. The tests compare the copies with their origins.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use serde_json::Value;
use xtask::process::{output, say};
use xtask::{helm, root};

use crate::dashboards;

const CHART: &str = "packaging/helm/ffwatt";

/// Files of Prometheus that the chart copies.
const RULES: [&str; 2] = ["rules.yml", "alerts.yml"];

/// Keys of the configuration that the chart sets itself, or prefixes of such keys.
const OWN_KEYS: [&str; 5] = ["state_dir", "results_dir", "listen.", "path.", "web."];

/// Plain manifests: name of the file, and the arguments of `helm template`.
const MANIFESTS: [(&str, &str); 2] = [
    ("ffwatt.yaml", "--set namespace.create=true"),
    (
        "prometheus-operator.yaml",
        "--set podMonitor.enabled=true --set prometheusRule.enabled=true \
         --show-only templates/podmonitor.yaml --show-only templates/prometheusrule.yaml",
    ),
];

/// Writes the files.
pub(crate) fn write() -> anyhow::Result<()> {
    write_copies()?;
    let root = root()?;
    let helm = helm::helm(&root)?;
    for (name, arguments) in MANIFESTS {
        let command = format!("helm template ffwatt {CHART} --namespace ffwatt {arguments}");
        let rendered =
            output(Command::new(&helm).current_dir(&root).args(command.split_whitespace().skip(1)))?;
        // One option in each line, and the text of the command again after `# ` of each line.
        let command = command.replace(" --", "\n#   --");
        let head = format!("# `cargo xtask chart` writes this file:\n# {command}\n");
        put(&root.join("packaging/kubernetes").join(name), &(head + &without_ends(&rendered)))?;
    }
    Ok(())
}

/// Writes the files of the chart that come from other folders.
pub(crate) fn write_copies() -> anyhow::Result<()> {
    let root = root()?;
    for path in copied_dashboards(&root)? {
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    for (path, text) in generated(&root)? {
        put(&path, &text)?;
    }
    Ok(())
}

fn put(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    say(&format!("{}", path.display()));
    Ok(())
}

/// A text without blank lines, and without white space at the ends of lines.
fn without_ends(text: &str) -> String {
    let lines = text.lines().map(str::trim_end).filter(|line| !line.is_empty());
    lines.flat_map(|line| [line, "\n"]).collect()
}

/// The generated files of the chart with their content.
fn generated(root: &Path) -> anyhow::Result<Vec<(PathBuf, String)>> {
    let chart = root.join(CHART);
    let read =
        |path: &Path| fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()));
    let mut files = Vec::new();
    for name in RULES {
        let origin = format!("packaging/prometheus/{name}");
        let head = format!("# `cargo xtask chart` copies this file from {origin}.\n");
        files.push((chart.join("files").join(name), head + &read(&root.join(origin))?));
    }
    for (name, text) in dashboards::compact() {
        files.push((chart.join("files/dashboards").join(name), text));
    }
    let schema = chart.join("values.schema.json");
    let keys = keys(&read(&root.join("docs/CONFIGURATION.md"))?);
    ensure!(!keys.is_empty(), "docs/CONFIGURATION.md lists no key");
    files.push((schema.clone(), with_keys(&read(&schema)?, keys)?));
    let about = chart.join("Chart.yaml");
    files.push((about.clone(), with_version(&read(&about)?)));
    Ok(files)
}

/// Dashboards that are in the chart now.
fn copied_dashboards(root: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let folder = root.join(CHART).join("files/dashboards");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    Ok(entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?)
}

/// The keys of the documented table that users of the chart may set.
fn keys(page: &str) -> Vec<Value> {
    let keys = page.lines().filter_map(|line| Some(line.strip_prefix("| `")?.split_once('`')?.0));
    keys.filter(|key| !OWN_KEYS.iter().any(|own| key.starts_with(own))).map(Value::from).collect()
}

fn with_keys(schema: &str, keys: Vec<Value>) -> anyhow::Result<String> {
    let mut schema: Value = serde_json::from_str(schema).context("values.schema.json")?;
    let names = schema.pointer_mut("/properties/config/propertyNames/enum");
    *names.context("values.schema.json has no list of the keys of `config`")? = Value::Array(keys);
    Ok(serde_json::to_string_pretty(&schema)? + "\n")
}

/// Chart.yaml with the version of the workspace.
fn with_version(text: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    let line = |line: &str| match line.split_once(": ") {
        Some((name @ ("version" | "appVersion"), _)) => format!("{name}: {version}\n"),
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn the_chart_has_current_copies() {
        let root = root().unwrap();
        let files = generated(&root).unwrap();
        for (path, text) in &files {
            let found = fs::read_to_string(path).unwrap_or_default();
            assert!(found == *text, "{}: run `cargo xtask chart`", path.display());
        }
        let known: HashSet<&PathBuf> = files.iter().map(|(path, _)| path).collect();
        for path in copied_dashboards(&root).unwrap() {
            assert!(known.contains(&path), "{} is no copy: run `cargo xtask chart`", path.display());
        }
    }

    #[test]
    fn users_set_no_key_that_the_chart_sets() {
        let page = "| `interval` | a |\n| `listen.port` | b |\n| key |\n| `price.per_kwh` | c |\n";
        assert_eq!(keys(page), ["interval", "price.per_kwh"]);
    }

    #[test]
    fn a_version_is_replaced_in_its_lines_only() {
        let text = "apiVersion: v2\nversion: 9.9.9\nappVersion: 9.9.9\n";
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            with_version(text),
            format!("apiVersion: v2\nversion: {version}\nappVersion: {version}\n")
        );
    }
}
