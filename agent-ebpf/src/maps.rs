//! Maps and variables that the eBPF programs share with user space.
//!
//! Sizes marked "set at load" are placeholders: the loader sizes them for the host.

use agent_common::{
    COMM_LEN, ConsumerKey, CpuClock, CpuTime, EventHeader, Hierarchies, KernelOffsets, PATH_LEN,
    PidNamespace, TRACKED_PAGE, loss,
};
use aya_ebpf::macros::map;
use aya_ebpf::maps::{Array, HashMap, PerCpuArray, PerCpuHashMap, RingBuf};

/// CPU time per consumer. Set at load. Preallocated: an insert under the run-queue lock must not allocate.
#[map]
pub(crate) static CPU_TIME: PerCpuHashMap<ConsumerKey, CpuTime> = PerCpuHashMap::with_max_entries(16_384, 0);

/// The clock of each CPU.
#[map]
pub(crate) static CPU_CLOCK: PerCpuArray<CpuClock> = PerCpuArray::with_max_entries(1, 0);

/// One byte per thread-group id, its state of [`agent_common::tracking`], in pages. Set at load to cover `pid_max`.
///
/// An array because its look-up is inlined by the JIT; bytes because a byte is stored whole by every processor, while
/// bits would need atomic operations that kernels before 5.12 lack.
#[map]
pub(crate) static TRACKED: Array<[u8; TRACKED_PAGE as usize]> = Array::with_max_entries(8, 0);

/// Names of the programs to track, besides those of [`agent_common::is_named_ffmpeg`].
#[map]
pub(crate) static TRACKED_NAMES: HashMap<[u8; COMM_LEN], u8> = HashMap::with_max_entries(128, 0);

/// One more than the number of the other CPU (hardware thread) of each CPU's core; 0 where there is none. Set at load.
#[map]
pub(crate) static SIBLINGS: Array<u32> = Array::with_max_entries(1, 0);

/// Busy time of each CPU, for its sibling. Set at load.
#[map]
pub(crate) static PUBLISHED: Array<Published> = Array::with_max_entries(1, 0);

/// See [`crate::siblings`]. As long as a cache line, so that only the two CPUs of a core, which have a common cache, write to one.
#[repr(C)]
pub(crate) struct Published {
    pub(crate) word: u64,
    _rest: [u64; 7],
}

/// Life-cycle events. Set at load.
#[map]
pub(crate) static EVENTS: RingBuf = RingBuf::with_byte_size(256 * 1024, 0);

/// Loss counters, indexed by [`loss`].
#[map]
pub(crate) static LOSSES: PerCpuArray<u64> = PerCpuArray::with_max_entries(loss::COUNT, 0);

/// Answer of `control`: the return value of a program does not reach user space through the entry points that the
/// attribute macros write.
#[map]
pub(crate) static ANSWER: Array<u32> = Array::with_max_entries(1, 0);

/// An event under construction: too large for the 512-byte stack.
#[repr(C)]
pub(crate) struct CgroupEvent {
    pub(crate) header: EventHeader,
    pub(crate) path: [u8; PATH_LEN],
}

/// One [`CgroupEvent`] for each CPU. The tracepoints that fill it run with preemption off and never in an interrupt.
#[map]
pub(crate) static SCRATCH: PerCpuArray<CgroupEvent> = PerCpuArray::with_max_entries(1, 0);

/// Offsets of members in the running kernel; set at load from its BTF.
#[unsafe(no_mangle)]
pub(crate) static OFFSETS: KernelOffsets = KernelOffsets::UNKNOWN;

/// Reads [`OFFSETS`] as set by the loader, not as compiled in.
#[inline(always)]
pub(crate) fn offsets() -> KernelOffsets {
    // SAFETY: a static is always readable; volatile keeps the compiler from folding the initial value in.
    unsafe { core::ptr::read_volatile(&raw const OFFSETS) }
}

/// The hierarchies by which tasks are charged; set at load.
#[unsafe(no_mangle)]
pub(crate) static HIERARCHIES: Hierarchies = Hierarchies::UNIFIED;

/// Reads [`HIERARCHIES`] as set by the loader.
#[inline(always)]
pub(crate) fn hierarchies() -> Hierarchies {
    // SAFETY: as in `offsets`.
    unsafe { core::ptr::read_volatile(&raw const HIERARCHIES) }
}

/// 1 where cores have two CPUs each; set at load.
#[unsafe(no_mangle)]
pub(crate) static HAS_SIBLINGS: u32 = 0;

/// Reads [`HAS_SIBLINGS`] as set by the loader.
#[inline(always)]
pub(crate) fn has_siblings() -> bool {
    // SAFETY: as in `offsets`.
    unsafe { core::ptr::read_volatile(&raw const HAS_SIBLINGS) == 1 }
}

/// Major number of the devices whose open files are listed; set at load.
#[unsafe(no_mangle)]
pub(crate) static DEVICE_MAJOR: u32 = 0;

/// Reads [`DEVICE_MAJOR`] as set by the loader.
#[inline(always)]
pub(crate) fn device_major() -> u32 {
    // SAFETY: as in `offsets`.
    unsafe { core::ptr::read_volatile(&raw const DEVICE_MAJOR) }
}

/// The agent's own PID namespace; set at load.
#[unsafe(no_mangle)]
pub(crate) static PID_NAMESPACE: PidNamespace = PidNamespace { device: 0, inode: 0 };

/// Reads [`PID_NAMESPACE`] as set by the loader.
#[inline(always)]
pub(crate) fn pid_namespace() -> PidNamespace {
    // SAFETY: as in `offsets`.
    unsafe { core::ptr::read_volatile(&raw const PID_NAMESPACE) }
}

/// One member of [`OFFSETS`], a constant to the verifier.
macro_rules! offset {
    ($member:ident) => {
        // SAFETY: as in `offsets`.
        unsafe { core::ptr::read_volatile(&raw const crate::maps::OFFSETS.$member) }
    };
}
pub(crate) use offset;
