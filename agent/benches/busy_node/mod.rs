//! A Kubernetes node with any number of pods, each with a sandbox and a container, on which the cost of names is measured.

use agent_core::identity::directory::Directory;
use agent_core::identity::kubelet_logs::{container_link, pod_folder};
use agent_core::identity::kubernetes::NameReport;
use agent_core::model::cpu::CgroupId;
use agent_core::model::workload::WorkloadId;
use agent_core::time::MonoTime;

/// Cgroups of a pod: its own, and those of its sandbox and its container.
const CGROUPS: u64 = 3;

/// A node.
pub(crate) struct Node {
    directory: Directory,
    pods: u64,
    workloads: Vec<WorkloadId>,
}

impl Node {
    /// Pods whose cgroups are known, and whose names are still to come.
    pub(crate) fn new(pods: u64) -> Self {
        let mut directory = Directory::default();
        for pod in 0..pods {
            let own = format!("/kubepods/burstable/pod{}", uid(pod));
            let paths =
                [own.clone(), format!("{own}/{}", id(pod, 1)), format!("{own}/{}", id(pod, CONTAINER))];
            for (number, path) in (pod * CGROUPS..).zip(paths) {
                directory.cgroup_made(CgroupId(1000 + number), &path);
            }
        }
        let cgroups = (0..pods * CGROUPS).map(|number| CgroupId(1000 + number));
        let workloads = cgroups.map(|cgroup| directory.workload_of(cgroup).unwrap()).collect();
        Self { directory, pods, workloads }
    }

    /// Takes the names of all pods and containers.
    pub(crate) fn name_all(&mut self) {
        for pod in 0..self.pods {
            let (uid, name) = (uid(pod), format!("web-{pod}"));
            self.directory
                .names_reported(NameReport::Pod(pod_folder(&format!("default_{name}_{uid}")).unwrap()));
            let link = format!("{name}_default_app-{}.log", id(pod, CONTAINER));
            let target = format!("/var/log/pods/default_{name}_{uid}/app/0.log");
            self.directory
                .names_reported(NameReport::Container(container_link(&link, Some(&target)).unwrap()));
        }
        self.directory.names_reported(NameReport::NamesAll(true));
    }

    /// What a tick does for names, where every cgroup has used CPU time: returns how many workloads bear idle energy.
    pub(crate) fn tick(&mut self, at: MonoTime) -> usize {
        let directory = &mut self.directory;
        directory.take_named();
        directory.take_undescribed();
        directory.take_unknown_pods();
        directory.has_pods();
        for workload in &self.workloads {
            directory.charged_to(*workload, at);
        }
        self.workloads.iter().filter(|workload| directory.bears_idle(**workload)).count()
    }
}

/// Number of a pod's container; its sandbox has the number 1.
const CONTAINER: u64 = 2;

fn uid(pod: u64) -> String {
    format!("90d81341-92de-11e7-8cf2-{pod:012x}")
}

fn id(pod: u64, number: u64) -> String {
    format!("{pod:08x}{number:08x}{:048}", 0)
}
