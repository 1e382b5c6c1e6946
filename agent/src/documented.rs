//! Compares the reference documentation with the code. `cargo xtask docs` writes it anew.

mod ffmpeg;

use std::fmt::Write;
use std::path::Path;

use agent_core::metrics::catalog::{Listener, Metric};
use agent_core::metrics::family::metrics;
use expect_test::expect_file;

use crate::config::keys::KEYS;
use crate::config::{Config, print};

const GENERATED: &str =
    "<!-- Written by `cargo xtask docs` from the code; a test fails when it is stale. -->\n";

fn assert_documented(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(file);
    expect_file![path].assert_eq(text);
}

#[test]
fn documented_metrics() {
    let mut text = format!("# Metrics\n\n{GENERATED}");
    text.push_str(
        "\nEvery listener serves the text format 0.0.4 and, when asked for, OpenMetrics, both compressed when asked for. \
         No name is served on two ports. What is not known is absent, never 0. An empty label is not written.\n",
    );
    for listener in Listener::ALL {
        let _ = writeln!(text, "\n## Port {} ({})\n", listener.default_port(), listener.name());
        text.push_str("| metric | kind | unit | labels | meaning |\n|---|---|---|---|---|\n");
        for metric in metrics().filter(|metric| metric.listener == listener) {
            text.push_str(&row(metric));
        }
    }
    assert_documented("METRICS.md", &text);
}

fn row(metric: &Metric) -> String {
    let labels: Vec<String> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    format!(
        "| `{}` | {} | {} | {} | {} |\n",
        metric.name,
        metric.kind.name(),
        metric.unit.unwrap_or_default(),
        labels.join(", "),
        metric.help.replace('|', "\\|"),
    )
}

#[test]
fn documented_configuration() {
    let mut text = format!("# Configuration\n\n{GENERATED}");
    text.push_str(
        "\nA flag takes precedence over the environment, the environment over the file, and the file over the default. The file is the \
         one that `--config` or `FFWATT_CONFIG` names, else `/etc/ffwatt/ffwatt.toml` if it exists. `ffwatt config` prints the values in use.\n\n\
         An unknown key in the file is an error that names the key. An unknown variable that begins with `FFWATT_` is a warning. The last \
         column has variables of the exporters that ffwatt replaces; ffwatt's own variable takes precedence.\n\n\
         | key | environment | flag | default | allowed values | also read |\n|---|---|---|---|---|---|\n",
    );
    for key in KEYS {
        let upstream: Vec<String> = key.upstream.iter().map(|name| format!("`{name}`")).collect();
        let _ = writeln!(
            text,
            "| `{}` | `{}` | `--{}` | {} | {} | {} |",
            key.path,
            key.variable(),
            key.flag(),
            key.default(),
            key.allowed.to_string().trim_matches(['[', ']']),
            upstream.join(", ")
        );
    }
    let _ = write!(text, "\n## The file, with its defaults\n\n```toml\n{}```\n", print(&Config::default()));
    assert_documented("CONFIGURATION.md", &text);
}

#[test]
fn documented_ffmpeg() {
    assert_documented("FFMPEG.md", &format!("# ffmpeg and other encoders\n\n{GENERATED}{}", ffmpeg::text()));
}
