//! Fuzzes answers of container engines: any answer gives containers with ids or a reason; names keep these ids apart.
#![no_main]

use std::collections::HashSet;

use agent_core::identity::directory::Directory;
use agent_core::model::cpu::CgroupId;
use ffwatt::inside::{EngineEvent, read_event, read_list};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut directory = Directory::default();
    let mut ids = HashSet::new();
    // Two containers that exist, whatever the engine says about them.
    let there = ["a".repeat(64), "b".repeat(64)];
    let workloads = [0, 1].map(|number: usize| {
        let path = format!("/docker/{}", there[number]);
        directory.cgroup_made(CgroupId(number as u64 + 100), &path).workload
    });
    for (id, facts) in read_list(bytes).unwrap_or_default() {
        assert!(facts.labels.keys().all(|key| !key.starts_with("ffwatt.ffwatt.") || key.len() > 14));
        ids.insert(id.clone());
        directory.container_known(&id, facts);
    }
    match read_event(bytes) {
        Ok(Some(EngineEvent::Known { id, facts })) => directory.container_known(&id, facts),
        Ok(Some(EngineEvent::Renamed { id, name })) => directory.container_renamed(&id, &name),
        Ok(Some(EngineEvent::Removed { id })) => directory.container_removed(&id),
        _ => {}
    }
    let identities = workloads.map(|workload| directory.identity(workload));
    assert_ne!(
        (&identities[0].kind, &identities[0].id),
        (&identities[1].kind, &identities[1].id),
        "{identities:?}"
    );
});
