//! `cargo xtask miri`: runs the tests of pure code under Miri, which finds undefined behaviour.

use std::process::Command;

use anyhow::bail;
use xtask::process::{run, succeeds};

/// Runs tests of code without system calls under Miri: the kernel's types, and all of `agent-core`.
pub(crate) fn miri() -> anyhow::Result<()> {
    if !succeeds(Command::new("cargo").args(["+nightly", "miri", "--version"])) {
        bail!("Miri is not here; get it with: rustup component add --toolchain nightly miri rust-src");
    }
    let test = |package: &str| {
        let mut command = Command::new("cargo");
        command.args(["+nightly", "miri", "test", "--package", package, "--lib"]);
        // Property tests would take hours with their usual number of cases, and would search for a file of earlier failures.
        command.env("PROPTEST_CASES", "4").env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "true");
        command.env("MIRIFLAGS", "-Zmiri-disable-isolation");
        command
    };
    run(&mut test("agent-common"))?;
    run(&mut test("agent-core"))
}
