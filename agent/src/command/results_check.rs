//! `ffwatt results check`: shows what is read from result files, what is refused, and why.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use agent_core::results::{Problem, Review};
use agent_core::time::WallTime;
use clap::{Arg, ArgMatches, Command, value_parser};

use crate::source::results;

/// Syntax of the subcommand.
pub(crate) fn command() -> Command {
    let check =
        Command::new("check").about("Show what is read from result files, what is refused, and why").arg(
            Arg::new("file")
                .value_name("FILE")
                .required(true)
                .num_args(1..)
                .value_parser(value_parser!(PathBuf))
                .help("Result files [required] [format: path]"),
        );
    Command::new("results")
        .about("Show what is read from result files")
        .subcommand_required(true)
        .subcommand(check)
}

/// Reads the subcommand's arguments.
pub(crate) fn files(matches: &ArgMatches) -> Vec<PathBuf> {
    let check = matches.subcommand_matches("check");
    check.and_then(|check| check.get_many("file")).into_iter().flatten().cloned().collect()
}

/// The text for all files, and whether everything in them is read.
pub(crate) fn run(files: &[PathBuf]) -> (String, bool) {
    let mut text = String::new();
    let mut all_read = true;
    for path in files {
        let parsed = results::read_file(path).and_then(|bytes| results::parse(path, &bytes));
        match parsed {
            Ok((_, review)) => {
                all_read &= review.problems.total() == 0;
                show(path, &review, &mut text);
            }
            Err(error) => {
                all_read = false;
                let _ = writeln!(text, "{}: REFUSED\n  {}", path.display(), error.chain());
            }
        }
    }
    (text, all_read)
}

fn show(path: &Path, review: &Review, text: &mut String) {
    let problems = &review.problems;
    let shown = path.display();
    let (scenarios, refused) = (review.scenarios.len(), problems.total());
    let _ = writeln!(text, "{shown}: scenarios: {scenarios}, refused values: {refused}");
    for problem in problems.kept().iter().filter(|problem| problem.scenario.is_none()) {
        let _ = writeln!(text, "  REFUSED  {problem}");
    }
    for scenario in &review.scenarios {
        let _ = writeln!(text, "  scenario {:?}", scenario.name);
        let time = scenario.window.map_or_else(|| "not known".to_owned(), window);
        let _ = writeln!(text, "    time     {time}");
        let _ = writeln!(text, "    read     {}", scenario.read.join(", "));
        if !scenario.unused.is_empty() {
            let _ = writeln!(text, "    unused   {}", scenario.unused.join(", "));
        }
        let is_of_it = |problem: &&Problem| problem.scenario.as_ref() == Some(&scenario.name);
        for problem in problems.kept().iter().filter(is_of_it) {
            let _ = writeln!(text, "    REFUSED  {} {}", problem.field, problem.why);
        }
    }
    if let Some(more @ 1..) = refused.checked_sub(problems.kept().len()) {
        let _ = writeln!(text, "  {more} more values are refused");
    }
}

fn window((start, end): (WallTime, WallTime)) -> String {
    let shown = |time: WallTime| match jiff::Timestamp::from_millisecond((time.0 * 1e3).round() as i64) {
        Ok(time) => time.to_string(),
        Err(_) => format!("{} s since 1970", time.0),
    };
    format!("{} to {} ({:.3} s)", shown(start), shown(end), end.0 - start.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_what_is_refused_in_the_order_of_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("results.json");
        let text = r#"[{"name":"good","start_time":1770113400,"end_time":1770113460.5,"vmaf_score":93,"colour":"red"},
            {"name":"bad","vmaf_score":NaN,"fps":25},7]"#;
        std::fs::write(&path, text).unwrap();
        let (shown, all_read) = run(std::slice::from_ref(&path));
        assert!(!all_read);
        expect_test::expect![[r#"
            FILE: scenarios: 2, refused values: 2
              REFUSED  scenario 2 is a number, not an object
              scenario "good"
                time     2026-02-03T10:10:00Z to 2026-02-03T10:11:00.5Z (60.500 s)
                read     name, start_time, end_time, vmaf_score
                unused   colour
              scenario "bad"
                time     not known
                read     name, fps
                REFUSED  vmaf_score is NaN
        "#]]
        .assert_eq(&shown.replace(&path.display().to_string(), "FILE"));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_and_the_next_one_is_still_shown() {
        let folder = tempfile::tempdir().unwrap();
        let [missing, half, good] = ["missing", "half", "good"].map(|name| folder.path().join(name));
        std::fs::write(&half, "{\"scenarios\":[{\"name\":\"a").unwrap();
        std::fs::write(&good, "{\"scenarios\":[{\"name\":\"a\"}]}").unwrap();
        let (shown, all_read) = run(&[missing, half, folder.path().to_path_buf(), good.clone()]);
        assert!(!all_read);
        for words in
            ["missing: REFUSED", "whole JSON", "is no result file", "good: scenarios: 1, refused values: 0"]
        {
            assert!(shown.contains(words), "{words:?} is not in {shown}");
        }
        assert!(run(&[good]).1);
    }
}
