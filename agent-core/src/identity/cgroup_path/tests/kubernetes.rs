//! Tests that pods and their containers are identified, with every cgroup driver of kubelet and runtime.

use expect_test::expect;

use super::check;

#[test]
fn containers_of_pods() {
    let burstable = "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{p}.slice";
    // containerd, systemd driver (kubectl-trace #207)
    check(
        &format!("{burstable}/cri-containerd-{{A}}.scope"),
        &expect![[r#"Kubernetes "{a}" by containerd, container {A}, pod {P}"#]],
    );
    // CRI-O, systemd driver (runc #4620)
    check(
        &format!("{burstable}/crio-{{A}}.scope"),
        &expect![[r#"Kubernetes "{a}" by cri-o, container {A}, pod {P}"#]],
    );
    // CRI-O with crun
    check(
        &format!("{burstable}/crio-{{A}}.scope/container"),
        &expect![[r#"Kubernetes "{a}" by cri-o, container {A}, pod {P}, root …/crio-{A}.scope"#]],
    );
    // cri-dockerd (pharos-cluster #440)
    check(
        &format!("{burstable}/docker-{{A}}.scope"),
        &expect![[r#"Kubernetes "{a}" by docker, container {A}, pod {P}"#]],
    );
    // The same with systemd inside
    check(
        &format!("{burstable}/docker-{{A}}.scope/system.slice/sshd.service"),
        &expect![[r#"Kubernetes "{a}" by docker, container {A}, pod {P}, root …/docker-{A}.scope"#]],
    );
    // Guaranteed (netdata)
    check(
        "/kubepods.slice/kubepods-pod{p}.slice/cri-containerd-{A}.scope",
        &expect![[r#"Kubernetes "{a}" by containerd, container {A}, pod {P}"#]],
    );
    // Best effort
    check(
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{p}.slice/crio-{A}.scope",
        &expect![[r#"Kubernetes "{a}" by cri-o, container {A}, pod {P}"#]],
    );
    // Static pod
    check(
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{M}.slice/crio-{A}.scope",
        &expect![[r#"Kubernetes "{a}" by cri-o, container {A}, pod {M}"#]],
    );
    // cgroupfs driver (GKE; netdata)
    check(
        "/kubepods/burstable/pod{P}/{A}",
        &expect![[r#"Kubernetes "{a}" by kubelet, container {A}, pod {P}"#]],
    );
    // cgroupfs driver (PEASS-ng #124)
    check(
        "/kubepods/besteffort/pod{P}/{A}",
        &expect![[r#"Kubernetes "{a}" by kubelet, container {A}, pod {P}"#]],
    );
    // Guaranteed, K3s on cgroup v1 (CJLove/rt-operator)
    check("/kubepods/pod{P}/{A}", &expect![[r#"Kubernetes "{a}" by kubelet, container {A}, pod {P}"#]]);
    // Static pod
    check(
        "/kubepods/burstable/pod{M}/{A}",
        &expect![[r#"Kubernetes "{a}" by kubelet, container {A}, pod {M}"#]],
    );
    // CRI-O, cgroupfs (cri-o #812)
    check(
        "/kubepods/burstable/pod{P}/crio-{A}",
        &expect![[r#"Kubernetes "{a}" by cri-o, container {A}, pod {P}"#]],
    );
}

#[test]
fn containerd_without_systemd_under_a_kubelet_with_it() {
    // elastic/apm-agent-nodejs #3550
    check(
        "/system.slice/containerd.service/kubepods-burstable-pod{p}.slice:cri-containerd:{A}",
        &expect![[r#"Kubernetes "{a}" by containerd, container {A}, pod {P}"#]],
    );
    // The same, in spire's tests
    check(
        "/kubepods-besteffort-pod{p}.slice:cri-containerd:{A}",
        &expect![[r#"Kubernetes "{a}" by containerd, container {A}, pod {P}"#]],
    );
    // Guaranteed
    check(
        "/system.slice/kubepods-pod{p}.slice:cri-containerd:{A}/init",
        &expect![[
            r#"Kubernetes "{a}" by containerd, container {A}, pod {P}, root …/kubepods-pod{p}.slice:cri-containerd:{A}"#
        ]],
    );
    // Runtime not known
    check(
        "/system.slice/containerd.service/kubepods-pod{p}.slice:kata:{U}",
        &expect![[r#"Kubernetes "pod/{P}" by kubelet, pod {P}"#]],
    );
}

#[test]
fn pods() {
    let pod = "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{p}.slice";
    // systemd driver
    check(pod, &expect![[r#"Kubernetes "pod/{P}" by kubelet, pod {P}"#]]);
    // cgroupfs driver
    check("/kubepods/burstable/pod{P}", &expect![[r#"Kubernetes "pod/{P}" by kubelet, pod {P}"#]]);
    // CRI-O's conmon_cgroup = "pod" (microshift #697)
    check(
        &format!("{pod}/crio-conmon-{{A}}.scope"),
        &expect![[r#"Kubernetes "pod/{P}" by kubelet, pod {P}, root …/kubepods-besteffort-pod{p}.slice"#]],
    );
    // Slurm in a pod (slurm-k8s-cluster #39)
    check(
        &format!("{pod}/system.slice/slurmstepd.scope"),
        &expect![[r#"Kubernetes "pod/{P}" by kubelet, pod {P}, root …/kubepods-besteffort-pod{p}.slice"#]],
    );
    // Kata's sandbox
    check(
        "/kubepods/burstable/pod{P}/kata_{A}",
        &expect![[r#"Kubernetes "pod/{P}" by kubelet, pod {P}, root …/pod{P}"#]],
    );
}

#[test]
fn what_holds_pods_is_no_pod() {
    // A QoS class, systemd driver
    check(
        "/kubepods.slice/kubepods-burstable.slice",
        &expect![[r#"Systemd "kubepods-burstable.slice" by systemd"#]],
    );
    // A QoS class, cgroupfs driver
    check("/kubepods/burstable", &expect![[r#"Cgroup "/kubepods/burstable""#]]);
    // Only nearly a pod
    check("/kubepods/burstable/podman", &expect![[r#"Cgroup "/kubepods/burstable/podman""#]]);
    // Uid of some other shape: the container is still one
    check("/kubepods/burstable/pod1234/{A}", &expect![[r#"Kubernetes "{a}" by kubelet, container {A}"#]]);
    // The daemon
    check("/system.slice/kubelet.service", &expect![[r#"Systemd "kubelet.service" by systemd"#]]);
}

#[test]
fn nested() {
    let node = "/system.slice/docker-{A}.scope";
    let slice = "kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice";
    let pod = "kubelet-kubepods-besteffort-pod{p}.slice";
    // kind (kepler #2119)
    check(
        &format!("{node}/{slice}/{pod}/cri-containerd-{{B}}.scope"),
        &expect![[r#"Kubernetes "{b}" by containerd, container {B}, pod {P}"#]],
    );
    // The pod of kind's node
    check(&format!("{node}/{slice}/{pod}"), &expect![[r#"Kubernetes "pod/{P}" by kubelet, pod {P}"#]]);
    // A QoS class of kind's node
    check(
        &format!("{node}/{slice}"),
        &expect![[r#"Docker "{a}" by docker, container {A}, root …/docker-{A}.scope"#]],
    );
    // The node's own units
    check(
        &format!("{node}/kubelet.slice/kubelet.service"),
        &expect![[r#"Docker "{a}" by docker, container {A}, root …/docker-{A}.scope"#]],
    );
    // The node's own systemd
    check(
        &format!("{node}/init.scope"),
        &expect![[r#"Docker "{a}" by docker, container {A}, root …/docker-{A}.scope"#]],
    );
    // Docker Desktop
    check(
        &format!("/docker/{{A}}/{slice}/{pod}/cri-containerd-{{B}}.scope"),
        &expect![[r#"Kubernetes "{b}" by containerd, container {B}, pod {P}"#]],
    );
    // kind, cgroup v1
    check(
        "/docker/{A}/kubelet/kubepods/besteffort/pod{P}/{B}",
        &expect![[r#"Kubernetes "{b}" by kubelet, container {B}, pod {P}"#]],
    );
    // minikube, k3d
    check(
        "/docker/{A}/kubepods/burstable/pod{P}/{B}",
        &expect![[r#"Kubernetes "{b}" by kubelet, container {B}, pod {P}"#]],
    );
    // Docker in a pod
    check(
        "/kubepods/burstable/pod{P}/{A}/docker/{B}",
        &expect![[r#"Docker "{b}" by docker, container {B}, pod {P}"#]],
    );
    // kind on Podman
    check(
        "/machine.slice/libpod-{A}.scope/container/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-pod{p}.slice/crio-{B}.scope",
        &expect![[r#"Kubernetes "{b}" by cri-o, container {B}, pod {P}"#]],
    );
}
