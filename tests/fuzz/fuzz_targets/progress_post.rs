//! Fuzzes progress posts: however the network divides a post, it gives the same block, or the same error of a line that is too long.
#![no_main]

use agent_core::ffmpeg::progress::Lines;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|parts: (&[u8], u16)| {
    let (bytes, cut) = parts;
    let whole = Lines::default().push(bytes);
    let (first, second) = bytes.split_at(usize::from(cut) % (bytes.len() + 1));
    let mut lines = Lines::default();
    let halves = lines.push(first).and_then(|first| Ok(lines.push(second)?.or(first)));
    assert_eq!(whole, halves);
    if let Ok(Some(block)) = whole {
        assert!(block.speed.is_none_or(|speed| speed.is_finite() && speed >= 0.0), "{block:?}");
    }
});
