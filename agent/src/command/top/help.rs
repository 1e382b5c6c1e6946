//! Help screen: all keys, from the table of the keys; all states; and the marks of the tables.

use crate::api::condition::Condition;
use crate::command::top::fitting;
use crate::command::top::format::UNKNOWN;
use crate::command::top::keys::{BINDINGS, TYPING};

/// Wider screens have keys and states side by side.
pub(super) const WIDE: usize = 80;

/// A heading, or a term with its meaning; both empty for an empty line.
pub(super) type HelpLine = (String, String);

/// Keys, and keys while a filter is typed.
pub(super) fn keys(width: usize) -> Vec<HelpLine> {
    let rows = BINDINGS.iter().map(|binding| (binding.names(), binding.help));
    let typing = TYPING.iter().map(|binding| (binding.names(), binding.help));
    let mut lines = section("Keys", rows.collect(), width);
    lines.extend(section("Keys while a filter is typed", typing.collect(), width));
    lines
}

/// States, and the marks of the tables.
pub(super) fn states(width: usize) -> Vec<HelpLine> {
    let rows = Condition::ALL.iter().map(|one| (one.text(), one.meaning()));
    let mut lines = section("States", rows.collect(), width);
    let marks = [
        ("!", "before a name: behind, stalled or failed"),
        (".", "before a name: ended"),
        (UNKNOWN, "unknown, never 0"),
        ("SHARE", "of the power of the host"),
        ("LAST", "POWER since the start of top; gaps are unknown"),
    ];
    let marks = marks.map(|(mark, meaning)| (mark.to_owned(), meaning));
    lines.extend(section("Marks and graphs", marks.to_vec(), width));
    lines
}

fn section(heading: &str, rows: Vec<(String, &str)>, width: usize) -> Vec<HelpLine> {
    let widest = rows.iter().map(|(term, _)| fitting::width(term)).max().unwrap_or(0);
    let mut lines = vec![(fitting::shortened(heading, width), String::new())];
    for (term, meaning) in rows {
        // On the narrowest screens a meaning is below its term.
        if width < widest + 20 {
            lines.push((format!(" {term}"), String::new()));
            let wrapped = fitting::wrapped(meaning, width.saturating_sub(3));
            lines.extend(wrapped.into_iter().map(|line| (String::new(), format!("   {line}"))));
        } else {
            let padding = " ".repeat(widest - fitting::width(&term));
            let terms = std::iter::once(format!(" {term}{padding}  "));
            let terms = terms.chain(std::iter::repeat(" ".repeat(widest + 3)));
            lines.extend(terms.zip(fitting::wrapped(meaning, width - widest - 3)));
        }
    }
    lines
}
