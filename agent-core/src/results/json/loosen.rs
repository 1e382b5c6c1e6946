//! Rewrites what is almost JSON into JSON: quotes bare words and numbers too large for a double, removes commas after the last item.

/// The text as JSON, if nothing else is wrong with it. Strings stay as they are.
pub(super) fn loosened(text: &str) -> String {
    let mut loose = String::with_capacity(text.len() + 64);
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '"' => string(rest),
            _ if is_of_word(first) => rest.find(|character| !is_of_word(character)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        let (token, after) = rest.split_at(length);
        rest = after;
        if is_of_word(first) && !is_json(token) {
            loose.extend(["\"", token, "\""]);
        } else if !(first == ',' && after.trim_start().starts_with(['}', ']'])) {
            loose.push_str(token);
        }
    }
    loose
}

/// Length of the string that the text begins with, with its quotes.
fn string(text: &str) -> usize {
    let mut is_escaped = false;
    for (index, byte) in text.bytes().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return index + 1,
            _ => {}
        }
    }
    text.len()
}

/// Characters of words and numbers. None of them needs an escape in a string.
fn is_of_word(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '+' | '-' | '.' | '_')
}

fn is_json(word: &str) -> bool {
    matches!(word, "true" | "false" | "null") || serde_json::from_str::<f64>(word).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_json_does_not_have_changes() {
        for (text, expected) in [
            (r#"{"a": NaN, "b": -Infinity}"#, r#"{"a": "NaN", "b": "-Infinity"}"#),
            (r"[1e400, -1e400, 1e4, -0, .5, 007]", r#"["1e400", "-1e400", 1e4, -0, ".5", "007"]"#),
            ("[1,\n]", "[1\n]"),
            (r#"{"a": [true, null,], }"#, r#"{"a": [true, null] }"#),
            (r#"{name: "NaN, \" ,]"}"#, r#"{"name": "NaN, \" ,]"}"#),
            (r#"["\\", NaN]"#, r#"["\\", "NaN"]"#),
            (r#"["unclosed, NaN"#, r#"["unclosed, NaN"#),
            ("[1,,]", "[1,]"),
            ("", ""),
        ] {
            assert_eq!(loosened(text), expected);
        }
    }
}
