//! Tests that system containers, virtual machines and batch jobs are identified.

use expect_test::expect;

use super::check;

#[test]
fn nspawn() {
    // machinectl start debian
    check("/machine.slice/systemd-nspawn@debian.service", &expect![[r#"Systemd "debian" by nspawn"#]]);
    // A unit in it
    check(
        "/machine.slice/systemd-nspawn@debian.service/payload/system.slice/ssh.service",
        &expect![[r#"Systemd "debian" by nspawn, root …/systemd-nspawn@debian.service"#]],
    );
    // systemd-nspawn itself
    check(
        "/machine.slice/systemd-nspawn@debian.service/supervisor",
        &expect![[r#"Systemd "debian" by nspawn, root …/systemd-nspawn@debian.service"#]],
    );
    // machinectl start build-host
    check(
        "/machine.slice/systemd-nspawn@build\\x2dhost.service",
        &expect![[r#"Systemd "build-host" by nspawn"#]],
    );
    // systemd-nspawn -M build-host
    check(
        "/machine.slice/machine-build\\x2dhost.scope/payload/init.scope",
        &expect![[r#"Systemd "build-host" by nspawn, root …/machine-build\x2dhost.scope"#]],
    );
    // One in the other
    check(
        "/machine.slice/machine-a.scope/payload/machine.slice/machine-b.scope",
        &expect![[r#"Systemd "b" by nspawn"#]],
    );
}

#[test]
fn lxc() {
    // LXC 4 (netdata)
    check("/lxc.payload.web1", &expect![[r#"Cgroup "web1" by lxc"#]]);
    // LXD project
    check(
        "/lxc.payload.snapcraft_some-container/system.slice/snapd.service",
        &expect![[
            r#"Cgroup "snapcraft_some-container" by lxc, root …/lxc.payload.snapcraft_some-container"#
        ]],
    );
    // lxc.cgroup.dir.container = lxc.payload/web1
    check("/lxc.payload/web1/init.scope", &expect![[r#"Cgroup "web1" by lxc, root …/web1"#]]);
    // Not the container
    check("/lxc.monitor.web1", &expect![[r#"Cgroup "/lxc.monitor.web1""#]]);
    // Not the container, Proxmox VE
    check("/lxc.monitor/104", &expect![[r#"Cgroup "/lxc.monitor/104""#]]);
    // Proxmox VE
    check("/lxc/104/ns/system.slice/cron.service", &expect![[r#"Cgroup "104" by lxc, root …/104"#]]);
    // Docker in it
    check(
        "/lxc/104/ns/system.slice/docker-{A}.scope",
        &expect![[r#"Docker "{a}" by docker, container {A}"#]],
    );
    // Unprivileged
    check("/user.slice/user-1000.slice/session-1.scope/lxc/dev", &expect![[r#"Cgroup "dev" by lxc"#]]);
}

#[test]
fn libvirt() {
    // QEMU guest (netdata)
    check(
        "/machine.slice/machine-qemu\\x2d1\\x2dopnsense.scope/libvirt/vcpu0",
        &expect![[r#"Systemd "opnsense" by libvirt, root …/machine-qemu\x2d1\x2dopnsense.scope"#]],
    );
    // A name with dashes and digits
    check(
        "/machine.slice/machine-qemu\\x2d12\\x2dweb\\x2d2.scope",
        &expect![[r#"Systemd "web-2" by libvirt"#]],
    );
    // libvirt's LXC driver (libvirt.org/cgroups.html)
    check("/machine.slice/machine-lxc\\x2d12345\\x2ddemo.scope", &expect![[r#"Systemd "demo" by libvirt"#]]);
    // A control plane in such a guest
    check(
        "/machine.slice/machine-lxc\\x2d50642\\x2dk8s\\x2dcp.scope/libvirt/system.slice/crio.service",
        &expect![[r#"Systemd "k8s-cp" by libvirt, root …/machine-lxc\x2d50642\x2dk8s\x2dcp.scope"#]],
    );
    // Fedora 20
    check("/machine.slice/machine-lxc\\x2del_sirius.scope", &expect![[r#"Systemd "el_sirius" by libvirt"#]]);
    // Without systemd
    check(
        "/machine/qemu-2-web.libvirt-qemu/emulator",
        &expect![[r#"Cgroup "web" by libvirt, root …/qemu-2-web.libvirt-qemu"#]],
    );
    // Before Fedora 20
    check("/machine.slice/auto_sirius.libvirt-lxc", &expect![[r#"Cgroup "auto_sirius" by libvirt"#]]);
    // Proxmox VE: a unit like any
    check("/qemu.slice/100.scope", &expect![[r#"Systemd "100.scope" by systemd"#]]);
}

#[test]
fn jobs() {
    // ffmpeg-rtmp's worker
    check("/ffrtmp/job-17", &expect![[r#"Cgroup "ffrtmp/job-17" by ffrtmp"#]]);
    // Below it
    check("/ffrtmp/job-17/ladder", &expect![[r#"Cgroup "ffrtmp/job-17" by ffrtmp, root …/job-17"#]]);
    // The jobs' parent
    check("/ffrtmp", &expect![[r#"Cgroup "/ffrtmp""#]]);
    // The worker is a container
    check("/docker/{A}/ffrtmp/job-17", &expect![[r#"Docker "{a}" by docker, container {A}, root …/{A}"#]]);
    // The worker is a unit
    check(
        "/system.slice/ffrtmp-worker.service/ffrtmp/job-17",
        &expect![[r#"Cgroup "ffrtmp/job-17" by ffrtmp"#]],
    );
    // Slurm, cgroup v2
    check(
        "/system.slice/slurmstepd.scope/job_123/step_0/user/task_0",
        &expect![[r#"Cgroup "slurm/job_123" by slurm, root …/job_123"#]],
    );
    // --enable-multiple-slurmd
    check("/system.slice/cn1_slurmstepd.scope/job_123", &expect![[r#"Cgroup "slurm/job_123" by slurm"#]]);
    // Slurm 26.05
    check(
        "/system.slice/slurmstepd.scope/s5K1KKYAYG5D00/step_0",
        &expect![[r#"Cgroup "slurm/s5K1KKYAYG5D00" by slurm, root …/s5K1KKYAYG5D00"#]],
    );
    // slurmstepd's own
    check(
        "/system.slice/slurmstepd.scope/system",
        &expect![[r#"Systemd "slurmstepd.scope" by systemd, root …/slurmstepd.scope"#]],
    );
    // Slurm, cgroup v1
    check(
        "/slurm/uid_1000/job_123/step_batch/task_0",
        &expect![[r#"Cgroup "slurm/job_123" by slurm, root …/job_123"#]],
    );
    // Slurm, cgroup v1, --enable-multiple-slurmd (plazonic/cgroup_exporter #5)
    check("/slurm_cn1/uid_1000/job_123", &expect![[r#"Cgroup "slurm/job_123" by slurm"#]]);
    // The user's cgroup
    check("/slurm/uid_1000", &expect![[r#"Cgroup "/slurm/uid_1000""#]]);
    // A container in a job
    check(
        "/slurm/uid_1000/job_123/step_0/libpod_parent/libpod-{A}",
        &expect![[r#"Podman "{a}" by podman, container {A}"#]],
    );
    // Nomad's exec, raw_exec and exec2, cgroup v2 (nomad: client/lib/cgroupslib)
    check("/nomad.slice/share.slice/{U}.ffmpeg.scope", &expect![[r#"Cgroup "nomad/{U}.ffmpeg" by nomad"#]]);
    // A task with cores of its own, with a dot in its name
    check(
        "/nomad.slice/reserve.slice/{U}.ladder.1080.scope/worker",
        &expect![[r#"Cgroup "nomad/{U}.ladder.1080" by nomad, root …/{U}.ladder.1080.scope"#]],
    );
    // Nomad 1.3 to 1.6
    check("/nomad.slice/{U}.ffmpeg.scope", &expect![[r#"Cgroup "nomad/{U}.ffmpeg" by nomad"#]]);
    // Nomad, cgroup v1
    check("/nomad/{U}.ffmpeg", &expect![[r#"Cgroup "nomad/{U}.ffmpeg" by nomad"#]]);
    // Tasks without cores of their own share a cgroup of cpuset
    check("/nomad/share", &expect![[r#"Cgroup "/nomad/share""#]]);
    // No allocation
    check("/nomad.slice/share.slice/backup.scope", &expect![[r#"Systemd "backup.scope" by systemd"#]]);
    // A container of Nomad's Docker driver
    check("/nomad.slice/docker-{A}.scope", &expect![[r#"Docker "{a}" by docker, container {A}"#]]);
    // Cloud Foundry
    check(
        "/system.slice/garden.service/garden/6f265890-5165-7fab-6b52-18d1",
        &expect![[r#"Cgroup "garden/6f265890-5165-7fab-6b52-18d1" by garden"#]],
    );
    // Cloud Foundry, with CPU entitlement
    check(
        "/garden/good/6f265890-5165-7fab-6b52-18d1/init",
        &expect![[
            r#"Cgroup "garden/6f265890-5165-7fab-6b52-18d1" by garden, root …/6f265890-5165-7fab-6b52-18d1"#
        ]],
    );
    // A task group
    check(
        "/mesos/{U}/mesos/6f265890-5165-7fab-6b52-18d1",
        &expect![[r#"Cgroup "mesos/6f265890-5165-7fab-6b52-18d1" by mesos"#]],
    );
}
