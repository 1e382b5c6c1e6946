//! Types and constants that the eBPF programs and the agent exchange, byte for byte.
//!
//! Everything here is `#[repr(C)]` without implicit padding. The sizes are asserted at the end of the file, so that a change on one side
//! cannot silently shift the other.

#![no_std]

mod kernel_offsets;

pub use kernel_offsets::{KernelOffsets, UNKNOWN_OFFSET};

/// Longest process name the kernel keeps (`TASK_COMM_LEN`), terminating zero included.
pub const COMM_LEN: usize = 16;

/// Longest cgroup path carried by an event, terminating zero included (`PATH_MAX`).
pub const PATH_LEN: usize = 4096;

/// The id of the root cgroup: kernel threads are in it, and on hybrid hosts many processes too.
pub const ROOT_CGROUP: u64 = 1;

/// A consumer of CPU time: the key of the per-CPU accounting map.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConsumerKey {
    /// The cgroup v2 id: the inode number of its directory. [`ROOT_CGROUP`] where the agent does not see cgroup v2.
    pub cgroup: u64,
    /// The id of its cgroup in the followed hierarchy of cgroup v1; 0 for the root of it, and where none is followed.
    pub legacy: u64,
    /// The thread-group id of a tracked process (an ffmpeg, or the agent itself), else 0.
    pub tracked: u32,
    /// [`CLASS_TASK`] or [`CLASS_KERNEL_THREAD`].
    pub class: u32,
}

/// [`ConsumerKey::class`] of everything that is not a kernel thread.
pub const CLASS_TASK: u32 = 0;
/// [`ConsumerKey::class`] of a kernel thread, used only in the root cgroup, which kernel threads never leave.
pub const CLASS_KERNEL_THREAD: u32 = 1;

/// `PF_IDLE` of `include/linux/sched.h`, unchanged since 4.10: the task keeps its CPU idle, as the idle task does.
const PF_IDLE: u32 = 0x0000_0002;
/// `PF_KTHREAD`, unchanged since 2.6.
const PF_KTHREAD: u32 = 0x0020_0000;

/// Prefixes of the names of kernel threads that keep a CPU idle to cool it (`drivers/powercap/idle_inject.c`, and before 6.2
/// `intel_powerclamp.c`). They clear `PF_IDLE` before they leave the CPU: only their names identify them then.
const IDLE_INJECTORS: [u64; 2] = [u64::from_ne_bytes(*b"idle_inj"), u64::from_ne_bytes(*b"kidle_in")];

/// The [`ConsumerKey::class`] of a task of the root cgroup, by its `task_struct.flags` and the first eight bytes of its name; `None` for
/// a task that keeps its CPU idle. A process may take any name, but no process is a kernel thread.
#[expect(clippy::inline_always, reason = "it runs at every switch, in a program that makes no calls")]
#[inline(always)]
pub const fn class_of(flags: u32, name: u64) -> Option<u32> {
    if flags & PF_KTHREAD == 0 {
        return Some(CLASS_TASK);
    }
    if flags & PF_IDLE != 0 || name == IDLE_INJECTORS[0] || name == IDLE_INJECTORS[1] {
        return None;
    }
    Some(CLASS_KERNEL_THREAD)
}

/// Whether a process's name, filled with zeros, is one under which ffmpeg is installed: it begins with `ffmpeg` or ends in `-ffmpeg`.
///
/// It shifts the zeros out in four steps: an index that depends on the length is hard for the kernel's verifier, and a loop is long.
#[inline(always)]
pub const fn is_named_ffmpeg(name: &[u8; COMM_LEN]) -> bool {
    const PREFIX: u64 = u64::from_be_bytes(*b"\0\0ffmpeg");
    const SUFFIX: u64 = u64::from_be_bytes(*b"\0-ffmpeg");
    let both = u128::from_be_bytes(*name);
    let (mut first, mut last) = ((both >> 64) as u64, both as u64);
    if first >> 16 == PREFIX {
        return true;
    }
    if last == 0 {
        (first, last) = (0, first);
    }
    if last << 32 == 0 {
        (first, last) = (first >> 32, (last >> 32) | (first << 32));
    }
    if last << 48 == 0 {
        (first, last) = (first >> 16, (last >> 16) | (first << 48));
    }
    if last << 56 == 0 {
        last = (last >> 8) | (first << 56);
    }
    last & (u64::MAX >> 8) == SUFFIX
}

/// CPU time of one consumer on one CPU, in nanoseconds.
///
/// `total` runs on; `at_flush` is what `total` was when the CPU was last flushed, valid when `epoch` equals the
/// CPU's [`CpuClock::epoch`]. An entry not touched since the flush has an older epoch, and `total` itself is the value
/// at the flush. So user space reads every consumer *as of the same instant* although the map is read entry by entry.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuTime {
    /// Nanoseconds charged so far.
    pub total: BusyTime,
    /// Nanoseconds charged up to the flush that began `epoch`.
    pub at_flush: BusyTime,
    /// The epoch in which the entry was last touched.
    pub epoch: u64,
}

/// Busy nanoseconds of one CPU.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BusyTime {
    /// All of them.
    pub all: u64,
    /// Those in which the other CPU (hardware thread) of the core was busy too. 0 where a core has one CPU.
    pub shared: u64,
}

/// The state of one CPU.
///
/// Its times are by the clock that the scheduler accounts by (`rq_clock_task()`), where the program at `sched_switch` can see that;
/// else by `CLOCK_MONOTONIC`. They are only ever compared with each other.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CpuClock {
    /// Nanoseconds up to which this CPU is accounted; 0 before the first switch or flush.
    pub accounted_to: u64,
    /// Time at which accounting began on this CPU.
    pub started_at: u64,
    /// Offset of `CLOCK_MONOTONIC` to the clock of these times (wrapping).
    pub ahead: u64,
    /// One more than the epoch in which `ahead` was last computed.
    pub aligned_in: u64,
    /// 1 when `ahead` was the same as before: the two clocks keep step.
    pub in_step: u64,
    /// Nanoseconds spent in the idle task.
    pub idle: u64,
    /// Nanoseconds without room in the accounting map.
    pub lost: u64,
    /// Consumer of `pending`.
    pub key: ConsumerKey,
    /// Nanoseconds of `key` not yet added to the accounting map.
    pub pending: BusyTime,
    /// Number of flushes so far.
    pub epoch: u64,
    /// `CLOCK_MONOTONIC` at the last flush.
    pub flushed_mono: u64,
    /// Nanoseconds accounted for until the last flush, and those an idle CPU has slept since.
    pub flushed_elapsed: u64,
    /// `idle` at the last flush, and the time that an idle CPU has slept since. An estimate: the next may be less.
    pub flushed_idle: u64,
    /// `lost` at the last flush.
    pub flushed_lost: u64,
    /// Number of times the map had no room.
    pub lost_count: u64,
    /// 1 when the last flush found the CPU idle.
    pub flushed_in_idle: u64,
    /// Number of switches since the last flush. The times above do not show switches: the scheduler's clock may stand still over one.
    pub switches: u64,
    /// Busy nanoseconds of the sibling at the time up to which this CPU is accounted.
    pub sibling_busy: u64,
    /// Number of this CPU, valid where it has a sibling.
    pub cpu: u32,
    /// One more than the number of the other CPU (hardware thread) of the core; 0 where there is none.
    pub sibling: u32,
}

impl CpuClock {
    /// Whether the CPU was idle at the last flush and has not switched since: then it still is.
    pub fn is_asleep(&self) -> bool {
        self.epoch > 0 && self.flushed_in_idle == 1 && self.switches == 0
    }
}

/// Kinds of [`EventHeader::kind`].
pub mod event_kind {
    /// A cgroup was made; its path follows the header.
    pub const CGROUP_MADE: u32 = 1;
    /// A cgroup was removed; its path follows the header.
    pub const CGROUP_REMOVED: u32 = 2;
    /// A process started a tracked program, or a tracked process started any program.
    pub const EXEC: u32 = 3;
    /// The last thread of a tracked process ended.
    pub const EXIT: u32 = 4;
}

/// States of a thread-group id in the map of tracked processes, one byte each: the state, and the last [`stop_signal`] for [`ON`].
///
/// [`ON`]: tracking::ON
pub mod tracking {
    /// The process is charged with its cgroup.
    pub const OFF: u8 = 0;
    /// The process is charged separately.
    pub const ON: u8 = 1;
    /// The process has ended. Its last CPU time is charged to it; the next process with this number is another one.
    pub const ENDED: u8 = 2;

    const SIGNAL_SHIFT: u32 = 2;

    /// The state in a byte of the map.
    pub const fn state(byte: u8) -> u8 {
        byte & ((1 << SIGNAL_SHIFT) - 1)
    }

    /// The signal in a byte of the map.
    pub const fn signal(byte: u8) -> u8 {
        byte >> SIGNAL_SHIFT
    }

    /// The byte of a process that is charged separately, and that was last sent this signal.
    pub const fn on(signal: u8) -> u8 {
        ON | (signal << SIGNAL_SHIFT)
    }
}

/// Signals by which users and service managers end a process.
pub mod stop_signal {
    /// No such signal was sent.
    pub const NONE: u8 = 0;
    /// Signals before this moment were not seen.
    pub const NOT_KNOWN: u8 = 63;
    /// `SIGKILL`, which the kernel sends as well.
    pub const KILL: u8 = 9;

    /// Whether this is SIGHUP, SIGINT, SIGQUIT, SIGKILL or SIGTERM: the numbers of x86, ARM and RISC-V (`signal(7)`).
    pub const fn is_one(signal: u64) -> bool {
        matches!(signal, 1..=3 | 9 | 15)
    }
}

/// The head of every life-cycle event; cgroup events are followed by a zero-terminated path.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventHeader {
    /// `CLOCK_MONOTONIC` nanoseconds.
    pub at: u64,
    /// The id in cgroup v2; 0 where the kernel does not show it (no BTF), and for an event of a cgroup of cgroup v1.
    pub cgroup: u64,
    /// The id in the followed hierarchy of cgroup v1; 0 for the root of it, and for an event of a cgroup of cgroup v2.
    pub legacy: u64,
    /// One of [`event_kind`].
    pub kind: u32,
    /// Thread-group id of the process; 0 for cgroup events.
    pub tgid: u32,
    /// Wait status as in `wait(2)`, valid when `has_status` is 1.
    pub status: u32,
    /// Whether the kernel showed the exit status.
    pub has_status: u16,
    /// The last of [`stop_signal`] that was sent to the process; 0 for events other than `EXIT`.
    pub stop_signal: u16,
    /// Thread-group id in the agent's own PID namespace; 0 for a process that is not in it, and for events other than `EXEC`.
    pub local_tgid: u32,
    /// 1 when the process was tracked before this `EXEC`: the same process, with another program.
    pub was_tracked: u32,
}

/// A PID namespace, by the device and inode of its file `ns/pid`; zeros where it is unknown.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PidNamespace {
    /// Device number in the kernel's own encoding.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
}

/// An open file of a process.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OpenFile {
    /// Thread-group id of the process in the first PID namespace.
    pub tgid: u32,
    /// Number of the file descriptor.
    pub descriptor: u32,
}

impl OpenFile {
    /// From the bytes that the kernel program wrote.
    pub fn from_bytes(bytes: [u8; size_of::<Self>()]) -> Self {
        let [a, b, c, d, rest @ ..] = bytes;
        Self { tgid: u32::from_ne_bytes([a, b, c, d]), descriptor: u32::from_ne_bytes(rest) }
    }
}

/// Cgroup hierarchies by which tasks are charged.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hierarchies {
    /// 1 where cgroup v2 is one of them.
    pub unified: u32,
    /// The number of cgroup v1's hierarchy among them (`/proc/cgroups`); 0 where none is.
    pub legacy: u32,
}

impl Hierarchies {
    /// Cgroup v2 alone.
    pub const UNIFIED: Self = Self { unified: 1, legacy: 0 };
}

/// Thread-group ids per entry of the map of tracked processes.
pub const TRACKED_PAGE: u32 = 4096;

/// Orders to the `control` program, given as its first argument.
pub mod order {
    /// Track the thread group in the second argument, unless it has ended.
    pub const TRACK: u64 = 1;
    /// Stop tracking the thread group in the second argument.
    pub const UNTRACK: u64 = 2;
    /// Write the caller's own thread-group id in the first PID namespace to the answer map.
    pub const WHO_AM_I: u64 = 3;
}

/// Index into the loss counters, one array entry each.
pub mod loss {
    /// Life-cycle events that found the ring buffer full.
    pub const EVENTS: u32 = 0;
    /// Number of loss counters.
    pub const COUNT: u32 = 1;
}

const _: () = assert!(size_of::<ConsumerKey>() == 24);
const _: () = assert!(size_of::<CpuTime>() == 40);
const _: () = assert!(size_of::<CpuClock>() == 176);
const _: () = assert!(size_of::<EventHeader>() == 48);
const _: () = assert!(size_of::<PidNamespace>() == 16);
const _: () = assert!(size_of::<KernelOffsets>() == 76);
const _: () = assert!(size_of::<Hierarchies>() == 8);
const _: () = assert!(size_of::<OpenFile>() == 8);

#[cfg(feature = "user")]
mod pod {
    use crate::{ConsumerKey, CpuClock, CpuTime, Hierarchies, KernelOffsets, PidNamespace};

    // SAFETY: `repr(C)`, integers only, no padding (sizes asserted above), every bit pattern is valid.
    unsafe impl aya::Pod for ConsumerKey {}
    // SAFETY: as above.
    unsafe impl aya::Pod for CpuTime {}
    // SAFETY: as above.
    unsafe impl aya::Pod for CpuClock {}
    // SAFETY: as above.
    unsafe impl aya::Pod for KernelOffsets {}
    // SAFETY: as above.
    unsafe impl aya::Pod for PidNamespace {}
    // SAFETY: as above.
    unsafe impl aya::Pod for Hierarchies {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_ffmpeg() {
        let name = |text: &str| {
            let mut name = [0; COMM_LEN];
            name[..text.len()].copy_from_slice(text.as_bytes());
            name
        };
        for text in [
            "ffmpeg",
            "ffmpeg-7.1",
            "ffmpeg_g",
            "tdarr-ffmpeg",
            "jellyfin-ffmpeg",
            "-ffmpeg",
            "ffmpeg-of-a-farm",
            "a-ffmpeg",
            "abcdefghi-ffmpeg",
        ] {
            assert!(is_named_ffmpeg(&name(text)), "{text}");
        }
        for text in ["", "ffmpe", "ffprobe", "myffmpeg", "x-ffmpeg-x", ".ffmpeg-wrapped", "fffmpeg"] {
            assert!(!is_named_ffmpeg(&name(text)), "{text}");
        }
    }

    #[test]
    fn a_kernel_thread_that_keeps_its_cpu_idle_is_no_consumer() {
        let name = |name: &[u8; 8]| u64::from_ne_bytes(*name);
        let table = [
            (PF_KTHREAD, name(b"kworker/"), Some(CLASS_KERNEL_THREAD)),
            (PF_KTHREAD | PF_IDLE, name(b"idle_inj"), None),
            (PF_KTHREAD, name(b"idle_inj"), None),
            (PF_KTHREAD, name(b"kidle_in"), None),
            (PF_KTHREAD | PF_IDLE, name(b"whatever"), None),
            // A process with such a name.
            (0, name(b"idle_inj"), Some(CLASS_TASK)),
            (0x0040_0000, name(b"ffmpeg\0\0"), Some(CLASS_TASK)),
        ];
        for (flags, name, class) in table {
            assert_eq!(class_of(flags, name), class, "{flags:#x} {name:#x}");
        }
    }
}
