//! `cargo xtask vm`: runs the kernel tests on other kernels, and writes a table of what works on each.
//!
//! Debian's cloud kernels, booted under QEMU in software (so that it works everywhere) with an initramfs of busybox, the agent and its
//! tests, and nothing else: cgroup v2, the CPUs and the clock are for the tests only. All of them, and the kernel that runs here,
//! are columns of the table in `docs/REQUIREMENTS.md`.

mod matrix;

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};

use xtask::process::{find, output, run as run_command, say};
use xtask::{build_ebpf, install, root};

use crate::suite::{Lists, Suite};
use matrix::Machine;

/// A kernel series and the Debian suite that has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Kernel {
    pub(crate) series: &'static str,
    suite: &'static str,
}

/// The tested series, oldest first.
pub(crate) const KERNELS: [Kernel; 3] = [
    Kernel { series: "5.10", suite: "bullseye" },
    Kernel { series: "6.1", suite: "bookworm" },
    Kernel { series: "6.12", suite: "bookworm-backports" },
];

/// Programs that the tests call, besides busybox.
const PROGRAMS: [&str; 1] = ["bpftool"];

const APPLETS: [&str; 16] = [
    "sh", "mount", "mkdir", "ip", "cat", "uname", "poweroff", "timeout", "taskset", "true", "rm", "sleep",
    "grep", "date", "tr", "unshare",
];

/// Test programs, by their names in the virtual machine.
const TEST_PROGRAMS: [&str; 3] = ["kernel", "faults_kernel", "machine"];

/// Seconds that one test may take inside, in software emulation; the next constant is that of the whole machine.
const PATIENCE: u32 = 400;
const LIFE: u32 = 1800;

pub(crate) fn run(series: &[String], is_quick: bool) -> anyhow::Result<()> {
    let root = root()?;
    let kernels: Vec<Kernel> = KERNELS
        .into_iter()
        .filter(|kernel| series.is_empty() || series.iter().any(|wanted| wanted == kernel.series))
        .collect();
    ensure!(
        !kernels.is_empty(),
        "no such kernel; there are {}",
        KERNELS.map(|kernel| kernel.series).join(", ")
    );
    install::packages(
        "booting other kernels",
        &["qemu-system-x86", "busybox-static", "bpftool", "cpio", "gdb", "gpgv"],
    )?;
    build_ebpf::run()?;
    let mut build = Command::new(env!("CARGO"));
    build.current_dir(&root).args(["build", "--quiet", "--package", "ffwatt", "--package", "tests"]);
    build.args(["--bin", "ffwatt"]).args(TEST_PROGRAMS.iter().flat_map(|name| ["--test", *name]));
    run_command(&mut build)?;
    let initramfs = initramfs(&root, is_quick)?;
    let mut columns = Vec::new();
    for kernel in kernels {
        let image = fetch(&root, kernel)?;
        let mut column = matrix::Column::new(kernel.series, is_quick);
        for machine in Machine::ALL {
            boot(&emulator(&root)?, machine, &mut column, &image, &initramfs)?;
        }
        columns.push(column);
    }
    let is_whole = series.is_empty() && !is_quick;
    if is_whole {
        columns.push(matrix::here(&target_dir(&root))?);
    }
    say(&matrix::table(&columns));
    if is_whole {
        matrix::write(&root, &columns)?;
    }
    let failed: Vec<String> =
        columns.iter().filter(|column| !column.is_well()).map(|column| column.title.clone()).collect();
    ensure!(failed.is_empty(), "failed on {}", failed.join(", "));
    Ok(())
}

fn target_dir(root: &Path) -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from).join("debug")
}

/// Downloads and unpacks a kernel below `target/vm`; returns its image.
fn fetch(root: &Path, kernel: Kernel) -> anyhow::Result<PathBuf> {
    let suite = Suite { folder: root.join("target/vm").join(kernel.series), name: kernel.suite };
    if let Some(image) = image_in(&suite.folder) {
        return Ok(image);
    }
    suite.update(Lists::Packages)?;
    // The newest of the series: names carry an ABI number.
    let names = output(suite.apt("apt-cache").args(["pkgnames", &format!("linux-image-{}", kernel.series)]))?;
    let numbers = |name: &str| -> Vec<u32> {
        name.split(|character: char| !character.is_ascii_digit())
            .filter_map(|number| number.parse().ok())
            .collect()
    };
    let newest = names.lines().filter(|name| name.ends_with("-cloud-amd64")).max_by_key(|name| numbers(name));
    let newest = newest.with_context(|| format!("{} has no cloud kernel {}", kernel.suite, kernel.series))?;
    suite.unpack(&[newest])?;
    image_in(&suite.folder).context("the package has no kernel image")
}

/// The first QEMU whose software emulation runs Linux 6.12: 7.2 crashes it at the first storm of forks, with or without the agent.
const GOOD_QEMU: u32 = 8;

/// QEMU, with the paths of its parts: this host's, or a newer one below `target/vm`.
fn emulator(root: &Path) -> anyhow::Result<Command> {
    let version = output(Command::new("qemu-system-x86_64").arg("--version"))?;
    let major = version.split(' ').find_map(|word| word.split('.').next()?.parse::<u32>().ok());
    if major.is_some_and(|major| major >= GOOD_QEMU) {
        return Ok(Command::new("qemu-system-x86_64"));
    }
    let suite = Suite { folder: root.join("target/vm/qemu"), name: "bookworm-backports" };
    let unpacked = suite.folder.join("unpacked");
    let program = unpacked.join("usr/bin/qemu-system-x86_64");
    if !program.exists() {
        suite.update(Lists::Packages)?;
        suite.unpack(&["qemu-system-x86", "qemu-system-common", "qemu-system-data", "seabios"])?;
    }
    let mut command = Command::new(program);
    command.env("QEMU_MODULE_DIR", unpacked.join("usr/lib/x86_64-linux-gnu/qemu"));
    command.arg("-L").arg(unpacked.join("usr/share/qemu")).arg("-L").arg(unpacked.join("usr/share/seabios"));
    Ok(command)
}

fn image_in(folder: &Path) -> Option<PathBuf> {
    let boot = fs::read_dir(folder.join("unpacked/boot")).ok()?;
    boot.flatten().map(|entry| entry.path()).find(|path| path.to_string_lossy().contains("vmlinuz-"))
}

/// busybox, the agent, the kernel tests and the libraries that they need.
fn initramfs(root: &Path, is_quick: bool) -> anyhow::Result<PathBuf> {
    let tree = root.join("target/vm/initramfs");
    let _ = fs::remove_dir_all(&tree);
    for folder in ["bin", "proc", "sys", "dev", "tmp", "var/lib", "etc"] {
        fs::create_dir_all(tree.join(folder))?;
    }
    let busybox = find("busybox").context("there is no busybox")?;
    fs::copy(busybox, tree.join("bin/busybox"))?;
    for applet in APPLETS {
        symlink("busybox", tree.join("bin").join(applet))?;
    }
    let target = target_dir(root);
    add_program(&tree, &target.join("ffwatt"), "ffwatt")?;
    for name in TEST_PROGRAMS {
        add_program(&tree, &newest_test(&target, name)?, name)?;
    }
    for program in PROGRAMS {
        add_program(&tree, &find(program).with_context(|| format!("there is no {program}"))?, program)?;
    }
    let init = tree.join("init");
    fs::write(&init, init_script(is_quick))?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;
    let image = root.join("target/vm/initramfs.cpio");
    let pack = format!("cd {} && find . | cpio --quiet -o -H newc > {}", tree.display(), image.display());
    run_command(Command::new("sh").args(["-c", &pack]))?;
    Ok(image)
}

/// The most recently built test program of this name.
fn newest_test(target: &Path, test: &str) -> anyhow::Result<PathBuf> {
    let is_it = |path: &Path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        name.strip_prefix(test).is_some_and(|rest| rest.starts_with('-')) && path.extension().is_none()
    };
    let found =
        fs::read_dir(target.join("deps"))?.flatten().map(|entry| entry.path()).filter(|path| is_it(path));
    let newest = found.max_by_key(|path| path.metadata().and_then(|metadata| metadata.modified()).ok());
    newest.with_context(|| format!("the tests {test} are not built"))
}

fn add_program(tree: &Path, program: &Path, name: &str) -> anyhow::Result<()> {
    fs::copy(program, tree.join("bin").join(name))
        .with_context(|| format!("cannot copy {}", program.display()))?;
    let libraries = output(Command::new("ldd").arg(program))?;
    for library in libraries.split_whitespace().filter(|word| word.starts_with('/')).map(Path::new) {
        let to = tree.join(library.strip_prefix("/")?);
        if !to.exists() && library.exists() {
            fs::create_dir_all(to.parent().context("a library is in a folder")?)?;
            fs::copy(library, to)?;
        }
    }
    Ok(())
}

fn init_script(is_quick: bool) -> String {
    let mut script = String::from(
        "#!/bin/sh\n\
         export PATH=/bin FFWATT_BINARY=/bin/ffwatt FFWATT_MACHINE=vm TMPDIR=/tmp RUST_BACKTRACE=0\n\
         mount -t proc none /proc; mount -t sysfs none /sys; mount -t devtmpfs none /dev\n\
         mount -t cgroup2 none /sys/fs/cgroup; mount -t tmpfs none /tmp\n\
         ip link set lo up\n",
    );
    // The kernel passes a parameter that it does not know to this script, as an environment variable.
    script.push_str("case \"$MACHINE\" in\n");
    for machine in Machine::ALL {
        let lines = matrix::survey(machine, &format!("timeout {PATIENCE} "), is_quick);
        script.extend([machine.name(), ")\n", &lines.join("\n"), "\n;;\n"]);
    }
    script.push_str("esac\npoweroff -f\n");
    script
}

/// Boots, shows the machine's console, and records the answers.
fn boot(
    emulator: &Command,
    machine: Machine,
    column: &mut matrix::Column,
    image: &Path,
    initramfs: &Path,
) -> anyhow::Result<()> {
    say(&format!("\n== Linux {}, {} CPUs", column.title, machine.cpus()));
    // A machine that does not wake up again would never end.
    let mut command = Command::new("timeout");
    command.arg(LIFE.to_string()).arg(emulator.get_program()).args(emulator.get_args());
    command.envs(emulator.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command
        .args(["-accel", "tcg", "-cpu", "max", "-smp", machine.cpus(), "-m", "1024"])
        .args(["-nographic", "-no-reboot", "-nic", "none"])
        .arg("-append")
        .arg(format!("console=ttyS0 quiet no_console_suspend panic=-1 MACHINE={}", machine.name()))
        .arg("-kernel")
        .arg(image)
        .arg("-initrd")
        .arg(initramfs)
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    let mut child = command.spawn().context("cannot start QEMU")?;
    let console = child.stdout.take().context("QEMU has a console")?;
    for line in BufReader::new(console).split(b'\n') {
        column.take(String::from_utf8_lossy(&line?).trim_end());
    }
    let status = child.wait().context("cannot wait for QEMU")?;
    say(&format!("the machine ended with {status}"));
    Ok(())
}
