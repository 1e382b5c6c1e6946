//! Renews one section of docs/PERFORMANCE.md: the others stay as they were measured.

/// The first lines of docs/PERFORMANCE.md.
const HEAD: &str =
    "# Performance\n\nWritten by `cargo xtask bench`, with the release build. `--only` renews one section.\n";

/// The page with this section in the place of the one with the same heading; the other sections stay.
pub(super) fn renewed(page: &str, section: &str) -> String {
    let heading = |text: &str| text.lines().next().unwrap_or_default().to_owned();
    let mut sections: Vec<&str> = page.split("\n## ").skip(1).collect();
    let section = section.trim().trim_start_matches("## ");
    match sections.iter_mut().find(|old| heading(old) == heading(section)) {
        Some(old) => *old = section,
        None => sections.push(section),
    }
    let section = |text: &&str| format!("\n## {}\n", text.trim_end());
    std::iter::once(HEAD.to_owned()).chain(sections.iter().map(section)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_section_is_renewed_and_the_others_stay() {
        let page = format!("{HEAD}\n## Memory\n\n1 MB\n\n## Start\n\n2 s\n");
        let renewed_once = renewed(&page, "## Memory\n\n3 MB\n\n");
        assert_eq!(renewed_once, page.replace("1 MB", "3 MB"));
        assert_eq!(renewed(&renewed_once, "## Parts\n\nx\n"), format!("{renewed_once}\n## Parts\n\nx\n"));
    }
}
