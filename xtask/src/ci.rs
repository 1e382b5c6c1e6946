//! Runs the checks of a change: README's test command, and the additional checks of a CI machine (demo, soak, another kernel).

mod test_files;
mod together;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Instant;

use anyhow::bail;

use xtask::missing::Missing;
use xtask::process::{is_root, run, say};
use xtask::{build_ebpf, dist, helm, install, lab, root};

use crate::{fuzz, supply, tidy};

/// Tools of the black-box tests, by Debian package.
const PACKAGES: [&str; 21] = [
    "ffmpeg",
    "prometheus",
    "prometheus-alertmanager",
    "docker.io",
    "docker-compose",
    "iptables",
    "busybox-static",
    "procps",
    "bpftool",
    "iproute2",
    "libcap2-bin",
    "curl",
    "openssl",
    "systemd",
    "gdb",
    "chromium",
    "tmux",
    "strace",
    "podman",
    "runc",
    "containerd",
];

/// The strict OpenMetrics parser, an ffmpeg with libvmaf, two tools that score on their own, the schemas of Kubernetes, and a reader of
/// Parquet.
const PYTHON_PACKAGES: [&str; 6] = [
    "prometheus_client==0.26.0",
    "imageio-ffmpeg==0.8.1",
    "ffmpeg-quality-metrics==3.13.0",
    "easyvmaf==5.0.0",
    "kubernetes-validate==1.37.0",
    "pyarrow==26.0.1",
];

/// Runs all tests, or only those that need neither root nor tools.
pub(crate) fn test(quick: bool) -> anyhow::Result<()> {
    let root = root()?;
    let cargo = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(&root).args(arguments);
        command
    };
    if !quick && !is_root() {
        bail!(
            "the kernel and Docker tests need root: run `sudo -E env PATH=\"$PATH\" cargo xtask test`, \
             or only what does not: `cargo xtask test --quick`"
        );
    }
    if !quick {
        missing(&root).announce("test")?;
    }
    step("format");
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    step("house rules");
    tidy::run()?;
    step("dependencies");
    supply::check()?;
    step("a checkout without the eBPF toolchain");
    run(cargo(&["check", "--quiet", "--package", "ffwatt"])
        .env("FFWATT_EBPF_OBJECT", "/no/object")
        .env("CARGO_TARGET_DIR", root.join("target/plain")))?;
    if !quick {
        step("eBPF object");
        build_ebpf::reproduce()?;
    }
    step("clippy");
    let lint = [
        "clippy",
        "--quiet",
        "--workspace",
        "--exclude",
        "agent-ebpf",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ];
    run(&mut cargo(&lint))?;
    step("links of the documentation");
    let document = ["doc", "--quiet", "--no-deps", "--document-private-items", "--workspace"];
    run(cargo(&document).args(["--exclude", "agent-ebpf"]))?;
    step("unit tests");
    run(&mut cargo(&["test", "--quiet", "--workspace", "--exclude", "agent-ebpf", "--exclude", "tests"]))?;
    if quick {
        say("\nok, as far as can be told without root: the black-box tests did not run");
        return Ok(());
    }
    step("tools");
    install::packages("the black-box tests", &PACKAGES)?;
    let python = install::python(&root, &PYTHON_PACKAGES)?;
    install::playwright(&root)?;
    helm::helm(&root)?;
    step("hostile input");
    fuzz::fuzz(fuzz::Task::Replay, None)?;
    step("black-box tests");
    run(&mut cargo(&["build", "--quiet", "--package", "ffwatt", "--package", "tests", "--all-targets"]))?;
    let files = test_files::find(&root)?;
    together::run(&root, &files.together, &python)?;
    step("packages");
    dist::run_all(dist::Options { binary_only: false, debug: true })?;
    for name in &files.alone {
        step(&format!("tests: {name}"));
        run(&mut black_box(
            cargo(&["test", "--package", "tests"]),
            &["--test", name],
            &python,
            &["--test-threads=1"],
        ))?;
    }
    Ok(())
}

/// Tools and packages that the whole of the tests needs and the host lacks.
fn missing(root: &Path) -> Missing {
    build_ebpf::missing(root)
        .and(install::missing_for_tests(root, &PYTHON_PACKAGES))
        .and(dist::missing(root))
        .with_tool("helm", helm::find_helm(root).is_some())
        .with_packages(&PACKAGES)
        .with_packages(&fuzz::REPLAY_PACKAGES)
}

/// Runs the checks of a CI machine.
pub(crate) fn ci() -> anyhow::Result<()> {
    test(false)?;
    step("demo");
    lab::perform(["demo", "--debug", "--seconds", "10"])?;
    step("soak");
    lab::perform(["soak", "--debug", "--minutes", "1"])?;
    step("another kernel");
    lab::perform(["vm", "--kernel", "6.1", "--quick"])?;
    say("\nok");
    Ok(())
}

fn black_box(mut command: Command, targets: &[&str], python: &Path, arguments: &[&str]) -> Command {
    command.args(targets).arg("--").args(arguments).env("FFWATT_PYTHON", PathBuf::from(python));
    command
}

/// Announces a step, with the time since the first one.
#[expect(clippy::disallowed_methods, reason = "the rule is the agent's")]
fn step(name: &str) {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let seconds = BEGIN.get_or_init(Instant::now).elapsed().as_secs();
    say(&format!("\n== {name} (after {} min {:02} s)", seconds / 60, seconds % 60));
}
