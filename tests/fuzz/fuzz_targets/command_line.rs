//! Fuzzes encoders' command lines: any words give labels of a bounded size.
#![no_main]

use agent_core::ffmpeg::command_line::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let found = parse(bytes);
    let labels = [found.codec(), found.codec_standard(), found.hardware(), found.preset(), found.resolution()];
    for label in labels.into_iter().flatten() {
        assert!(label.len() <= bytes.len().max(64) * 4, "{label:?}");
    }
    assert!(found.rendition_count() <= bytes.len() + 1 && found.output_count() <= bytes.len() + 1);
});
