//! Makes foreign text fit for a label: bounded and printable.

/// The text without control characters, cut to this many characters, with `…` in place of the last one where it was cut.
pub fn bounded(text: &str, most: usize) -> String {
    let is_cut = text.chars().nth(most).is_some();
    let kept = text.chars().take(if is_cut { most.saturating_sub(1) } else { most });
    let printable = |character: char| if character.is_control() { '?' } else { character };
    kept.map(printable).chain(is_cut.then_some('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_long_ends_with_a_mark_and_nothing_else_changes() {
        assert_eq!(bounded("Überlänge", 9), "Überlänge");
        assert_eq!(bounded("Überlänge", 8), "Überlän…");
        assert_eq!(bounded("a\nb\u{1b}c", 9), "a?b?c");
        assert_eq!(bounded("", 0), "");
    }
}
