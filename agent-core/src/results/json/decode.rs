//! Decodes the bytes of a file: UTF-8 or UTF-16, with or without a byte order mark.

use std::borrow::Cow;

/// The text; `None` for UTF-32. Bytes that are no text become U+FFFD.
pub(super) fn text(bytes: &[u8]) -> Option<Cow<'_, str>> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] | [_, 0, 0, 0, ..] | [0, 0, 0, _, ..] => None,
        [0xef, 0xbb, 0xbf, rest @ ..] => Some(String::from_utf8_lossy(rest)),
        [0xff, 0xfe, rest @ ..] => Some(wide(rest, u16::from_le_bytes)),
        [0xfe, 0xff, rest @ ..] => Some(wide(rest, u16::from_be_bytes)),
        // JSON begins with a bracket or white space, which is ASCII.
        [_, 0, ..] => Some(wide(bytes, u16::from_le_bytes)),
        [0, _, ..] => Some(wide(bytes, u16::from_be_bytes)),
        _ => Some(String::from_utf8_lossy(bytes)),
    }
}

fn wide(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Cow<'_, str> {
    let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect();
    Cow::Owned(String::from_utf16_lossy(&units))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "{\"é\": \"😀\"}";

    fn wide_bytes(mark: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        format!("{mark}{TEXT}").encode_utf16().flat_map(bytes).collect()
    }

    #[test]
    fn the_same_text_in_each_encoding() {
        let utf8 = TEXT.as_bytes().to_vec();
        let marked = format!("\u{feff}{TEXT}").into_bytes();
        let wide = ["", "\u{feff}"]
            .map(|mark| [wide_bytes(mark, u16::to_le_bytes), wide_bytes(mark, u16::to_be_bytes)]);
        for bytes in [utf8, marked].into_iter().chain(wide.into_iter().flatten()) {
            assert_eq!(text(&bytes).as_deref(), Some(TEXT), "{bytes:x?}");
        }
    }

    #[test]
    fn other_bytes_are_marked_or_refused() {
        assert_eq!(text(b"{\"caf\xe9\": 1}").as_deref(), Some("{\"caf\u{fffd}\": 1}"), "Latin-1");
        let utf32: Vec<u8> = TEXT.chars().flat_map(|character| u32::from(character).to_le_bytes()).collect();
        assert_eq!(text(&utf32), None);
        for short in [&b""[..], b"{", b"\0", b"\xff\xfe", b"\xef\xbb\xbf"] {
            assert!(text(short).is_some(), "{short:x?}");
        }
    }
}
