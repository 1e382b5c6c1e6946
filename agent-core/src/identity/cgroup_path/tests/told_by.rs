//! Tests of the choice between the cgroup v1 and the cgroup v2 of a task: the chosen one identifies the workload.

use super::*;

/// `v2 path | v1 path`, of tasks on hosts where systemd keeps both versions.
fn is_legacy(unified: &str, legacy: &str) -> bool {
    is_told_by_legacy(&with_ids(unified), &with_ids(legacy))
}

#[test]
fn cgroup_v1_counts_where_the_runtime_knows_no_other() {
    let daemon = "/system.slice/containerd.service";
    let table = [
        ("/", "/docker/{A}"),
        ("/", "/system.slice/nginx.service"),
        // runc before 1.1, with either driver, with a parent of its own, and as a pod's
        (daemon, "/docker/{A}"),
        (daemon, "/system.slice/docker-{A}.scope"),
        (daemon, "/encoders/{A}"),
        (daemon, "/kubepods/burstable/pod{P}/{A}"),
        (daemon, "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{p}.slice/docker-{A}.scope"),
        // Podman
        ("/user.slice/user-0.slice/session-3.scope", "/machine.slice/libpod-{A}.scope"),
        ("/user.slice/user-0.slice/session-3.scope", "/libpod_parent/libpod-{A}"),
        // Slurm, LXC 3, cgexec
        ("/system.slice/slurmd.service", "/slurm/uid_1000/job_4711/step_0"),
        ("/system.slice/slurmd.service", "/slurm_node7/uid_1000/job_4711/step_batch/task_0"),
        ("/system.slice/lxc@web.service", "/lxc/web"),
        ("/user.slice/user-0.slice/session-3.scope", "/encoders"),
        // A container in a container of cgroup v2
        ("/system.slice/docker-{A}.scope", "/system.slice/docker-{A}.scope/docker/{B}"),
        // A container of a job
        ("/slurm/uid_1000/job_4711", "/docker/{A}"),
    ];
    for (unified, legacy) in table {
        assert!(is_legacy(unified, legacy), "{unified} | {legacy}");
    }
}

#[test]
fn cgroup_v2_counts_where_it_says_as_much() {
    let table = [
        ("/", "/"),
        ("/docker/{A}", "/"),
        ("/docker/{A}", "/docker/{A}"),
        // Without accounting systemd has a unit's processes in its slice there, or in the root
        ("/system.slice/nginx.service", "/system.slice"),
        ("/system.slice/nginx.service", "/"),
        ("/user.slice/user-0.slice/session-3.scope", "/user.slice"),
        ("/system.slice/nginx.service", "/system.slice/other.service"),
        // Runtimes that know cgroup v2 only
        ("/machine.slice/libpod-{A}.scope", "/user.slice"),
        ("/machine.slice/libpod-{A}.scope", "/encoders"),
        ("/docker/{A}/init.scope", "/docker/{A}"),
        ("/ffrtmp/x264", "/user.slice/user-0.slice/session-3.scope"),
        ("/encoders", "/user.slice"),
    ];
    for (unified, legacy) in table {
        assert!(!is_legacy(unified, legacy), "{unified} | {legacy}");
    }
}
