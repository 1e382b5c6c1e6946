//! Decides which capabilities the agent needs after its start, and drops the others.
//!
//! The needs of each reading were tried on Linux 6.18 and looked up for 5.10: a program that is loaded and attached stays so without
//! any; flushing it (`BPF_PROG_TEST_RUN`) and, before 5.19, reading its maps take `CAP_BPF`. Counters that are open are read
//! without any; counters that disappear with a CPU or a driver are opened again.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use agent_core::model::cpu::CpuSourceKind;
use agent_core::model::energy::EnergySourceKind;
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, capabilities, remove_capability_from_bounding_set, set_capabilities};

use super::{Outcome, Plan};

/// A capability, and its purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Need {
    pub capability: CapabilitySet,
    /// What does not work without it.
    pub purpose: &'static str,
    /// One that includes it, which older engines give instead.
    pub instead: CapabilitySet,
}

const fn need(capability: CapabilitySet, purpose: &'static str, instead: CapabilitySet) -> Need {
    Need { capability, purpose, instead }
}

/// Capabilities that an agent with this plan needs after its start.
pub(crate) fn needs(plan: &Plan) -> Vec<Need> {
    let (none, admin) = (CapabilitySet::empty(), CapabilitySet::SYS_ADMIN);
    let mut needs = Vec::new();
    if plan.locked_counters {
        let purpose = "opening powercap's energy counters when their driver comes back";
        needs.push(need(CapabilitySet::DAC_READ_SEARCH, purpose, CapabilitySet::DAC_OVERRIDE));
    }
    if plan.cpu == CpuSourceKind::Bpf {
        needs.push(need(CapabilitySet::BPF, "reading the eBPF program's accounts", admin));
    }
    if plan.energy == Some(EnergySourceKind::Perf) {
        needs.push(need(CapabilitySet::PERFMON, "opening energy counters of CPUs that come back", admin));
        if plan.strict_perf {
            needs.push(need(admin, "perf events while kernel.perf_event_paranoid is above 2", none));
        }
    }
    if plan.energy == Some(EnergySourceKind::Msr) {
        needs.push(need(CapabilitySet::SYS_RAWIO, "opening the registers of CPUs that come back", none));
    }
    if plan.hidden_processes {
        needs.push(need(
            CapabilitySet::SYS_PTRACE,
            "seeing other processes in a procfs that hides them",
            none,
        ));
    }
    if plan.reads_gpu {
        let purpose = "reading who uses the integrated GPU";
        needs.push(need(CapabilitySet::SYS_PTRACE, purpose, none));
        needs.push(need(CapabilitySet::DAC_READ_SEARCH, purpose, CapabilitySet::DAC_OVERRIDE));
    }
    if plan.of_others {
        let purpose = "a state folder or an engine's socket that belongs to another user";
        needs.push(need(CapabilitySet::DAC_OVERRIDE, purpose, none));
    }
    needs
}

/// Whether a path, or the nearest existing folder above it, belongs to another user. Root opens such paths by capability.
pub(super) fn is_of_another(path: &(impl AsRef<Path> + ?Sized)) -> bool {
    let path = path.as_ref();
    let found = path.ancestors().filter(|path| *path != Path::new("")).find_map(|path| path.metadata().ok());
    found.is_some_and(|metadata| metadata.uid() != geteuid().as_raw())
}

/// Names as `capsh` writes them, in the kernel's order.
pub(crate) fn names(set: CapabilitySet) -> String {
    let names: Vec<String> = set.iter_names().map(|(name, _)| format!("CAP_{name}")).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

/// Keeps capabilities that are needed and held. Started programs inherit none. The right to read every file is not effective: the
/// code that opens a counter makes it effective, only while it opens.
pub(super) fn drop_all_but(needed: CapabilitySet) -> Outcome {
    let before = match capabilities(None) {
        Ok(sets) => sets,
        Err(error) => return Outcome::Failed(format!("cannot ask for capabilities: {error}")),
    };
    let mut kept = needed & before.permitted;
    // Engines without CAP_BPF give CAP_SYS_ADMIN for it.
    let stand_in = CapabilitySet::SYS_ADMIN;
    let lacks = needed - before.permitted;
    if lacks.intersects(CapabilitySet::BPF | CapabilitySet::PERFMON) {
        kept |= stand_in & before.permitted;
    }
    if before.effective.contains(CapabilitySet::SETPCAP) {
        for capability in CapabilitySet::all().iter() {
            // The kernel may be older than one of them, which does not exist then.
            let _ = remove_capability_from_bounding_set(capability);
        }
    }
    let mut after = before;
    after.permitted = kept;
    after.effective = (before.effective & kept) - CapabilitySet::DAC_READ_SEARCH;
    after.inheritable = CapabilitySet::empty();
    match set_capabilities(None, after) {
        Ok(()) => Outcome::Done(format!("kept {} of {}", names(kept), names(before.permitted))),
        Err(error) => Outcome::Failed(format!("cannot drop capabilities: {error}")),
    }
}
