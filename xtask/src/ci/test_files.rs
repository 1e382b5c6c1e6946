//! Finds the black-box test files, and how each must run, by its head. A file that CI would not run is an error.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

/// Prefix of the line of a test file's head that says how the file runs.
const HEAD: &str = "//! Run: ";

/// How a test file must run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    /// At the same time as others.
    Together,
    /// Alone: it measures the host, or starts an engine on it.
    Alone,
    /// In a virtual machine, because it changes the host: `cargo xtask vm` makes one for it.
    VirtualMachine,
}

/// Words of the head, and their meaning.
const WORDS: [(&str, Company); 3] = [
    ("together", Company::Together),
    ("alone", Company::Alone),
    ("in a virtual machine", Company::VirtualMachine),
];

/// The test files that CI runs, by name, ascending.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct TestFiles {
    /// Those that run at once.
    pub(super) together: Vec<String>,
    /// Those that run one after the other.
    pub(super) alone: Vec<String>,
}

/// Reads the heads of all test files.
pub(super) fn find(root: &Path) -> anyhow::Result<TestFiles> {
    let folder = root.join("tests/tests");
    let mut heads = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        let is_rust = path.extension().is_some_and(|extension| extension == "rs");
        let name = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| is_rust);
        if let Some(name) = name {
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            heads.push((name.to_owned(), text));
        }
    }
    heads.sort_unstable();
    sort(&heads)
}

fn sort(heads: &[(String, String)]) -> anyhow::Result<TestFiles> {
    let mut found = TestFiles::default();
    for (name, text) in heads {
        match company(text) {
            Some(Company::Together) => found.together.push(name.clone()),
            Some(Company::Alone) => found.alone.push(name.clone()),
            Some(Company::VirtualMachine) => {}
            None => {
                let words: Vec<&str> = WORDS.iter().map(|(word, _)| *word).collect();
                bail!(
                    "tests/tests/{name}.rs does not say how it runs; add to its head `{HEAD}` with one of: {}",
                    words.join(", ")
                );
            }
        }
    }
    Ok(found)
}

fn company(text: &str) -> Option<Company> {
    let mut head = text.lines().take_while(|line| line.starts_with("//!"));
    let said = head.find_map(|line| line.strip_prefix(HEAD))?;
    let is = |word: &str| said.strip_prefix(word).is_some_and(|rest| rest.starts_with(['.', ' ']));
    WORDS.iter().find(|(word, _)| is(word)).map(|(_, company)| *company)
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
            assert!(error.contains("tests/tests/odd.rs"), "{error}");
        }
    }

    #[test]
    fn every_file_of_this_repository_is_found() {
        let root = crate::root().unwrap();
        let found = find(&root).unwrap();
        assert!(found.together.len() + found.alone.len() > 25, "{found:?}");
    }
}
