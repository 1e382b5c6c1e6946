//! The simulated machines: their parts, counters and power.

use std::time::Duration;

/// Hardware that a counter covers, where a machine has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A socket.
    Socket,
    /// A die of the only package, as Intel counts them.
    Die,
    /// A core of the only package, as AMD counts them. The package has a counter, too.
    Core,
    /// A thread of the only package's cores, which have two each; the package has the only counter. Where both are busy, each draws
    /// [`BESIDE`] of what it draws alone. One of both must be busy all the time: how long both were is known to a few milliseconds only.
    Thread,
}

/// Power of a thread beside a busy one, relative to its power alone: together they draw 1.15 times as much.
pub(super) const BESIDE: f64 = 0.575;

/// Power of a part as a function of its busy CPUs.
#[derive(Clone, Copy, Debug)]
pub enum Power {
    /// This many watts for each busy CPU.
    Linear(f64),
    /// This many watts for all its CPUs, growing with the power 0.6 of their use: the first busy CPU costs the most, as on real machines.
    Concave(f64),
}

impl Power {
    pub(super) fn watts(self, busy: f64, cpus: f64) -> f64 {
        match self {
            Self::Linear(each) => each * busy,
            Self::Concave(all) => all * (busy / cpus).clamp(0.0, 1.0).powf(0.6),
        }
    }
}

/// A simulated machine.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Hardware of each counter.
    pub part: Part,
    /// Power above idle of each part, which has a counter of its own and as many CPUs as the others. Cores draw no idle power.
    pub parts: &'static [Power],
    /// Watts without running tasks, of all parts together.
    pub idle: f64,
    /// Whether the agent's configuration has the idle power. Otherwise the agent has to find it.
    pub is_idle_told: bool,
    /// Microjoules after which a counter wraps.
    pub range: u64,
    /// Swing of the cost of a CPU second about its mean, as with the clock's frequency: 0.3 is from 0.7 to 1.3 of it.
    pub swing: f64,
    /// Longest time for which a counter shows an old value before it is refreshed.
    pub refresh: Duration,
    /// Whether the energy of cores is in the registers of an AMD processor, and not in a hardware monitor.
    pub has_registers: bool,
    /// Watts of an integrated GPU while its engine is busy, for the workload [`GPU_USER`]; 0 where there is no GPU.
    pub gpu: f64,
}

/// The workload that uses the GPU: it runs an ffmpeg.
pub const GPU_USER: &str = "qsv";

/// The script of [`GPU_USER`]: it uses one or two percent of a CPU, as an encode on a GPU does.
pub const GPU_SCRIPT: &str =
    "exec ffmpeg -nostdin -v error -re -f lavfi -i color=size=64x64:rate=25 -c:v rawvideo -f null -";

impl Machine {
    /// 12 W idle, 9 W for each busy CPU.
    pub const LINEAR: Self = Self {
        part: Part::Socket,
        parts: &[Power::Linear(9.0)],
        idle: 12.0,
        is_idle_told: true,
        range: 262_143_328_850,
        swing: 0.0,
        refresh: Duration::from_millis(1),
        has_registers: false,
        gpu: 0.0,
    };

    /// As linear, with an integrated GPU of 15 W in the package.
    pub const GPU: Self = Self { gpu: 15.0, ..Self::LINEAR };

    /// A counter for each half of the CPUs; 9 W for each busy CPU of one, 15 W of the other.
    pub const TWO_SOCKETS: Self = Self { parts: &[Power::Linear(9.0), Power::Linear(15.0)], ..Self::LINEAR };

    /// Two cores that are counted; 9 W for each busy CPU of one, 13 W of the other.
    pub const PER_CORE: Self =
        Self { part: Part::Core, parts: &[Power::Linear(9.0), Power::Linear(13.0)], ..Self::LINEAR };

    /// As per-core, by registers.
    pub const PER_CORE_BY_REGISTERS: Self = Self { has_registers: true, ..Self::PER_CORE };

    /// As linear, but nobody tells the agent the idle power.
    pub const UNKNOWN_IDLE: Self = Self { is_idle_told: false, ..Self::LINEAR };

    /// One core with two threads, each half of the CPUs; 9 W for one busy thread.
    pub const TWO_THREADS: Self =
        Self { part: Part::Thread, parts: &[Power::Linear(9.0), Power::Linear(9.0)], ..Self::LINEAR };

    /// Number of counters beside that of a GPU.
    pub(super) fn counters(&self) -> usize {
        if self.part == Part::Thread { 1 } else { self.parts.len() }
    }

    /// Number of packages: all dies and cores are in one.
    pub(crate) fn packages(&self) -> usize {
        match self.part {
            Part::Socket => self.parts.len(),
            Part::Die | Part::Core | Part::Thread => 1,
        }
    }

    /// The source of energy that shows the counters.
    pub(crate) fn source(&self) -> &'static str {
        match self.part {
            Part::Socket | Part::Die | Part::Thread => "powercap",
            Part::Core if self.has_registers => "msr",
            Part::Core => "hwmon",
        }
    }
}
