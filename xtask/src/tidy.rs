//! Checks house rules that no compiler checks.

mod imports;
mod manifests;
mod source;
mod width;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::bail;
use proc_macro2::{TokenStream, TokenTree};
use xtask::process::output;
use xtask::root;

use crate::quotes;

/// Files longer than this are refused.
const TOO_LONG: usize = 600;

/// Checks every file that git knows.
pub(crate) fn run() -> anyhow::Result<()> {
    let root = root()?;
    let files = output(Command::new("git").current_dir(&root).args([
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let mut findings = Vec::new();
    for file in files.lines().map(Path::new) {
        let Ok(text) = fs::read_to_string(root.join(file)) else { continue };
        check_text(file, &text, &mut findings);
        match file.extension().and_then(|extension| extension.to_str()) {
            Some("rs") => check_rust(file, &text, &mut findings),
            Some("toml" | "yml" | "yaml") => width::check_configuration(file, &text, &mut findings),
            _ => {}
        }
    }
    manifests::check(&root, &mut findings)?;
    quotes::check(&root, &mut findings)?;
    if !findings.is_empty() {
        bail!("{} findings:\n{}", findings.len(), findings.join("\n"));
    }
    Ok(())
}

fn check_text(file: &Path, text: &str, findings: &mut Vec<String>) {
    let is_golden = file.extension().is_some_and(|extension| extension == "prom");
    for (number, line) in text.lines().enumerate() {
        if line.ends_with([' ', '\t']) && !is_golden {
            findings.push(format!("{}:{}: white space at the end of the line", file.display(), number + 1));
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        findings.push(format!("{}: no line break at the end", file.display()));
    }
}

fn check_rust(file: &Path, text: &str, findings: &mut Vec<String>) {
    let shown = file.display();
    if !text.starts_with("//!") {
        findings.push(format!("{shown}: does not begin with //! and a phrase for its content"));
    }
    let lines = text.lines().count();
    if lines > TOO_LONG {
        findings.push(format!("{shown}: {lines} lines; split it along an idea"));
    }
    let tokens = match source::tokens(text) {
        Ok(tokens) => tokens,
        Err(problem) => return findings.push(format!("{shown}:{problem}")),
    };
    width::check_rust(file, text, &tokens, findings);
    imports::check(file, &source::paths(file, tokens.clone()), findings);
    check_roots(file, tokens.clone(), findings);
    check_unsafe(file, tokens, findings);
}

/// `unsafe` is only for code in the kernel and the types that it shares; each block there says why it is sound (a clippy lint).
/// Libraries and programs forbid it themselves; this rule is for tests and benches as well, which are crates of their own.
fn check_unsafe(file: &Path, tokens: TokenStream, findings: &mut Vec<String>) {
    if file.starts_with("agent-ebpf") || file.starts_with("agent-common") {
        return;
    }
    source::visit(tokens, &mut |tree| {
        if matches!(tree, TokenTree::Ident(word) if word == "unsafe") {
            let line = tree.span().start().line;
            findings.push(format!("{}:{line}: unsafe outside of the kernel's side", file.display()));
        }
    });
}

/// Only `host.rs` names the host's folders; all other code gets them from there. Tests and other crates may name them.
fn check_roots(file: &Path, tokens: TokenStream, findings: &mut Vec<String>) {
    let is_test = file.iter().any(|name| name == "tests" || name == "tests.rs");
    if !file.starts_with("agent/src") || file == Path::new("agent/src/host.rs") || is_test {
        return;
    }
    source::visit(source::without_tests(tokens), &mut |tree| {
        let TokenTree::Literal(literal) = tree else { return };
        let text = literal.to_string();
        let content = text.trim_start_matches(['b', 'c', 'r', '#']);
        if ["\"/proc", "\"/sys", "\"/dev"].iter().any(|folder| content.starts_with(folder)) {
            let line = literal.span().start().line;
            findings.push(format!("{}:{line}: only host.rs names the host's folders", file.display()));
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(file: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check_rust(Path::new(file), &format!("//! Head.\n{text}\n"), &mut findings);
        findings
    }

    #[test]
    fn folders_of_the_host_are_found_in_code_only() {
        let file = "agent/src/source/memory.rs";
        for text in [
            "const A: &str = \"/proc/stat\";",
            "fn a() { say!(\"/sys/{b}\") }",
            "const A: &CStr = c\"/dev/cpu\";",
        ] {
            assert_eq!(findings(file, text).len(), 1, "{text}");
            assert_eq!(findings("agent/src/host.rs", text), [""; 0]);
        }
        for text in [
            "// \"/proc\"",
            "#[cfg(test)] mod tests { const A: &str = \"/proc\"; }",
            "const A: &str = \"a/proc\";",
        ] {
            assert_eq!(findings(file, text), [""; 0], "{text}");
        }
    }

    #[test]
    fn every_use_of_unsafe_is_found() {
        for text in [
            "fn a() { unsafe { b() } }",
            "unsafe impl Send for A {}",
            "#[unsafe(no_mangle)] fn a() {}",
            "fn a() { unsafe\n{ b() } }",
        ] {
            assert_eq!(findings("tests/tests/kernel.rs", text).len(), 1, "{text}");
            assert_eq!(findings("agent-ebpf/src/main.rs", text), [""; 0]);
        }
        for text in ["#![forbid(unsafe_code)]", "// unsafe {", "const A: &str = \"unsafe {\";"] {
            assert_eq!(findings("tests/tests/kernel.rs", text), [""; 0], "{text}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_parsed_is_a_finding() {
        assert_eq!(findings("agent/src/source.rs", "fn a() {").len(), 1);
    }
}
