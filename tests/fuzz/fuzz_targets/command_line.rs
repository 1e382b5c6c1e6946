//! Fuzzes command lines: any words of an encoder give labels of a bounded size, and a key at any place reaches none of them; any words of
//! conmon give an id and a name of Podman, or neither.
#![no_main]

use agent_core::ffmpeg::command_line::parse;
use agent_core::identity::conmon;
use libfuzzer_sys::fuzz_target;

/// No table has it, and no part of it is a number that stands alone.
const KEY: &str = "k3yOfAStreamQ";

fuzz_target!(|bytes: &[u8]| {
    if let Some(found) = conmon::parse(bytes) {
        assert!(found.id.len() == 64 && found.id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{found:?}");
        assert!(!found.name.is_empty() && !found.name.contains(['/', '\0']), "{found:?}");
    }
    let labels = labels(bytes);
    for label in &labels {
        assert!(label.len() <= bytes.len().max(64) * 4, "{label:?}");
        assert!(!label.contains(['/', ':', '@', '?']), "{label:?}");
    }
    // The first byte says where the key stands: between two bytes, or as a word of its own.
    let Some((first, rest)) = bytes.split_first() else { return };
    let place = usize::from(*first) % (rest.len() + 1);
    let (before, after) = rest.split_at(place);
    let alone = [b"\0", KEY.as_bytes(), b"\0"].concat();
    for key in [KEY.as_bytes(), &alone] {
        let line = [before, key, after].concat();
        for label in self::labels(&line) {
            assert!(!label.contains(KEY), "{label:?}");
        }
    }
});

fn labels(line: &[u8]) -> Vec<String> {
    let found = parse(line, &[]);
    assert!(found.rendition_count() <= line.len() + 1 && found.output_count() <= line.len() + 1);
    found.labels().collect()
}
