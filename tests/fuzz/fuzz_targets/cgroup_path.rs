//! Fuzzes cgroup paths: any path gives a workload, and a path below it gives the same workload or one within it.
#![no_main]

use agent_core::identity::cgroup_path::{identify, short_id};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|path: &str| {
    let found = identify(path);
    assert!(!found.name.is_empty() && !found.root.is_empty(), "{found:?}");
    assert!(short_id(&found).chars().count() <= path.chars().count().max(12), "{found:?}");
    assert_eq!(identify(&found.root).root, found.root, "a root is its own");
});
