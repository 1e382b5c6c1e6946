//! Renews one section of a page with measured figures: the head and the other sections stay.

use std::fs;
use std::path::Path;

use anyhow::Context;

/// Renews this section of the page in this file.
pub(crate) fn renew(path: &Path, section: &str) -> anyhow::Result<()> {
    let page = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    fs::write(path, renewed(&page, section)).with_context(|| format!("cannot write {}", path.display()))
}

/// The page with this section in the place of the one with the same heading.
fn renewed(page: &str, section: &str) -> String {
    let heading = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let mut parts = page.split("\n## ");
    let head = parts.next().unwrap_or_default();
    let mut sections: Vec<&str> = parts.collect();
    let section = section.trim().trim_start_matches("## ");
    match sections.iter_mut().find(|old| heading(old) == heading(section)) {
        Some(old) => *old = section,
        None => sections.push(section),
    }
    let section = |text: &&str| format!("\n## {}\n", text.trim_end());
    std::iter::once(format!("{}\n", head.trim_end())).chain(sections.iter().map(section)).collect()
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
    }
}
