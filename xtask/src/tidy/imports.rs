//! Checks that modules depend in one direction: the arrows of ARCHITECTURE.md that no crate boundary enforces.

use std::path::Path;

use super::source::CodePath;

/// Module, the paths that it does not use, and the reason.
const FORBIDDEN: [(&str, &[&str], &str); 11] = [
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
    ("agent-core/src/cpu", &["crate::attribution", "crate::join", "crate::metrics"], "sources come first"),
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

/// Finds paths that a module does not use.
pub(super) fn check(file: &Path, paths: &[CodePath], findings: &mut Vec<String>) {
    for (module, forbidden, reason) in FORBIDDEN {
        if !file.with_extension("").starts_with(module) {
            continue;
        }
        for path in paths {
            let begins = |other: &&&str| {
                let mut names = path.names.iter();
                other.split("::").all(|name| names.next().is_some_and(|next| next == name))
            };
            findings.extend(
                forbidden
                    .iter()
                    .filter(begins)
                    .map(|other| format!("{}:{}: {other}: {reason}", file.display(), path.line)),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::source;
    use super::*;

    fn findings(file: &str, text: &str) -> usize {
        let file = Path::new(file);
        let mut findings = Vec::new();
        check(file, &source::paths(file, source::tokens(text).unwrap()), &mut findings);
        findings.len()
    }

    /// A rule for a module that does not exist would check nothing.
    #[test]
    fn every_module_of_a_rule_exists() {
        let root = xtask::root().unwrap();
        for (module, forbidden, _) in FORBIDDEN {
            assert!(root.join(module).with_extension("rs").exists(), "{module}");
            let here = module.split('/').next().unwrap();
            for path in forbidden {
                let (start, name) = path.split_once("::").unwrap();
                let other = if start == "crate" { here } else { "agent-core" };
                assert!(root.join(other).join("src").join(name).with_extension("rs").exists(), "{path}");
            }
        }
    }

    #[test]
    fn an_arrow_back_is_found_in_every_form_of_a_path() {
        for file in ["agent/src/source/energy/msr.rs", "agent/src/source.rs"] {
            assert_eq!(findings(file, "use crate::pipeline::Tick;"), 1, "{file}");
            assert_eq!(findings(file, "use agent_core::{model, join::{History}};"), 1, "{file}");
            assert_eq!(findings(file, "fn a() { agent_core::metrics::text() }"), 1, "{file}");
        }
        assert_eq!(findings("agent/src/source/energy.rs", "use super::super::pipeline;"), 1);
        assert_eq!(findings("agent/src/source/energy.rs", "use crate::{pipeline_parts, host};"), 0);
        assert_eq!(findings("agent/src/source_of_this.rs", "use crate::pipeline;"), 0);
        assert_eq!(
            findings("agent/src/source.rs", "//! Not crate::pipeline.\nconst A: &str = \"crate::pipeline\";"),
            0
        );
    }
}
