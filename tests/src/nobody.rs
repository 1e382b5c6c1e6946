//! Runs programs as the user `nobody`, by setpriv(1), with the capabilities that a test hands down.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::process::Command;

/// User and group `nobody`.
pub const NOBODY: u32 = 65534;

/// Capabilities of `nobody`.
#[derive(Clone, Copy, Debug)]
pub enum Capabilities<'a> {
    /// None, like any ordinary user; those of a program's file count.
    Ordinary,
    /// These, `bpf` for `CAP_BPF`, and no others by a program's file either.
    Only(&'a [&'a str]),
}

/// The program and options that run what follows as `nobody`. A shell needs no quotes for them.
pub fn prefix(capabilities: Capabilities<'_>) -> Vec<String> {
    let names = match capabilities {
        Capabilities::Ordinary => &[],
        Capabilities::Only(names) => names,
    };
    let set = names.iter().fold("-all".to_owned(), |set, name| format!("{set},+{name}"));
    let mut words = vec![
        "setpriv".to_owned(),
        format!("--reuid={NOBODY}"),
        format!("--regid={NOBODY}"),
        "--clear-groups".to_owned(),
        format!("--inh-caps={set}"),
        format!("--ambient-caps={set}"),
    ];
    if let Capabilities::Only(_) = capabilities {
        words.push(format!("--bounding-set={set}"));
    }
    words
}

/// A command of the program as `nobody`.
pub fn command(program: &Path, capabilities: Capabilities<'_>) -> Command {
    let words = prefix(capabilities);
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg(program);
    command
}

/// Writes a script that runs the program with the script's arguments as `nobody`, for what takes only the path of a program.
pub fn script(path: &Path, program: &Path, capabilities: Capabilities<'_>) -> io::Result<()> {
    let words = prefix(capabilities).join(" ");
    fs::write(path, format!("#!/bin/sh\nexec {words} '{}' \"$@\"\n", program.display()))?;
    fs::set_permissions(path, Permissions::from_mode(0o755))
}

/// Gives a file or folder to `nobody`.
pub fn give(path: &Path) -> io::Result<()> {
    chown(path, Some(NOBODY), Some(NOBODY))
}
