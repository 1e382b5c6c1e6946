//! Fits text into a width: shortens names, leaves out whole words, wraps lines. A number is never cut, nor separated from its unit.

use ratatui::text::Span;

/// Mark of a shortened text.
const ELLIPSIS: char = '…';

/// Columns of the terminal that the text takes.
pub(super) fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// A name in at most this many columns.
pub(super) fn shortened(name: &str, most: usize) -> String {
    if width(name) <= most {
        return name.to_owned();
    }
    let mut kept = String::new();
    for character in name.chars() {
        if width(&kept) + width(character.encode_utf8(&mut [0; 4])) >= most {
            break;
        }
        kept.push(character);
    }
    if most > 0 {
        kept.push(ELLIPSIS);
    }
    kept
}

/// The first words that fit, and an ellipsis in place of the others.
pub(super) fn whole_words(text: &str, most: usize) -> String {
    if width(text) <= most {
        return text.to_owned();
    }
    let mut kept = String::new();
    for piece in pieces(text) {
        let longer = if kept.is_empty() { piece } else { format!("{kept} {piece}") };
        if width(&longer) + 2 > most {
            break;
        }
        kept = longer;
    }
    match text.split_whitespace().next() {
        Some(first) if kept.is_empty() && is_number(first) => ELLIPSIS.to_string(),
        Some(first) if kept.is_empty() => shortened(&format!("{first}{ELLIPSIS}"), most),
        _ => format!("{kept} {ELLIPSIS}"),
    }
}

/// The text in lines of at most this many columns.
pub(super) fn wrapped(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut add = |piece: &str| match lines.last_mut() {
        Some(line) if width(line) + 1 + width(piece) <= most => {
            line.push(' ');
            line.push_str(piece);
        }
        _ => lines.push(single(piece, most)),
    };
    for piece in pieces(text) {
        if width(&piece) <= most {
            add(&piece);
        } else {
            piece.split(' ').for_each(&mut add);
        }
    }
    lines
}

/// The parts that fit in one line side by side, the most needed first. The parts keep their order.
pub(super) fn most_needed<T>(
    parts: Vec<T>,
    most: usize,
    rank: impl Fn(&T) -> u8,
    size: impl Fn(&T) -> usize,
) -> Vec<T> {
    let mut parts = parts;
    while parts.iter().map(&size).sum::<usize>() > most {
        let least = parts.iter().enumerate().min_by_key(|(_, part)| rank(part)).map(|(place, _)| place);
        let Some(least) = least else { break };
        parts.remove(least);
    }
    parts
}

/// Words; a number and its unit are one.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    let mut needs_unit = false;
    for word in text.split_whitespace() {
        match pieces.last_mut() {
            Some(last) if needs_unit => {
                last.push(' ');
                last.push_str(word);
                needs_unit = false;
            }
            _ => {
                needs_unit = is_number(word);
                pieces.push(word.to_owned());
            }
        }
    }
    pieces
}

fn single(word: &str, most: usize) -> String {
    if width(word) > most && is_number(word) { ELLIPSIS.to_string() } else { shortened(word, most) }
}

/// A word such as 12, <0.0001, 2026-02-03 or (10.
fn is_number(word: &str) -> bool {
    let is_mark = |character: char| "<±(-.:×x".contains(character);
    word.ends_with(|character: char| character.is_ascii_digit())
        && word.chars().all(|character| character.is_ascii_digit() || is_mark(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shortened_by_columns_of_the_terminal() {
        let table = [
            ("live-a", 6, "live-a"),
            ("live-a", 5, "live…"),
            ("配信-a", 6, "配信-a"),
            ("配信-a", 5, "配信…"),
            ("配信-a", 4, "配…"),
            ("live-a", 1, "…"),
            ("live-a", 0, ""),
        ];
        for (name, most, expected) in table {
            assert_eq!(shortened(name, most), expected);
        }
    }

    #[test]
    fn a_number_stays_with_its_unit() {
        let text = "For 10 min: 0.08 J per frame";
        let table = [
            (28, text),
            (26, "For 10 min: 0.08 J per …"),
            (20, "For 10 min: 0.08 J …"),
            (19, "For 10 min: …"),
            (12, "For …"),
        ];
        for (most, expected) in table {
            assert_eq!(whole_words(text, most), expected);
        }
        assert_eq!(whole_words("libx264 veryfast 1280x720", 20), "libx264 veryfast …");
        assert_eq!(whole_words("libx264 veryfast", 8), "libx264…");
        assert_eq!(whole_words("123456 J", 7), "…");
        assert_eq!(wrapped(text, 12), ["For 10 min:", "0.08 J per", "frame"]);
        assert_eq!(wrapped("2026-02-03 10:10:00 UTC", 12), ["2026-02-03", "10:10:00 UTC"]);
    }

    #[test]
    fn the_most_needed_parts_stay_in_their_order() {
        let parts = vec![(1, "seldom"), (3, "power"), (2, "energy")];
        let kept = |most| most_needed(parts.clone(), most, |(rank, _)| *rank, |(_, text)| text.len());
        assert_eq!(kept(17).len(), 3);
        assert_eq!(kept(16), [(3, "power"), (2, "energy")]);
        assert_eq!(kept(10), [(3, "power")]);
        assert_eq!(kept(4), []);
    }
}
