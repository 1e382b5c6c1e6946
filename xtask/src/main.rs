//! `cargo xtask …`: all tasks of this repository, with nothing but cargo to start from.

#![forbid(unsafe_code)]

mod chart;
mod ci;
mod dashboards;
mod docs;
mod ffmpeg_tables;
mod fuzz;
mod interface;
mod miri;
mod page;
mod pictures;
mod quotes;
mod release;
mod supply;
mod tidy;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Arg, ArgAction, ArgMatches, Command};
use xtask::{build_ebpf, dist, lab, process};

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
    let debug = Arg::new("debug")
        .long("debug")
        .action(ArgAction::SetTrue)
        .help("Use the debug build, quicker to make");
    Command::new("xtask")
        .about("Tasks of the ffwatt repository")
        .subcommand_required(true)
        .subcommand(
            Command::new("build-ebpf").about("Build the eBPF object into target/bpf; installs what it needs"),
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
                .about("Write the generated documentation (docs/METRICS.md, docs/CONFIGURATION.md, docs/FFMPEG.md)"),
        )
        .subcommand(
            Command::new("ffmpeg-tables")
                .about("Write the tables of ffmpeg's options, encoders and muxers, from ffmpeg binaries")
                .arg(
                    Arg::new("binary")
                        .value_name("FFMPEG")
                        .num_args(1..)
                        .required(true)
                        .value_parser(clap::value_parser!(PathBuf))
                        .help("Binaries, the oldest version first"),
                ),
        )
        .subcommand(
            Command::new("dist")
                .about(
                    "What a release consists of, in target/dist: program, tarball, Debian package, checksums",
                )
                .arg(debug)
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
        .subcommand(Command::new("chart").about(
            "Write the copies in the Helm chart (packaging/helm) and the plain manifests (packaging/kubernetes)",
        ))
        .subcommand(Command::new("page").about("Bring the live page's chart library from npm"))
        .subcommand(
            Command::new("pictures")
                .about("Draw the data of every dashboard and the live page, into docs/pictures (root)")
                .arg(Arg::new("page").long("page").action(ArgAction::SetTrue).help("Only the live page"))
                .arg(
                    Arg::new("minutes")
                        .long("minutes")
                        .value_name("N")
                        .default_value("120")
                        .value_parser(clap::value_parser!(u64).range(5..))
                        .help("Length of the recording"),
                )
                .arg(
                    Arg::new("motion")
                        .long("motion")
                        .action(ArgAction::SetTrue)
                        .conflicts_with("page")
                        .help("Only the recordings of the live page and of ffwatt top"),
                ),
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
        .subcommand(Command::new("miri").about("Run the tests of agent-core and agent-common under Miri (nightly compiler)"))
        .subcommand(
            Command::new("interface").about("Write the list of public items of agent-core (agent-core/interface.txt)"),
        )
        .subcommand(Command::new("tidy").about("House rules that no compiler checks"))
        .subcommands(lab::commands())
}

fn run(matches: &ArgMatches) -> anyhow::Result<()> {
    match matches.subcommand() {
        Some(("build-ebpf", _)) => build_ebpf::run().map(drop),
        Some(("test", matches)) => ci::test(matches.get_flag("quick")),
        Some(("ci", _)) => ci::ci(),
        Some(("docs", _)) => docs::write(),
        Some(("ffmpeg-tables", matches)) => {
            ffmpeg_tables::write(matches.get_many("binary").into_iter().flatten())
        }
        Some(("dist", matches)) => dist::run_all(dist::Options {
            binary_only: matches.get_flag("binary-only"),
            debug: matches.get_flag("debug"),
        }),
        Some(("release", matches)) => release::make(&release::Options {
            tag: matches.get_one::<String>("tag").cloned(),
            dry_run: matches.get_flag("dry-run"),
        }),
        Some(("dashboards", _)) => dashboards::write(),
        Some(("chart", _)) => chart::write(),
        Some(("page", _)) => page::update(),
        Some(("pictures", matches)) if matches.get_flag("page") => pictures::page_picture(),
        Some(("pictures", matches)) if matches.get_flag("motion") => pictures::motion(),
        Some(("pictures", matches)) => {
            pictures::pictures(*matches.get_one("minutes").context("--minutes has a default")?)
        }
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
        Some(("miri", _)) => miri::miri(),
        Some(("interface", _)) => interface::write(),
        Some(("tidy", _)) => tidy::run(),
        Some(_) => lab::perform(std::env::args_os().skip(1)),
        None => anyhow::bail!("no such task"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use xtask::root;

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

    #[test]
    fn every_place_of_a_recipe_exists() {
        let root = root().unwrap();
        let text = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
        let (_, recipes) = text.split_once("## Recipes\n").unwrap();
        let recipes = recipes.split("\n## ").next().unwrap();
        let mut places = 0;
        for recipe in recipes.lines().filter(|line| line.starts_with("| a")) {
            let column = recipe.split(" | ").nth(1).unwrap();
            let of_recipe: Vec<&str> =
                column.split('`').skip(1).step_by(2).filter(|word| word.contains('/')).collect();
            assert!((1..=3).contains(&of_recipe.len()), "{recipe}");
            for place in of_recipe {
                assert!(root.join(place).exists(), "{place} of: {recipe}");
                places += 1;
            }
        }
        assert!(places > 20, "{places} places");
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
