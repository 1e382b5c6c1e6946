//! Makes foreign text fit for a label, bounded and printable; joins lists of labels.

/// The text without control characters, cut to this many characters, with `…` in place of the last one where it was cut.
pub fn bounded(text: &str, most: usize) -> String {
    let is_cut = text.chars().nth(most).is_some();
    let kept = text.chars().take(if is_cut { most.saturating_sub(1) } else { most });
    let printable = |character: char| if character.is_control() { '?' } else { character };
    kept.map(printable).chain(is_cut.then_some('…')).collect()
}

/// The first characters of the text, this many at most.
pub(crate) fn cut(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(end, _)| &text[..end])
}

/// Both lists, one after the other. `N` is the sum of their lengths.
pub const fn joined<'a, const A: usize, const B: usize, const N: usize>(
    first: [&'a str; A],
    then: [&'a str; B],
) -> [&'a str; N] {
    const { assert!(A + B == N, "the length of the whole is the sum of its parts") };
    let mut all = [""; N];
    let mut index = 0;
    while index < N {
        all[index] = if index < A { first[index] } else { then[index - A] };
        index += 1;
    }
    all
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

    #[test]
    fn a_cut_is_between_two_characters() {
        assert_eq!(cut("Überlänge", 9), "Überlänge");
        assert_eq!(cut("Überlänge", 1), "Ü");
        assert_eq!(cut("", 0), "");
    }

    #[test]
    fn joined_lists_keep_their_order() {
        assert_eq!(joined(["a"], ["b", "c"]), ["a", "b", "c"]);
        assert_eq!(joined([], ["b"]), ["b"]);
        assert_eq!(joined(["a"], []), ["a"]);
    }
}
