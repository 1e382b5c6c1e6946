//! Tests that a binary with file capabilities shows no file that its caller may not read, and that no message quotes a file. Needs root.
//!
//! Run: together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod file_capabilities;
mod quotes;
mod read_right;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use tests::agent::Ports;
use tests::http;

/// Text that no output may contain. Once as in a password file, once alone.
const CANARY: &str = "hunter2-9f31c7";

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The bit of `CAP_DAC_READ_SEARCH`.
const READ_SEARCH: u64 = 1 << 2;

fn bits(status: &str, name: &str) -> u64 {
    u64::from_str_radix(tests::agent::status_field(status, name).unwrap(), 16).unwrap()
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// All answers of an agent, on every port.
fn answers(ports: &Ports) -> String {
    let paths = [
        "/metrics",
        "/",
        "/health",
        "/api/v1/snapshot?include=workloads,transcodes,scenarios",
        "/api/v1/history",
    ];
    let ask = |port| move |path: &&str| http::get(port, path).map(|answer| answer.text()).unwrap_or_default();
    ports.all().into_iter().flat_map(|port| paths.iter().map(ask(port)).collect::<Vec<_>>()).collect()
}
