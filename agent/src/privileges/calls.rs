//! Refuses system calls that the agent never makes, by seccomp with EPERM.
//!
//! This is a list of refused calls, not of allowed ones: a list of allowed calls breaks with every new C library, and with every ffmpeg
//! that is started. The refused calls are those that an attacker would use next: other processes' memory, mounts, modules, namespaces,
//! files by handle (which `CAP_DAC_READ_SEARCH` would open anywhere), new eBPF programs.

use std::collections::BTreeMap;

use agent_core::model::cpu::CpuSourceKind;
use agent_core::model::energy::EnergySourceKind;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
    apply_filter_all_threads, sock_filter,
};

use super::{Outcome, Plan};

const NEVER: &[i64] = &[
    // Other processes.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_kcmp,
    libc::SYS_pidfd_getfd,
    libc::SYS_process_madvise,
    // Mounts, and files by other ways than their names.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsmount,
    libc::SYS_fsconfig,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_mknodat,
    libc::SYS_quotactl,
    libc::SYS_fanotify_init,
    // Namespaces.
    libc::SYS_setns,
    libc::SYS_unshare,
    // Users and groups.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    // The kernel and the host.
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_kexec_load,
    libc::SYS_reboot,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_vhangup,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    libc::SYS_personality,
    // Large and rarely used calls, in which vulnerabilities were found.
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_vmsplice,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
];

#[cfg(target_arch = "x86_64")]
const NEVER_HERE: &[i64] = &[
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
    libc::SYS_kexec_file_load,
    libc::SYS_mknod,
    libc::SYS_uselib,
];

#[cfg(not(target_arch = "x86_64"))]
const NEVER_HERE: &[i64] = &[libc::SYS_kexec_file_load];

/// Commands of `bpf()` that reading and flushing an attached program needs (`enum bpf_cmd`): look up, update, delete, next key,
/// test run, information, attaching again after a loss, and the first three for many at a time.
const BPF_COMMANDS: [u64; 11] = [1, 2, 3, 4, 10, 15, 17, 24, 25, 26, 27];

/// Further commands for the list of open files: link and iterator creation.
const LIST_COMMANDS: [u64; 2] = [28, 33];

/// Flags of `clone()` that make namespaces (`linux/sched.h`). In a namespace of its own, a user has every capability.
const NAMESPACES: [u64; 7] = [
    libc::CLONE_NEWNS as u64,
    libc::CLONE_NEWCGROUP as u64,
    libc::CLONE_NEWUTS as u64,
    libc::CLONE_NEWIPC as u64,
    libc::CLONE_NEWUSER as u64,
    libc::CLONE_NEWPID as u64,
    libc::CLONE_NEWNET as u64,
];

/// Restricts all threads, because one that waits for a counter exists already.
pub(super) fn restrict(plan: &Plan) -> Outcome {
    let filter =
        filter(plan).and_then(|(program, refused)| Ok((apply_filter_all_threads(&program)?, refused)));
    match filter {
        Ok(((), refused)) => Outcome::Done(format!("{refused} system calls are refused")),
        Err(seccompiler::Error::Prctl(error) | seccompiler::Error::Seccomp(error)) => {
            Outcome::Partly(format!("this kernel refuses the filter: {error}"))
        }
        Err(error) => Outcome::Failed(error.to_string()),
    }
}

fn filter(plan: &Plan) -> Result<(BpfProgram, usize), seccompiler::Error> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        NEVER.iter().chain(NEVER_HERE).map(|call| (*call, Vec::new())).collect();
    if plan.energy != Some(EnergySourceKind::Perf) {
        rules.insert(libc::SYS_perf_event_open, Vec::new());
    }
    if !plan.starts_programs {
        rules.extend([libc::SYS_execve, libc::SYS_execveat].map(|call| (call, Vec::new())));
    }
    let bpf = match plan.cpu {
        // All other commands: a rule holds when all its conditions do.
        CpuSourceKind::Bpf => {
            let lists = LIST_COMMANDS.into_iter().filter(|_| plan.reads_gpu);
            let other = BPF_COMMANDS
                .into_iter()
                .chain(lists)
                .map(|command| SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, command));
            vec![SeccompRule::new(other.collect::<Result<_, _>>()?)?]
        }
        CpuSourceKind::Cgroupfs => Vec::new(),
    };
    rules.insert(libc::SYS_bpf, bpf);
    let new_namespace = |flag| {
        let has_flag = SeccompCmpOp::MaskedEq(flag);
        SeccompRule::new(vec![SeccompCondition::new(0, SeccompCmpArgLen::Qword, has_flag, flag)?])
    };
    rules.insert(libc::SYS_clone, NAMESPACES.map(new_namespace).into_iter().collect::<Result<_, _>>()?);
    let refused = rules.len();
    let architecture = std::env::consts::ARCH.try_into()?;
    let refusal = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refusal, architecture)?;
    let program: BpfProgram = filter.try_into()?;
    Ok((by_number_alone().into_iter().chain(program).collect(), refused))
}

/// Rules that the library cannot express, before its own. `clone3` has its flags in memory, where no filter sees them: a C library
/// that gets ENOSYS falls back to `clone`. Numbers with bit 30 are the same calls again, by the x32
/// interface, under the same architecture.
fn by_number_alone() -> Vec<sock_filter> {
    let statement = |code, k| sock_filter { code: code as u16, jt: 0, jf: 0, k };
    let refuse_if = |comparison, number, errno: i32| {
        let skip =
            sock_filter { code: (libc::BPF_JMP | comparison | libc::BPF_K) as u16, jt: 0, jf: 1, k: number };
        [skip, statement(libc::BPF_RET | libc::BPF_K, libc::SECCOMP_RET_ERRNO | errno as u32)]
    };
    // `seccomp_data` begins with the number.
    let mut program = vec![statement(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0)];
    program.extend(refuse_if(libc::BPF_JEQ, libc::SYS_clone3 as u32, libc::ENOSYS));
    if cfg!(target_arch = "x86_64") {
        program.extend(refuse_if(libc::BPF_JGE, X32, libc::EPERM));
    }
    program
}

/// `__X32_SYSCALL_BIT`, `arch/x86/include/uapi/asm/unistd.h`.
const X32: u32 = 0x4000_0000;
