//! Writes the generated documentation.
//!
//! The agent's own unit tests generate it, and fail when it is stale: so the documentation agrees with the code, and
//! this crate need not depend on the agent.

use std::process::Command;

use xtask::process::run;
use xtask::root;

/// Writes the files that the tests compare with.
pub(crate) fn write() -> anyhow::Result<()> {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root()?).env("UPDATE_EXPECT", "1").args([
        "test",
        "--quiet",
        "--package",
        "ffwatt",
        "--lib",
        "documented",
    ]);
    run(&mut command)
}
