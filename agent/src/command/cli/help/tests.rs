//! Tests that every line of help has its default and its allowed values, `-h` is short, and `--help` has examples.

use clap::Command;

use crate::command::cli::command;

/// All commands with their full names, those of `bench` included.
fn commands() -> Vec<(String, Command)> {
    fn below(name: &str, command: &Command, all: &mut Vec<(String, Command)>) {
        all.push((name.to_owned(), command.clone()));
        for subcommand in command.get_subcommands().filter(|command| command.get_name() != "help") {
            below(&format!("{name} {}", subcommand.get_name()), subcommand, all);
        }
    }
    let mut command = command();
    command.build();
    let mut all = Vec::new();
    below("ffwatt", &command, &mut all);
    all
}

/// Descriptions of options and arguments with a value, as the help shows them.
fn described(help: &str) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for line in help.lines() {
        let text = line.trim_start();
        let indent = line.len() - text.len();
        // Names are indented by two columns (six without a short one), descriptions by more, headings not at all.
        if (2..=6).contains(&indent) && text.starts_with(['-', '<', '[']) {
            let (names, words) = text.split_once("  ").unwrap_or((text, ""));
            found.push((names.to_owned(), words.trim().to_owned()));
        } else if let (true, Some((_, words))) = (indent > 6, found.last_mut()) {
            words.push(' ');
            words.push_str(text);
        }
    }
    found.into_iter().filter(|(names, _)| names.contains(['<', '['])).collect()
}

fn assert_told(name: &str, option: &str, words: &str) {
    let has = |beginnings: &[&str]| beginnings.iter().any(|beginning| words.contains(beginning));
    assert!(has(&["[default: ", "[required]"]), "{name}: {option} has no default: {words}");
    assert!(has(&["[possible values: ", "[range: ", "[format: "]), "{name}: {option} has no values: {words}");
}

#[test]
fn every_option_has_its_default_and_its_allowed_values() {
    let mut options = 0;
    for (name, mut command) in commands() {
        for help in [command.render_help(), command.render_long_help()] {
            for (option, words) in described(&help.to_string()) {
                assert_told(&name, &option, &words);
                options += 1;
            }
        }
    }
    assert!(options > 500, "{options} options were read");
}

/// Without a terminal, help is 100 columns wide; a user's first screen has 80.
#[test]
fn short_help_has_30_lines_at_most() {
    for (name, command) in commands() {
        let widths: &[usize] =
            if matches!(name.as_str(), "ffwatt" | "ffwatt run") { &[80, 100] } else { &[100] };
        for width in widths {
            let help = command.clone().term_width(*width).render_help().to_string();
            let lines = help.lines().count();
            assert!(lines <= 30, "{name} -h has {lines} lines of {width} columns:\n{help}");
        }
    }
}

#[test]
fn long_help_has_examples_that_the_program_understands() {
    let mut examples = 0;
    for (name, mut sub) in commands() {
        let help = sub.render_long_help().to_string();
        let (_, tail) = help.split_once("Examples:\n").unwrap_or_else(|| panic!("{name} has no examples"));
        for line in tail.lines().take_while(|line| line.starts_with("  ")) {
            let words = line.trim().split("   ").next().unwrap().split(" > ").next().unwrap();
            let words = words.split_whitespace().map(|word| word.trim_matches('\''));
            assert!(command().try_get_matches_from(words).is_ok(), "{name}: {line}");
            examples += 1;
        }
    }
    assert!(examples > 20, "{examples} examples");
}
