//! Files that a caller may not read: a binary with file capabilities shows none of them, and no message quotes a file. Needs root.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use tests::agent::{Agent, Ports, binary};
use tests::command::{Owned, eventually, output};
use tests::host::{CLIENT_RANGE, Host};
use tests::http;

/// What nobody may see. Once as a password file has it, once alone.
const CANARY: &str = "hunter2-9f31c7";

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A copy of the binary with file capabilities, which everybody may execute: what should never be installed. And root's files.
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
            Command::new("/usr/sbin/setcap")
                .arg("cap_bpf,cap_perfmon,cap_dac_read_search+ep")
                .arg(installed.binary()),
        )
        .unwrap();
        fs::write(installed.secret(), format!("root:$6${CANARY}:19000:0:99999:7:::\n{CANARY}\n")).unwrap();
        mode(&installed.secret(), 0o600);
        // A folder that is full of links to it, by every name a reader could look for.
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

    /// Its files are root's, and so is the right to look into it.
    fn locked(&self) -> PathBuf {
        self.folder.path().join("locked")
    }

    /// Everything below the folder with its size, to see that nothing was written.
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

    /// As an ordinary user, who has no capability.
    fn by_nobody(&self, arguments: &[String]) -> Command {
        let mut command = as_nobody(&self.binary());
        command.args(arguments).env_clear().env("PATH", PATH);
        command
    }

    /// Everything an ordinary user is shown: what is printed, and, where an agent starts, all that it answers.
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
        eventually("it ends or answers", Duration::from_secs(60), || {
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

    fn port_flags(&self) -> Vec<String> {
        let Ports { rapl, docker, results, qoe, cost, main } = self.ports;
        [
            ("rapl-port", rapl),
            ("docker-port", docker),
            ("results-port", results),
            ("qoe-port", qoe),
            ("cost-port", cost),
            ("port", main),
        ]
        .map(|(name, port)| format!("--listen.{name}={port}"))
        .into()
    }
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn as_nobody(program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command.args([
        "--reuid=65534",
        "--regid=65534",
        "--clear-groups",
        "--inh-caps=-all",
        "--ambient-caps=-all",
    ]);
    command.arg(program);
    command
}

/// What an agent answers on every port.
fn answers(ports: &Ports) -> String {
    let paths = [
        "/metrics",
        "/",
        "/health",
        "/api/v1/snapshot?include=workloads,transcodes,scenarios",
        "/api/v1/history",
    ];
    let ask = |port| move |path: &&str| http::get(port, path).map(|answer| answer.text()).unwrap_or_default();
    ports.all().into_iter().flat_map(|port| paths.iter().map(ask(port)).collect::<Vec<_>>()).collect()
}

/// Options that take a value, with how many, as clap's own definition has them.
fn options(subcommand: &[&str]) -> Vec<(String, usize)> {
    let mut help = Command::new(binary().unwrap());
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

/// Subcommands, with what makes them end soon.
fn subcommands(installed: &Installed) -> Vec<(Vec<&'static str>, Vec<String>)> {
    let secret = installed.secret().display().to_string();
    let known = [
        (vec!["run"], installed.port_flags()),
        (vec!["check"], installed.port_flags()),
        (vec!["check", "--ready"], Vec::new()),
        (vec!["config"], Vec::new()),
        (vec!["report"], Vec::new()),
        (vec!["top", "--once"], vec!["--url=http://127.0.0.1:1".to_owned()]),
        (vec!["quality"], vec![secret.clone(), secret.clone()]),
        (vec!["bench", "batch"], vec![format!("--file={secret}")]),
    ];
    let mut help = Command::new(binary().unwrap());
    let help = output(help.arg("--help").env_clear()).unwrap();
    let listed = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    for line in listed.lines() {
        let name = line.split_whitespace().next().unwrap();
        let is_known = name == "help" || known.iter().any(|(words, _)| words[0] == name);
        assert!(is_known, "{name} is not tried");
    }
    known.into()
}

#[test]
fn no_option_of_a_setcap_binary_shows_or_changes_what_its_caller_may_not_read() {
    let installed = Installed::new();
    let before = installed.files();
    let (mut tried, mut refused) = (0, BTreeSet::new());
    for (words, ending) in subcommands(&installed) {
        for (option, values) in options(&words) {
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
    }
    assert!(tried > 1000, "{tried}");
    assert_eq!(installed.files(), before, "nothing is written");
    // Whatever makes the privileged process open, write, start or give up something, is refused, and by `run` and `check` alone.
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
        for subcommand in ["run", "check"] {
            assert!(refused.contains(&(subcommand, option.to_owned())), "{subcommand} --{option}");
        }
    }
    assert!(refused.iter().all(|(subcommand, _)| ["run", "check"].contains(subcommand)), "{refused:?}");
}

#[test]
fn positional_files_are_opened_with_the_callers_rights() {
    let installed = Installed::new();
    let secret = installed.secret().display().to_string();
    for words in
        [&["report", &secret][..], &["quality", &secret, &secret], &["bench", "batch", "--file", &secret]]
    {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let shown = installed.shown(&mut installed.by_nobody(&words));
        assert!(!shown.contains(CANARY), "{words:?}: {shown}");
        // The ffmpeg that compares may not be there.
        assert!(shown.contains("ermission denied") || words[0] == "quality", "{words:?}: {shown}");
    }
}

#[test]
fn no_variable_of_the_callers_counts_in_a_setcap_binary() {
    let installed = Installed::new();
    let before = installed.files();
    let mut config = Command::new(binary().unwrap());
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
                words.iter().map(|word| (*word).to_owned()).chain(installed.port_flags()).collect();
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
        // What needs no rights has none, and goes by its caller's environment.
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
    let mut command = installed.by_nobody(&[&["run".to_owned()][..], &installed.port_flags()].concat());
    command.env("PATH", "/home/me/bin:/usr/bin:/bin").env("HOME", "/home/me").env("ANYTHING", "else");
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let child = Owned(child.unwrap());
    let process = PathBuf::from(format!("/proc/{}", child.0.id()));
    eventually("the agent is ready", Duration::from_secs(60), || {
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
        let arguments = [&["check".to_owned()][..], &installed.port_flags()].concat();
        installed.shown(&mut installed.by_nobody(&arguments))
    };
    let shown = check(&installed);
    assert!(shown.contains("has file capabilities and mode 0755") && shown.contains("chmod 0750"), "{shown}");
    std::os::unix::fs::chown(installed.binary(), None, Some(65534)).unwrap();
    mode(&installed.binary(), 0o750);
    let grant = "cap_bpf,cap_perfmon,cap_dac_read_search+ep";
    output(Command::new("/usr/sbin/setcap").arg(grant).arg(installed.binary())).unwrap();
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

const READ_SEARCH: u64 = 1 << 2;

fn bits(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

/// A host whose counters only root may read.
fn locked_host() -> Host {
    let host = Host::client().unwrap();
    mode(&host.path(""), 0o755);
    for zone in ["intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl:1", "intel-rapl-mmio:0"] {
        mode(&host.path(&host.zone_file(zone, "energy_uj")), 0o400);
    }
    host
}

/// A program that runs the agent as nobody, with the right to read every file handed down, as a unit does; on a host whose sysfs
/// is the fixture's.
fn start_script(folder: &Path, host: &Host, is_own_sysfs: bool) -> PathBuf {
    let script = folder.join("start");
    let mount = if is_own_sysfs {
        format!("mount --bind '{}' /sys && ", host.path("sys").display())
    } else {
        String::new()
    };
    let rights = "--inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search";
    let text = format!(
        "#!/bin/sh\nexec unshare --mount sh -c '{mount}exec setpriv --reuid=65534 --regid=65534 --clear-groups {rights} \"$@\"' sh '{}' \"$@\"\n",
        binary().unwrap().display()
    );
    fs::write(&script, text.replace(&mount, &mount.replace('\'', "\""))).unwrap();
    mode(&script, 0o755);
    script
}

#[test]
fn the_right_to_read_counts_for_counters_of_the_real_sysfs_and_only_while_they_are_opened() {
    let host = locked_host();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    mode(folder.path(), 0o755);
    std::os::unix::fs::chown(&state, Some(65534), Some(65534)).unwrap();
    let script = start_script(folder.path(), &host, true);
    let mut flags = host.flags();
    flags.retain(|flag| !flag.starts_with("--path.sysfs"));
    flags.extend(["--interval=100ms".to_owned(), format!("--state-dir={}", state.display())]);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut agent = Agent::spawn(&script, &flags, &[("PATH", PATH)]).unwrap();
    agent.wait_ready().unwrap();
    let scrape = agent.scrape().unwrap();
    assert_eq!(scrape.sum("ffwatt_source_up", &[("source", "powercap")]), Some(1.0), "{}", agent.log());
    for thread in agent.threads().unwrap() {
        assert_eq!(bits(&thread, "CapEff"), 0, "{thread}");
        assert_eq!((bits(&thread, "CapPrm"), bits(&thread, "CapAmb")), (READ_SEARCH, 0), "{thread}");
    }
    // The driver comes back, and its counters are as locked as before: they are opened again.
    let energy = |scrape: &tests::exposition::Exposition| {
        scrape.sum("ffwatt_host_energy_joules_total", &[("domain", "package"), ("source", "powercap")])
    };
    let before = energy(&agent.scrape().unwrap()).unwrap();
    let file = host.zone_file("intel-rapl:0", "energy_uj");
    fs::remove_file(host.path(&file)).unwrap();
    host.write(&file, "9000000\n").unwrap();
    mode(&host.path(&file), 0o400);
    agent.until("the new file is read", |scrape| (energy(scrape)? > before).then_some(())).unwrap();
    for thread in agent.threads().unwrap() {
        assert_eq!(bits(&thread, "CapEff"), 0, "{thread}");
    }
    assert!(CLIENT_RANGE > 9_000_000);
}

#[test]
fn the_right_to_read_does_not_count_below_a_folder_that_was_named() {
    let host = locked_host();
    let folder = tempfile::tempdir().unwrap();
    mode(folder.path(), 0o755);
    let script = start_script(folder.path(), &host, false);
    let Output { stdout, .. } =
        Command::new(&script).arg("check").args(host.flags()).env_clear().env("PATH", PATH).output().unwrap();
    let shown = String::from_utf8_lossy(&stdout);
    assert!(shown.contains("powercap  PROBLEM") && shown.contains("Permission denied"), "{shown}");
    let own = start_script(folder.path(), &host, true);
    let flags = host.flags().into_iter().filter(|flag| !flag.starts_with("--path.sysfs"));
    let Output { stdout, .. } =
        Command::new(&own).arg("check").args(flags).env_clear().env("PATH", PATH).output().unwrap();
    let shown = String::from_utf8_lossy(&stdout);
    assert!(shown.contains("powercap  used"), "{shown}");
}

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

/// What may be found in a file's place: a password alone, a line of a password file, a text that begins as the right one does.
fn contents(original: &str) -> [String; 3] {
    let begin: String = original.chars().take(original.find([':', ' ', '=']).unwrap_or(0)).collect();
    [
        format!("{CANARY}\n"),
        format!("root:$6${CANARY}:19000:0:99999:7:::\n"),
        format!("{begin} {CANARY} {begin}: {CANARY}\n"),
    ]
}

#[test]
fn check_quotes_no_file_that_is_not_what_it_should_be() {
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
        ("state/ledger.sqlite", ""),
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
    let run = |words: &[&str], extra: &[String]| {
        let mut command = Command::new(binary().unwrap());
        command.args(words).args(&flags).args(extra).env_clear().env("PATH", PATH);
        let Output { stdout, stderr, .. } = command.output().unwrap();
        [stdout, stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
    };
    let files = files_of(&host.path(""));
    assert!(files.len() > 60, "{files:?}");
    for file in files.iter().filter(|file| file.is_file()) {
        let original = fs::read(file).unwrap();
        for text in contents(&String::from_utf8_lossy(&original)) {
            fs::write(file, &text).unwrap();
            let as_json = run(&["check", "--json", "--log.level=trace"], &[]);
            assert!(!as_json.contains(CANARY), "{}: {as_json}", file.display());
            assert!(as_json.len() > 40, "{}: it says something: {as_json}", file.display());
        }
        fs::write(file, original).unwrap();
    }
    // Files that other subcommands read.
    let secret = host.path("secret");
    for text in contents("scenarios: ") {
        fs::write(&secret, text).unwrap();
        let secret = secret.display().to_string();
        for (words, extra) in [
            (&["report"][..], vec![secret.clone()]),
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
    for file in
        files.iter().filter(|file| file.is_file() && !file.to_string_lossy().contains("ledger.sqlite"))
    {
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
