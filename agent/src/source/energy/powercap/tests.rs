//! Tests of powercap trees in all their shapes, the broken ones included.

mod counting;
mod failures;
mod zones;

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use agent_core::model::energy::CounterEvent;
use agent_core::model::health::Reason;
use agent_core::units::MicroJoules;
use expect_test::{Expect, expect};
use tempfile::TempDir;

use super::super::EnergyReading;
use super::super::fixture::{
    self, ANY_FILE, CLIENT_RANGE, DRAM_RANGE, RAPL, SERVER_RANGE, allow, cpuinfo, forbid, host, link_zones,
    without_capabilities, write_tree, write_zone,
};
use super::*;
use crate::clock::manual::TestClock;
use agent_core::cpu::topology::CpuTopology;

struct Host {
    folder: TempDir,
    roots: HostRoots,
    clock: TestClock,
}

impl Host {
    fn new(build: impl FnOnce(&Path)) -> Self {
        let (folder, roots) = host(&[]);
        build(folder.path());
        Self { folder, roots, clock: TestClock::default() }
    }

    fn open(&self) -> Result<EnergyMeter, SourceError> {
        self.open_with(&EnergyOptions::USUAL)
    }

    fn open_with(&self, options: &EnergyOptions) -> Result<EnergyMeter, SourceError> {
        let topology = CpuTopology::default();
        open(&Place { roots: &self.roots, topology: &topology, options, clock: &self.clock })
    }

    fn zone(&self, folder: &str) -> PathBuf {
        self.folder.path().join(RAPL).join(folder)
    }

    fn set(&self, folder: &str, energy: &str) {
        fs::write(self.zone(folder).join("energy_uj"), energy).unwrap();
    }

    /// Reads one second after the last reading.
    fn read(&self, meter: &mut EnergyMeter) -> EnergyReading {
        self.clock.advance(Duration::from_secs(1));
        meter.read(&self.clock)
    }

    /// The error of opening, without the folder's name.
    fn why_not(&self) -> String {
        let error = self.open().err().expect("it does not open");
        assert_eq!(error.reason(), Reason::Unavailable, "{error:?}");
        let root = self.folder.path().display().to_string();
        format!("{}\n{}\n", error.chain(), error.hint()).replace(&root, "")
    }
}

fn show(reading: &EnergyReading) -> String {
    let zones = reading.zones.iter().map(|(_, zone)| format!("{} {} µJ\n", zone.zone, zone.total.0));
    let events = reading.events.iter().map(|(zone, event)| format!("{zone} {event:?}\n"));
    let failures = reading.failures.iter().map(|(zone, error)| format!("{zone} {}\n", error.reason()));
    zones.chain(events).chain(failures).collect()
}
