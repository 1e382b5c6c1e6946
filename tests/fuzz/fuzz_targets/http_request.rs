//! Fuzzes requests to a listener: any request has an HTTP answer or none, and never the page without a password.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use agent_core::metrics::catalog::Listener;
use ffwatt::inside::{AuthConfig, Authenticator, WebConfig, converse};
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_current_thread().enable_all().start_paused(true).build().unwrap());

/// A hash that is quick to compare with, of an unknown password.
const GUARDED: &str = "basic_auth_users: {a: $2b$04$5vZL1tN2ejMhDSFgUVWTOOZyhsw9m85jFf7byu5/pgP9BHLTUYWrG}";

fn answer(bytes: &[u8], config: AuthConfig) -> Vec<u8> {
    RUNTIME.block_on(async {
        let (theirs, ours) = tokio::io::duplex(1 << 16);
        let (_publisher, snapshots) = watch::channel(None);
        let (stop, stopped) = watch::channel(false);
        let talking = converse(ours, Listener::Main, snapshots, Authenticator::new(config, 4, &[]), stopped);
        let (mut reading, mut writing) = tokio::io::split(theirs);
        let asking = async {
            // The connection may already be closed.
            let _ = writing.write_all(bytes).await;
            let _ = writing.shutdown().await;
        };
        let mut answers = Vec::new();
        let hearing = async {
            let _ = reading.read_to_end(&mut answers).await;
        };
        tokio::join!(talking, asking, hearing);
        drop(stop);
        answers
    })
}

fuzz_target!(|bytes: &[u8]| {
    let guarded = WebConfig::parse(GUARDED, Path::new("")).unwrap();
    for config in [AuthConfig::allow_all(), AuthConfig::of(&guarded).unwrap()] {
        let is_guarded = config.summary().users > 0;
        let said = answer(bytes, config);
        assert!(said.is_empty() || said.starts_with(b"HTTP/1."), "{:?}", String::from_utf8_lossy(&said));
        let page = said.windows(4).any(|window| window == b"<h1>");
        assert!(!(is_guarded && page), "{:?}", String::from_utf8_lossy(&said));
    }
});
