//! What `cargo xtask` and the laboratory share: builds, installations, child processes.

#![forbid(unsafe_code)]

pub mod build_ebpf;
pub mod dist;
pub mod helm;
pub mod install;
pub mod lab;
pub mod missing;
pub mod process;

use std::path::PathBuf;

use anyhow::Context;

/// The repository's root.
pub fn root() -> anyhow::Result<PathBuf> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest.parent().context("the manifest has a parent folder")?.to_path_buf())
}
