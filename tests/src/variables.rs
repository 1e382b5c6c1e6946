//! The environment variables of the tests themselves. The agent does not know them, and would warn about each.

use std::process::Command;

/// All variables that tests, tasks and the build read.
const OWN: [&str; 10] = [
    "FFWATT_BINARY",
    "FFWATT_EBPF_OBJECT",
    "FFWATT_LONG",
    "FFWATT_MACHINE",
    "FFWATT_MINUTES",
    "FFWATT_MOTION",
    "FFWATT_PICTURES",
    "FFWATT_PLAYWRIGHT",
    "FFWATT_PYTHON",
    "FFWATT_SERIES",
];

/// Hides the variables of the tests from a program.
pub fn hide(command: &mut Command) -> &mut Command {
    OWN.iter().fold(command, |command, name| command.env_remove(name))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    /// All files of Rust and of the browser's scripts below a folder.
    fn files(folder: &Path) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                found.extend(files(&entry.path()));
            } else if entry.path().extension().is_some_and(|kind| kind == "rs" || kind == "mjs") {
                found.push(entry.path());
            }
        }
        found
    }

    /// The variables whose names follow one of these words in the text.
    fn named<'a>(text: &'a str, before: &[&str]) -> Vec<&'a str> {
        let after = before.iter().flat_map(|word| text.split(word).skip(1));
        let is_of_name = |character: char| character.is_ascii_uppercase() || character == '_';
        let names = after.filter_map(|rest| rest.split(|character| !is_of_name(character)).next());
        names.filter(|name| name.starts_with("FFWATT_")).collect()
    }

    #[test]
    fn every_variable_that_a_test_reads_is_hidden_from_the_agent() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut sources = ["tests", "xtask/src"].map(|folder| files(&root.join(folder))).concat();
        sources.push(root.join("agent/build.rs"));
        let mut read = BTreeSet::new();
        for source in &sources {
            let text = fs::read_to_string(source).unwrap();
            let words = ["env::var(\"", "env::var_os(\"", "process.env."];
            read.extend(named(&text, &words).into_iter().map(str::to_owned));
        }
        assert_eq!(read, OWN.map(str::to_owned).into(), "the variables that tests read, and the list");
    }

    #[test]
    fn no_program_gets_them() {
        let mut command = Command::new("true");
        let hidden: Vec<_> = hide(&mut command).get_envs().collect();
        assert_eq!(hidden.len(), OWN.len());
        assert!(hidden.iter().all(|(_, value)| value.is_none()));
    }
}
