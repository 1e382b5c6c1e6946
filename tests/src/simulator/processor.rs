//! Shows the processor of another vendor to one program.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::command::script;

/// Fields of `/proc/cpuinfo` that say which processor it is.
pub(super) type Fields = [(&'static str, &'static str); 3];

/// A Cascade Lake-AP, which counts by die.
pub(super) const INTEL: Fields = [("vendor_id", "GenuineIntel"), ("cpu family", "6"), ("model", "85")];

/// A Zen 4, which counts by core.
pub(super) const AMD: Fields = [("vendor_id", "AuthenticAMD"), ("cpu family", "25"), ("model", "17")];

/// A program in this folder that runs `binary` in a mount namespace in which `/proc/cpuinfo` shows an Intel processor.
pub fn on_intel(folder: &Path, binary: &Path) -> anyhow::Result<PathBuf> {
    on(&INTEL, folder, binary)
}

/// A program in this folder that runs `binary` in a mount namespace in which `/proc/cpuinfo` shows this processor.
pub(super) fn on(fields: &Fields, folder: &Path, binary: &Path) -> anyhow::Result<PathBuf> {
    let real = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let (other, program) = (folder.join("cpuinfo"), folder.join("on-processor"));
    let text = real.lines().map(|line| replaced(line, fields)).collect::<Vec<_>>().join("\n");
    fs::write(&other, text + "\n").with_context(|| format!("cannot write {}", other.display()))?;
    let inner = format!("mount --bind {} /proc/cpuinfo && exec {} \"$@\"", other.display(), binary.display());
    script(&program, &format!("#!/bin/sh\nexec unshare --mount sh -c '{inner}' sh \"$@\"\n"))?;
    Ok(program)
}

fn replaced(line: &str, fields: &Fields) -> String {
    let (name, _) = line.split_once(':').unwrap_or((line, ""));
    let field = fields.iter().find(|(field, _)| *field == name.trim());
    field.map_or_else(|| line.to_owned(), |(_, value)| format!("{name}: {value}"))
}
