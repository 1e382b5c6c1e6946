//! Fuzzes the names of the kubelet's log folders and links: any name gives valid names or none, and renames no other pod's container.
#![no_main]

use agent_core::identity::directory::Directory;
use agent_core::identity::kubelet_logs::{container_link, pod_folder};
use agent_core::identity::kubernetes::{ContainerName, PodName};
use agent_core::model::cpu::CgroupId;
use libfuzzer_sys::fuzz_target;

const UID: &str = "90d81341-92de-11e7-8cf2-507b9d4141fa";

fuzz_target!(|text: &str| {
    let mut directory = Directory::default();
    let id = "0f".repeat(32);
    directory.pod_known(PodName::new(UID, "default", "web").expect("valid"));
    let workload = directory.cgroup_made(CgroupId(5), &format!("/kubepods/pod{UID}/{id}")).workload;
    // Each line is a folder, a link without a target, and a link whose target is the next line.
    let lines: Vec<&str> = text.split('\n').collect();
    let targets = lines.iter().skip(1).map(|line| Some(*line)).chain([None]);
    for (name, target) in lines.iter().zip(targets) {
        if let Some(pod) = pod_folder(name) {
            assert_eq!(format!("{}_{}_{}", pod.namespace, pod.pod, pod.uid), *name);
            directory.pod_known(pod);
        }
        for target in [None, target] {
            let Some(container) = container_link(name, target) else { continue };
            let ContainerName { id, uid, names } = &container;
            assert!(name.len() <= 255 && id.len() <= 64 && (uid.is_some() || id.len() == 64), "{container:?}");
            let whole = format!("{}_{}_{}-{id}.log", names.pod, names.namespace, names.container);
            assert!(whole == **name || name.len() == 255, "{container:?}");
            assert_eq!(names.to_string().split('/').count(), 3, "{container:?}");
            directory.container_in_pod(container);
        }
    }
    let identity = directory.identity(workload);
    if let Some(names) = &identity.details.kubernetes {
        assert_eq!((&*names.namespace, &*names.pod), ("default", "web"), "{identity:?}");
    }
});
