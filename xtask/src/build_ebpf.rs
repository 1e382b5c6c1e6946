//! Builds the eBPF object: finds a toolchain, or names the missing parts.
//!
//! eBPF needs a compiler that can build `core` for a target without a ready-made one, and a linker for BPF:
//!
//! * rustup's nightly with `rust-src`, where there is one; else
//! * Debian's `rustc-web` with its library source, told to accept unstable flags;
//! * `bpf-linker`, whose LLVM must not be older than the compiler's: from `PATH`, or built into `target/tools`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::install;
use crate::missing::Missing;
use crate::process::{self, find, output, say, succeeds};
use crate::root;

const TARGET: &str = "bpfel-unknown-none";
/// Path of the linker that this repository builds.
const LINKER: &str = "target/tools/bin/bpf-linker";
const LINKER_VERSION: &str = "0.13.0";
/// The LLVM majors that this version of the linker can be built with, newest first.
const LINKER_LLVMS: [u32; 3] = [23, 22, 21];
const DEBIAN_PACKAGES: [&str; 3] = ["rustc-web", "rust-web-src", "cargo-web"];

/// A compiler that can build for eBPF.
struct Toolchain {
    cargo: PathBuf,
    /// `RUSTC` and other variables that must be set.
    environment: Vec<(&'static str, String)>,
    arguments: Vec<&'static str>,
    llvm: u32,
    sysroot: PathBuf,
}

/// Builds the agent's object; returns its path.
pub fn run() -> anyhow::Result<PathBuf> {
    build("ffwatt-ebpf")
}

/// Builds the comparison programs of `floor.rs`; returns their object's path.
pub fn run_floor() -> anyhow::Result<PathBuf> {
    build("ffwatt-floor")
}

/// Builds the agent's object again, from a copy of the source in another folder, without any cache: the bytes must be the same.
pub fn reproduce() -> anyhow::Result<()> {
    let first = fs::read(run()?).context("cannot read the object")?;
    let root = root()?;
    let copy = root.join("target/reproduce");
    if copy.exists() {
        fs::remove_dir_all(&copy).with_context(|| format!("cannot remove {}", copy.display()))?;
    }
    let files = output(Command::new("git").current_dir(&root).args(["ls-files", "--cached"]))?;
    for file in files.lines() {
        let (from, to) = (root.join(file), copy.join("another folder").join(file));
        // Removed, but the removal is not committed yet.
        if from.is_file() {
            fs::create_dir_all(to.parent().context("a file is in a folder")?)?;
            fs::copy(&from, &to).with_context(|| format!("cannot copy {file}"))?;
        }
    }
    let second = fs::read(compile("ffwatt-ebpf", &copy.join("another folder"))?)?;
    fs::remove_dir_all(&copy).with_context(|| format!("cannot remove {}", copy.display()))?;
    if first != second {
        bail!("the eBPF object is not the same when it is built again elsewhere");
    }
    say(&format!("built twice, in two folders: the same {} bytes", first.len()));
    Ok(())
}

/// Tools and packages that the build needs and the host lacks.
pub fn missing(root: &Path) -> Missing {
    let Some(toolchain) = nightly().or_else(debian) else {
        return linker_missing(root, None).with_packages(&DEBIAN_PACKAGES);
    };
    linker_missing(root, Some(toolchain.llvm))
}

/// For a linker that has to be built: an LLVM that is not older than the compiler's, and a C++ compiler.
fn linker_missing(root: &Path, llvm: Option<u32>) -> Missing {
    if find_linker(root).is_some() {
        return Missing::default();
    }
    let mut missing = Missing::default().with_packages(&absent_compiler()).with_tool("bpf-linker", false);
    match llvm {
        Some(llvm) if installed_llvm(llvm).is_none() => {
            if let Some(major) = offered_llvm(llvm) {
                missing = missing.with_packages(&[&llvm_package(major)]);
            }
        }
        Some(_) => {}
        // The compiler, which is not installed yet, decides.
        None => missing = missing.with_packages(&["llvm-21-dev or newer"]),
    }
    missing
}

fn build(name: &str) -> anyhow::Result<PathBuf> {
    let root = root()?;
    let built = compile(name, &root)?;
    let object = root.join("target/bpf").join(name);
    // Written only when it changed, so that the agent is not built again without reason.
    let bytes = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    if fs::read(&object).ok().as_ref() != Some(&bytes) {
        fs::write(&object, &bytes).with_context(|| format!("cannot write {}", object.display()))?;
    }
    say(&format!("{} ({} kB)", object.display(), bytes.len() / 1000));
    Ok(object)
}

/// Compiles an object from the source in `source`; returns its path.
fn compile(name: &str, source: &Path) -> anyhow::Result<PathBuf> {
    let toolchain = toolchain()?;
    let linker = linker(&root()?, toolchain.llvm)?;
    let mut command = Command::new(&toolchain.cargo);
    // Variables that cargo and rustup set for xtask itself are wrong for another toolchain.
    for name in
        ["RUSTUP_TOOLCHAIN", "RUSTC", "RUSTC_WRAPPER", "RUSTFLAGS", "CARGO", "CARGO_ENCODED_RUSTFLAGS"]
    {
        command.env_remove(name);
    }
    command
        .current_dir(source)
        .envs(toolchain.environment.iter().map(|(name, value)| (name, value)))
        .env("CARGO_ENCODED_RUSTFLAGS", rustflags(source, &toolchain, &linker).join("\u{1f}"))
        // The agent is optimised for size, its eBPF programs for the time of a task switch.
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "3")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "4")
        .args(&toolchain.arguments)
        .args(["build", "--quiet", "--package", "agent-ebpf", "--bin", name, "--release"])
        .args(["-Z", "build-std=core", "--target", TARGET, "--target-dir", "target/bpf"]);
    process::run(&mut command)?;
    Ok(source.join("target/bpf").join(TARGET).join("release").join(name))
}

fn rustflags(root: &Path, toolchain: &Toolchain, linker: &Path) -> Vec<String> {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cargo"));
    let mut flags = vec![
        format!("-Clinker={}", linker.display()),
        // The linker turns debug information into BTF.
        "-Cdebuginfo=2".to_owned(),
        "-Clink-arg=--btf".to_owned(),
        "-Dwarnings".to_owned(),
        "--cfg=bpf_target_arch=\"x86_64\"".to_owned(),
        // The object is part of the product: it must not contain the path of its build.
        format!("--remap-path-prefix={}=ffwatt", root.display()),
        format!("--remap-path-prefix={}=rust", toolchain.sysroot.display()),
    ];
    flags.extend(cargo_home.or(home).map(|home| format!("--remap-path-prefix={}=cargo", home.display())));
    flags
}

fn toolchain() -> anyhow::Result<Toolchain> {
    if let Some(toolchain) = nightly() {
        return Ok(toolchain);
    }
    if let Some(toolchain) = debian() {
        return Ok(toolchain);
    }
    let advice = "rustup toolchain install nightly --component rust-src";
    if find("apt-get").is_none() || !DEBIAN_PACKAGES.iter().all(|name| install::is_offered(name)) {
        bail!("no compiler here can build for eBPF; get one with: {advice}");
    }
    // The installed ones, if any, are too old.
    install::newest("building for eBPF", &DEBIAN_PACKAGES)
        .with_context(|| format!("or, instead: {advice}"))?;
    debian().with_context(|| format!("Debian's rustc-web cannot build for eBPF; instead: {advice}"))
}

/// rustup's nightly, when it has the source of `core`.
fn nightly() -> Option<Toolchain> {
    let rustup = find("rustup")?;
    let sysroot =
        output(Command::new(&rustup).args(["run", "nightly", "rustc", "--print", "sysroot"])).ok()?;
    let sysroot = PathBuf::from(sysroot.trim());
    if !has_source(&sysroot) {
        return None;
    }
    let version = output(Command::new(&rustup).args(["run", "nightly", "rustc", "-vV"])).ok()?;
    Some(Toolchain {
        cargo: rustup,
        environment: Vec::new(),
        arguments: vec!["run", "nightly", "cargo"],
        llvm: llvm_major(&version)?,
        sysroot,
    })
}

/// Debian's `rustc-web`: a stable compiler, configured to accept unstable flags.
fn debian() -> Option<Toolchain> {
    let (rustc, cargo) = (Path::new("/usr/bin/rustc"), PathBuf::from("/usr/bin/cargo"));
    let sysroot = PathBuf::from(output(Command::new(rustc).args(["--print", "sysroot"])).ok()?.trim());
    if !has_source(&sysroot) || !cargo.exists() {
        return None;
    }
    let version = output(Command::new(rustc).arg("-vV")).ok()?;
    // The workspace needs this edition of the language, which an older rustc-web does not support.
    let minor: u32 = version.lines().next()?.split('.').nth(1)?.parse().ok()?;
    (minor >= 95).then_some(())?;
    let environment = vec![("RUSTC", rustc.display().to_string()), ("RUSTC_BOOTSTRAP", "1".to_owned())];
    Some(Toolchain { cargo, environment, arguments: Vec::new(), llvm: llvm_major(&version)?, sysroot })
}

fn has_source(sysroot: &Path) -> bool {
    sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml").exists()
}

fn llvm_major(version: &str) -> Option<u32> {
    let line = version.lines().find_map(|line| line.strip_prefix("LLVM version:"))?;
    line.trim().split('.').next()?.parse().ok()
}

/// `bpf-linker`: the one in `target/tools`, or the one in `PATH`.
fn find_linker(root: &Path) -> Option<PathBuf> {
    let candidates = std::iter::once(root.join(LINKER)).chain(find("bpf-linker"));
    candidates.into_iter().find(|candidate| succeeds(Command::new(candidate).arg("--version")))
}

fn usable_llvms(oldest: u32) -> impl DoubleEndedIterator<Item = u32> {
    LINKER_LLVMS.into_iter().filter(move |major| *major >= oldest)
}

fn llvm_prefix(major: u32) -> PathBuf {
    PathBuf::from(format!("/usr/lib/llvm-{major}"))
}

fn llvm_package(major: u32) -> String {
    format!("llvm-{major}-dev")
}

fn installed_llvm(oldest: u32) -> Option<u32> {
    usable_llvms(oldest).find(|major| llvm_prefix(*major).join("bin/llvm-config").exists())
}

fn offered_llvm(oldest: u32) -> Option<u32> {
    usable_llvms(oldest).rev().find(|major| install::is_offered(&llvm_package(*major)))
}

/// llvm-sys compiles a little C++.
fn absent_compiler() -> Vec<&'static str> {
    if find("g++").is_none() { vec!["g++"] } else { Vec::new() }
}

/// The installed linker, or one that is built now.
fn linker(root: &Path, llvm: u32) -> anyhow::Result<PathBuf> {
    if let Some(linker) = find_linker(root) {
        return Ok(linker);
    }
    let major = if let Some(major) = installed_llvm(llvm) {
        major
    } else {
        let Some(major) = offered_llvm(llvm) else {
            bail!(
                "bpf-linker is missing, and there is no LLVM {llvm} or newer here to build it with; install it from \
                 https://github.com/aya-rs/bpf-linker/releases into a folder in PATH"
            );
        };
        install::packages("building bpf-linker", &[&llvm_package(major)])?;
        major
    };
    install::packages("building bpf-linker", &absent_compiler())?;
    say("building bpf-linker into target/tools (once, about two minutes)");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(
        std::iter::once(llvm_prefix(major).join("bin")).chain(std::env::split_paths(&path)),
    )?;
    let mut command = Command::new(env!("CARGO"));
    command
        .env("LLVM_PREFIX", llvm_prefix(major))
        .env("PATH", path)
        .env_remove("RUSTFLAGS")
        .args([
            "install",
            "bpf-linker",
            "--locked",
            "--quiet",
            "--version",
            LINKER_VERSION,
            "--no-default-features",
        ])
        .args(["--features", &format!("llvm-{major}"), "--root"])
        .arg(root.join("target/tools"));
    process::run(&mut command)?;
    Ok(root.join(LINKER))
}
