//! Writes the generated documentation.
//!
//! The agent's own unit tests generate it, and fail when it is stale: so the documentation agrees with the code, and
//! this crate need not depend on the agent.

use std::process::Command;

use xtask::process::run;
use xtask::root;

use crate::{chart, quotes};

/// Writes the files that the tests compare with, the figures that pages quote, and the keys of the configuration into the schema of the
/// chart.
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
    run(&mut command)?;
    quotes::write(&root()?)?;
    chart::write_copies()
}
