//! The table of the checks, and its place in docs/KUBERNETES.md.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

/// A check that was made.
#[derive(Debug)]
pub(super) struct Row {
    about: &'static str,
    expected: &'static str,
    seen: String,
    pub(super) is_ok: bool,
}

impl Row {
    pub(super) fn new(about: &'static str, expected: &'static str, result: anyhow::Result<String>) -> Self {
        let is_ok = result.is_ok();
        let seen = result.unwrap_or_else(|error| format!("{error:#}"));
        // A line break or a bar would end the row.
        let seen = seen.replace('\n', " ").replace('|', "/");
        Self { about, expected, seen, is_ok }
    }

    /// The row of the table.
    pub(super) fn line(&self) -> String {
        let Self { about, expected, seen, is_ok } = self;
        format!("| {about} | {expected} | {seen} | {} |", if *is_ok { "yes" } else { "**no**" })
    }
}

/// The table of a run, after a line about its parts.
pub(super) fn section(parts: &str, rows: &[Row]) -> String {
    let mut text = format!("{parts}\n\n| check | expected | seen | ok |\n|---|---|---|---|\n");
    for row in rows {
        // Writing into a string cannot fail.
        let _ = writeln!(text, "{}", row.line());
    }
    text
}

/// Writes the section of a series of containerd into the page.
pub(super) fn write(root: &Path, series: &str, section: &str) -> anyhow::Result<()> {
    let path = root.join("docs/KUBERNETES.md");
    let page = fs::read_to_string(&path).context("cannot read docs/KUBERNETES.md")?;
    fs::write(&path, renewed(&page, series, section)?).context("cannot write docs/KUBERNETES.md")
}

/// The page with this section between the marks of the series. Without marks, the section goes to the end of all sections.
fn renewed(page: &str, series: &str, section: &str) -> anyhow::Result<String> {
    let begin = format!("<!-- written by `cargo xtask kube --runtime {series}` -->");
    let end = "<!-- end -->";
    let text = format!("{begin}\n\n{section}\n{end}");
    if let Some((head, rest)) = page.split_once(&begin) {
        let (_, tail) = rest.split_once(end).context("docs/KUBERNETES.md has no end of the table")?;
        return Ok(format!("{head}{text}{tail}"));
    }
    let place = "<!-- more tables -->";
    ensure!(page.contains(place), "docs/KUBERNETES.md has no place for the table");
    Ok(page.replacen(place, &format!("{text}\n\n{place}"), 1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn a_section_is_added_once_and_then_renewed() {
        let page = "head\n\n<!-- more tables -->\n\ntail\n";
        let first = renewed(page, "1.6", "one\n").unwrap();
        let both = renewed(&first, "1.7", "two\n").unwrap();
        let again = renewed(&both, "1.6", "three\n").unwrap();
        assert!(!again.contains("one") && again.contains("two") && again.contains("three"), "{again}");
        assert_eq!(again.matches("<!-- end -->").count(), 2);
        assert!(again.starts_with("head\n") && again.ends_with("\ntail\n"));
    }

    #[test]
    fn a_failure_is_a_row_that_says_no() {
        let row = Row::new("a", "b", Err(anyhow::anyhow!("c | d\ne")));
        assert_eq!(row.line(), "| a | b | c / d e | **no** |");
    }
}
