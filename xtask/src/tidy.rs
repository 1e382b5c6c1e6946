//! Checks house rules that no compiler checks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};
use xtask::process::output;
use xtask::root;

/// Files longer than this are refused.
const TOO_LONG: usize = 600;

/// Checks every file that git knows.
pub(crate) fn run() -> anyhow::Result<()> {
    let root = root()?;
    let files = output(Command::new("git").current_dir(&root).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut findings = Vec::new();
    for file in files.lines().map(Path::new) {
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        check_text(file, &text, &mut findings);
        if file.extension().is_some_and(|extension| extension == "rs") {
            check_rust(file, &text, &mut findings);
        }
    }
    check_dependencies(&root, &mut findings)?;
    if !findings.is_empty() {
        bail!("{} findings:\n{}", findings.len(), findings.join("\n"));
    }
    Ok(())
}

fn check_text(file: &Path, text: &str, findings: &mut Vec<String>) {
    let is_golden = file.extension().is_some_and(|extension| extension == "prom");
    for (number, line) in text.lines().enumerate() {
        if line.ends_with([' ', '\t']) && !is_golden {
            findings.push(format!("{}:{}: white space at the end of the line", file.display(), number + 1));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        findings.push(format!("{}: no line break at the end", file.display()));
    }
}

/// Forbidden imports: the arrows of ARCHITECTURE.md that no crate boundary enforces.
const FORBIDDEN: [(&str, &[&str], &str); 10] = [
    (
        "agent-core/src/model",
        &[
            "crate::energy",
            "crate::identity",
            "crate::ffmpeg",
            "crate::attribution",
            "crate::join",
            "crate::metrics",
        ],
        "nouns know no stage",
    ),
    ("agent-core/src/energy", &["crate::attribution", "crate::join", "crate::metrics"], "sources come first"),
    (
        "agent-core/src/identity",
        &["crate::attribution", "crate::join", "crate::metrics"],
        "sources come first",
    ),
    ("agent-core/src/ffmpeg", &["crate::attribution", "crate::join", "crate::metrics"], "sources come first"),
    (
        "agent-core/src/attribution",
        &["crate::energy", "crate::identity", "crate::ffmpeg", "crate::join", "crate::metrics"],
        "attribution knows nouns only",
    ),
    (
        "agent-core/src/join",
        &["crate::energy", "crate::identity", "crate::ffmpeg", "crate::attribution", "crate::metrics"],
        "the join knows nouns only",
    ),
    (
        "agent-core/src/metrics",
        &["crate::energy", "crate::attribution"],
        "metrics format what is handed to them",
    ),
    (
        "agent/src/source",
        &[
            "agent_core::attribution",
            "agent_core::join",
            "agent_core::metrics",
            "crate::pipeline",
            "crate::server",
        ],
        "sources come first",
    ),
    (
        "agent/src/server",
        &["crate::source", "agent_core::attribution", "crate::pipeline"],
        "a listener sees snapshots only",
    ),
    (
        "agent/src/pipeline",
        &["crate::server", "agent_core::metrics"],
        "the pipeline publishes, it does not serve",
    ),
];

fn check_rust(file: &Path, text: &str, findings: &mut Vec<String>) {
    let shown = file.display().to_string();
    if !text.starts_with("//!") {
        findings.push(format!("{shown}: does not begin with //! and what the file answers"));
    }
    let lines = text.lines().count();
    if lines > TOO_LONG {
        findings.push(format!("{shown}: {lines} lines; split it along an idea"));
    }
    for (folder, words, why) in FORBIDDEN {
        if shown.starts_with(&format!("{folder}/")) || shown == format!("{folder}.rs") {
            for (number, line) in
                text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"))
            {
                for word in words.iter().filter(|word| line.contains(**word)) {
                    findings.push(format!("{shown}:{}: {word}: {why}", number + 1));
                }
            }
        }
    }
    check_roots(&shown, text, findings);
    check_unsafe(&shown, text, findings);
}

/// `unsafe` is only for code in the kernel and the types that it shares; each block there says why it is sound (a clippy lint).
fn check_unsafe(shown: &str, text: &str, findings: &mut Vec<String>) {
    if shown.starts_with("agent-ebpf/") || shown.starts_with("agent-common/") {
        return;
    }
    // Split, so that this file passes the check.
    let word = ["un", "safe"].concat();
    let is_use = |line: &str| {
        let code = line.split("//").next().unwrap_or_default();
        ["{", "fn", "impl", "extern", "trait"].iter().any(|next| code.contains(&format!("{word} {next}")))
            || code.contains(&format!("#[{word}("))
    };
    for (number, line) in text.lines().enumerate().filter(|(_, line)| is_use(line)) {
        findings.push(format!(
            "{shown}:{}: {word} outside of the kernel's side: {}",
            number + 1,
            line.trim()
        ));
    }
}

/// Only `host.rs` names the host's folders; all other code gets them from there. Tests and other crates may name them.
fn check_roots(shown: &str, text: &str, findings: &mut Vec<String>) {
    if !shown.starts_with("agent/src/") || shown == "agent/src/host.rs" || shown.contains("/tests") {
        return;
    }
    let code = text.split("#[cfg(test)]").next().unwrap_or(text);
    for (number, line) in code.lines().enumerate() {
        let is_comment = line.trim_start().starts_with("//");
        if !is_comment && ["\"/proc", "\"/sys", "\"/dev"].iter().any(|path| line.contains(path)) {
            findings.push(format!("{shown}:{}: only host.rs names the host's folders", number + 1));
        }
    }
}

/// Every dependency of a member comes from the workspace's list, which has its reason.
fn check_dependencies(root: &Path, findings: &mut Vec<String>) -> anyhow::Result<()> {
    for member in ["agent", "agent-common", "agent-core", "agent-ebpf", "tests", "tests/lab", "xtask"] {
        let path: PathBuf = [member, "Cargo.toml"].iter().collect();
        let text = fs::read_to_string(root.join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        let mut in_dependencies = false;
        for (number, line) in text.lines().enumerate() {
            if line.starts_with('[') {
                in_dependencies = line.contains("dependencies");
            } else if in_dependencies
                && line.contains('=')
                && !line.starts_with('#')
                && !line.contains("workspace = true")
            {
                findings.push(format!(
                    "{}:{}: not from the workspace's list: {line}",
                    path.display(),
                    number + 1
                ));
            }
        }
    }
    Ok(())
}
