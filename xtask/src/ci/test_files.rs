//! Finds the black-box test files, and how each must run, by its head. A file that CI would not run is an error.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;
use xtask::process::output;

/// Prefix of the line of a test file's head that says how the file runs.
const HEAD: &str = "//! Run: ";

/// How a test file must run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RunMode {
    /// At the same time as others.
    Parallel,
    /// Without other tests at the same time: it measures the host, or starts an engine on it.
    Serial,
    /// In a virtual machine, because it changes the host: `cargo xtask vm` makes one for it.
    VirtualMachine,
}

/// Words of the head, and their meaning.
const WORDS: [(&str, RunMode); 3] = [
    ("together", RunMode::Parallel),
    ("alone", RunMode::Serial),
    ("in a virtual machine", RunMode::VirtualMachine),
];

/// The test files that CI runs, by name, ascending.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TestFiles {
    /// Those that run at once.
    pub(super) together: Vec<String>,
    /// Those that run one after the other.
    pub(super) alone: Vec<String>,
}

/// Reads the heads of all test files: those that cargo knows.
pub(super) fn find(root: &Path) -> anyhow::Result<TestFiles> {
    let mut metadata = Command::new(env!("CARGO"));
    metadata.current_dir(root).args(["metadata", "--format-version=1", "--no-deps", "--offline"]);
    let metadata: Value = serde_json::from_str(&output(&mut metadata)?).context("cargo metadata")?;
    let packages = metadata["packages"].as_array().context("cargo metadata lists no packages")?;
    let package = packages.iter().find(|package| package["name"] == "tests").context("no package tests")?;
    let targets = package["targets"].as_array().context("the package tests has no targets")?;
    let mut heads = Vec::new();
    for target in targets.iter().filter(|target| target["kind"][0] == "test") {
        let name = target["name"].as_str().context("a target has no name")?;
        let path = target["src_path"].as_str().context("a target has no path")?;
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        heads.push((name.to_owned(), text));
    }
    heads.sort_unstable();
    sort(&heads)
}

fn sort(heads: &[(String, String)]) -> anyhow::Result<TestFiles> {
    let mut found = TestFiles::default();
    for (name, text) in heads {
        match mode(text) {
            Some(RunMode::Parallel) => found.together.push(name.clone()),
            Some(RunMode::Serial) => found.alone.push(name.clone()),
            Some(RunMode::VirtualMachine) => {}
            None => {
                let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
                bail!(
                    "the test {name} does not say how it runs; add to its head `{HEAD}` with one of: {}",
                    words.join(", ")
                );
            }
        }
    }
    Ok(found)
}

fn mode(text: &str) -> Option<RunMode> {
    let mut head = text.lines().take_while(|line| line.starts_with("//!"));
    let said = head.find_map(|line| line.strip_prefix(HEAD))?;
    let is = |word: &str| said.strip_prefix(word).is_some_and(|rest| rest.starts_with(['.', ' ']));
    WORDS.iter().find(|(word, _)| is(word)).map(|(_, mode)| *mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads(texts: &[(&str, &str)]) -> Vec<(String, String)> {
        texts.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn each_file_runs_as_its_head_says() {
        let found = sort(&heads(&[
            ("a", "//! A.\n//!\n//! Run: together.\nfn main() {}"),
            ("b", "//! B.\n//! Run: alone (it measures the host).\n"),
            ("c", "//! Run: in a virtual machine.\n"),
        ]));
        let expected = TestFiles { together: vec!["a".to_owned()], alone: vec!["b".to_owned()] };
        assert_eq!(found.unwrap(), expected);
    }

    #[test]
    fn a_file_that_no_list_would_name_is_an_error() {
        for text in ["//! A test.\n", "//! Run: alone-ish.\n", "//! A.\nfn f() {}\n//! Run: alone.\n"] {
            let error = sort(&heads(&[("odd", text)])).unwrap_err().to_string();
            assert!(error.contains("odd"), "{error}");
        }
    }

    #[test]
    fn every_file_of_this_repository_is_found() {
        let root = xtask::root().unwrap();
        let found = find(&root).unwrap();
        assert!(found.together.len() + found.alone.len() > 25, "{found:?}");
        // One in a folder of its own, too.
        assert!(found.together.contains(&"faults".to_owned()), "{found:?}");
    }
}
