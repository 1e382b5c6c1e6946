//! Tests that sources of energy open on fixture hosts, and that the reason is reported where one cannot be opened.

use std::time::Duration;

use agent_core::units::MicroJoules;

use super::fixture::{self, cpuinfo, host};
use super::*;
use crate::clock::manual::TestClock;

/// A CPU without a known place.
const CPU: (&str, &str) = ("sys/devices/system/cpu/cpu0/online", "1");

#[test]
fn what_cannot_be_opened_says_why_and_what_helps() {
    let (root, roots) = host(&[("proc/cpuinfo", &cpuinfo("GenuineIntel", 6, 158, "fpu")), CPU]);
    let (clock, hardware) = (TestClock::default(), HostEnergy::new(roots, EnergyOptions::default()));
    let kinds = || EnergySourceKind::ALL.into_iter().filter(|kind| kind.is_measured());
    for kind in kinds() {
        let error = hardware.open(kind, &clock).err().unwrap();
        // Few machines have such sensors: nothing is missing where there are none.
        assert_eq!(error.hint().is_empty(), kind == EnergySourceKind::Hwmon, "{kind}: {error}");
    }
    assert!(hardware.open(EnergySourceKind::Model, &clock).is_err(), "an estimate is no meter");
    fixture::client(root.path());
    let open: Vec<_> = kinds().filter(|kind| hardware.open(*kind, &clock).is_ok()).collect();
    assert_eq!(open, [EnergySourceKind::Powercap]);
}

#[test]
fn every_measured_kind_can_be_opened() {
    let kinds: Vec<_> = EnergySourceKind::ALL.into_iter().filter(|kind| kind.is_measured()).collect();
    assert_eq!(SOURCES.map(|source| source.kind).as_slice(), kinds);
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
    let (root, roots) = host(&[CPU]);
    fixture::two_socket(root.path());
    let clock = TestClock::default();
    let hardware = HostEnergy::new(roots, EnergyOptions::default());
    let mut meter = hardware.open(EnergySourceKind::Powercap, &clock).unwrap();
    clock.advance(Duration::from_secs(3));
    for (at, zone) in meter.read(&clock).zones {
        assert_eq!((at, zone.total), (MonoTime(3_000_000_000), MicroJoules::ZERO));
    }
}
