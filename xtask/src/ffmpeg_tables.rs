//! Writes the tables of ffmpeg's options, video encoders and muxers, from the ffmpeg binaries that are given.
//!
//! The names are those of `-h full`, `-encoders` and `-muxers`. The help does not say for each option whether a value follows it;
//! ffmpeg itself does: an option without its value is refused with "Missing argument for option".

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use xtask::process::{output, say};
use xtask::root;

/// Folder of the tables, below the repository's root.
const FOLDER: &str = "agent-core/src/ffmpeg/table";

/// Rows by their name; each row has one cell for each version of ffmpeg that knows the name.
type Rows = BTreeMap<String, BTreeMap<String, String>>;

#[derive(Default)]
struct Tables {
    options: Rows,
    encoders: Rows,
    muxers: Rows,
}

/// Asks each binary, and writes the tables.
pub(crate) fn write<'a>(binaries: impl Iterator<Item = &'a PathBuf>) -> anyhow::Result<()> {
    let mut tables = Tables::default();
    let mut versions = Vec::new();
    for binary in binaries {
        let binary = fs::canonicalize(binary).with_context(|| format!("cannot find {}", binary.display()))?;
        let version = version(&binary)?;
        say(&format!("{}: ffmpeg {version}", binary.display()));
        add_options(&binary, &version, &mut tables.options)?;
        add_encoders(&binary, &version, &mut tables.encoders)?;
        add_muxers(&binary, &version, &mut tables.muxers)?;
        versions.push(version);
    }
    let folder = root()?.join(FOLDER);
    let versions = versions.join(", ");
    let head = |what: &str| {
        format!(
            "# {what}, of ffmpeg {versions}. Written by `cargo xtask ffmpeg-tables`.\n# name, then what each version says: cells that are equal are one\n"
        )
    };
    for (name, what, rows) in [
        ("options", "Options and their scope; value: the next word belongs to it", tables.options),
        ("encoders", "Video encoders and the standard that each writes", tables.encoders),
        ("muxers", "Muxers: suffixes of file names, default video, default sound", tables.muxers),
    ] {
        let path = folder.join(format!("{name}.txt"));
        fs::write(&path, head(what) + &text(&rows))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// `name cell@version,version cell@version`.
fn text(rows: &Rows) -> String {
    let mut text = String::new();
    for (name, cells) in rows {
        let mut versions_of: Vec<(&str, Vec<&str>)> = Vec::new();
        for (version, cell) in cells {
            match versions_of.iter_mut().find(|(known, _)| known == cell) {
                Some((_, versions)) => versions.push(version),
                None => versions_of.push((cell, vec![version])),
            }
        }
        text.push_str(name);
        for (cell, versions) in versions_of {
            text.extend([" ", cell, "@", &versions.join(",")]);
        }
        text.push('\n');
    }
    text
}

fn insert(rows: &mut Rows, name: &str, version: &str, cell: String) {
    rows.entry(name.to_owned()).or_default().insert(version.to_owned(), cell);
}

fn ask(binary: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    output(Command::new(binary).arg("-hide_banner").args(arguments).stdin(Stdio::null()))
}

/// Major and minor version, of `ffmpeg version n7.1.2-4 Copyright …`.
fn version(binary: &Path) -> anyhow::Result<String> {
    let text = output(Command::new(binary).arg("-version"))?;
    let word = text.split_whitespace().nth(2).unwrap_or_default().trim_start_matches('n');
    let mut parts = word.split(|character: char| !character.is_ascii_digit());
    match (parts.next(), parts.next()) {
        (Some(major), Some(minor)) if !major.is_empty() => Ok(format!("{major}.{minor}")),
        _ => bail!("{} does not say its version", binary.display()),
    }
}

/// Options of the program itself. Those of libraries (`AVOptions`) always have a value, and are not listed.
fn add_options(binary: &Path, version: &str, options: &mut Rows) -> anyhow::Result<()> {
    let help = ask(binary, &["-h", "full"])?;
    let mut heading = "";
    for line in help.lines() {
        if line.contains("AVOptions:") {
            break;
        }
        if let Some(text) = line.strip_suffix(':') {
            heading = text;
        } else if let Some(text) = line.strip_prefix('-') {
            let word = text.split_whitespace().next().unwrap_or_default();
            let name = word.split(['[', ':']).next().unwrap_or_default();
            let scope = scope(heading, word);
            let form = if scope == "info" || has_value(binary, name)? { "value" } else { "flag" };
            insert(options, name, version, format!("{scope}:{form}"));
        }
    }
    Ok(())
}

fn scope(heading: &str, word: &str) -> &'static str {
    if heading.contains("information") || heading.contains("Getting help") {
        "info"
    } else if word.contains("[:<stream_spec>]") {
        "stream"
    } else if heading.contains("lobal options") {
        "global"
    } else if heading.contains("(input-only)") {
        "input"
    } else if heading.contains("(output-only)") {
        "output"
    } else {
        "file"
    }
}

/// Whether the binary misses the option's value when the option is the last word.
fn has_value(binary: &Path, option: &str) -> anyhow::Result<bool> {
    let mut command = Command::new(binary);
    // `-report` writes into the current folder.
    command.current_dir(std::env::temp_dir()).env("FFREPORT", "file=/dev/null").stdin(Stdio::null());
    let found = command.args(["-hide_banner", &format!("-{option}")]).output()?;
    Ok(String::from_utf8_lossy(&found.stderr).contains("Missing argument for option"))
}

/// ` V....D libx264  libx264 H.264 / AVC (codec h264)`; without the last part, the standard has the encoder's name.
fn add_encoders(binary: &Path, version: &str, encoders: &mut Rows) -> anyhow::Result<()> {
    let list = ask(binary, &["-encoders"])?;
    let (_, list) = list.split_once("------").context("-encoders has another form than it had")?;
    for line in list.lines().filter(|line| line.starts_with(" V")) {
        let name = line.split_whitespace().nth(1).context("an encoder without a name")?;
        let codec = line.rsplit_once("(codec ").and_then(|(_, codec)| codec.strip_suffix(')'));
        insert(encoders, name, version, codec.unwrap_or(name).to_owned());
    }
    Ok(())
}

/// ` E mp4  MP4 (MPEG-4 Part 14)` of the list, and what the help of each says.
fn add_muxers(binary: &Path, version: &str, muxers: &mut Rows) -> anyhow::Result<()> {
    let list = ask(binary, &["-muxers"])?;
    let is_muxer = |line: &&str| line.trim_start().starts_with('E') && !line.contains("= Muxing");
    for line in list.lines().filter(is_muxer) {
        // Devices have one more flag.
        let mut words = line.split_whitespace();
        let name = words.find(|word| !matches!(*word, "E" | "d" | "Ed")).context("a muxer without a name")?;
        let help = ask(binary, &["-h", &format!("muxer={name}")])?;
        let said = |what: &str| {
            let text = help.lines().find_map(|line| line.trim().strip_prefix(what)?.strip_suffix('.'));
            text.map_or("-", str::trim).to_owned()
        };
        let cells = [said("Common extensions:"), said("Default video codec:"), said("Default audio codec:")];
        insert(muxers, name, version, cells.join(":"));
    }
    Ok(())
}
