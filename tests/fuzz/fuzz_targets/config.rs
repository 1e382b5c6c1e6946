//! Fuzzes configuration files: any text gives usable values or a reason; printed values can be parsed again.
#![no_main]

use ffwatt::inside::{parse_config, print_config};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    match parse_config(text) {
        Ok(config) => {
            let printed = print_config(&config);
            let again = parse_config(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
            assert_eq!(config, again, "{printed}");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
