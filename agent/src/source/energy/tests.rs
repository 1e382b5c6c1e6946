//! Is the best meter chosen, and is it said why the others were not?

use std::time::Duration;

use agent_core::model::cpu::CpuPlace;
use agent_core::units::MicroJoules;

use super::fixture::{self, ManualClock, cpuinfo, host, write_tree};
use super::*;

fn topology() -> CpuTopology {
    CpuTopology::from_places(&[CpuPlace { package: 0, die: 0 }])
}

#[test]
fn what_cannot_be_opened_is_passed_over() {
    let (root, roots) = host(&[("proc/cpuinfo", &cpuinfo("GenuineIntel", 6, 158, "fpu"))]);
    let clock = ManualClock::default();
    let options = EnergyOptions::default();
    let reasons = open_best(&roots, &topology(), &options, &clock).err().unwrap();
    let kinds: Vec<_> = reasons.iter().map(|(kind, _)| *kind).collect();
    assert_eq!(kinds, [EnergySourceKind::Perf, EnergySourceKind::Powercap, EnergySourceKind::Msr]);
    assert!(reasons.iter().all(|(_, error)| !error.hint().is_empty()), "{reasons:?}");
    fixture::client(root.path());
    let meter = open_best(&roots, &topology(), &options, &clock).unwrap();
    assert_eq!(meter.kind(), EnergySourceKind::Powercap);
    for kind in [EnergySourceKind::Perf, EnergySourceKind::Msr, EnergySourceKind::Model] {
        assert!(
            open(kind, &roots, &topology(), &options, &clock).is_err(),
            "{kind} was asked for, not the best"
        );
    }
}

#[test]
fn a_broken_source_is_passed_over_too() {
    let (root, roots) = host(&[]);
    fixture::client(root.path());
    write_tree(&roots.sys, &[("bus/event_source/devices/power/type", "junk")]);
    let clock = ManualClock::default();
    let meter = open_best(&roots, &topology(), &EnergyOptions::default(), &clock).unwrap();
    assert_eq!(meter.kind(), EnergySourceKind::Powercap);
}

#[test]
fn bounds() {
    let bound = |configured: Option<f64>, domain, limit: Option<f64>| {
        EnergyOptions { plausible_power: configured.map(Watts) }.bound(domain, limit.map(Watts))
    };
    assert_eq!(bound(None, Domain::Package, Some(125.0)), Watts(500.0));
    assert_eq!(bound(None, Domain::Package, Some(15.0)), Watts(100.0), "turbo on a laptop");
    assert_eq!(bound(None, Domain::Package, None), Watts(2000.0));
    assert_eq!(bound(None, Domain::Psys, None), Watts(10_000.0));
    assert_eq!(bound(Some(42.0), Domain::Psys, Some(125.0)), Watts(42.0));
}

#[test]
fn readings_carry_the_time_they_were_taken() {
    let (root, roots) = host(&[]);
    fixture::two_socket(root.path());
    let clock = ManualClock::default();
    let kind = EnergySourceKind::Powercap;
    let mut meter = open(kind, &roots, &topology(), &EnergyOptions::default(), &clock).unwrap();
    clock.advance(Duration::from_secs(3));
    for (at, zone) in meter.read(&clock).zones {
        assert_eq!((at, zone.total), (MonoTime(3_000_000_000), MicroJoules::ZERO));
    }
}
