//! Writes man pages and shell completions into a folder: `cargo run --example manual -- FOLDER`. A part of a release.

use std::fs;
use std::path::PathBuf;

use anyhow::Context;
use clap::Command;
use clap_complete::Shell;

fn main() -> anyhow::Result<()> {
    let folder = PathBuf::from(std::env::args_os().nth(1).context("which folder?")?);
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let without_help = |command: Command| command.disable_help_subcommand(true);
    let mut command = without_help(ffwatt::inside::command()).mut_subcommand("bench", without_help);
    command.build();
    clap_mangen::generate_to(command.clone(), &folder)?;
    for shell in [Shell::Bash, Shell::Fish, Shell::Zsh] {
        clap_complete::generate_to(shell, &mut command, "ffwatt", &folder)?;
    }
    // Every key with its description, none of them set: keys that a user has not set follow the next version's defaults.
    let config = ffwatt::inside::print_config(&ffwatt::inside::Config::default());
    let unset = |line: &str| {
        if line.contains(" = ") && !line.starts_with('#') {
            format!("# {line}\n")
        } else {
            format!("{line}\n")
        }
    };
    let config: String = config.lines().map(unset).collect();
    let path = folder.join("ffwatt.toml");
    fs::write(&path, config).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(())
}
