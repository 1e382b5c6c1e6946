//! Starts a binary with file capabilities as an ordinary user, with every subcommand, option and variable.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use tests::agent::{Ports, binary};
use tests::command::{Owned, eventually, find, output};
use tests::http;
use tests::nobody::{self, Capabilities, NOBODY};

use super::{CANARY, PATH, READ_SEARCH, answers, bits, mode};

/// A copy of the binary with file capabilities, which all users may execute: an installation that must never be made. And root's files.
struct Installed {
    folder: tempfile::TempDir,
    ports: Ports,
}

impl Installed {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let installed = Self { folder, ports: Ports::free().unwrap() };
        mode(installed.folder.path(), 0o755);
        fs::copy(binary().unwrap(), installed.binary()).unwrap();
        mode(&installed.binary(), 0o755);
        output(
            Command::new(find("setcap").unwrap())
                .arg("cap_bpf,cap_perfmon,cap_dac_read_search+ep")
                .arg(installed.binary()),
        )
        .unwrap();
        fs::write(installed.secret(), format!("root:$6${CANARY}:19000:0:99999:7:::\n{CANARY}\n")).unwrap();
        mode(&installed.secret(), 0o600);
        // A folder of links to it, by every name that a reader could search for.
        fs::create_dir(installed.links()).unwrap();
        for name in [
            "test_results_20260101_000000.json",
            "idle.json",
            "ledger.sqlite",
            "cpuinfo",
            "stat",
            "meminfo",
            "energy_uj",
        ] {
            symlink(installed.secret(), installed.links().join(name)).unwrap();
        }
        fs::create_dir(installed.locked()).unwrap();
        fs::write(installed.locked().join("test_results_20260101_000000.json"), CANARY).unwrap();
        mode(&installed.locked(), 0o700);
        installed
    }

    fn binary(&self) -> PathBuf {
        self.folder.path().join("ffwatt")
    }

    fn secret(&self) -> PathBuf {
        self.folder.path().join("shadow")
    }

    fn links(&self) -> PathBuf {
        self.folder.path().join("links")
    }

    /// A folder of root's files, which only root may read.
    fn locked(&self) -> PathBuf {
        self.folder.path().join("locked")
    }

    /// All files below the folder with their sizes, to check that nothing was written.
    fn files(&self) -> BTreeSet<(PathBuf, u64)> {
        let mut found = BTreeSet::new();
        let mut folders = vec![self.folder.path().to_path_buf()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap().flatten() {
                let metadata = entry.path().symlink_metadata().unwrap();
                if metadata.is_dir() {
                    folders.push(entry.path());
                }
                found.insert((entry.path(), metadata.len()));
            }
        }
        found
    }

    /// Runs it as an ordinary user without capabilities.
    fn by_nobody(&self, arguments: &[String]) -> Command {
        let mut command = nobody::command(&self.binary(), Capabilities::Ordinary);
        command.args(arguments).env_clear().env("PATH", PATH);
        command
    }

    /// All output for an ordinary user: printed text, and, where an agent starts, all its answers.
    fn shown(&self, command: &mut Command) -> String {
        let errors = self.folder.path().with_extension("err");
        let out = self.folder.path().with_extension("out");
        let child = command
            .stdin(Stdio::null())
            .stdout(fs::File::create(&out).unwrap())
            .stderr(fs::File::create(&errors).unwrap())
            .spawn();
        let mut child = Owned(child.unwrap());
        let mut text = String::new();
        eventually("it ends or answers", Duration::from_mins(1), || {
            if child.0.try_wait().unwrap().is_some() {
                return Some(());
            }
            let is_ready = http::get(self.ports.main, "/ready").is_ok_and(|answer| answer.status == 200);
            is_ready.then(|| text += &answers(&self.ports))
        })
        .unwrap();
        drop(child);
        text += &String::from_utf8_lossy(&fs::read(&out).unwrap());
        text += &String::from_utf8_lossy(&fs::read(&errors).unwrap());
        fs::remove_file(out).unwrap();
        fs::remove_file(errors).unwrap();
        text
    }
}

/// Options that take a value, with their number of values, from clap's definition.
fn options(subcommand: &[&str]) -> Vec<(String, usize)> {
    let mut help = tests::agent::command().unwrap();
    let help = output(help.args(subcommand).arg("--help").env_clear()).unwrap();
    let option = |line: &str| {
        let line = line.trim_start();
        let (name, rest) = line.strip_prefix("--")?.split_once(' ')?;
        Some((name.to_owned(), rest.split("  ").next()?.matches('<').count()))
            .filter(|(_, values)| *values > 0)
    };
    let found: Vec<_> = help.lines().filter_map(option).collect();
    assert!(found.len() > 50, "{help}");
    found
}

/// Subcommands, with options that make them end soon.
fn subcommands(installed: &Installed) -> Vec<(Vec<&'static str>, Vec<String>)> {
    let secret = installed.secret().display().to_string();
    let known = [
        (vec!["run"], installed.ports.flags()),
        (vec!["check"], installed.ports.flags()),
        (vec!["check", "--ready"], Vec::new()),
        (vec!["calibrate"], vec!["--forget".to_owned()]),
        (vec!["config"], Vec::new()),
        (vec!["report"], Vec::new()),
        (vec!["advise"], vec!["--vmaf-min=90".to_owned()]),
        (vec!["top", "--once"], vec!["--url=http://127.0.0.1:1".to_owned()]),
        (vec!["quality"], vec![secret.clone(), secret.clone()]),
        (vec!["bench", "batch"], vec![format!("--file={secret}")]),
        (vec!["bench"], vec![format!("--input={secret}"), "--no-agent".to_owned()]),
        (vec!["results", "check"], vec![secret]),
    ];
    let mut help = tests::agent::command().unwrap();
    let help = output(help.arg("--help").env_clear()).unwrap();
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    for line in listed.lines() {
        let name = line.split_whitespace().next().unwrap();
        let is_known = name == "help" || known.iter().any(|(words, _)| words[0] == name);
        assert!(is_known, "{name} is not tried");
    }
    known.into()
}

/// Installations at the same time, each with a part of the options: most of the time one waits for its program.
const AT_ONCE: usize = 4;

/// Tries a part of all options in an installation of its own. Returns the number of tries, and the refused options of each subcommand.
fn try_options(part: usize) -> (usize, BTreeSet<(&'static str, String)>) {
    let installed = Installed::new();
    let before = installed.files();
    let (mut tried, mut refused) = (0, BTreeSet::new());
    let all = subcommands(&installed).into_iter().flat_map(|(words, ending)| {
        let of = |(option, values)| (words.clone(), ending.clone(), option, values);
        options(&words).into_iter().map(of).collect::<Vec<_>>()
    });
    for (words, ending, option, values) in all.skip(part).step_by(AT_ONCE) {
        for value in
            [installed.secret(), installed.links(), installed.locked(), installed.locked().join("new")]
        {
            let mut arguments: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            arguments.extend(ending.clone());
            arguments.push(format!("--{option}"));
            arguments.extend(vec![value.display().to_string(); values]);
            let shown = installed.shown(&mut installed.by_nobody(&arguments));
            assert!(!shown.contains(CANARY), "{arguments:?}: {shown}");
            tried += 1;
            if shown.contains(&format!("--{option} is refused")) {
                refused.insert((words[0], option.clone()));
            }
        }
    }
    assert_eq!(installed.files(), before, "nothing is written");
    (tried, refused)
}

#[test]
fn no_option_of_a_setcap_binary_shows_or_changes_what_its_caller_may_not_read() {
    let parts: Vec<_> = thread::scope(|scope| {
        let parts: Vec<_> = (0..AT_ONCE).map(|part| scope.spawn(move || try_options(part))).collect();
        parts.into_iter().map(|part| part.join().unwrap()).collect()
    });
    let tried: usize = parts.iter().map(|(tried, _)| tried).sum();
    let refused: BTreeSet<_> = parts.into_iter().flat_map(|(_, refused)| refused).collect();
    assert!(tried > 1000, "{tried}");
    // Options by which the privileged process would open, write, start or give up something are refused, and only these.
    let privileged = ["run", "check", "calibrate"];
    for option in [
        "config",
        "path.procfs",
        "path.sysfs",
        "path.devfs",
        "path.cgroupfs",
        "state-dir",
        "results-dir",
        "web.config.file",
        "price.file",
        "quality.ffmpeg",
        "containers.docker-socket",
        "sandbox.off",
    ] {
        for subcommand in privileged {
            assert!(refused.contains(&(subcommand, option.to_owned())), "{subcommand} --{option}");
        }
    }
    assert!(refused.iter().all(|(subcommand, _)| privileged.contains(subcommand)), "{refused:?}");
}

#[test]
fn positional_files_are_opened_with_the_callers_rights() {
    let installed = Installed::new();
    let secret = installed.secret().display().to_string();
    for words in [
        &["report", &secret][..],
        &["advise", "--vmaf-min=90", &secret],
        &["bench", "--no-agent", "--input", &secret],
        &["quality", &secret, &secret],
        &["bench", "batch", "--file", &secret],
    ] {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let shown = installed.shown(&mut installed.by_nobody(&words));
        assert!(!shown.contains(CANARY), "{words:?}: {shown}");
        // The ffmpeg for comparing may be missing.
        assert!(shown.contains("ermission denied") || words[0] == "quality", "{words:?}: {shown}");
    }
}

#[test]
fn no_variable_of_the_callers_counts_in_a_setcap_binary() {
    let installed = Installed::new();
    let before = installed.files();
    let mut config = tests::agent::command().unwrap();
    let printed = output(config.arg("config").env_clear()).unwrap();
    let names =
        printed.lines().filter_map(|line| line.strip_prefix("# Environment: ")?.split(". Flag").next());
    let mut names: Vec<String> = names.flat_map(|names| names.split(", ")).map(str::to_owned).collect();
    names.push("FFWATT_CONFIG".to_owned());
    assert!(names.len() > 50 && names.iter().any(|name| name == "PRICING_CONFIG"), "{names:?}");
    let general = [
        "HOME",
        "XDG_STATE_HOME",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "HTTP_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "RUST_LOG",
        "TMPDIR",
        "SQLITE_TMPDIR",
        "TZ",
        "TZDIR",
        "NOTIFY_SOCKET",
        "DOCKER_HOST",
    ];
    for value in [installed.secret(), installed.links(), installed.locked()] {
        for words in [&["check"][..], &["run"]] {
            let words: Vec<String> =
                words.iter().map(|word| (*word).to_owned()).chain(installed.ports.flags()).collect();
            let mut command = installed.by_nobody(&words);
            command.envs(names.iter().map(String::as_str).chain(general).map(|name| (name, &value)));
            let shown = installed.shown(&mut command);
            assert!(
                !shown.contains(CANARY) && !shown.contains(value.to_str().unwrap()),
                "{words:?}: {shown}"
            );
            let warning =
                shown.lines().find(|line| line.contains("ignores its caller's environment")).unwrap();
            for name in &names {
                assert!(warning.contains(name.as_str()), "{name}: {warning}");
            }
        }
        // Commands that need no rights have none, and follow their caller's environment.
        for name in names.iter().map(String::as_str).chain(general) {
            for words in ["config", "report"] {
                let mut command = installed.by_nobody(&[words.to_owned()]);
                let shown = installed.shown(command.env(name, &value));
                assert!(!shown.contains(CANARY), "{name} {words}: {shown}");
            }
        }
    }
    assert_eq!(installed.files(), before, "nothing is written");
}

#[test]
fn an_agent_with_file_capabilities_has_a_plain_environment_and_no_right_to_read_in_force() {
    let installed = Installed::new();
    let mut command = installed.by_nobody(&[&["run".to_owned()][..], &installed.ports.flags()].concat());
    command.env("PATH", "/home/me/bin:/usr/bin:/bin").env("HOME", "/home/me").env("ANYTHING", "else");
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let child = Owned(child.unwrap());
    let process = PathBuf::from(format!("/proc/{}", child.0.id()));
    eventually("the agent is ready", Duration::from_mins(1), || {
        http::get(installed.ports.main, "/ready").is_ok_and(|answer| answer.status == 200).then_some(())
    })
    .unwrap();
    assert_eq!(fs::read_to_string(process.join("environ")).unwrap(), format!("PATH={PATH}\0"));
    assert_eq!(fs::read_to_string(process.join("comm")).unwrap(), "ffwatt\n");
    for task in fs::read_dir(process.join("task")).unwrap().flatten() {
        let status = fs::read_to_string(task.path().join("status")).unwrap();
        assert_eq!(bits(&status, "CapEff") & READ_SEARCH, 0, "{status}");
        assert_eq!(bits(&status, "CapPrm") & READ_SEARCH, 0, "no source needs it here: {status}");
    }
}

#[test]
fn check_warns_of_a_binary_that_everybody_may_execute() {
    let installed = Installed::new();
    let check = |installed: &Installed| {
        let arguments = [&["check".to_owned()][..], &installed.ports.flags()].concat();
        installed.shown(&mut installed.by_nobody(&arguments))
    };
    let shown = check(&installed);
    assert!(shown.contains("has file capabilities and mode 0755") && shown.contains("chmod 0750"), "{shown}");
    std::os::unix::fs::chown(installed.binary(), None, Some(NOBODY)).unwrap();
    mode(&installed.binary(), 0o750);
    let grant = "cap_bpf,cap_perfmon,cap_dac_read_search+ep";
    output(Command::new(find("setcap").unwrap()).arg(grant).arg(installed.binary())).unwrap();
    let shown = check(&installed);
    assert!(!shown.contains("and mode 07") && shown.contains("options that name files"), "{shown}");
}

#[test]
fn a_set_uid_binary_does_not_start() {
    let installed = Installed::new();
    for bits in [0o4755, 0o2755] {
        mode(&installed.binary(), bits);
        let Output { status, stderr, .. } = installed.by_nobody(&["config".to_owned()]).output().unwrap();
        let said = String::from_utf8_lossy(&stderr);
        assert!(status.code() == Some(1) && said.contains("set-uid or set-gid"), "{bits:o}: {said}");
    }
}
