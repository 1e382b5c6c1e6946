//! Findings: sentences that tell the user that a figure is missing, estimated or doubtful, and what helps.
//!
//! [`FindingCode`] is the only table: each code has its name, its sentence and its fix. The code that reports a finding gives its
//! [`FindingCode`], its subject, and a detail where the sentence has room for one.

use crate::model::energy::{Domain, Zone};
use crate::time::WallTime;

/// Kinds of findings: a closed set, the `code` label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingCode {
    /// No source of energy works.
    NoEnergy,
    /// Energy is modelled.
    EnergyIsEstimated,
    /// The counters of a source do not move although CPUs are busy.
    CountersStandStill,
    /// One counter does not move, others do.
    CounterStandsStill,
    /// The energy of a counter is held back, because it is doubtful.
    CounterHeldBack,
    /// A counter cannot be read.
    CounterUnreadable,
    /// A package counter cannot be read, so that the host's energy is not known.
    PackageUnreadable,
    /// A socket has CPUs and no package counter.
    SocketWithoutCounter,
    /// The counters of several sockets are one.
    CountersMirrorOneAnother,
    /// A counter began again.
    CounterReset,
    /// The kernel converts a counter with the wrong unit, which is corrected.
    DramUnitCorrected,
    /// No quiet period has shown the host's power without running tasks.
    IdlePowerNotKnown,
    /// Idle power is estimated from a busy host.
    IdlePowerIsEstimated,
    /// The energy of a busy integrated GPU is charged by CPU time.
    IntegratedGpuByCpuTime,
    /// A result file cannot be read.
    ResultFileUnreadable,
    /// A value of a result file is left out.
    ResultValueRefused,
    /// There were more classes of transcodes, or more namespaces, than have counters of their own.
    ClassLimitReached,
    /// A live encode falls behind its input.
    Stalled,
}

impl FindingCode {
    /// All codes.
    pub const ALL: [Self; 18] = [
        Self::NoEnergy,
        Self::EnergyIsEstimated,
        Self::CountersStandStill,
        Self::CounterStandsStill,
        Self::CounterHeldBack,
        Self::CounterUnreadable,
        Self::PackageUnreadable,
        Self::SocketWithoutCounter,
        Self::CountersMirrorOneAnother,
        Self::CounterReset,
        Self::DramUnitCorrected,
        Self::IdlePowerNotKnown,
        Self::IdlePowerIsEstimated,
        Self::IntegratedGpuByCpuTime,
        Self::ResultFileUnreadable,
        Self::ResultValueRefused,
        Self::ClassLimitReached,
        Self::Stalled,
    ];

    /// The code for a counter that cannot be read.
    pub fn of_unreadable(zone: Zone) -> Self {
        if zone.domain == Domain::Package { Self::PackageUnreadable } else { Self::CounterUnreadable }
    }

    /// As the `code` label and the API's `finding`.
    pub fn name(self) -> &'static str {
        self.entry().0
    }

    /// Name, sentence and fix. `{subject}` and `{detail}` are replaced by the finding's own.
    fn entry(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::NoEnergy => (
                "no_energy",
                "No source of energy works on this host: {detail}. Energy, power and cost are not known.",
                "run ffwatt check: it names what is missing and the command that helps",
            ),
            Self::EnergyIsEstimated => (
                "energy_is_estimated",
                "Energy is estimated from CPU use: {detail}. Estimated joules can be compared with each \
                 other, not with measured joules.",
                "run ffwatt check: it names what is missing and the command that helps",
            ),
            Self::CountersStandStill => (
                "counters_stand_still",
                "The energy counters of {subject} do not move although CPUs are busy. Their energy is not known until they \
                 move.",
                "on a virtual machine, configure the hypervisor to pass RAPL through, or set \
                 --energy.source=model for an estimate",
            ),
            Self::CounterStandsStill => (
                "counter_stands_still",
                "The energy counter {subject} does not move. Its energy is not known until it moves; the \
                 counted energy is then charged to all workloads that ran in the meantime.",
                "see the kernel's log for the RAPL driver: dmesg | grep -i rapl",
            ),
            Self::CounterHeldBack => (
                "counter_held_back",
                "The energy counter {subject} may show the energy of another counter, or its readings contradict one another. Its \
                 energy is not known until that is decided; it is then charged to all workloads that ran in the meantime.",
                "ffwatt check shows counters that do not answer: when all do, this is decided",
            ),
            Self::CounterUnreadable => (
                "counter_unreadable",
                "The energy counter {subject} does not answer: {detail}. Its energy is not known until it can be read.",
                "see the kernel's log for the RAPL driver: dmesg | grep -i rapl",
            ),
            Self::PackageUnreadable => (
                "package_unreadable",
                "The energy counter {subject} does not answer: {detail}. The energy of this host is not \
                 known, because the counters of parts do not include all of it.",
                "see the kernel's log for the RAPL driver (dmesg | grep -i rapl), or set --energy.source to another source",
            ),
            Self::SocketWithoutCounter => (
                "socket_without_counter",
                "The CPUs of {subject} have no energy counter. No figure of this host includes their \
                 energy.",
                "load the RAPL driver again (modprobe -r intel_rapl_msr; modprobe intel_rapl_msr) and see dmesg | grep -i rapl",
            ),
            Self::CountersMirrorOneAnother => (
                "counters_mirror_one_another",
                "The energy counters {detail} show the energy of {subject}: the hypervisor shows one \
                 physical counter several times. The agent counts it once; it contains the energy of all \
                 guests on that processor.",
                "set --energy.source=model for an estimate of this guest alone",
            ),
            Self::CounterReset => (
                "counter_reset",
                "The energy counter {subject} was reset ({detail}). The totals include the energy since \
                 the reset; the energy of the same tick before the reset is not known.",
                "",
            ),
            Self::DramUnitCorrected => (
                "dram_unit_corrected",
                "This kernel reads the energy counter {subject} in steps of 15.3 µJ, but this processor \
                 counts in steps of {detail} µJ. The agent corrects the energy.",
                "update the kernel: newer ones use the right unit (commit 80275ca9e525)",
            ),
            Self::IdlePowerNotKnown => (
                "idle_power_not_known",
                "The idle power of {detail} is not known: this host has not been quiet for 10 s. Until it is known, workloads \
                 are charged for idle energy too.",
                "run ffwatt calibrate while the host is quiet, or set attribution.idle_watts",
            ),
            Self::IdlePowerIsEstimated => (
                "idle_power_is_estimated",
                "The idle power of this host is estimated by regression of power on CPU use, because the host has not been \
                 quiet for 10 s: {detail}.",
                "run ffwatt calibrate while the host is quiet, or set attribution.idle_watts",
            ),
            Self::IntegratedGpuByCpuTime => (
                "integrated_gpu_by_cpu_time",
                "The integrated GPU of {subject} draws {detail}, and its energy is charged by CPU time. Encodes on the GPU get \
                 too little of it, other workloads too much; idle power is not learned meanwhile.",
                "with a driver i915 or xe, give the agent CAP_SYS_PTRACE (DEPLOY.md, Integrated GPU); else compare encodes on this GPU \
                 only by the energy of the host, without other load",
            ),
            Self::ResultFileUnreadable => (
                "result_file_unreadable",
                "A result file is refused: {detail}. The figures of the last readable file stay.",
                "ffwatt results check {subject}",
            ),
            Self::ResultValueRefused => (
                "result_value_refused",
                "In the result file {detail}. The rest of the file is read.",
                "ffwatt results check FILE shows what is read from a file",
            ),
            Self::ClassLimitReached => (
                "class_limit_reached",
                "There were more than {detail} {subject} since the agent began. The totals of further {subject} are in the group (other).",
                "raise attribution.max_classes and restart the agent",
            ),
            Self::Stalled => ("stalled", "{detail}", ""),
        }
    }
}

/// A missing, estimated or doubtful figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Kind of the finding.
    pub code: FindingCode,
    /// Subject of the finding: a zone, a socket, a source, a path.
    pub subject: String,
    /// Time since which it holds.
    pub since: WallTime,
    /// The finding in one or two sentences.
    pub sentence: String,
    /// The command or setting that helps; empty when there is none or none is needed.
    pub fix: String,
}

impl Finding {
    /// Builds a finding from the table.
    pub fn new(code: FindingCode, subject: &str, detail: &str, since: WallTime) -> Self {
        let (_, sentence, fix) = code.entry();
        let fill = |template: &str| template.replace("{subject}", subject).replace("{detail}", detail);
        Self { code, subject: subject.to_owned(), since, sentence: fill(sentence), fix: fill(fix) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_a_name_of_its_own_and_a_sentence() {
        let names: BTreeSet<_> = FindingCode::ALL.iter().map(|code| code.name()).collect();
        assert_eq!(names.len(), FindingCode::ALL.len());
        for code in FindingCode::ALL {
            let finding = Finding::new(code, "package-0", "no such file", WallTime(1.0));
            assert!(!finding.sentence.is_empty() && !finding.sentence.contains('{'), "{finding:?}");
            assert!(!finding.fix.contains('{'), "{finding:?}");
            let is_plain = |character: char| character.is_ascii_lowercase() || character == '_';
            assert!(code.name().chars().all(is_plain), "{}", code.name());
        }
    }
}
