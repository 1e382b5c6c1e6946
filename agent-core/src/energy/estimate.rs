//! Chooses the power of a virtual CPU on a host without energy counters: of the processor's generation, flat, or set by hand.

use super::generation::Generation;
use super::processor::Processor;
use super::specpower;
use crate::units::{Ratio, Watts};

#[cfg(test)]
mod tests;

/// A power, and the bound of its relative error.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BoundedPower {
    /// The power.
    pub power: Watts,
    /// The bound of its error, relative to it.
    pub error: Ratio,
}

/// Power of one virtual CPU.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VcpuPower {
    /// Of an idle CPU.
    pub idle: BoundedPower,
    /// Of a busy CPU.
    pub busy: BoundedPower,
}

impl VcpuPower {
    /// The figures for an unknown processor: the means over AWS's machine types
    /// (<https://www.cloudcarbonfootprint.org/docs/methodology/#appendix-i-energy-coefficients>).
    pub const FLAT: Self = Self::alike(Watts(0.74), Watts(3.5), FLAT_ERROR);

    const fn alike(idle: Watts, busy: Watts, error: Ratio) -> Self {
        Self { idle: BoundedPower { power: idle, error }, busy: BoundedPower { power: busy, error } }
    }
}

/// Relative error of the flat figures. A thread of the processors that `specpower.csv` has draws 1 to 9 W, those of older ones more.
const FLAT_ERROR: Ratio = Ratio(1.5);

/// Relative error of figures that the user has set: their origin is unknown.
const BY_HAND_ERROR: Ratio = Ratio(0.5);

/// The configured processor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProcessorChoice {
    /// The one that the host shows.
    #[default]
    Auto,
    /// None: the flat figures.
    Flat,
    /// This one.
    Only(&'static Generation),
}

/// The configured options of the estimate.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct EstimateOptions {
    /// The processor.
    pub processor: ProcessorChoice,
    /// Hardware threads of a virtual CPU; 0 is taken as 1.
    pub threads_per_vcpu: u32,
    /// Power of an idle virtual CPU, set by hand.
    pub idle: Option<Watts>,
    /// Power of a busy virtual CPU, set by hand.
    pub busy: Option<Watts>,
}

impl EstimateOptions {
    /// The powers that are set by hand. One that is not set is the flat one.
    pub fn by_hand(self) -> VcpuPower {
        let VcpuPower { idle, busy } = VcpuPower::FLAT;
        let (idle, busy) = (self.idle.unwrap_or(idle.power), self.busy.unwrap_or(busy.power));
        VcpuPower::alike(idle, busy, BY_HAND_ERROR)
    }
}

/// Origin of the powers in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Basis {
    /// The generation that the host's processor belongs to.
    Found(&'static Generation),
    /// The configured generation.
    Chosen(&'static Generation),
    /// The processor is not in the table.
    Unknown,
    /// The configuration chooses the flat figures.
    Flat,
    /// The configuration sets watts.
    ByHand,
}

/// The power of a virtual CPU, and its origin.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The power.
    pub power: VcpuPower,
    basis: Basis,
    processor: Processor,
    threads: u32,
    results: usize,
}

impl Estimate {
    /// The estimate for a host with this processor. Watts that are set by hand win; the other of both is then flat.
    pub fn choose(options: EstimateOptions, processor: Processor) -> Self {
        let threads = options.threads_per_vcpu.max(1);
        let flat = |basis| Self { power: VcpuPower::FLAT, basis, processor, threads, results: 0 };
        if options.idle.is_some() || options.busy.is_some() {
            return Self { power: options.by_hand(), ..flat(Basis::ByHand) };
        }
        let basis = match options.processor {
            ProcessorChoice::Auto => Generation::of(processor).map_or(Basis::Unknown, Basis::Found),
            ProcessorChoice::Flat => Basis::Flat,
            ProcessorChoice::Only(generation) => Basis::Chosen(generation),
        };
        let row = match basis {
            Basis::Found(generation) | Basis::Chosen(generation) => generation.thread_power(),
            _ => None,
        };
        let Some(thread) = row else { return flat(basis) };
        let vcpu = |power: Watts| Watts(power.0 * f64::from(threads));
        let idle = BoundedPower { power: vcpu(thread.idle.median), error: thread.idle.error() };
        let busy = BoundedPower { power: vcpu(thread.busy.median), error: thread.busy.error() };
        Self { power: VcpuPower { idle, busy }, results: thread.busy.results, ..flat(basis) }
    }

    /// Name of the generation, `flat`, or `configured`: the `cpu` label.
    pub fn cpu(&self) -> &'static str {
        match self.basis {
            Basis::Found(generation) | Basis::Chosen(generation) => generation.name,
            Basis::Unknown | Basis::Flat => "flat",
            Basis::ByHand => "configured",
        }
    }

    /// Source of the watts: the `source` label.
    pub fn source(&self) -> &'static str {
        match self.basis {
            Basis::Found(_) | Basis::Chosen(_) => specpower::SOURCE,
            Basis::Unknown | Basis::Flat => "Cloud Carbon Footprint",
            Basis::ByHand => "configuration",
        }
    }

    /// Whether the processor was looked for in the table and is not there.
    pub fn is_unknown(&self) -> bool {
        self.basis == Basis::Unknown
    }

    /// The watts and their bound, in one phrase: `0.348 to 1.977 W per virtual CPU for AMD Zen 5 (EPYC 9005), busy ±50 %`.
    pub fn summary(&self) -> String {
        let VcpuPower { idle, busy } = self.power;
        let of = match self.basis {
            Basis::Found(generation) | Basis::Chosen(generation) => generation.title,
            Basis::Unknown => "an unknown processor",
            Basis::Flat => "any processor",
            Basis::ByHand => "this host, as configured",
        };
        let watts = watts(idle.power, busy.power);
        format!("{watts} per virtual CPU for {of}, busy ±{:.0} %", busy.error.percent())
    }

    /// The origin of the watts and the bounds of both, in one phrase.
    pub fn explanation(&self) -> String {
        let Self { processor, results, .. } = self;
        let bounds = || {
            let VcpuPower { idle, busy } = self.power;
            format!("idle ±{:.0} %, busy ±{:.0} %", idle.error.percent(), busy.error.percent())
        };
        let row = |generation: &Generation| {
            let threads = match self.threads {
                1 => String::new(),
                threads => format!(", {threads} hardware threads per virtual CPU"),
            };
            format!(
                "row {} of the table ({}), {results} results of {}{threads}; {}",
                generation.name,
                generation.title,
                specpower::SOURCE,
                bounds()
            )
        };
        match self.basis {
            Basis::Found(generation) => format!("{}, because this is {processor}", row(generation)),
            Basis::Chosen(generation) => format!("{}, by energy.model_cpu", row(generation)),
            Basis::Unknown => {
                format!("flat figures, because the table has no row for {processor}; {}", bounds())
            }
            Basis::Flat => format!("flat figures, by energy.model_cpu; {}", bounds()),
            Basis::ByHand => format!(
                "set by energy.model_idle_watts and energy.model_busy_watts, not by the processor; {}",
                bounds()
            ),
        }
    }
}

/// Both powers with the unit.
fn watts(idle: Watts, busy: Watts) -> String {
    format!("{} to {} W", idle.plain(), busy.plain())
}
