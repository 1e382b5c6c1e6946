//! Tests `ffwatt top` in a real terminal (tmux), against a real agent and a real encode.
//!
//! Run: alone (it shows an encode of this host).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::process::{Command, Stdio};
use std::time::Duration;

use tests::agent::{Agent, binary};
use tests::command::{Owned, eventually, output};
use tests::host::{CGROUPS, Host};

/// Hash of "correct horse", by libxcrypt.
const HASH: &str = "$2b$04$5vZL1tN2ejMhDSFgUVWTOOZyhsw9m85jFf7byu5/pgP9BHLTUYWrG";

const PATIENCE: Duration = Duration::from_secs(30);

fn top(port: u16, arguments: &[&str]) -> Command {
    let mut command = tests::agent::command().unwrap();
    command.args(["top", "--url", &format!("http://127.0.0.1:{port}")]).args(arguments);
    command
}

/// A terminal with a program in it; both end when it is dropped.
struct Terminal {
    folder: tempfile::TempDir,
}

impl Terminal {
    fn start(port: u16, arguments: &[&str]) -> Self {
        let terminal = Self { folder: tempfile::tempdir().unwrap() };
        let program = binary().unwrap().display().to_string();
        let url = format!("http://127.0.0.1:{port}");
        let size = ["new-session", "-d", "-x", "165", "-y", "40"];
        output(terminal.tmux().args(size).args([&program, "top", "--url", &url]).args(arguments)).unwrap();
        terminal
    }

    fn tmux(&self) -> Command {
        let mut command = Command::new("tmux");
        command
            .arg("-S")
            .arg(self.folder.path().join("socket"))
            .args(["-f", "/dev/null"])
            .env("LANG", "C.UTF-8");
        command
    }

    fn screen(&self) -> Option<String> {
        output(self.tmux().args(["capture-pane", "-p"])).ok()
    }

    fn type_keys(&self, keys: &[&str]) {
        output(self.tmux().arg("send-keys").args(keys)).unwrap();
    }

    fn until(&self, what: &str, has: impl Fn(&str) -> bool) -> String {
        let mut last = None;
        let found = eventually(what, PATIENCE, || {
            last = self.screen();
            last.clone().filter(|screen| has(screen))
        });
        found.unwrap_or_else(|error| panic!("{error}\n{}", last.unwrap_or_default()))
    }

    /// The first words of the lines that have one of these.
    fn order(screen: &str, names: &[&str]) -> Vec<String> {
        let lines = screen.lines().filter_map(|line| line.split_whitespace().next());
        lines.filter(|word| names.contains(word)).map(str::to_owned).collect()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.tmux().arg("kill-server").stderr(Stdio::null()).status();
    }
}

#[test]
fn an_encode_is_shown_live_paused_filtered_and_in_detail() {
    let agent = Agent::start(&[
        "--energy.source=model",
        "--containers.docker-socket=",
        "--containers.podman-socket=",
    ])
    .unwrap();
    let url = format!("http://127.0.0.1:{}/progress/any", agent.ports.main);
    let mut ffmpeg = Command::new("ffmpeg");
    ffmpeg
        .args(["-nostdin", "-v", "error", "-progress", &url, "-re", "-f", "lavfi"])
        .args(["-i", "testsrc2=size=320x240:rate=30", "-t", "600", "-c:v", "libx264", "-preset", "veryfast"])
        .args(["-f", "null", "-"])
        .stdin(Stdio::null());
    let _ffmpeg = Owned(ffmpeg.spawn().unwrap());
    let metric = "ffwatt_transcode_joules_per_frame";
    agent.until("it posts", |scrape| scrape.find(metric, &[]).next().map(|_| ())).unwrap();
    let terminal = Terminal::start(agent.ports.main, &["--filter", "320x240"]);
    let screen = terminal.until("the encode is there", |screen| screen.contains("libx264 veryfast 320x240"));
    assert!(screen.contains("Energy is estimated from CPU use"), "{screen}");
    for title in ["CONTAINER", "POWER↓", "J/FRAME", "SPEED", "VMAF", "CO2"] {
        assert!(screen.contains(title), "{title}\n{screen}");
    }
    let ticks = |screen: &str| screen.split("tick ").nth(1)?.split_whitespace().next()?.parse::<u64>().ok();
    let first = ticks(&screen).unwrap();
    terminal.until("it goes on", |screen| ticks(screen).is_some_and(|tick| tick > first));
    let row = |screen: &str| screen.lines().find(|line| line.contains("libx264 veryfast")).map(str::to_owned);
    let has_graphs = |line: String| line.contains(" running ") && line.contains('%') && line.contains('█');
    terminal.until("its state, share and history", |screen| row(screen).is_some_and(has_graphs));
    terminal.type_keys(&["?"]);
    let screen = terminal.until("the help", |screen| screen.contains("any key closes the help"));
    for words in ["q Ctrl-C", "PgDn", "Keys while a filter is typed", "slower than live"] {
        assert!(screen.contains(words), "{words}\n{screen}");
    }
    terminal.type_keys(&["q"]);
    terminal.until("the help is closed, and nothing else", |screen| screen.contains("libx264 veryfast"));
    for (width, titles) in
        [(20, &["CONTAINER", "POWER↓"][..]), (80, &["STATE", "POWER↓", "J/FRAME", "SPEED"])]
    {
        output(terminal.tmux().args(["resize-window", "-y", "40", "-x"]).arg(width.to_string())).unwrap();
        let is_narrow =
            |screen: &str| !screen.contains("LAST ") && titles.iter().all(|title| screen.contains(title));
        let screen = terminal.until("columns that fit", is_narrow);
        let power = |line: &str| line.ends_with(" W") || line.contains(" W ") || line.ends_with(" -");
        let rows = screen.lines().skip_while(|line| !line.starts_with("CONTAINER")).skip(1);
        let rows: Vec<&str> = rows.take_while(|line| !line.is_empty()).collect();
        assert!(!rows.is_empty() && rows.iter().all(|line| power(line)), "a power has its unit:\n{screen}");
    }
    output(terminal.tmux().args(["resize-window", "-x", "165", "-y", "40"])).unwrap();
    terminal.until("all columns again", |screen| screen.contains("LAST ") && screen.contains("tick "));
    terminal.type_keys(&["Enter"]);
    let screen = terminal.until("its detail", |screen| screen.contains("mJ per frame"));
    assert!(screen.contains("live") && screen.contains("dropped"), "{screen}");
    terminal.type_keys(&["p"]);
    let paused = ticks(&terminal.until("it is paused", |screen| screen.contains("paused"))).unwrap();
    agent.wait_ticks(3).unwrap();
    assert_eq!(ticks(&terminal.screen().unwrap()), Some(paused), "nothing moves");
    terminal.type_keys(&["p"]);
    terminal.until("it goes on", |screen| ticks(screen).is_some_and(|tick| tick > paused));
    // In a terminal, a byte right after an escape belongs to it.
    terminal.type_keys(&["Escape"]);
    terminal.until("no detail", |screen| !screen.contains("Detail"));
    terminal.type_keys(&["/", "no such thing", "Enter"]);
    terminal.until("nothing matches", |screen| screen.contains("Encodes: 0, filter"));
    terminal.type_keys(&["Escape"]);
    terminal.until("all of it again", |screen| !screen.contains("Encodes: 0"));
    terminal.type_keys(&["Tab"]);
    terminal.until("the workloads", |screen| screen.contains("MEMORY") && screen.contains("kernel"));
    terminal.type_keys(&["Enter"]);
    terminal
        .until("the detail of a workload", |screen| screen.contains("belongs to") && screen.contains(" ± "));
    // The agent ends: that is shown, and the last figures stay.
    agent.stop().unwrap();
    terminal.until("it is gone", |screen| screen.contains("no agent answers") && screen.contains("kernel"));
    terminal.type_keys(&["q"]);
    eventually("it ends", PATIENCE, || terminal.screen().is_none().then_some(())).unwrap();
}

#[test]
fn an_agent_behind_a_certificate_and_a_password_is_asked_too() {
    let folder = tempfile::tempdir().unwrap();
    let script = "set -e\n\
        new() { name=$1; shift; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
            -keyout $name.key -out $name.crt -subj /CN=$name \"$@\" 2>> log; }\n\
        new ca\n\
        new server -CA ca.crt -CAkey ca.key -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=CA:FALSE";
    output(Command::new("sh").current_dir(folder.path()).args(["-c", script])).unwrap();
    let file = folder.path().join("web.yml");
    let access = format!(
        "tls_server_config: {{cert_file: server.crt, key_file: server.key}}\nbasic_auth_users: {{somebody: {HASH}}}\n"
    );
    fs::write(&file, access).unwrap();
    let host = Host::client().unwrap();
    let mut flags = host.flags();
    flags.push(format!("--web.config.file={}", file.display()));
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let agent = Agent::spawn(&binary().unwrap(), &flags, &[]).unwrap();
    let authority = folder.path().join("ca.crt").display().to_string();
    let ask = |user: &str, trusts: &[&str]| {
        let url = format!("https://{user}127.0.0.1:{}", agent.ports.main);
        let mut command = tests::agent::command().unwrap();
        // The host's own authorities did not sign the certificate.
        command.args(["top", "--once", "--url", &url]).args(trusts).env("SSL_CERT_FILE", "/dev/null");
        let said = command.env_remove("SSL_CERT_DIR").output().unwrap();
        let text = [said.stdout, said.stderr].concat();
        (said.status.success(), String::from_utf8_lossy(&text).into_owned())
    };
    let trust = ["--ca", &authority];
    let well = eventually("it answers", PATIENCE, || {
        Some(ask("somebody:correct horse@", &trust)).filter(|(is_well, _)| *is_well)
    });
    let (_, text) = well.unwrap_or_else(|error| panic!("{error}: {}", agent.log()));
    assert!(text.contains("unattributed") && !text.contains("horse"), "{text}");
    for (user, trusts, words) in [
        ("", &trust[..], "requires a password"),
        ("somebody:wrong@", &trust, "requires a password"),
        ("somebody:correct horse@", &[], "--ca"),
    ] {
        let (is_well, text) = ask(user, trusts);
        assert!(!is_well && text.contains(words) && !text.contains("horse"), "{words}: {text}");
    }
}

#[test]
fn once_prints_and_ends_and_says_what_is_wrong() {
    let mut host = Host::client().unwrap();
    let flags = host.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let agent = Agent::start(&flags).unwrap();
    agent.wait_ticks(1).unwrap();
    agent
        .between_ticks(|| {
            host.set_energy("intel-rapl:0", 13_000_000).unwrap();
            host.step(&[(CGROUPS[0], 700), (CGROUPS[1], 100)]).unwrap();
        })
        .unwrap();
    agent.wait_ticks(2).unwrap();
    let text = output(&mut top(agent.ports.main, &["--once", "--sort", "energy"])).unwrap();
    let names = ["4f1c0a7be95d", "nginx.service", "idle"];
    let order = Terminal::order(&text, &names);
    assert_eq!(order.first().map(String::as_str), Some("4f1c0a7be95d"), "{text}");
    assert!(order.contains(&"nginx.service".to_owned()), "{text}");
    let filtered = output(&mut top(agent.ports.main, &["--once", "--filter", "NGINX"])).unwrap();
    assert!(filtered.contains("nginx.service") && !filtered.contains("4f1c0a7be95d"), "{filtered}");
    let json = |arguments: &[&str]| {
        let text = output(top(agent.ports.main, &["--json"]).args(arguments)).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()
    };
    let all = json(&["--sort", "energy"]);
    let rows = all["workloads"].as_array().unwrap();
    let energies: Vec<f64> = rows.iter().map(|row| row["energy_joules"].as_f64().unwrap()).collect();
    assert!(energies.len() > 1 && energies.is_sorted_by(|one, next| one >= next), "{all}");
    assert_eq!((&rows[0]["state"], &all["transcodes"]), (&"running".into(), &serde_json::json!([])), "{all}");
    let all = json(&["--once", "--filter", "NGINX"]);
    let names: Vec<_> =
        all["workloads"].as_array().unwrap().iter().map(|row| row["workload"].as_str()).collect();
    assert_eq!(names, [Some("nginx.service")], "{all}");
    let port = agent.ports.main;
    for (arguments, words) in [
        (&["--once", "--sort", "colour"][..], "POWER"),
        (&[], "use --once"),
        (&["--once", "--ca", "/no/file"], "/no/file"),
    ] {
        let result = top(port, arguments).stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8_lossy(&result.stderr).into_owned();
        assert!(!result.status.success() && text.contains(words), "{arguments:?}: {text}");
    }
    agent.stop().unwrap();
    let result = top(port, &["--once"]).output().unwrap();
    let text = String::from_utf8_lossy(&result.stderr).into_owned();
    assert!(
        !result.status.success() && text.contains("no agent answers") && text.contains("ffwatt run"),
        "{text}"
    );
}
