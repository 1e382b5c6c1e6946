//! Checks the sources of energy: whether each can be opened, whether its counters move, and what they leave out.

use std::thread;
use std::time::Duration;

use super::{Report, State};
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, EnergyChoice};
use crate::host::{CpuTopology, HostRoots};
use crate::model::energy::{Domain, EnergySourceKind, Zone};
use crate::model::finding::{Finding, FindingCode};
use crate::source::energy::{self, EnergyMeter, EnergyOptions, EnergyReading};
use crate::units::Watts;

/// Counters are read again after this: they move every millisecond.
const PAUSE: Duration = Duration::from_millis(20);

/// So often, until they have moved and it is known whether they are mirrors.
const READINGS: u32 = 50;

impl Report {
    pub(super) fn check_energy(&mut self, config: &Config, roots: &HostRoots, topology: &CpuTopology) {
        let options = EnergyOptions { plausible_power: config.energy.plausible_watts.map(Watts) };
        for (kind, choice) in [
            (EnergySourceKind::Perf, EnergyChoice::Perf),
            (EnergySourceKind::Powercap, EnergyChoice::Powercap),
            (EnergySourceKind::Msr, EnergyChoice::Msr),
        ] {
            let may_be_used = config.energy.source == EnergyChoice::Auto || config.energy.source == choice;
            match energy::open(kind, roots, topology, &options, &SystemClock) {
                Ok(meter) => self.check_meter(meter, may_be_used, topology),
                Err(error) if may_be_used && self.energy_source.is_none() => {
                    self.add_error("energy", kind.name(), &error);
                }
                Err(error) => self.add("energy", kind.name(), State::Absent, error.chain(), ""),
            }
        }
        let may_be_used = matches!(config.energy.source, EnergyChoice::Auto | EnergyChoice::Model);
        let used = self.energy_source.is_none() && may_be_used;
        let (idle, busy) = (config.energy.model_idle_watts, config.energy.model_busy_watts);
        let detail = format!("an estimate from CPU use: {idle} to {busy} W a virtual CPU; not measured");
        self.add("energy", "model", if used { State::Used } else { State::Ok }, detail, "");
        if used {
            self.energy_source = Some("model");
        }
    }

    fn check_meter(&mut self, mut meter: EnergyMeter, may_be_used: bool, topology: &CpuTopology) {
        let name = meter.kind().name();
        let (reading, has_moved) = watch(&mut meter);
        let unreadable = meter.unreadable();
        let names = |zones: &mut dyn Iterator<Item = Zone>| {
            zones.map(|zone| zone.to_string()).collect::<Vec<_>>().join(", ")
        };
        let readable = names(&mut meter.zones().into_iter().filter(|zone| !unreadable.contains(zone)));
        let used = self.energy_source.is_none() && may_be_used && has_moved;
        let state = match (used, has_moved) {
            (true, _) => State::Used,
            (false, true) => State::Ok,
            (false, false) => State::Problem,
        };
        self.add("energy", name, state, readable, "");
        if used {
            self.energy_source = Some(name);
        }
        for note in meter.notes() {
            self.add("energy", name, State::Note, note, "");
        }
        for (zone, error) in &reading.failures {
            let is_package = zone.domain == Domain::Package;
            let code =
                if is_package { FindingCode::PackageUnreadable } else { FindingCode::CounterUnreadable };
            self.add_finding(name, State::Problem, code, &zone.to_string(), &error.chain());
        }
        if !has_moved {
            self.add_finding(name, State::Problem, FindingCode::CountersStandStill, name, "");
        }
        for (leader, mirrors) in mirrored(&meter) {
            let code = FindingCode::CountersMirrorOneAnother;
            let mirrors = names(&mut mirrors.into_iter());
            self.add_finding(name, State::Problem, code, &leader.to_string(), &mirrors);
        }
        for package in uncounted(&meter, topology) {
            let socket = format!("socket {package}");
            self.add_finding(name, State::Problem, FindingCode::SocketWithoutCounter, &socket, "");
        }
        for (zone, step) in meter.corrected() {
            let code = FindingCode::DramUnitCorrected;
            self.add_finding(name, State::Note, code, &zone.to_string(), &step.0.to_string());
        }
    }

    fn add_finding(&mut self, source: &str, state: State, code: FindingCode, subject: &str, detail: &str) {
        let finding = Finding::new(code, subject, detail, SystemClock.wall());
        self.add("energy", source, state, finding.sentence, &finding.fix);
    }
}

/// Reads counters until they have moved and nothing about them is in doubt, or for a second.
fn watch(meter: &mut EnergyMeter) -> (EnergyReading, bool) {
    let mut reading = meter.read(&SystemClock);
    let mut has_moved = false;
    for _ in 0..READINGS {
        if has_moved && meter.suspects().is_empty() {
            break;
        }
        thread::sleep(PAUSE);
        reading = meter.read(&SystemClock);
        has_moved |= reading.has_moved;
    }
    (reading, has_moved)
}

/// Counters that are one, by the first of them; with those that stand at the same energy and have not moved.
fn mirrored(meter: &EnergyMeter) -> Vec<(Zone, Vec<Zone>)> {
    let mut groups: Vec<(Zone, Vec<Zone>)> = Vec::new();
    let packages = meter.mirrors().into_iter().filter(|(mirror, _)| mirror.domain == Domain::Package);
    for (mirror, leader) in packages {
        match groups.iter_mut().find(|(known, _)| *known == leader) {
            Some((_, mirrors)) => mirrors.push(mirror),
            None => groups.push((leader, vec![mirror])),
        }
    }
    let mut suspects = meter.suspects().into_iter().filter(|zone| zone.domain == Domain::Package);
    if let Some(first) = suspects.next() {
        let others: Vec<Zone> = suspects.collect();
        groups.extend((!others.is_empty()).then_some((first, others)));
    }
    groups
}

/// Sockets with CPUs and without a package counter, where others have one.
fn uncounted(meter: &EnergyMeter, topology: &CpuTopology) -> Vec<u32> {
    let scopes: Vec<_> = meter
        .zones()
        .into_iter()
        .filter(|zone| zone.domain == Domain::Package)
        .map(|zone| zone.scope)
        .collect();
    let is_counted = |package: &u32| {
        let places = topology.places();
        let mut of = places.iter().filter(|place| place.package == *package);
        of.all(|place| scopes.iter().any(|scope| place.is_in(*scope)))
    };
    if scopes.is_empty() {
        return Vec::new();
    }
    topology.packages().into_iter().filter(|package| !is_counted(package)).collect()
}
