//! Embeds the eBPF object into the agent.
//!
//! The object is what `cargo xtask build-ebpf` wrote to `target/bpf/ffwatt-ebpf` (or the file that `FFWATT_EBPF_OBJECT` names). Without
//! one, the build embeds an empty object and warns, so that plain `cargo check` works on any machine; such an agent falls back to polling
//! cgroupfs and says so.

use std::env;
use std::fs;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    println!("cargo::rerun-if-env-changed=FFWATT_EBPF_OBJECT");
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let named = env::var_os("FFWATT_EBPF_OBJECT").map(PathBuf::from);
    let is_to_come = named.is_none();
    let object = named.unwrap_or_else(|| manifest.join("../target/bpf/ffwatt-ebpf"));
    // While a watched file is missing, Cargo builds again each time: right for a file that will be built, wrong where one was named
    // to have no object.
    if is_to_come || object.exists() {
        println!("cargo::rerun-if-changed={}", object.display());
    }
    let bytes = match fs::read(&object) {
        Ok(bytes) => bytes,
        Err(error) => {
            println!(
                "cargo::warning=no eBPF object at {} ({error}): the agent will only poll cgroupfs. \
                 Build it with `cargo xtask build-ebpf`.",
                object.display()
            );
            Vec::new()
        }
    };
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("ffwatt-ebpf"), bytes)?;
    Ok(())
}
