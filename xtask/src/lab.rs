//! The tasks of the laboratory, by name and option. It measures the agent, and depends on much; so it is a program of its own
//! (`tests/lab`), which is built when one of its tasks is asked for.

use std::ffi::OsStr;

use clap::{Arg, ArgAction, Command};

use crate::process::run;
use crate::root;

/// The simulated machines, and what else is measured on simulated hosts.
pub const MEASURED: [&str; 13] = [
    "linear",
    "rough",
    "two sockets",
    "two dies",
    "per-core",
    "smt",
    "igpu",
    "concave",
    "never-idle",
    "other tools",
    "short jobs",
    "faults",
    "benches",
];

/// The parts of a bench.
pub const PARTS: [&str; 6] = ["switches", "sizes", "memory", "start", "page", "parts"];

/// Series of containerd for a cluster: Debian bookworm's, trixie's and sid's.
pub const RUNTIMES: [&str; 3] = ["1.6", "1.7", "2.1"];

/// The grammar of its tasks.
pub fn commands() -> Vec<Command> {
    let debug = || {
        Arg::new("debug")
            .long("debug")
            .action(ArgAction::SetTrue)
            .help("Use the debug build, quicker to make")
    };
    let seconds =
        Arg::new("seconds").long("seconds").value_name("N").default_value("20").help("Length of the encodes");
    vec![
        Command::new("demo")
                .about("Say what will be installed, set up, build, run the agent beside real encodes, and print what they cost")
                .arg(debug())
                .arg(seconds.value_parser(clap::value_parser!(u64).range(5..=3600))),
        Command::new("vm")
                .about("Run the kernel tests on other kernels, under QEMU")
                .arg(Arg::new("kernel").long("kernel").value_name("SERIES").action(ArgAction::Append).help(
                    "5.10, 6.1 or 6.12; all of them when not given, and docs/REQUIREMENTS.md is written",
                ))
                .arg(
                    Arg::new("quick")
                        .long("quick")
                        .action(ArgAction::SetTrue)
                        .help("Leave out what takes minutes in emulation"),
                ),
        Command::new("kube")
                .about("Install the Helm chart into a Kubernetes of its own on this host, check what the agents show, and write the table in docs/KUBERNETES.md (root, minutes)")
                .arg(debug())
                .arg(
                    Arg::new("runtime")
                        .long("runtime")
                        .value_name("SERIES")
                        .default_value(RUNTIMES[0])
                        .value_parser(RUNTIMES)
                        .help("Series of containerd"),
                ),
        Command::new("soak")
                .about(
                    "Run load and faults around the agent for a long time, and compare its state (root)",
                )
                .arg(debug())
                .arg(
                    Arg::new("minutes")
                        .long("minutes")
                        .value_name("N")
                        .default_value("10")
                        .value_parser(clap::value_parser!(u64).range(1..))
                        .help("How long; with 10 or more, the figures go into docs/RELIABILITY.md"),
                ),
        Command::new("accuracy")
                .about("Measure the agent's error on simulated hosts, into docs/ACCURACY.md (root, minutes)")
                .arg(
                    Arg::new("seconds")
                        .long("seconds")
                        .value_name("N")
                        .default_value("60")
                        .value_parser(clap::value_parser!(u64).range(10..))
                        .help("Length of each run"),
                )
                .arg(
                    Arg::new("only")
                        .long("only")
                        .value_name("WHAT")
                        .value_parser(MEASURED)
                        .action(ArgAction::Append)
                        .help("Only this simulated host, or this comparison; renew only its sections"),
                )
                .arg(
                    Arg::new("model")
                        .long("model")
                        .action(ArgAction::SetTrue)
                        .conflicts_with("only")
                        .help("Only the estimates by processor, from the data in the repository (no root)"),
                )
                .arg(
                    Arg::new("bench")
                        .long("bench")
                        .action(ArgAction::SetTrue)
                        .conflicts_with_all(["only", "model"])
                        .help("Only two benches, with the error of BD-energy; renew only their section"),
                )
                .arg(debug().requires("bench")),
        Command::new("bench")
                .about("Measure what the agent costs, into docs/PERFORMANCE.md (root, minutes)")
                .arg(
                    Arg::new("only")
                        .long("only")
                        .value_name("PART")
                        .value_parser(PARTS)
                        .help("Only this part; renew only its section"),
                ),
    ]
}

/// Builds it, and has it do a task: the words of its command line.
pub fn perform<S: AsRef<OsStr>>(words: impl IntoIterator<Item = S>) -> anyhow::Result<()> {
    let mut cargo = std::process::Command::new(env!("CARGO"));
    cargo.current_dir(root()?).args(["run", "--quiet", "--package", "lab", "--"]).args(words);
    run(&mut cargo)
}
