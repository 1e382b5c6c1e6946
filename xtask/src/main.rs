//! `cargo xtask …`: all tasks of this repository, with nothing but cargo to start from.

mod accuracy;
mod bench;
mod build_ebpf;
mod ci;
mod dashboards;
mod demo;
mod dist;
mod docs;
mod fuzz;
mod install;
mod missing;
mod page;
mod pictures;
mod process;
mod release;
mod supply;
mod soak;
mod tidy;
mod vm;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command};

fn main() -> ExitCode {
    match run(&command().get_matches()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            process::say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn command() -> Command {
    let debug = || {
        Arg::new("debug")
            .long("debug")
            .action(ArgAction::SetTrue)
            .help("Use the debug build, quicker to make")
    };
    let seconds =
        Arg::new("seconds").long("seconds").value_name("N").default_value("20").help("Length of the encodes");
    Command::new("xtask")
        .about("Tasks of the ffwatt repository")
        .subcommand_required(true)
        .subcommand(
            Command::new("build-ebpf").about("Build the eBPF object into target/bpf; installs what it needs"),
        )
        .subcommand(
            Command::new("demo")
                .about("Say what will be installed, set up, build, run the agent beside real encodes, and print what they cost")
                .arg(debug())
                .arg(seconds.value_parser(clap::value_parser!(u64).range(5..=3600))),
        )
        .subcommand(
            Command::new("test").about("Everything that is checked before a change is accepted").arg(
                Arg::new("quick")
                    .long("quick")
                    .action(ArgAction::SetTrue)
                    .help("Only what needs neither root nor tools"),
            ),
        )
        .subcommand(
            Command::new("ci").about(
                "What a continuous-integration machine runs: test, the demo, a short soak, and Linux 6.1",
            ),
        )
        .subcommand(
            Command::new("docs")
                .about("Write the generated documentation (docs/METRICS.md, docs/CONFIGURATION.md)"),
        )
        .subcommand(
            Command::new("dist")
                .about(
                    "What a release consists of, in target/dist: program, tarball, Debian package, checksums",
                )
                .arg(debug())
                .arg(
                    Arg::new("binary-only")
                        .long("binary-only")
                        .action(ArgAction::SetTrue)
                        .help("Only the program"),
                ),
        )
        .subcommand(
            Command::new("release")
                .about("Check tag, version and changelog, build the packages, write SBOM and checksums")
                .arg(Arg::new("tag").long("tag").value_name("TAG").help(
                    "Tag of the release, which is v and the version [default: the tag of this commit, or that of the version]",
                ))
                .arg(
                    Arg::new("dry-run")
                        .long("dry-run")
                        .action(ArgAction::SetTrue)
                        .help("Only check, and say what would be done"),
                ),
        )
        .subcommand(Command::new("dashboards").about("Write Grafana's dashboards (grafana/dashboards)"))
        .subcommand(
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
        )
        .subcommand(
            Command::new("soak")
                .about(
                    "Let everything happen around the agent for long, and see that it stays as it was (root)",
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
        )
        .subcommand(Command::new("page").about("Bring the live page's chart library from npm"))
        .subcommand(
            Command::new("pictures")
                .about("Draw the data of every dashboard and the live page, into docs/pictures (root)")
                .arg(Arg::new("page").long("page").action(ArgAction::SetTrue).help("Only the live page")),
        )
        .subcommand(
            Command::new("fuzz")
                .about("Feed every parser hostile input")
                .arg(
                    Arg::new("seconds")
                        .long("seconds")
                        .value_name("N")
                        .default_value("300")
                        .value_parser(clap::value_parser!(u64).range(1..))
                        .help("Time for each target"),
                )
                .arg(
                    Arg::new("keep")
                        .long("keep")
                        .action(ArgAction::SetTrue)
                        .help("Make what was found the committed corpus, as small as it can be"),
                )
                .arg(
                    Arg::new("replay")
                        .long("replay")
                        .action(ArgAction::SetTrue)
                        .conflicts_with("keep")
                        .help("Only try every committed input once, with the usual compiler"),
                )
                .arg(Arg::new("target").value_name("TARGET").help("Only this one")),
        )
        .subcommand(
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
                        .value_name("MACHINE")
                        .value_parser(accuracy::MACHINES.map(|(title, ..)| title))
                        .help("Only this machine, and only print it"),
                ),
        )
        .subcommand(
            Command::new("bench")
                .about("Measure what the agent costs, into docs/PERFORMANCE.md (root, minutes)")
                .arg(
                    Arg::new("only")
                        .long("only")
                        .value_name("PART")
                        .value_parser(bench::PARTS)
                        .help("Only this part, and only print it"),
                ),
        )
        .subcommand(
            Command::new("supply")
                .about("Check licences, sources and duplicates of what is depended on")
                .arg(
                    Arg::new("advisories")
                        .long("advisories")
                        .action(ArgAction::SetTrue)
                        .help("By cargo-deny, with known vulnerabilities; needs their database"),
                ),
        )
        .subcommand(
            Command::new("reproduce")
                .about("Build the eBPF object twice, in two folders, and compare the bytes"),
        )
        .subcommand(Command::new("miri").about("Run the tests of pure code under Miri, where there is one"))
        .subcommand(Command::new("tidy").about("House rules that no compiler checks"))
}

fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    match matches.subcommand() {
        Some(("build-ebpf", _)) => build_ebpf::run().map(drop),
        Some(("demo", matches)) => {
            let seconds = *matches.get_one::<u64>("seconds").context("--seconds has a default")?;
            demo::run(&demo::Options { debug: matches.get_flag("debug"), seconds })
        }
        Some(("test", matches)) => ci::test(matches.get_flag("quick")),
        Some(("ci", _)) => ci::ci(),
        Some(("docs", _)) => docs::write(),
        Some(("dist", matches)) => dist::run_all(dist::Options {
            binary_only: matches.get_flag("binary-only"),
            debug: matches.get_flag("debug"),
        }),
        Some(("release", matches)) => release::make(&release::Options {
            tag: matches.get_one::<String>("tag").cloned(),
            dry_run: matches.get_flag("dry-run"),
        }),
        Some(("dashboards", _)) => dashboards::write(),
        Some(("vm", matches)) => {
            let series: Vec<String> = matches.get_many("kernel").into_iter().flatten().cloned().collect();
            vm::run(&series, matches.get_flag("quick"))
        }
        Some(("soak", matches)) => {
            let minutes = *matches.get_one::<u64>("minutes").context("--minutes has a default")?;
            soak::run(soak::Options {
                length: std::time::Duration::from_mins(minutes),
                debug: matches.get_flag("debug"),
                write: minutes >= 10,
            })
        }
        Some(("page", _)) => page::update(),
        Some(("accuracy", matches)) => {
            let seconds = *matches.get_one::<u64>("seconds").context("--seconds has a default")?;
            accuracy::measure(seconds, matches.get_one::<String>("only").map(String::as_str))
        }
        Some(("bench", matches)) => bench::measure(matches.get_one::<String>("only").map(String::as_str)),
        Some(("pictures", matches)) if matches.get_flag("page") => pictures::page_picture(),
        Some(("pictures", _)) => pictures::pictures(),
        Some(("fuzz", matches)) => {
            let seconds = *matches.get_one::<u64>("seconds").context("--seconds has a default")?;
            let task = match (matches.get_flag("keep"), matches.get_flag("replay")) {
                (true, _) => fuzz::Task::Keep,
                (_, true) => fuzz::Task::Replay,
                _ => fuzz::Task::Search(seconds),
            };
            fuzz::fuzz(task, matches.get_one::<String>("target").map(String::as_str))
        }
        Some(("supply", matches)) if matches.get_flag("advisories") => supply::cargo_deny(),
        Some(("supply", _)) => supply::check(),
        Some(("reproduce", _)) => build_ebpf::reproduce(),
        Some(("miri", _)) => supply::miri(),
        Some(("tidy", _)) => tidy::run(),
        _ => anyhow::bail!("no such task"),
    }
}

/// The repository's root.
fn root() -> anyhow::Result<PathBuf> {
    let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    Ok(manifest.parent().context("the manifest has a parent folder")?.to_path_buf())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Workflows and pages name only existing tasks and options, as `cargo xtask NAME --OPTION`.
    #[test]
    fn every_task_that_is_named_exists() {
        let root = root().unwrap();
        let files = process::output(
            std::process::Command::new("git")
                .current_dir(&root)
                .args(["ls-files", "--", "*.md", ".ci", ".github"]),
        );
        let command = command();
        let mut named = 0;
        for file in files.unwrap().lines() {
            let text = fs::read_to_string(root.join(file)).unwrap();
            for words in text.split("cargo xtask ").skip(1) {
                let end = words.find(['`', '\n', '\'', ';', ')', '#', '"']).unwrap_or(words.len());
                let mut words = words[..end].split_whitespace();
                let name = words.next().unwrap_or_default().trim_end_matches([',', '.', ':']);
                if !name.starts_with(|character: char| character.is_ascii_lowercase()) {
                    continue;
                }
                let task =
                    command.find_subcommand(name).unwrap_or_else(|| panic!("{file}: no task {name:?}"));
                named += 1;
                for option in words.filter_map(|word| word.strip_prefix("--")) {
                    let option = option.split('=').next().unwrap_or(option).trim_end_matches([',', '.']);
                    let is_known = task.get_arguments().any(|argument| argument.get_long() == Some(option));
                    assert!(is_known, "{file}: {name} has no option {option:?}");
                }
            }
        }
        assert!(named > 20, "{named} tasks are named");
    }

    /// A pattern of CODEOWNERS that matches nothing protects nothing.
    #[test]
    fn every_path_with_an_owner_exists() {
        let root = root().unwrap();
        let text = fs::read_to_string(root.join(".github/CODEOWNERS")).unwrap();
        let paths: Vec<&str> = text
            .lines()
            .filter(|line| line.starts_with('/'))
            .filter_map(|line| line.split(' ').next())
            .collect();
        assert!(!paths.is_empty());
        for path in paths {
            assert!(root.join(path.trim_start_matches('/')).exists(), "{path}");
        }
    }
}
