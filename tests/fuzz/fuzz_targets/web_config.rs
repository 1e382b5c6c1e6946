//! Fuzzes web configurations: any text gives access rules, or a reason that quotes no hash.
#![no_main]

use std::path::Path;

use ffwatt::inside::{AuthConfig, WebConfig};
use libfuzzer_sys::fuzz_target;

/// A folder that does not exist: no file of the host is read.
const NOWHERE: &str = "/nowhere/at/all";

fuzz_target!(|text: &str| {
    let reason = match WebConfig::parse(text, Path::new(NOWHERE)) {
        // An absolute path, or one that leaves the folder, would be read.
        Ok(_) if text.contains("_file") => return,
        Ok(config) => AuthConfig::of(&config).err(),
        Err(error) => Some(error),
    };
    if let Some(reason) = reason {
        let reason = reason.to_string();
        assert!(!reason.is_empty() && !reason.contains("$2b$10$secretsecretsecret"), "{reason}");
    }
});
