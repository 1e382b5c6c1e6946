//! Reads Rust source as tokens: the paths and strings in the code, without comments.

use std::path::Path;

use anyhow::anyhow;
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Tokens of a file, without its documentation.
pub(super) fn tokens(text: &str) -> anyhow::Result<TokenStream> {
    let stream: TokenStream = text
        .parse()
        .map_err(|error: proc_macro2::LexError| anyhow!("{}: {error}", error.span().start().line))?;
    Ok(filtered(stream, |attribute| attribute.starts_with("doc=")))
}

/// Tokens without the items that only tests have.
pub(super) fn without_tests(stream: TokenStream) -> TokenStream {
    let mut is_left_out = false;
    let mut kept = Vec::new();
    let mut stream = stream.into_iter().peekable();
    while let Some(tree) = stream.next() {
        if is_left_out {
            // The item ends with its body, or without a body.
            is_left_out = !(is_punct(&tree, ';') || is_group(&tree, Delimiter::Brace));
        } else if is_punct(&tree, '#') && stream.peek().is_some_and(|next| attribute(next) == "cfg(test)") {
            stream.next();
            is_left_out = true;
        } else {
            kept.push(inside(tree, without_tests));
        }
    }
    kept.into_iter().collect()
}

/// Visits each token with its nested tokens.
pub(super) fn visit(stream: TokenStream, see: &mut impl FnMut(&TokenTree)) {
    for tree in stream {
        see(&tree);
        if let TokenTree::Group(group) = tree {
            visit(group.stream(), see);
        }
    }
}

/// A path in the code, with `crate` or the name of a crate at its start.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct CodePath {
    pub(super) line: usize,
    pub(super) names: Vec<String>,
}

/// All paths of a file: of `use`, of code and of arguments of macros. `self` and `super` become the path of the module.
pub(super) fn paths(file: &Path, stream: TokenStream) -> Vec<CodePath> {
    let mut names: Vec<String> = file.with_extension("").iter().skip(2).map(text_of).collect();
    if matches!(names.last().map(String::as_str), Some("lib" | "main")) {
        names.pop();
    }
    names.insert(0, "crate".to_owned());
    let mut paths = Vec::new();
    find_paths(stream, &names, &[], &mut paths);
    paths
}

fn text_of(name: &std::ffi::OsStr) -> String {
    name.to_string_lossy().into_owned()
}

/// Finds the paths in a module. `prefix` is the path before the braces of a `use`.
fn find_paths(stream: TokenStream, module: &[String], prefix: &[String], paths: &mut Vec<CodePath>) {
    let mut current: Option<CodePath> = None;
    let (mut colons, mut last_words) = (0, [String::new(), String::new()]);
    for tree in stream {
        match tree {
            TokenTree::Ident(name) => {
                let line = name.span().start().line;
                let name = name.to_string();
                match &mut current {
                    Some(path) if colons == 2 => path.names.push(name.clone()),
                    _ => {
                        let names = prefix.iter().cloned().chain([name.clone()]).collect();
                        paths.extend(current.replace(CodePath { line, names }));
                    }
                }
                last_words = [std::mem::take(&mut last_words[1]), name];
                colons = 0;
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' => colons += 1,
            TokenTree::Group(group) => {
                match (current.take(), &last_words) {
                    (Some(path), _) if colons == 2 => {
                        find_paths(group.stream(), module, &path.names, paths);
                    }
                    (path, [word, name]) => {
                        paths.extend(path);
                        let is_module = word == "mod" && group.delimiter() == Delimiter::Brace;
                        let inner = [module, std::slice::from_ref(name)].concat();
                        find_paths(group.stream(), if is_module { &inner } else { module }, &[], paths);
                    }
                }
                (colons, last_words) = (0, Default::default());
            }
            _ => {
                paths.extend(current.take());
                colons = 0;
            }
        }
    }
    paths.extend(current);
    for path in paths.iter_mut() {
        resolve(path, module);
    }
}

/// Replaces `self` and `super` at the start of a path.
fn resolve(path: &mut CodePath, module: &[String]) {
    let ups = path.names.iter().take_while(|name| *name == "super").count();
    let begins = path.names.first().is_some_and(|name| name == "self");
    if ups == 0 && !begins {
        return;
    }
    let base = module.iter().take(module.len().saturating_sub(ups));
    let rest = path.names.iter().skip(ups.max(usize::from(begins)));
    path.names = base.chain(rest).cloned().collect();
}

fn filtered(stream: TokenStream, is_left_out: fn(&str) -> bool) -> TokenStream {
    let mut kept = Vec::new();
    let mut stream = stream.into_iter().peekable();
    while let Some(tree) = stream.next() {
        let is_inner = is_punct(&tree, '!') && kept.last().is_some_and(|last| is_punct(last, '#'));
        if (is_punct(&tree, '#') || is_inner)
            && stream.peek().is_some_and(|next| is_left_out(&attribute(next)))
        {
            stream.next();
            if is_inner {
                kept.pop();
            }
            continue;
        }
        kept.push(inside(tree, |stream| filtered(stream, is_left_out)));
    }
    kept.into_iter().collect()
}

/// Applies a change to the content of a group, which keeps its place.
fn inside(tree: TokenTree, change: impl Fn(TokenStream) -> TokenStream) -> TokenTree {
    let TokenTree::Group(group) = tree else { return tree };
    let mut changed = Group::new(group.delimiter(), change(group.stream()));
    changed.set_span(group.span());
    TokenTree::Group(changed)
}

/// Text of an attribute, without white space; nothing for other tokens.
fn attribute(tree: &TokenTree) -> String {
    match tree {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => {
            group.stream().to_string().split_whitespace().collect()
        }
        _ => String::new(),
    }
}

fn is_punct(tree: &TokenTree, character: char) -> bool {
    matches!(tree, TokenTree::Punct(punct) if punct.as_char() == character)
}

fn is_group(tree: &TokenTree, delimiter: Delimiter) -> bool {
    matches!(tree, TokenTree::Group(group) if group.delimiter() == delimiter)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let paths = paths(Path::new("agent/src/source/energy/msr.rs"), tokens(text).unwrap());
        paths.iter().map(|path| path.names.join("::")).filter(|path| path.contains("::")).collect()
    }

    #[test]
    fn paths_of_every_form_are_whole() {
        assert_eq!(found("use crate::pipeline::wait;"), ["crate::pipeline::wait"]);
        assert_eq!(
            found("use crate::{host::{Roots, self}, pipeline};"),
            ["crate::host::Roots", "crate::host::self", "crate::pipeline"]
        );
        assert_eq!(
            found("fn a() { let b: crate::pipeline::Tick = super::cpu::now(); }"),
            ["crate::pipeline::Tick", "crate::source::energy::cpu::now"]
        );
        assert_eq!(found("fn a() { say!(\"{}\", crate::pipeline::NAME) }"), ["crate::pipeline::NAME"]);
        assert_eq!(found("mod tests { use super::super::cpu; }"), ["crate::source::energy::cpu"]);
        assert_eq!(found("/// See [`crate::pipeline::wait`].\n// crate::pipeline\nfn a() {}"), [""; 0]);
    }

    #[test]
    fn items_of_tests_are_left_out() {
        let text = "fn a() {} #[cfg(test)] mod tests; #[cfg(test)] mod more { fn b() {} } fn c() {}";
        let kept = without_tests(tokens(text).unwrap()).to_string();
        assert_eq!(kept, tokens("fn a() {} fn c() {}").unwrap().to_string());
    }
}
