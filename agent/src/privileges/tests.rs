//! Tests that needed rights are kept and all others are gone.
//!
//! Some restrictions hold for one thread and some for a process: each test has one of its own.

use std::fs;
use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::Command;
use std::thread;

use rustix::io::Errno;
use rustix::thread::{capabilities, no_new_privs};

use super::*;

fn plan(writes: Vec<PathBuf>) -> Plan {
    Plan {
        cpu: CpuSourceKind::Cgroupfs,
        energy: Some(EnergySourceKind::Model),
        starts_programs: true,
        writes,
        hidden_processes: false,
        reads_gpu: false,
        of_others: false,
        locked_counters: false,
        strict_perf: false,
        off: Vec::new(),
    }
}

/// The test that this process runs alone.
const OWN_PROCESS: &str = "FFWATT_TEST_OF_ITS_OWN";

/// Whether this process runs only this test. If not, one is started, and has to succeed.
fn has_own_process(test: &str) -> bool {
    if std::env::var_os(OWN_PROCESS).is_some_and(|own| own == test) {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", &format!("privileges::tests::{test}"), "--nocapture"]).env(OWN_PROCESS, test);
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("1 passed"),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

fn alone<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    thread::spawn(work).join().unwrap()
}

#[test]
fn what_is_needed_goes_by_what_is_used() {
    let base = plan(Vec::new());
    assert_eq!(names(needed(&base)), "none");
    let bpf = Plan { cpu: CpuSourceKind::Bpf, locked_counters: true, ..base.clone() };
    assert_eq!(names(needed(&bpf)), "CAP_DAC_READ_SEARCH, CAP_BPF");
    let perf = Plan { energy: Some(EnergySourceKind::Perf), strict_perf: true, ..base.clone() };
    assert_eq!(names(needed(&perf)), "CAP_SYS_ADMIN, CAP_PERFMON");
    let gpu = Plan { reads_gpu: true, ..base.clone() };
    assert_eq!(names(needed(&gpu)), "CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE");
    let msr = Plan { energy: Some(EnergySourceKind::Msr), hidden_processes: true, of_others: true, ..base };
    assert_eq!(names(needed(&msr)), "CAP_DAC_OVERRIDE, CAP_SYS_RAWIO, CAP_SYS_PTRACE");
}

#[test]
fn capabilities_are_gone_for_good() {
    if !has_own_process("capabilities_are_gone_for_good") {
        return;
    }
    let before = capabilities(None).unwrap();
    let (outcome, after) = alone(|| {
        let outcomes = give_up(&Plan { locked_counters: true, ..plan(Vec::new()) });
        (outcomes[0].1.clone(), capabilities(None).unwrap())
    });
    assert!(matches!(outcome, Outcome::Done(_)), "{outcome}");
    let kept = CapabilitySet::DAC_READ_SEARCH & before.permitted;
    let none = CapabilitySet::empty();
    assert_eq!((after.permitted, after.effective, after.inheritable), (kept, none, none));
    assert_eq!(capabilities(None).unwrap(), before, "other threads are as they were");
}

#[test]
fn it_writes_to_its_folders_and_nowhere_else() {
    if !has_own_process("it_writes_to_its_folders_and_nowhere_else") {
        return;
    }
    let (own, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(other.path().join("there"), "text").unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap();
    let (inside, outside) = (own.path().to_path_buf(), other.path().to_path_buf());
    let outcomes = alone(move || {
        let outcomes = give_up(&plan(vec![inside.clone(), "/dev/null".into(), "/not/there".into()]));
        fs::write(inside.join("file"), "text").unwrap();
        fs::rename(inside.join("file"), inside.join("renamed")).unwrap();
        fs::remove_file(inside.join("renamed")).unwrap();
        fs::write("/dev/null", "text").unwrap();
        assert_eq!(fs::read_to_string(outside.join("there")).unwrap(), "text", "reading is left alone");
        let landlock = outcomes.iter().find(|(kind, _)| *kind == Restriction::Landlock).unwrap().1.clone();
        if let Outcome::Done(_) = landlock {
            let denied = |result: io::Result<()>| {
                assert_eq!(result.unwrap_err().kind(), io::ErrorKind::PermissionDenied);
            };
            denied(fs::write(outside.join("new"), "text"));
            denied(fs::write(outside.join("there"), "other text"));
            denied(fs::remove_file(outside.join("there")));
            denied(fs::create_dir(outside.join("folder")));
            denied(TcpListener::bind("127.0.0.1:0").map(drop));
            denied(TcpStream::connect(port).map(drop));
        }
        outcomes
    });
    assert!(!outcomes.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_))), "{outcomes:?}");
}

#[test]
fn what_it_never_calls_is_refused_and_programs_still_start() {
    if !has_own_process("what_it_never_calls_is_refused_and_programs_still_start") {
        return;
    }
    alone(|| {
        let outcomes = give_up(&plan(vec!["/dev/null".into()]));
        assert!(matches!(&outcomes[3], (Restriction::Seccomp, Outcome::Done(_))), "{outcomes:?}");
        assert!(no_new_privs().unwrap());
        assert_eq!(rustix::process::chroot("/").unwrap_err(), Errno::PERM);
        let sleeping = Command::new("sh").args(["-c", "echo out; exit 3"]).output().unwrap();
        assert_eq!((sleeping.status.code(), &sleeping.stdout[..]), (Some(3), &b"out\n"[..]));
        let status = Command::new("cat").arg("/proc/self/status").output().unwrap();
        let status = String::from_utf8(status.stdout).unwrap();
        let line = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().to_owned()
        };
        assert_eq!((line("NoNewPrivs:").as_str(), line("Seccomp:").as_str()), ("1", "2"));
        let effective = u64::from_str_radix(&line("CapEff:"), 16).unwrap();
        assert_eq!(effective, 0, "what it starts has none");
    });
}

/// The error of a system call of a program, 0 when there is none. Perl calls by number; every host with dpkg has it.
fn errno_of(call: i64, arguments: &str) -> i32 {
    let script = format!("my $result = syscall({call}{arguments}); exit($result == -1 ? $! + 0 : 0)");
    Command::new("perl").args(["-e", &script]).status().unwrap().code().unwrap()
}

#[test]
fn namespaces_and_the_x32_interface_are_refused_and_threads_still_start() {
    if !has_own_process("namespaces_and_the_x32_interface_are_refused_and_threads_still_start") {
        return;
    }
    let x32_get_pid = 0x4000_0000 | libc::SYS_getpid;
    let clone = |flag: i32| errno_of(libc::SYS_clone, &format!(", {}, 0, 0, 0, 0", flag | libc::SIGCHLD));
    let clone3 = || errno_of(libc::SYS_clone3, ", 0, 0");
    assert_ne!(clone3(), libc::ENOSYS, "without the filter, the kernel has it");
    if cfg!(target_arch = "x86_64") {
        assert_ne!(errno_of(x32_get_pid, ""), libc::EPERM);
    }
    alone(move || {
        let outcomes = give_up(&plan(vec!["/dev/null".into()]));
        assert!(matches!(&outcomes[3], (Restriction::Seccomp, Outcome::Done(_))), "{outcomes:?}");
        for flag in [
            libc::CLONE_NEWUSER,
            libc::CLONE_NEWNS,
            libc::CLONE_NEWNET,
            libc::CLONE_NEWPID,
            libc::CLONE_NEWUTS,
            libc::CLONE_NEWIPC,
            libc::CLONE_NEWCGROUP,
            libc::CLONE_NEWUSER | libc::CLONE_NEWNET,
        ] {
            assert_eq!(clone(flag), libc::EPERM, "{flag:#x}");
        }
        assert_eq!(clone(0), 0, "a child without a namespace of its own");
        assert_eq!(clone3(), libc::ENOSYS, "so that the C library takes clone");
        if cfg!(target_arch = "x86_64") {
            assert_eq!(errno_of(x32_get_pid, ""), libc::EPERM);
            assert_eq!(errno_of(0x4000_0000 | libc::SYS_chroot, ""), libc::EPERM);
        }
        assert_eq!(errno_of(libc::SYS_getpid, ""), 0);
        thread::spawn(|| ()).join().unwrap();
        assert!(Command::new("true").status().unwrap().success());
    });
}

#[test]
fn an_agent_that_starts_nothing_cannot() {
    if !has_own_process("an_agent_that_starts_nothing_cannot") {
        return;
    }
    let outcome = alone(|| {
        give_up(&Plan { starts_programs: false, ..plan(Vec::new()) });
        Command::new("true").status().map_err(|error| error.kind())
    });
    assert_eq!(outcome.unwrap_err(), io::ErrorKind::PermissionDenied);
}

#[test]
fn each_can_be_turned_off() {
    if !has_own_process("each_can_be_turned_off") {
        return;
    }
    let all =
        [Restriction::Capabilities, Restriction::NoNewPrivs, Restriction::Landlock, Restriction::Seccomp];
    let before = capabilities(None).unwrap();
    alone(move || {
        let outcomes = give_up(&Plan { off: all.to_vec(), ..plan(Vec::new()) });
        assert!(outcomes.iter().all(|(_, outcome)| matches!(outcome, Outcome::Off(_))), "{outcomes:?}");
        assert_eq!(capabilities(None).unwrap(), before);
        assert!(!no_new_privs().unwrap());
        fs::write(std::env::temp_dir().join("ffwatt-unrestricted"), "").unwrap();
        fs::remove_file(std::env::temp_dir().join("ffwatt-unrestricted")).unwrap();
    });
    let without = alone(|| give_up(&Plan { off: vec![Restriction::NoNewPrivs], ..plan(Vec::new()) }));
    assert!(matches!(without[0].1, Outcome::Done(_)));
    assert!(without[1..].iter().all(|(_, outcome)| matches!(outcome, Outcome::Off(_))), "{without:?}");
}
