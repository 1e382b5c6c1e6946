//! Fuzzes batch files: any text gives scenarios or a reason.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(problem) = ffwatt::inside::count_scenarios(bytes) {
        assert!(!problem.is_empty());
    }
});
