//! Tests TLS and passwords of all listeners: the real binary, requests by curl; promtool reads the same file as the agent.
//!
//! Run: together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rustix::process::Signal;
use tempfile::TempDir;
use tests::agent::{Agent, Ports, binary};
use tests::command::{eventually, find, output};
use tests::host::Host;
use tests::http;

/// Hash of the password below, by libxcrypt.
const HASH: &str = "$2b$04$5vZL1tN2ejMhDSFgUVWTOOZyhsw9m85jFf7byu5/pgP9BHLTUYWrG";
const PASSWORD: &str = "correct horse";

/// An authority, and certificates of it: `server.crt`, `client.crt`, and `stranger.crt` without an authority.
fn certificates(folder: &Path) {
    let script = r#"
        set -e
        new() { name=$1; shift; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 \
            -keyout $name.key -out $name.crt -subj /CN=$name "$@" 2>> log; }
        new ca
        new server -CA ca.crt -CAkey ca.key -addext subjectAltName=IP:127.0.0.1,DNS:localhost -addext basicConstraints=CA:FALSE
        new client -CA ca.crt -CAkey ca.key -addext basicConstraints=CA:FALSE
        new stranger -addext basicConstraints=CA:FALSE
    "#;
    output(Command::new("sh").current_dir(folder).args(["-c", script])).unwrap();
}

/// An agent and its web configuration.
struct Guarded {
    agent: Agent,
    _host: Host,
    folder: TempDir,
}

impl Guarded {
    fn start(web_config: &str, flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        certificates(folder.path());
        let file = folder.path().join("web.yml");
        write(&file, web_config);
        referee(&file).unwrap();
        let host = Host::client().unwrap();
        let mut words = host.flags();
        words.extend(["--interval=200ms".to_owned(), format!("--web.config.file={}", file.display())]);
        words.extend(flags.iter().map(|flag| (*flag).to_owned()));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let agent = Agent::spawn(&binary().unwrap(), &words, &[]).unwrap();
        let guarded = Self { agent, _host: host, folder };
        eventually("the agent is ready", Duration::from_secs(30), || guarded.is_ready().then_some(()))
            .unwrap_or_else(|error| panic!("{error}: {}", guarded.agent.log()));
        guarded
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Whether a container's health check succeeds.
    fn is_ready(&self) -> bool {
        let mut check = tests::agent::command().unwrap();
        let config = format!("--web.config.file={}", self.file("web.yml").display());
        let port = format!("--listen.port={}", self.agent.ports.main);
        check.env_clear().args(["check", "--ready", &config, &port]).output().unwrap().status.success()
    }

    /// Status and body of a request by curl; status 0 when there is no answer.
    fn curl(&self, url: &str, arguments: &[&str]) -> (u16, String) {
        let said = Command::new("curl")
            .current_dir(self.folder.path())
            .args(["--silent", "--max-time", "20", "--write-out", "\n%{http_code}", url])
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    fn metrics(&self, scheme: &str, arguments: &[&str]) -> u16 {
        self.curl(&format!("{scheme}://localhost:{}/metrics", self.agent.ports.main), arguments).0
    }
}

fn write(path: &Path, text: &str) {
    // As editors and Kubernetes do: the new file replaces the old one whole.
    let new = path.with_extension("new");
    fs::write(&new, text).unwrap();
    fs::rename(new, path).unwrap();
}

/// Validates the file with the exporters' own tool.
fn referee(file: &Path) -> anyhow::Result<()> {
    output(Command::new(find("promtool").unwrap()).args(["check", "web-config"]).arg(file)).map(drop)
}

const TRUST: [&str; 2] = ["--cacert", "ca.crt"];

#[test]
fn every_listener_speaks_tls_and_nothing_else_when_told_to() {
    let guarded =
        Guarded::start("tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n", &[]);
    for port in guarded.agent.ports.all() {
        for path in ["/metrics", "/health", "/ready", "/"] {
            assert_eq!(
                guarded.curl(&format!("https://localhost:{port}{path}"), &TRUST).0,
                200,
                "{port}{path}"
            );
        }
        assert!(http::get(port, "/metrics").is_err(), "plain HTTP is not answered");
    }
    let url = format!("https://localhost:{}/metrics", guarded.agent.ports.main);
    assert_eq!(guarded.curl(&url, &["--cacert", "stranger.crt"]).0, 0, "curl does check");
    for (version, is_spoken) in [("1.1", false), ("1.2", true), ("1.3", true)] {
        let least = format!("--tlsv{version}");
        let exactly = [&TRUST[..], &[&least, "--tls-max", version]].concat();
        assert_eq!(guarded.curl(&url, &exactly).0 == 200, is_spoken, "TLS {version}");
    }
    assert!(guarded.agent.log().contains("https://"), "{}", guarded.agent.log());
}

#[test]
fn a_minimum_version_and_certificates_of_clients() {
    let config = "\
tls_server_config:
  cert_file: server.crt
  key_file: server.key
  client_ca_file: ca.crt
  client_auth_type: RequireAndVerifyClientCert
  min_version: TLS13
";
    let guarded = Guarded::start(config, &[]);
    let with = |name: &str| {
        let (cert, key) = (format!("{name}.crt"), format!("{name}.key"));
        guarded.metrics("https", &[&TRUST[..], &["--cert", &cert, "--key", &key]].concat())
    };
    // The health check has no certificate, so it shows only that the agent lives.
    let is_served = || (with("client") == 200).then_some(());
    eventually("the first tick is over", Duration::from_secs(30), is_served).unwrap();
    assert_eq!(with("stranger"), 0);
    assert_eq!(guarded.metrics("https", &TRUST), 0, "without a certificate there is no answer");
    let old = [&TRUST[..], &["--cert", "client.crt", "--key", "client.key", "--tls-max", "1.2"]].concat();
    assert_eq!(guarded.metrics("https", &old), 0);
}

#[test]
fn passwords_are_asked_for_everywhere_but_for_health() {
    let config = format!(
        "basic_auth_users:\n  scraper: {HASH}\nhttp_server_config:\n  headers:\n    X-Frame-Options: deny\n"
    );
    let guarded = Guarded::start(&config, &["--log.level=trace"]);
    let right = format!("scraper:{PASSWORD}");
    for port in guarded.agent.ports.all() {
        for path in
            ["/metrics", "/", "/nothing", "/%2e%2e/health", "//health", "/health/../metrics", "/HEALTH"]
        {
            let url = format!("http://localhost:{port}{path}");
            let raw = ["--path-as-is"];
            assert_eq!(guarded.curl(&url, &raw).0, 401, "{path}");
            assert_eq!(guarded.curl(&url, &["--path-as-is", "--user", "scraper:wrong"]).0, 401, "{path}");
        }
        let url = format!("http://localhost:{port}/metrics");
        assert_eq!(guarded.curl(&url, &["--user", &right]).0, 200);
        assert_eq!(guarded.curl(&url, &["--user", &format!("nobody:{PASSWORD}")]).0, 401);
        for path in ["/health", "/ready"] {
            assert_eq!(http::get(port, path).unwrap().status, 200, "a health check knows no password");
        }
    }
    let answer = http::get(guarded.agent.ports.main, "/metrics").unwrap();
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, Some("Basic")));
    assert_eq!(answer.header("x-frame-options"), Some("deny"));
    for odd in ["Basic", "Basic !!", "Bearer x", "Basic Og==", "basic c2NyYXBlcg=="] {
        let answer =
            http::request(guarded.agent.ports.main, "GET", "/metrics", &[("Authorization", odd)]).unwrap();
        assert_eq!(answer.status, 401, "{odd}");
    }
    // No password, hash or header of one is in the log, at its highest level.
    let log = guarded.agent.log();
    for secret in [PASSWORD, HASH, &HASH[7..], "c2NyYXBlcjpjb3JyZWN0IGhvcnNl", "scraper:wrong"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }
    let mut shown = tests::agent::command().unwrap();
    let file = guarded.file("web.yml");
    let shown = output(shown.env_clear().arg("config").arg(format!("--web.config.file={}", file.display())));
    let shown = shown.unwrap();
    assert!(shown.contains(file.to_str().unwrap()) && !shown.contains(&HASH[7..]), "{shown}");
}

#[test]
fn what_changes_counts_at_once_and_what_breaks_changes_nothing() {
    let tls = "tls_server_config:\n  cert_file: server.crt\n  key_file: server.key\n";
    let guarded = Guarded::start(tls, &[]);
    let file = guarded.file("web.yml");
    let patience = Duration::from_secs(20);
    assert_eq!(guarded.metrics("https", &TRUST), 200);
    // A password is required from now on.
    write(&file, &format!("{tls}basic_auth_users:\n  scraper: {HASH}\n"));
    eventually("a password is asked for", patience, || {
        (guarded.metrics("https", &TRUST) == 401).then_some(())
    })
    .unwrap();
    // Broken: by syntax, by key, by a missing file, by its removal.
    let broken = [
        ("basic_auth_users: [", "line"),
        ("basic_auth_user: {}", "basic_auth_user"),
        ("tls_server_config: {cert_file: gone.crt, key_file: server.key}", "gone.crt"),
        ("basic_auth_users: {scraper: plain}", "basic_auth_users.scraper"),
    ];
    for (text, says) in broken {
        write(&file, text);
        eventually("the broken file is complained of", patience, || {
            guarded
                .agent
                .log()
                .lines()
                .any(|line| line.contains("ERROR") && line.contains(says))
                .then_some(())
        })
        .unwrap_or_else(|error| panic!("{error}: {}", guarded.agent.log()));
        assert!(referee(&file).is_err() || text.contains("plain") || text.contains("gone"), "{text}");
        assert_eq!(guarded.metrics("https", &TRUST), 401, "the access rules do not change");
    }
    fs::remove_file(&file).unwrap();
    let user = format!("scraper:{PASSWORD}");
    let known = [&TRUST[..], &["--user", &user]].concat();
    assert_eq!(guarded.metrics("https", &known), 200);
    // A renewed certificate, of another authority, without touching the configuration.
    write(&file, tls);
    eventually("it is mended", patience, || (guarded.metrics("https", &TRUST) == 200).then_some(())).unwrap();
    fs::copy(guarded.file("stranger.key"), guarded.file("server.key")).unwrap();
    fs::copy(guarded.file("stranger.crt"), guarded.file("server.crt")).unwrap();
    eventually("the new certificate is shown", patience, || {
        let insecure = guarded.metrics("https", &["--insecure"]);
        (insecure == 200 && guarded.metrics("https", &TRUST) == 0).then_some(())
    })
    .unwrap();
    // SIGHUP, which reads other things again, does no harm.
    guarded.agent.signal(Signal::HUP).unwrap();
    guarded.agent.signal(Signal::HUP).unwrap();
    assert!(guarded.is_ready());
}

#[test]
fn a_start_with_a_broken_file_fails_and_says_where() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("web.yml");
    let host = Host::client().unwrap();
    let ports = Ports::free().unwrap();
    for (text, says) in [
        (Some("basic_auth_users:\n  a: b\nunknown: 1\n"), ["unknown", "line 3"]),
        (Some("tls_server_config: {key_file: x}\n"), ["tls_server_config.cert_file", "missing"]),
        (Some("basic_auth_users: {a: b}\n"), ["basic_auth_users.a", "not a bcrypt hash"]),
        (None, ["web.yml", "No such file"]),
    ] {
        match text {
            Some(text) => write(&file, text),
            None => fs::remove_file(&file).unwrap(),
        }
        let flag = format!("--web.config.file={}", file.display());
        let port = format!("--listen.port={}", ports.main);
        for action in ["run", "check"] {
            let mut command = tests::agent::command().unwrap();
            let said =
                command.env_clear().arg(action).args(host.flags()).args([&flag, &port]).output().unwrap();
            let text = [said.stdout, said.stderr].concat();
            let text = String::from_utf8_lossy(&text);
            assert_eq!(said.status.code(), Some(1), "{action}: {text}");
            assert!(says.iter().all(|part| text.contains(part)), "{action}: {text}");
        }
    }
}

#[test]
fn a_loopback_listener_answers_for_this_host_only() {
    let host = Host::client().unwrap();
    let flags = host.flags();
    let flags: Vec<&str> =
        flags.iter().map(String::as_str).chain(["--listen.host-names=metrics.example"]).collect();
    let agent = Agent::start(&flags).unwrap();
    let ask = |port: u16, method: &str, path: &str, host: &str| {
        // The first header of the name counts for most servers, the last for some: here all do.
        http::request(port, method, path, &[("Host", host)]).unwrap()
    };
    for port in agent.ports.all() {
        for path in ["/metrics", "/health", "/", "/nothing"] {
            for method in ["GET", "HEAD", "POST", "OPTIONS"] {
                let answer = ask(port, method, path, "evil.example");
                assert_eq!(answer.status, 403, "{method} {path}");
                assert!(answer.header("access-control-allow-origin").is_none());
            }
        }
        let said = ask(port, "GET", "/metrics", "evil.example:9510").text();
        assert!(said.contains("listen.host_names") && !said.contains("evil"), "{said}");
        for name in ["metrics.example", "METRICS.example:443", "127.0.0.1", "[::1]:80", "localhost:1"] {
            assert_eq!(ask(port, "GET", "/metrics", name).status, 200, "{name}");
        }
    }
    for path in ["/api/v1/snapshot", "/api/v1/events", "/docs/api", "/progress/a"] {
        assert_eq!(ask(agent.ports.main, "GET", path, "evil.example").status, 403, "{path}");
    }
}

#[test]
fn a_listener_for_the_network_answers_by_any_name_and_lets_no_page_post() {
    let host = Host::client().unwrap();
    let flags = host.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(["--listen.address=0.0.0.0"]).collect();
    let agent = Agent::start(&flags).unwrap();
    for port in agent.ports.all() {
        assert_eq!(http::request(port, "GET", "/metrics", &[("Host", "ffwatt:9510")]).unwrap().status, 200);
        let posted = http::request(port, "POST", "/metrics", &[("Origin", "https://evil.example")]).unwrap();
        assert_eq!(posted.status, 403);
    }
}
