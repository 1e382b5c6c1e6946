//! Help texts: which keys `-h` has, the lines of the keys, and the examples of `--help`.

use clap::{Arg, Command};

use super::DEFAULT_FILE;
use crate::config::keys::{KEYS, Key};

/// Keys in `ffwatt -h`: as many as fit on a screen of 80 columns and 30 lines. All of them are in `ffwatt --help`.
pub(super) const COMMON: &[&str] = &["listen.address", "listen.port", "energy.source"];

/// Keys in `ffwatt run -h`.
pub(super) const OF_RUN: &[&str] = &["interval", "listen.address", "listen.port", "energy.source"];

/// The end of `ffwatt --help`.
pub(super) const AFTER_LONG: &str = "\
Examples:
  ffwatt check                                   What works on this host, and what helps
  ffwatt run --listen.address 0.0.0.0            Serve the figures to the network
  ffwatt run --energy.source powercap            No estimate where powercap fails
  ffwatt top                                     Containers and encodes of the running agent
  ffwatt config --default > ffwatt.toml          A configuration file with all keys

Exit codes: 0 done, 1 could not run, 2 wrong usage or configuration, 3 (check) works with limits,
130 stopped.";

pub(super) const RUN: &str = "\
Examples:
  ffwatt run                                     Metrics on 127.0.0.1, ports 9500 to 9504 and 9510
  ffwatt run --config /etc/ffwatt/ffwatt.toml    Configuration from a file
  ffwatt run --interval 5s --log.format json     Longer ticks, log lines as JSON
  ffwatt run --containers.podman-socket ''       Without names from Podman";

pub(super) const CHECK: &str = "\
Examples:
  ffwatt check                                   A table of sources with reasons and commands that help
  ffwatt check --json                            The same for programs and for issues
  ffwatt check --ready                           Exit code 0 when the running agent has figures";

pub(super) const CALIBRATE: &str = "\
Examples:
  ffwatt calibrate                               Measure for 30 s, and keep the idle power
  ffwatt calibrate --length 5m                   Measure for longer, for a smaller error
  ffwatt calibrate --forget                      Remove the calibration";

pub(super) const BENCH: &str = "\
Examples:
  ffwatt bench --duration 2m                     All scenarios, two minutes each
  ffwatt bench single --name x265 --bitrate 2500k --encoder h265 --with-baseline
  ffwatt bench multi --count 4 --bitrate 1M      Four encodes at once
  ffwatt bench --quality batch --file codecs.json
  ffwatt bench --input a.mkv b.mkv --codec x264,x265,svt-av1 --preset fast..slow,8..10 --repeat 3";

pub(super) const QUALITY: &str = "\
Examples:
  ffwatt quality source.mp4 encode.mp4           VMAF, PSNR, SSIM and XPSNR of one encode
  ffwatt quality a.mp4 a1.mp4 a.mp4 a2.mp4 --json
  ffwatt quality a.mp4 a1.mp4 --result test_results_1.json --scenario x264";

pub(super) const REPORT: &str = "\
Examples:
  ffwatt report                                  The newest run
  ffwatt report --compare x264 x265              Two scenarios of it
  ffwatt report --compare test_results_1 test_results_2
  ffwatt report --curves --anchor x264           Encoders over their bitrates, compared with that of x264
  ffwatt report --html report.html               Plots and tables in one file
  ffwatt report --settings --since 7d            The settings of all runs of a week
  ffwatt report --by codec --csv                 All transcodes of the ledger, by codec
  ffwatt report --by codec --url https://user:password@host:9510
  ffwatt report --trends --since 2026-11-01      J/frame by day, what has changed, and the month";

pub(super) const ADVISE: &str = "\
Examples:
  ffwatt advise --vmaf-min 93                    The lowest energy of the newest run with VMAF 93 or more
  ffwatt advise --vmaf-min 93 --bitrate-max 3M --by cost --price.per-cpu-hour 0.04
  ffwatt advise --vmaf-min 90 --instead-of x264
  ffwatt advise --vmaf-min 90 --views 1000 --delivery-kwh-per-gb 0.01
  ffwatt advise --vmaf-min 90 --url https://user:password@host:9510";

pub(super) const RESULTS: &str = "\
Examples:
  ffwatt results check test_results_1.json       What is read from a file, what is refused, and why
  ffwatt results check a.json b.json             Several files; exit code 1 when a value is refused";

pub(super) const TOP: &str = "\
Examples:
  ffwatt top                                     The agent on this host
  ffwatt top --url https://user:password@host:9510
  ffwatt top --once --filter x264                Print once, as text
  ffwatt top --json --sort energy                Print once as JSON, for programs";

pub(super) const CONFIG: &str = "\
Examples:
  ffwatt config                                  Values in use, from file, environment and flags
  ffwatt config --default > ffwatt.toml          A file with all keys";

/// The command with all keys as options; `-h` shows those of `shown`. Each command gets its own, because clap would copy those of
/// the command above.
pub(super) fn with_keys(command: Command, shown: &[&str]) -> Command {
    let brief = format!("Configuration file [default: {DEFAULT_FILE}] [format: path]");
    let config = Arg::new("config")
        .long("config")
        .value_name("PATH")
        .global(true)
        .long_help(format!("{brief} [env: FFWATT_CONFIG] The default file is used only if it exists."))
        .help(brief);
    KEYS.iter().fold(command.arg(config), |command, key| {
        command.arg(option(key).hide_short_help(!shown.contains(&key.path)))
    })
}

fn option(key: &Key) -> Arg {
    let short = format!("{} {}", key.doc.trim_end_matches('.'), key.values());
    let more = if key.more.is_empty() { String::new() } else { format!(" {}", key.more) };
    let long = format!("{}{more} {} [env: {}]", key.doc, key.values(), key.variable());
    Arg::new(key.path)
        .long(key.flag())
        .value_name(key.value_name)
        .global(true)
        .help(short)
        .long_help(long)
        .help_heading("Configuration")
}

#[cfg(test)]
mod tests;
