//! Random events of a host in one tick.

use proptest::prelude::*;

use super::{CORES, ZONES};
use crate::config::IdleChoice;

/// An event of the host, its containers, encoders and counters.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    Made { slot: usize },
    Removed { slot: usize },
    Named { slot: usize, name: u8 },
    Forgotten { slot: usize },
    EngineGone,
    Started { process: usize, slot: usize },
    Ended { process: usize },
    Moved { process: usize, slot: usize },
    Unreadable { zone: usize },
    Frozen { zone: usize },
    Vanished { zone: usize },
    Mended { zone: usize },
    Reset { zone: usize },
    CoreUnreadable { core: usize },
    CoreFrozen { core: usize },
    CoreOffline { core: usize },
    CoreMended { core: usize },
    Cpus { socket: usize, count: u32 },
    ClockSet { seconds: i64 },
    Slept { seconds: u64 },
    NoCpuTimes,
    EventsLost,
}

/// CPU time of a slot's tasks: of an encoder in it, or of the others.
#[derive(Clone, Copy, Debug)]
pub(super) struct Work {
    pub(super) slot: usize,
    pub(super) process: Option<usize>,
    pub(super) socket: usize,
    pub(super) core: u32,
    pub(super) milliseconds: u64,
}

#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) happenings: Vec<Happening>,
    pub(super) work: Vec<Work>,
    pub(super) watts: [u16; 4],
    pub(super) core_watts: [u16; 4],
    pub(super) milliseconds: u64,
}

/// The host at the start, and the configuration.
#[derive(Clone, Debug)]
pub(super) struct Start {
    pub(super) is_near_end: bool,
    /// Whether the first two cores of each socket are counted.
    pub(super) counts_cores: bool,
    pub(super) policy: IdleChoice,
    pub(super) idle_watts: Option<u8>,
    pub(super) max_workloads: u32,
    pub(super) max_classes: u32,
}

pub(super) const SLOTS: usize = 5;
pub(super) const PROCESSES: usize = 3;

pub(super) fn start() -> impl Strategy<Value = Start> {
    let policies =
        [IdleChoice::Own, IdleChoice::Proportional, IdleChoice::Even, IdleChoice::Reservation].as_slice();
    let policy = proptest::sample::select(policies);
    let limit = prop_oneof![Just(1000_u32), 0..4_u32];
    (any::<[bool; 2]>(), policy, proptest::option::of(0..200_u8), limit, 0..4_u32).prop_map(
        |([is_near_end, counts_cores], policy, idle_watts, max_workloads, max_classes)| Start {
            is_near_end,
            counts_cores,
            policy,
            idle_watts,
            max_workloads,
            max_classes,
        },
    )
}

pub(super) fn happening() -> impl Strategy<Value = Happening> {
    let (slot, process, zone, core) = (0..SLOTS, 0..PROCESSES, 0..ZONES.len(), 0..CORES.len());
    prop_oneof![
        4 => slot.clone().prop_map(|slot| Happening::Made { slot }),
        2 => slot.clone().prop_map(|slot| Happening::Removed { slot }),
        2 => (slot.clone(), 0..3_u8).prop_map(|(slot, name)| Happening::Named { slot, name }),
        1 => slot.clone().prop_map(|slot| Happening::Forgotten { slot }),
        1 => Just(Happening::EngineGone),
        3 => (process.clone(), slot.clone()).prop_map(|(process, slot)| Happening::Started { process, slot }),
        2 => process.clone().prop_map(|process| Happening::Ended { process }),
        1 => (process, slot).prop_map(|(process, slot)| Happening::Moved { process, slot }),
        2 => zone.clone().prop_map(|zone| Happening::Unreadable { zone }),
        2 => zone.clone().prop_map(|zone| Happening::Frozen { zone }),
        1 => zone.clone().prop_map(|zone| Happening::Vanished { zone }),
        4 => zone.clone().prop_map(|zone| Happening::Mended { zone }),
        1 => zone.prop_map(|zone| Happening::Reset { zone }),
        1 => core.clone().prop_map(|core| Happening::CoreUnreadable { core }),
        1 => core.clone().prop_map(|core| Happening::CoreFrozen { core }),
        1 => core.clone().prop_map(|core| Happening::CoreOffline { core }),
        3 => core.prop_map(|core| Happening::CoreMended { core }),
        1 => (0..2_usize, 0..4_u32).prop_map(|(socket, count)| Happening::Cpus { socket, count }),
        1 => (-100..100_i64).prop_map(|seconds| Happening::ClockSet { seconds }),
        1 => (1..100_u64).prop_map(|seconds| Happening::Slept { seconds }),
        1 => Just(Happening::NoCpuTimes),
        1 => Just(Happening::EventsLost),
    ]
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let work = (0..SLOTS, proptest::option::of(0..PROCESSES), 0..2_usize, 0..3_u32, 1..2500_u64);
    let work = work.prop_map(|(slot, process, socket, core, milliseconds)| Work {
        slot,
        process,
        socket,
        core,
        milliseconds,
    });
    (
        proptest::collection::vec(happening(), 0..3),
        proptest::collection::vec(work, 0..4),
        proptest::array::uniform4(1..300_u16),
        proptest::array::uniform4(1..30_u16),
        prop_oneof![4 => Just(1000_u64), 1 => 100..5000_u64],
    )
        .prop_map(|(happenings, work, watts, core_watts, milliseconds)| Step {
            happenings,
            work,
            watts,
            core_watts,
            milliseconds,
        })
}
