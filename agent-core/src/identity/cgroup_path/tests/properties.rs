//! Property tests of cgroup paths.

use proptest::prelude::*;

use super::*;

/// Segments that match the rules, and others that nearly do.
fn segment() -> impl Strategy<Value = String> {
    let from_a_rule = (0..rules::RULES.len(), 0..IDS.len()).prop_map(|(rule, id)| {
        let written = rules::RULES[rule].written.trim_start_matches('/');
        written.replace("{}", IDS[id].1).replace('*', "x")
    });
    prop_oneof![
        4 => from_a_rule,
        2 => prop::sample::select(vec![
            "docker", "default", "lxc", "ffrtmp", "ecs", "kubepods", "burstable", "buildkit", "slurm", "uid_0", "job_1",
            "system.slice", "user@1000.service", "init.scope", "container", "..", ".", "", "machine-qemu\\x2d1\\x2da.scope",
        ])
        .prop_map(str::to_owned),
        1 => "[a-z0-9:.{}*@\\\\-]{0,40}",
        1 => any::<String>(),
    ]
}

fn path() -> impl Strategy<Value = String> {
    let slash = prop::sample::select(vec!["", "/"]);
    let segments = prop::collection::vec(segment(), 0..8);
    let joined = (slash, segments).prop_map(|(slash, segments)| format!("{slash}{}", segments.join("/")));
    prop_oneof![16 => joined, 1 => any::<String>()]
}

proptest! {
    #[test]
    fn the_root_is_the_path_up_to_some_segment(path in path()) {
        let normal = joined(&segments(&path));
        let root = identify(&path).root;
        let below = normal.strip_prefix(root.trim_end_matches('/')).expect("a prefix");
        prop_assert!(below.is_empty() || below.starts_with('/'), "{root} of {normal}");
        prop_assert_eq!(joined(&segments(&normal)), normal, "normalised once is normalised for good");
    }

    #[test]
    fn a_workload_is_its_own_root_s_workload(path in path()) {
        let found = identify(&path);
        prop_assert_eq!(identify(&found.root), found);
    }

    #[test]
    fn a_container_is_split_by_nothing_but_containers(path in path(), below in prop::collection::vec(segment(), 0..4)) {
        let outer = identify(&path);
        let inner = identify(&format!("{}/{}", outer.root, below.join("/").replace("..", "")));
        if outer.container.is_some() && inner.root != outer.root {
            let deserves = inner.container.is_some()
                || inner.kind == WorkloadKind::Kubernetes
                || ["lxc", "libvirt", "nspawn", "garden", "mesos", "buildkit", "containerd"].contains(&inner.runtime);
            prop_assert!(deserves, "{inner:?} in {outer:?}");
        }
    }

    #[test]
    fn labels_are_bounded(path in path()) {
        let found = identify(&path);
        prop_assert!(!found.name.is_empty());
        prop_assert!(found.name.chars().count() <= 128 && !found.name.contains(char::is_control));
        prop_assert!(found.runtime.is_empty() || rules::RULES.iter().any(|rule| rule.runtime == found.runtime));
        let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let short = short_id(&found);
        prop_assert!(short.len() == 12 && is_hex(&short), "{short}");
        prop_assert!(found.container.is_none_or(|container| container.len() == 64 && is_hex(&container)));
        prop_assert!(found.pod.is_none_or(|pod| is_hex(&pod.replace('-', ""))));
    }
}
