//! Tests the Debian package, the systemd unit, the image and the compose file. Needs root, and `cargo xtask dist --debug` before.
//!
//! The package is installed on a copy of this host and removed without a trace; systemd's own tools check the unit; the image runs on a
//! private engine.
//!
//! Run: alone (it starts an engine of its own).

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tests::agent::Ports;
use tests::command::{eventually, output};
use tests::engine::Engine;
use tests::exposition::Exposition;
use tests::http;
use tests::image;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn package() -> PathBuf {
    let folder = repository().join("target/dist");
    let files = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut packages = files.filter(|path| path.extension().is_some_and(|extension| extension == "deb"));
    packages.next().expect("no package: run `cargo xtask dist --debug` first")
}

/// The host with an overlay for everything that is written: installs there do not change the host.
const ON_A_COPY: &str = r#"
    set -e
    mount -t tmpfs tmpfs "$1"
    mkdir "$1/upper" "$1/work" "$1/root"
    mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
    for part in proc sys dev; do mount --rbind "/$part" "$1/root/$part"; done
    cp "$2" "$1/root/tmp/ffwatt.deb"
    chroot "$1/root" sh -c "$3"
    rm "$1/root/tmp/ffwatt.deb"
    echo "== left"
    cd "$1/upper"
    find . ! -type c | grep -i ffwatt || true
    grep -l ffwatt etc/passwd etc/group 2> /dev/null || true
"#;

#[test]
fn the_package_installs_runs_and_goes_without_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let steps = r#"
        export DEBIAN_FRONTEND=noninteractive
        getent group docker > /dev/null || addgroup --quiet --system docker
        dpkg -i /tmp/ffwatt.deb > /tmp/log 2>&1 || { cat /tmp/log; exit 1; }
        echo "== version"; ffwatt --version
        echo "== check"; ffwatt check --state-dir=/tmp/state; echo "exit $?"
        echo "== config"; ffwatt config > /tmp/config && head -1 /tmp/config
        echo "== user"; getent passwd ffwatt | cut -d: -f1,6,7
        echo "== groups"; id --name --groups ffwatt
        echo "== files"; dpkg -L ffwatt
        echo "== unit"; ls /etc/systemd/system/multi-user.target.wants/
        dpkg --purge ffwatt >> /tmp/log 2>&1 || { cat /tmp/log; exit 1; }
        rm -rf /tmp/log /tmp/config /tmp/state
    "#;
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-c", ON_A_COPY, "sh"]).arg(folder.path()).arg(package()).arg(steps);
    let said = output(&mut command).unwrap();
    let part = |name: &str| {
        let after = said.split_once(&format!("== {name}\n")).unwrap_or_else(|| panic!("{name}: {said}")).1;
        after.split("== ").next().unwrap().to_owned()
    };
    assert!(part("version").starts_with("ffwatt 0."), "{said}");
    assert!(part("check").contains("exit 0") || part("check").contains("exit 3"), "{}", part("check"));
    assert!(
        part("config").starts_with("# ffwatt configuration"),
        "the file that is installed is understood: {said}"
    );
    assert_eq!(part("user").trim(), "ffwatt:/var/lib/ffwatt:/usr/sbin/nologin");
    // A member of the group docker controls the host; only an administrator may decide that.
    assert_eq!(part("groups").trim(), "ffwatt");
    for file in [
        "/usr/bin/ffwatt",
        "/usr/share/man/man1/ffwatt.1.gz",
        "/usr/share/bash-completion/completions/ffwatt",
        "/etc/ffwatt/ffwatt.toml",
        "/etc/default/ffwatt",
        "/usr/share/ffwatt/grafana/container-energy.json",
        "/usr/share/ffwatt/prometheus/alerts.yml",
        "/usr/share/doc/ffwatt/copyright",
    ] {
        assert!(part("files").lines().any(|line| line == file), "{file} is not in {}", part("files"));
    }
    assert!(part("unit").contains("ffwatt.service"), "{}", part("unit"));
    // dpkg's own database, and systemd's note about a removed unit: both are usual for Debian.
    let is_debians =
        |line: &&str| line.starts_with("./var/lib/dpkg/") || line.starts_with("./var/lib/systemd/");
    let left: Vec<String> =
        part("left").lines().filter(|line| !is_debians(line)).map(str::to_owned).collect();
    assert!(left.is_empty(), "left behind: {left:?}");
}

#[test]
fn the_unit_is_what_systemd_takes_and_gives_little_away() {
    let unit = repository().join("packaging/systemd/ffwatt.service");
    let folder = tempfile::tempdir().unwrap();
    // The program of the unit is not on this host: the built one replaces it.
    let text = fs::read_to_string(&unit).unwrap();
    let binary = tests::agent::binary().unwrap();
    let copy = folder.path().join("ffwatt.service");
    fs::write(&copy, text.replace("/usr/bin/ffwatt", binary.to_str().unwrap())).unwrap();
    let verified = Command::new("systemd-analyze").arg("verify").arg("--man=no").arg(&copy).output().unwrap();
    let said = String::from_utf8_lossy(&verified.stderr).into_owned();
    let about_it: Vec<&str> = said.lines().filter(|line| line.contains("ffwatt.service")).collect();
    assert!(verified.status.success() && about_it.is_empty(), "{said}");
    let security =
        output(Command::new("systemd-analyze").args(["security", "--offline=true"]).arg(&unit)).unwrap();
    let level =
        security.lines().find_map(|line| line.split_once("exposure level for ffwatt.service: ")).unwrap().1;
    let level: f64 = level.split(' ').next().unwrap().parse().unwrap();
    assert!(level < 2.5, "{level}");
}

#[test]
fn the_compose_file_is_whole() {
    let folder = tempfile::tempdir().unwrap();
    let text = fs::read_to_string(repository().join("docker-compose.yml")).unwrap();
    let version = output(Command::new("docker-compose").args(["version", "--short"])).unwrap();
    // Compose 1 does not support the key; docs/DEPLOY.md describes what to do there.
    let is_known = |line: &&str| !(version.starts_with("1.") && line.trim() == "cgroup: host");
    assert_eq!(text.lines().filter(|line| line.trim() == "cgroup: host").count(), 1, "{text}");
    let file = folder.path().join("docker-compose.yml");
    fs::write(&file, text.lines().filter(is_known).collect::<Vec<_>>().join("\n")).unwrap();
    let mut command = Command::new("docker-compose");
    command.arg("--project-directory").arg(repository()).arg("--file").arg(&file);
    command.env("HOME", folder.path()).args([
        "--profile",
        "demo",
        "--profile",
        "rtmp",
        "--profile",
        "privileged",
        "config",
    ]);
    let config = output(&mut command).unwrap();
    for words in [
        "rapl-exporter",
        "cost-exporter",
        "cap_drop",
        "no-new-privileges:true",
        "prom/prometheus:v",
        "RAPL_EXPORTER_PORT",
    ] {
        assert!(config.contains(words), "{words} is not in {config}");
    }
    assert!(!config.contains(":latest"), "{config}");
    for file in config
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- ")?.split_once(':'))
        .map(|(path, _)| path)
    {
        let is_ours = Path::new(file).starts_with(repository()) && !file.contains("test_results");
        assert!(!is_ours || Path::new(file).exists(), "{file} is mounted and not there");
    }
}

#[test]
fn the_image_attributes_its_siblings_with_three_capabilities() {
    let engine = Engine::start_private().unwrap();
    image::make(&engine, "encoder:1").unwrap();
    image::make_base(&engine, "base:1", &repository().join("target/dist/ffwatt")).unwrap();
    let build = output(
        engine
            .build()
            .current_dir(repository())
            .args(["--quiet", "--network=none", "--file=packaging/Dockerfile", "--tag=ffwatt:test"])
            .args(["--build-arg=BINARY=prebuilt", "--build-arg=BASE_IMAGE=base:1", "."]),
    );
    build.unwrap();
    let label =
        engine.run(&["image", "inspect", "--format", "{{json .Config.Labels}}", "ffwatt:test"]).unwrap();
    assert!(label.contains("org.opencontainers.image.licenses"), "{label}");
    let ports = Ports::free().unwrap();
    let port = |name: &str, port: u16| format!("{name}={port}");
    let environment = [
        port("FFWATT_LISTEN_PORT", ports.main),
        port("RAPL_EXPORTER_PORT", ports.rapl),
        port("DOCKER_STATS_PORT", ports.docker),
        port("RESULTS_EXPORTER_PORT", ports.results),
        port("QOE_EXPORTER_PORT", ports.qoe),
        port("COST_EXPORTER_PORT", ports.cost),
        "FFWATT_LISTEN_ADDRESS=127.0.0.1".to_owned(),
        "FFWATT_CPU_SOURCE=bpf".to_owned(),
    ];
    let socket = format!("{}:/var/run/docker.sock:ro", engine.socket().display());
    // As in docker-compose.yml, for engines with the newer names and for those without.
    let knows_bpf = engine.run(&["create", "--cap-add=BPF", "base:1", "true"]).is_ok();
    let capabilities = if knows_bpf { ["BPF", "PERFMON"] } else { ["SYS_ADMIN", "SETPCAP"] };
    let capabilities = capabilities.map(|name| format!("--cap-add={name}"));
    let mut words = vec!["run", "--detach", "--name=ffwatt", "--network=host", "--pid=host"];
    words.extend(["--cgroupns=host", "--read-only"]);
    words.extend(["--cap-drop=ALL", &capabilities[0], &capabilities[1], "--cap-add=DAC_READ_SEARCH"]);
    words.extend(["--security-opt=no-new-privileges:true", "--volume=/proc:/host/proc:ro"]);
    words.extend(["--volume=/sys:/host/sys:ro", "--volume", &socket]);
    for variable in &environment {
        words.extend(["--env", variable]);
    }
    words.push("ffwatt:test");
    engine.run(&words).unwrap();
    let live =
        "exec ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size=320x180:rate=25 -c:v libx264 -f null -";
    engine.run(&["run", "--detach", "--network=none", "--name=live", "encoder:1", "sh", "-c", live]).unwrap();
    let log = || {
        let output = engine.docker().args(["logs", "ffwatt"]).output().unwrap();
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    let scrape = || Exposition::parse(&http::get(ports.main, "/metrics").ok()?.text()).ok();
    let energy = eventually("the sibling is charged", Duration::from_secs(30), || {
        let of = [("workload", "live"), ("kind", "docker")];
        scrape()?.sum("ffwatt_workload_energy_joules_total", &of).filter(|energy| *energy > 0.0)
    });
    energy.unwrap_or_else(|error| panic!("{error}: {}", log()));
    let transcode = scrape().unwrap();
    let transcode = transcode.find("ffwatt_transcode_info", &[("workload", "live")]).next().unwrap();
    assert_eq!(transcode.label("codec"), "libx264", "command lines are read from the host's procfs");
    assert_eq!(engine.run(&["exec", "ffwatt", "/usr/bin/ffwatt", "check", "--ready"]).unwrap(), "");
    let shell = engine.docker().args(["exec", "ffwatt", "sh", "-c", "true"]).output().unwrap();
    assert!(!shell.status.success(), "there is no shell in it");
    assert!(!log().contains("ERROR"), "{}", log());
}
