//! Renews one section of a page with measured figures: the head and the other sections stay.

use std::fs;
use std::path::Path;

use anyhow::Context;
use xtask::process::day_and_machine;

/// Renews this section of the page in this file.
pub(crate) fn renew(path: &Path, section: &str) -> anyhow::Result<()> {
    let page = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    fs::write(path, renewed(&page, section)).with_context(|| format!("cannot write {}", path.display()))
}

/// The section with the day and the machine of its measurement, where the page has none for all sections.
pub(crate) fn dated(section: &str) -> anyhow::Result<String> {
    Ok(section.replacen("\n\n", &format!("\n\n{}. ", day_and_machine()?), 1))
}

/// The page with this section in the place of the one with the same heading; a new section is the last one.
fn renewed(page: &str, section: &str) -> String {
    let section = section.trim();
    let heading = section.lines().next().unwrap_or_default();
    let level = |line: &str| line.find(|character| character != '#').filter(|level| *level > 0);
    let ends = |line: &&str| level(line).is_some_and(|of| Some(of) <= level(heading));
    let mut lines = page.lines();
    let before: Vec<&str> = lines.by_ref().take_while(|line| *line != heading).collect();
    let after: Vec<&str> = lines.skip_while(|line| !ends(line)).collect();
    let parts = [before.join("\n"), section.to_owned(), after.join("\n")];
    let parts: Vec<&str> = parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).collect();
    parts.join("\n\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_section_is_renewed_and_the_others_stay() {
        let page =
            "# Performance\n\nWritten.\n\n## Memory\n\n1 MB\n\n### Peak\n\n## Start\n\n2 s\n".to_owned();
        let renewed_once = renewed(&page, "## Memory\n\n3 MB\n\n### Peak\n");
        assert_eq!(renewed_once, page.replace("1 MB", "3 MB"));
        assert_eq!(renewed(&renewed_once, "## Parts\n\nx\n"), format!("{renewed_once}\n## Parts\n\nx\n"));
        assert_eq!(renewed(&page, "### Peak\n\n2 MB"), page.replace("### Peak\n", "### Peak\n\n2 MB\n"));
    }
}
