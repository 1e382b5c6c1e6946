//! Reads and dates the sections of CHANGELOG.md.

use anyhow::Context;

/// The heading of a section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Heading {
    /// Not released yet; some name the future version.
    Unreleased(Option<String>),
    /// A version.
    Released(String),
}

/// The newest section's heading.
pub(super) fn newest(text: &str) -> anyhow::Result<Heading> {
    let line = text.lines().find(|line| line.starts_with("## "));
    line.and_then(read).context("CHANGELOG.md has no section: a section begins with `## `")
}

/// The text with the unreleased section as that of `version`, with this date.
pub(super) fn release(text: &str, version: &str, day: &str) -> anyhow::Result<String> {
    let is_unreleased = |line: &&str| matches!(read(line), Some(Heading::Unreleased(_)));
    let heading = text.lines().find(is_unreleased).context("CHANGELOG.md has no unreleased section")?;
    Ok(text.replacen(heading, &format!("## {version}, {day}"), 1))
}

/// The text below the heading of `version`.
pub(super) fn section(text: &str, version: &str) -> anyhow::Result<String> {
    let mut lines = text.lines().skip_while(|line| read(line) != Some(Heading::Released(version.to_owned())));
    lines.next().with_context(|| format!("CHANGELOG.md has no section {version}"))?;
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    let section = lines.join("\n").trim().to_owned();
    anyhow::ensure!(!section.is_empty(), "the section {version} of CHANGELOG.md is empty");
    Ok(section + "\n")
}

/// `## 0.2.0, 2026-01-02`, `## 0.2.0, unreleased`, `## Unreleased`; with brackets as in Keep a Changelog.
fn read(line: &str) -> Option<Heading> {
    let line = line.strip_prefix("## ")?.replace(['[', ']', ','], " ");
    let is_unreleased = line.to_lowercase().contains("unreleased");
    let is_version = |word: &&str| word.starts_with(|character: char| character.is_ascii_digit());
    let version = line.split_whitespace().find(is_version).map(str::to_owned);
    if is_unreleased { Some(Heading::Unreleased(version)) } else { version.map(Heading::Released) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Changelog\n\nWords.\n\n## 0.2.0, unreleased\n\n### Fixed\n\n- `## 0.2.0, unreleased` is text.\n\n\
                        ## 0.1.0\n\n- The first.\n";

    #[test]
    fn headings_are_read_with_and_without_brackets() {
        let released = |version: &str| Some(Heading::Released(version.to_owned()));
        assert_eq!(read("## 0.1.0"), released("0.1.0"));
        assert_eq!(read("## [1.2.3] - 2026-01-02"), released("1.2.3"));
        assert_eq!(read("## [Unreleased]"), Some(Heading::Unreleased(None)));
        assert_eq!(read("## 0.2.0, unreleased"), Some(Heading::Unreleased(Some("0.2.0".to_owned()))));
        for other in ["### Fixed", "text", "## Words"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn a_release_changes_one_heading() {
        let new = release(TEXT, "0.2.0", "2026-01-02").unwrap();
        assert_eq!(newest(&new).unwrap(), Heading::Released("0.2.0".to_owned()));
        assert_eq!(new.lines().count(), TEXT.lines().count());
        let changed = new.lines().zip(TEXT.lines()).filter(|(new, old)| new != old);
        assert_eq!(changed.collect::<Vec<_>>(), [("## 0.2.0, 2026-01-02", "## 0.2.0, unreleased")]);
        assert!(release(&new, "0.3.0", "2026-01-03").is_err());
    }

    #[test]
    fn a_section_ends_where_the_next_begins() {
        let new = release(TEXT, "0.2.0", "2026-01-02").unwrap();
        let notes = section(&new, "0.2.0").unwrap();
        assert!(notes.starts_with("### Fixed\n") && notes.ends_with("is text.\n"), "{notes}");
        assert_eq!(section(&new, "0.1.0").unwrap(), "- The first.\n");
        assert!(section(&new, "0.3.0").is_err());
        assert!(section("## 0.3.0\n\n## 0.2.0\n\n- Words.\n", "0.3.0").is_err(), "an empty section");
    }

    #[test]
    fn the_changelog_of_this_repository_has_a_section() {
        let path = xtask::root().unwrap().join("CHANGELOG.md");
        newest(&std::fs::read_to_string(path).unwrap()).unwrap();
    }
}
