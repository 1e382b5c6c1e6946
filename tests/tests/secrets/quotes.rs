//! Replaces the text of every file that the agent reads, and searches for the new text in all output.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::thread;

use tests::agent::{Agent, Ports};
use tests::host::Host;

use super::{CANARY, PATH, answers};

/// Every file below a folder.
fn files_of(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_symlink() || path.is_file() {
            found.push(path);
        } else {
            found.extend(files_of(&path));
        }
    }
    found.sort();
    found
}

/// Texts in place of a file's: a password alone, a line of a password file, a text that begins as the right one does.
fn contents(original: &str) -> [String; 3] {
    let begin: String = original.chars().take(original.find([':', ' ', '=']).unwrap_or(0)).collect();
    [
        format!("{CANARY}\n"),
        format!("root:$6${CANARY}:19000:0:99999:7:::\n"),
        format!("{begin} {CANARY} {begin}: {CANARY}\n"),
    ]
}

/// A host with every file that `check` reads, and the flags that name them.
struct CheckedHost {
    host: Host,
    flags: Vec<String>,
}

impl CheckedHost {
    fn new() -> Self {
        let host = Host::client().unwrap();
        let pmu = "sys/bus/event_source/devices/power";
        for (file, text) in [
            ("type", "18\n"),
            ("cpumask", "0\n"),
            ("events/energy-pkg", "event=0x02\n"),
            ("events/energy-pkg.unit", "Joules\n"),
            ("events/energy-pkg.scale", "2.3283064365386962890625e-10\n"),
        ] {
            host.write(&format!("{pmu}/{file}"), text).unwrap();
        }
        for (file, text) in [
            ("proc/self/mounts", "proc /proc proc rw 0 0\n"),
            ("proc/sys/kernel/perf_event_paranoid", "2\n"),
            ("proc/sys/kernel/pid_max", "4194304\n"),
            ("proc/uptime", "1.0 1.0\n"),
            ("proc/4242/cmdline", "ffmpeg\0-i\0a\0b\0"),
            ("proc/4242/stat", "4242 (ffmpeg) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 1 0 0\n"),
            ("proc/4242/cgroup", "0::/ffrtmp/job-7\n"),
            ("state/idle.json", "{}"),
            ("state/ledger.db", ""),
            ("state/results/test_results_20260101_000000.json", "{}"),
            ("prices.json", "{}"),
            ("web.yml", "{}\n"),
            ("ffwatt.toml", "\n"),
        ] {
            host.write(file, text).unwrap();
        }
        let ports = Ports::free().unwrap();
        let named = |flag: &str, file: &str| format!("--{flag}={}", host.path(file).display());
        let mut flags = host.flags();
        flags.extend([
            format!("--listen.port={}", ports.main),
            named("config", "ffwatt.toml"),
            named("state-dir", "state"),
            named("price.file", "prices.json"),
            named("web.config.file", "web.yml"),
        ]);
        Self { host, flags }
    }

    fn run(&self, words: &[&str], extra: &[String]) -> String {
        let mut command = tests::agent::command().unwrap();
        command.args(words).args(&self.flags).args(extra).env_clear().env("PATH", PATH);
        let Output { stdout, stderr, .. } = command.output().unwrap();
        [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
    }

    /// Puts other texts into the files of one part of the checked.
    fn check(&self, part: usize) {
        let files = files_of(&self.host.path(""));
        assert!(files.len() > 60, "{files:?}");
        for file in files.iter().filter(|file| file.is_file()).skip(part).step_by(PARTS) {
            let original = fs::read(file).unwrap();
            for text in contents(&String::from_utf8_lossy(&original)) {
                fs::write(file, &text).unwrap();
                let as_json = self.run(&["check", "--json", "--log.level=trace"], &[]);
                assert!(!as_json.contains(CANARY), "{}: {as_json}", file.display());
                assert!(as_json.len() > 40, "{}: it says something: {as_json}", file.display());
            }
            fs::write(file, original).unwrap();
        }
    }
}

/// Houses in which files are changed at once: a check waits for counters to move, and does nothing meanwhile.
const PARTS: usize = 8;

#[test]
fn check_quotes_no_file_that_is_not_what_it_should_be() {
    let houses: Vec<CheckedHost> = (0..PARTS).map(|_| CheckedHost::new()).collect();
    thread::scope(|scope| {
        for (part, checked) in houses.iter().enumerate() {
            scope.spawn(move || checked.check(part));
        }
    });
}

#[test]
fn commands_quote_no_file_that_an_option_names() {
    let checked = CheckedHost::new();
    let host = &checked.host;
    let run = |words: &[&str], extra: &[String]| checked.run(words, extra);
    // Files that other subcommands read.
    let secret = host.path("secret");
    for text in contents("scenarios: ") {
        fs::write(&secret, text).unwrap();
        let secret = secret.display().to_string();
        for (words, extra) in [
            (&["report"][..], vec![secret.clone()]),
            (&["report", "--settings"], vec![secret.clone()]),
            (&["advise", "--vmaf-min=90"], vec![secret.clone()]),
            (&["bench", "batch"], vec![format!("--file={secret}")]),
            (&["top", "--once"], vec!["--url=https://127.0.0.1:1".to_owned(), format!("--ca={secret}")]),
            (&["config"], vec![format!("--config={secret}")]),
            (&["check"], vec![format!("--web.config.file={secret}")]),
            (&["check", "--ready"], vec![format!("--web.config.file={secret}")]),
        ] {
            let shown = run(words, &extra);
            assert!(!shown.contains(CANARY) && shown.len() > 20, "{words:?}: {shown}");
        }
    }
    // Keys and certificates that a web configuration names.
    for text in [
        format!("{CANARY}\n"),
        format!("-----BEGIN {CANARY}\n"),
        format!("-----BEGIN {CANARY}-----\n{CANARY}\n"),
    ] {
        fs::write(&secret, text).unwrap();
        for keys in [
            "cert_file: secret, key_file: secret",
            "cert_file: secret, key_file: secret, client_ca_file: secret",
        ] {
            host.write("web.yml", &format!("tls_server_config: {{{keys}}}\n")).unwrap();
            let shown = run(&["check"], &[]);
            assert!(!shown.contains(CANARY) && shown.contains("tls_server_config"), "{shown}");
        }
    }
}

#[test]
fn a_running_agent_quotes_no_file_that_turns_into_another() {
    let host = Host::client().unwrap();
    host.write("state/results/test_results_20260101_000000.json", "{\"scenarios\": []}").unwrap();
    host.write("ffwatt.toml", "\n").unwrap();
    host.write("web.yml", "{}\n").unwrap();
    host.write("prices.json", "{}\n").unwrap();
    let mut flags = host.flags();
    let named = |flag: &str, file: &str| format!("--{flag}={}", host.path(file).display());
    flags.extend(
        ["--interval=100ms", "--log.level=trace", "--results.rescan=100ms"]
            .map(str::to_owned)
            .into_iter()
            .chain([
                named("config", "ffwatt.toml"),
                named("state-dir", "state"),
                named("price.file", "prices.json"),
                named("web.config.file", "web.yml"),
            ]),
    );
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let agent = Agent::start(&flags).unwrap();
    let files = files_of(&host.path(""));
    // The kernel ends a process whose mapped file shrinks, so the database's files are left out.
    let is_database = |file: &&PathBuf| file.to_string_lossy().contains("/ledger.db");
    for file in files.iter().filter(|file| file.is_file() && !is_database(file)) {
        let original = fs::read(file).unwrap();
        fs::write(file, &contents(&String::from_utf8_lossy(&original))[2]).unwrap();
        agent.signal(rustix::process::Signal::HUP).unwrap();
        agent.wait_ticks(2).unwrap();
        let shown = answers(&agent.ports);
        assert!(!shown.contains(CANARY), "{}: {shown}", file.display());
        fs::write(file, original).unwrap();
    }
    assert!(!agent.log().contains(CANARY), "{}", agent.log());
    let (status, log) = agent.stop().unwrap();
    assert!(status.success() && !log.contains(CANARY), "{log}");
}
