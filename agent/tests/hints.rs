//! Tests that every flag that a message of the agent names exists.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use clap::Command;
use ffwatt::inside::command;

/// Programs whose flags are named right behind their name.
const OTHERS: [&str; 3] = ["cargo build ", "docker run ", "setpriv "];

fn flags(command: &Command, known: &mut BTreeSet<String>) {
    known.extend(command.get_arguments().filter_map(|argument| Some(format!("--{}", argument.get_long()?))));
    command.get_subcommands().for_each(|subcommand| flags(subcommand, known));
}

/// Words that begin with two dashes, anywhere in code or text; comments and tests show no hints.
fn named(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.ends_with("tests") {
            named(&path, found);
        }
        if path.extension().is_none_or(|extension| extension != "rs") || path.ends_with("tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        for line in code.lines().map(without_comment) {
            for (place, _) in line.match_indices("--") {
                let word: String = line[place..]
                    .chars()
                    .take_while(|character| character.is_ascii_alphanumeric() || "-._".contains(*character))
                    .collect();
                let word = word.trim_end_matches(['.', '-']);
                let is_of_another = OTHERS.iter().any(|other| line[..place].ends_with(other));
                if word.len() > 3 && !line[..place].ends_with('-') && !is_of_another {
                    found.push((word.to_owned(), format!("{}: {}", path.display(), line.trim())));
                }
            }
        }
    }
}

fn without_comment(line: &str) -> &str {
    if line.trim_start().starts_with("//") { "" } else { line.split(" // ").next().unwrap_or(line) }
}

#[test]
fn every_flag_that_is_named_exists() {
    let mut known = BTreeSet::new();
    flags(&command(), &mut known);
    known.extend(["--help", "--version"].map(str::to_owned));
    let mut found = Vec::new();
    named(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 40, "{} flags are named", found.len());
    let wrong: Vec<&(String, String)> = found.iter().filter(|(flag, _)| !known.contains(flag)).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
