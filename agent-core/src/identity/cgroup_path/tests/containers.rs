//! Tests that containers of every engine are identified, under both of its cgroup drivers.

use expect_test::expect;

use super::check;

#[test]
fn docker() {
    // Systemd driver (neuvector, cgroup v1 on CentOS)
    check("/system.slice/docker-{A}.scope", &expect![[r#"Docker "{a}" by docker, container {A}"#]]);
    // cgroupfs driver driver (Qard/container-info)
    check("/docker/{A}", &expect![[r#"Docker "{a}" by docker, container {A}"#]]);
    // Systemd as a container's init
    check("/docker/{A}/init.scope", &expect![[r#"Docker "{a}" by docker, container {A}, root …/{A}"#]]);
    // The same, further down
    check(
        "/docker/{A}/system.slice/nginx.service",
        &expect![[r#"Docker "{a}" by docker, container {A}, root …/{A}"#]],
    );
    // Docker in Docker
    check(
        "/system.slice/docker-{A}.scope/docker/{B}",
        &expect![[r#"Docker "{b}" by docker, container {B}"#]],
    );
    // The same with systemd inside
    check(
        "/docker/{A}/docker/{B}/system.slice",
        &expect![[r#"Docker "{b}" by docker, container {B}, root …/{B}"#]],
    );
    // --cgroup-parent (moby #42704)
    check(
        "/my-example-cgroup.slice/docker-{A}.scope",
        &expect![[r#"Docker "{a}" by docker, container {A}"#]],
    );
    // --cgroup-parent (moby #20310)
    check(
        "/user.slice/user-a.slice/user-a-b.slice/docker-{A}.scope",
        &expect![[r#"Docker "{a}" by docker, container {A}"#]],
    );
    // Nomad 1.3 to 1.6
    check("/nomad.slice/docker-{A}.scope", &expect![[r#"Docker "{a}" by docker, container {A}"#]]);
    // Rootless
    check(
        "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-{A}.scope",
        &expect![[r#"Docker "{a}" by docker, container {A}"#]],
    );
    // Its daemon
    check(
        "/user.slice/user-1000.slice/user@1000.service/app.slice/docker.service",
        &expect![[r#"Systemd "docker.service" by systemd"#]],
    );
    // Builder of buildx (buildx #782)
    check("/docker/buildx/{A}", &expect![[r#"Docker "{a}" by docker, container {A}"#]]);
    // A step in it
    check(
        "/docker/buildx/{A}/buildkit/{step}",
        &expect![[r#"Docker "{a}" by docker, container {A}, root …/{A}"#]],
    );
    // docker build, cgroupfs driver (moby #37644)
    check("/docker/buildkit/{step}", &expect![[r#"Docker "buildkit/{step}" by buildkit"#]]);
    // docker build, systemd driver (osquery-defense-kit)
    check("/system.slice/system.slice:docker:{step}", &expect![[r#"Docker "buildkit/{step}" by buildkit"#]]);
    // runc given systemd's notation without its driver
    check("/system.slice/system.slice:docker:{A}", &expect![[r#"Docker "{a}" by docker, container {A}"#]]);
    // AWS ECS, cgroup v1 (zabbix-docker-monitoring #85)
    check("/ecs/{U}/{A}", &expect![[r#"Docker "{a}" by docker, container {A}"#]]);
    // The task itself
    check("/ecs/{U}", &expect![[r#"Cgroup "/ecs/{U}""#]]);
    // AWS ECS, cgroup v2 (amazon-ecs-agent #3127)
    check(
        "/ecstasks.slice/ecstasks-bf1ddbfbbc8f45c9b1ac4f779368741e.slice/docker-{A}.scope",
        &expect![[r#"Docker "{a}" by docker, container {A}"#]],
    );
    // GitHub Actions
    check("/actions_job/{A}", &expect![[r#"Docker "{a}" by docker, container {A}"#]]);
    // Docker in LXD
    check(
        "/lxc.payload.ci/system.slice/docker-{A}.scope",
        &expect![[r#"Docker "{a}" by docker, container {A}"#]],
    );
}

#[test]
fn podman() {
    // Root (podman #507)
    check("/machine.slice/libpod-{A}.scope", &expect![[r#"Podman "{a}" by podman, container {A}"#]]);
    // crun's subgroup (crun #305)
    check(
        "/machine.slice/libpod-{A}.scope/container",
        &expect![[r#"Podman "{a}" by podman, container {A}, root …/libpod-{A}.scope"#]],
    );
    // --systemd=true
    check(
        "/machine.slice/libpod-{A}.scope/container/system.slice/httpd.service",
        &expect![[r#"Podman "{a}" by podman, container {A}, root …/libpod-{A}.scope"#]],
    );
    // Not the container (podman #507)
    check(
        "/machine.slice/libpod-conmon-{A}.scope",
        &expect![[r#"Systemd "libpod-conmon-{A}.scope" by systemd"#]],
    );
    // cgroupfs manager
    check("/libpod_parent/libpod-{A}", &expect![[r#"Podman "{a}" by podman, container {A}"#]]);
    // In a pod, which is no container
    check("/libpod_parent/{B}/libpod-{A}", &expect![[r#"Podman "{a}" by podman, container {A}"#]]);
    // Its conmon
    check("/libpod_parent/libpod-conmon-{A}", &expect![[r#"Cgroup "/libpod_parent/libpod-conmon-{A}""#]]);
    // A pod
    check(
        "/machine.slice/machine-libpod_pod_{B}.slice/libpod-{A}.scope",
        &expect![[r#"Podman "{a}" by podman, container {A}"#]],
    );
    // The pod itself
    check(
        "/machine.slice/machine-libpod_pod_{B}.slice",
        &expect![[r#"Systemd "machine-libpod_pod_{B}.slice" by systemd"#]],
    );
    // Rootless pod (podman #6400)
    check(
        "/user.slice/user-1000.slice/user@1000.service/user.slice/user-libpod_pod_{B}.slice/libpod-{A}.scope/container",
        &expect![[r#"Podman "{a}" by podman, container {A}, root …/libpod-{A}.scope"#]],
    );
    // Rootless
    check(
        "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{A}.scope",
        &expect![[r#"Podman "{a}" by podman, container {A}"#]],
    );
    // Quadlet: --cgroups=split
    check(
        "/system.slice/nginx.service/libpod-payload-{A}",
        &expect![[r#"Podman "{a}" by podman, container {A}"#]],
    );
    // Its conmon
    check(
        "/system.slice/nginx.service/runtime",
        &expect![[r#"Systemd "nginx.service" by systemd, root …/nginx.service"#]],
    );
    // Nomad's Podman driver
    check(
        "/nomad.slice/libpod-{A}.scope/container",
        &expect![[r#"Podman "{a}" by podman, container {A}, root …/libpod-{A}.scope"#]],
    );
}

#[test]
fn containerd() {
    // nerdctl, systemd driver (falcosecurity/plugins #1378)
    check("/system.slice/nerdctl-{A}.scope", &expect![[r#"Containerd "{a}" by containerd, container {A}"#]]);
    // Rootless
    check(
        "/user.slice/user-501.slice/user@501.service/user.slice/nerdctl-{A}.scope",
        &expect![[r#"Containerd "{a}" by containerd, container {A}"#]],
    );
    // nerdctl, cgroupfs driver
    check("/default/{A}", &expect![[r#"Containerd "{a}" by containerd, container {A}"#]]);
    // ctr run ... redis-server
    check("/default/redis-server", &expect![[r#"Containerd "redis-server" by containerd"#]]);
    // Below it
    check(
        "/default/redis-server/worker",
        &expect![[r#"Containerd "redis-server" by containerd, root …/redis-server"#]],
    );
    // The namespace
    check("/default", &expect![[r#"Cgroup "/default""#]]);
    // CRI pod without a cgroup parent
    check("/k8s.io/{A}", &expect![[r#"Containerd "{a}" by containerd, container {A}"#]]);
    // ctr -n k8s.io run ... toolbox
    check("/k8s.io/toolbox", &expect![[r#"Containerd "toolbox" by containerd"#]]);
    // crictl, without a kubelet
    check(
        "/system.slice/cri-containerd-{A}.scope",
        &expect![[r#"Containerd "{a}" by containerd, container {A}"#]],
    );
    // The daemon
    check("/system.slice/containerd.service", &expect![[r#"Systemd "containerd.service" by systemd"#]]);
}

#[test]
fn cri_o() {
    // crictl, without a kubelet
    check("/system.slice/crio-{A}.scope", &expect![[r#"Crio "{a}" by cri-o, container {A}"#]]);
    // cgroupfs manager (cri-o #812)
    check("/crio-{A}", &expect![[r#"Crio "{a}" by cri-o, container {A}"#]]);
    // Not the container (microshift #697)
    check("/system.slice/crio-conmon-{A}.scope", &expect![[r#"Systemd "crio-conmon-{A}.scope" by systemd"#]]);
    // The daemon
    check("/system.slice/crio.service", &expect![[r#"Systemd "crio.service" by systemd"#]]);
}
