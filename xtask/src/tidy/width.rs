//! Checks the width of comments, which rustfmt checks only with a nightly compiler. rustfmt wraps the code.

use std::collections::BTreeMap;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};

use super::source;

/// Columns of the widest comment. Prose is read by the sentence, so it may be wider than code (`max_width` of rustfmt.toml).
const WIDEST: usize = 140;

/// Finds comments of Rust that are too wide.
pub(super) fn check_rust(file: &Path, text: &str, tokens: &TokenStream, findings: &mut Vec<String>) {
    let code = code_ends(tokens);
    let is_comment = |line: usize| code.get(&line).copied().unwrap_or_default() < WIDEST;
    check(file, text, is_comment, findings);
}

/// Finds comments that are too wide in a file with `#` before comments.
pub(super) fn check_configuration(file: &Path, text: &str, findings: &mut Vec<String>) {
    let lines: Vec<&str> = text.lines().collect();
    let is_comment = |line: usize| lines[line - 1].trim_start().starts_with('#');
    check(file, text, is_comment, findings);
}

fn check(file: &Path, text: &str, is_comment: impl Fn(usize) -> bool, findings: &mut Vec<String>) {
    for (line, text) in (1..).zip(text.lines()) {
        let width = text.chars().count();
        if width > WIDEST && is_comment(line) {
            findings.push(format!(
                "{}:{line}: a comment of {width} columns; {WIDEST} are allowed",
                file.display()
            ));
        }
    }
}

/// Column at which the code of each line ends. A string of several lines fills all but its last line.
fn code_ends(tokens: &TokenStream) -> BTreeMap<usize, usize> {
    let mut ends = BTreeMap::new();
    source::visit(tokens.clone(), &mut |tree| {
        let span = match tree {
            TokenTree::Group(group) => group.span_close(),
            tree => tree.span(),
        };
        let (start, end) = (span.start(), span.end());
        ends.extend((start.line..end.line).map(|line| (line, usize::MAX)));
        let last = ends.entry(end.line).or_default();
        *last = end.column.max(*last);
    });
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_comments_are_measured() {
        let wide = "w".repeat(WIDEST);
        let found = |text: &str| {
            let mut findings = Vec::new();
            check_rust(Path::new("a.rs"), text, &source::tokens(text).unwrap(), &mut findings);
            findings.len()
        };
        assert_eq!(found(&format!("//! {wide}\n/// {wide}\nfn a() {{}} // {wide}\n    // {wide}\n")), 4);
        assert_eq!(found(&format!("//{}\n", &wide[2..])), 0);
        assert_eq!(found(&format!("const A: &str = \"\n// {wide}\n\";\n")), 0);
        assert_eq!(found(&format!("const A: &str = \"{wide}\";\n")), 0);
    }
}
