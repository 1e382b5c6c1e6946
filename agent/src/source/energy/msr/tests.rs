//! Tests that registers are found, scaled, summed and read on other CPUs.
//!
//! Plain files stand for devices.

mod per_core;
mod why_not;

use std::fs;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use agent_core::model::cpu::CoreId;
use agent_core::model::energy::{CoreReading, CounterEvent};
use agent_core::model::health::Reason;
use expect_test::{Expect, expect};
use tempfile::TempDir;

use super::super::EnergyReading;
use super::super::fixture::{ANY_FILE, cpuinfo, forbid, host, without_capabilities, write_tree};
use super::*;
use crate::clock::manual::TestClock;

/// Energy unit 2⁻¹⁴ J, beside the usual units of power and time.
const UNIT_14: u64 = 0xA_0E03;
/// Energy unit 2⁻¹⁶ J.
const UNIT_16: u64 = 0xA_1003;

/// AMD's registers at larger distances. The real ones are one address from one another, and so would overlap where a byte of a file stands
/// for an address.
const SPREAD: Layout = Layout { unit: 0xC001_0200, package: &[(Domain::Package, PACKAGE)], core: Some(CORE) };
const PACKAGE: u64 = 0xC001_0208;
const CORE: u64 = 0xC001_0210;

struct Host {
    folder: TempDir,
    roots: HostRoots,
    topology: CpuTopology,
    clock: TestClock,
}

impl Host {
    /// A host with CPUs in these places.
    fn new(cpuinfo: &str, places: &[(u32, u32)]) -> Self {
        let (folder, roots) = host(&[("proc/cpuinfo", cpuinfo)]);
        let places: Vec<_> = places.iter().map(|(package, die)| CpuPlace::on_die(*package, *die)).collect();
        Self { folder, roots, topology: places.into_iter().map(Some).collect(), clock: TestClock::default() }
    }

    /// Sets registers of a CPU. Devices are sparse files: AMD's registers are beyond 3 GB.
    fn set(&self, cpu: usize, registers: &[(u64, u64)]) -> &Self {
        let device = self.roots.dev.join(format!("cpu/{cpu}/msr"));
        fs::create_dir_all(device.parent().unwrap()).unwrap();
        let file = fs::OpenOptions::new().write(true).create(true).truncate(false).open(device).unwrap();
        for (register, value) in registers {
            file.write_all_at(&value.to_le_bytes(), *register).unwrap();
        }
        self
    }

    /// Empties the device, then removes it: readers that keep it open detect that.
    fn take_offline(&self, cpu: usize) {
        let device = self.roots.dev.join(format!("cpu/{cpu}/msr"));
        fs::File::create(&device).unwrap();
        fs::remove_file(device).unwrap();
    }

    fn siblings(&self, list: &[(usize, &str)]) -> &Self {
        for (cpu, siblings) in list {
            let folder = self.roots.sys.join(format!("devices/system/cpu/cpu{cpu}/topology"));
            write_tree(&folder, &[("core_cpus_list", siblings)]);
        }
        self
    }

    fn place(&self) -> Place<'_> {
        Place {
            roots: &self.roots,
            topology: &self.topology,
            options: &EnergyOptions::USUAL,
            clock: &self.clock,
        }
    }

    fn open(&self) -> Result<EnergyMeter, SourceError> {
        open(&self.place())
    }

    /// Opens the registers of [`SPREAD`].
    fn open_spread(&self) -> Result<EnergyMeter, SourceError> {
        open_registers(&SPREAD, &self.place())
    }

    fn read(&self, meter: &mut EnergyMeter) -> EnergyReading {
        self.clock.advance(Duration::from_secs(1));
        meter.read(&self.clock)
    }

    fn why_not(&self) -> String {
        let error = self.open().err().expect("it does not open");
        assert_eq!(error.reason(), Reason::Unavailable, "{error:?}");
        let root = self.folder.path().display().to_string();
        format!("{}\n{}\n", error.chain(), error.hint()).replace(&root, "")
    }
}

fn show(reading: &EnergyReading) -> String {
    let zones = reading
        .zones
        .iter()
        .map(|(_, zone)| format!("{} {} µJ in steps of {}\n", zone.zone, zone.total.0, zone.quantum.0));
    let events = reading.events.iter().map(|(zone, event)| format!("{zone} {event:?}\n"));
    let failures = reading.failures.iter().map(|(zone, error)| format!("{zone} {}\n", error.reason()));
    zones.chain(events).chain(failures).collect()
}

fn intel(model: u32) -> String {
    cpuinfo("GenuineIntel", 6, model, "fpu")
}

fn amd() -> String {
    cpuinfo("AuthenticAMD", 25, 17, "fpu")
}

/// Opens, lets every register of CPU 0 advance by one joule of the general unit, and compares the result.
#[track_caller]
fn check_one_joule(cpuinfo: &str, unit: u64, registers: &[u64], expected: &Expect) {
    let host = Host::new(cpuinfo, &[(0, 0)]);
    host.set(0, &[(0x606, unit)]);
    // The bits above the lower 32 are not part of the count.
    let junk = 0xABCD_0000_0000_0000;
    for register in registers {
        host.set(0, &[(*register, junk + 1000)]);
    }
    let mut meter = host.open().unwrap();
    host.read(&mut meter);
    for register in registers {
        host.set(0, &[(*register, 1000 + (1 << ((unit >> 8) & 0x1F)))]);
    }
    expected.assert_eq(&show(&host.read(&mut meter)));
}

#[test]
fn an_intel_client() {
    check_one_joule(
        &intel(0x9E),
        UNIT_14,
        &[0x611, 0x639, 0x641, 0x619, 0x64D],
        &expect![[r"
            package-0 1000000 µJ in steps of 61
            core-0 1000000 µJ in steps of 61
            uncore-0 1000000 µJ in steps of 61
            dram-0 1000000 µJ in steps of 61
            psys 1000000 µJ in steps of 61
        "]],
    );
}

#[test]
fn a_server_s_memory_counts_finer() {
    check_one_joule(
        &intel(0x55),
        UNIT_14,
        &[0x611, 0x619],
        &expect![[r"
            package-0 1000000 µJ in steps of 61
            dram-0 250000 µJ in steps of 15
        "]],
    );
}

#[test]
fn an_early_atom_counts_in_microjoules() {
    // ESU 5: 32 µJ, so that 2⁵ counts are 1024 µJ.
    check_one_joule(
        &intel(0x37),
        0x505,
        &[0x611, 0x639],
        &expect![[r"
            package-0 1024 µJ in steps of 32
            core-0 1024 µJ in steps of 32
        "]],
    );
}

#[test]
fn amd_and_hygon() {
    for vendor in ["AuthenticAMD", "HygonGenuine"] {
        let host = Host::new(&cpuinfo(vendor, 25, 17, "fpu"), &[(0, 0)]);
        host.siblings(&[(0, "0")]);
        // The unit's second byte, 16, is the core's first, and the core's second is the package's first: so the unit is 2⁻¹⁶ J
        // and the core counts 256 times the package.
        host.set(0, &[(0xC001_0299, UNIT_16 & 0xFFFF), (0xC001_029B, 1000)]);
        let mut meter = host.open().unwrap();
        host.read(&mut meter);
        host.set(0, &[(0xC001_029B, 1000 + 512)]);
        expect![[r"
            package-0 7812 µJ in steps of 15
            core-0 2000000 µJ in steps of 15
        "]]
        .assert_eq(&show(&host.read(&mut meter)));
    }
}

#[test]
fn a_platform_that_counts_joules() {
    // Two Sapphire Rapids; the platform is counted by the second.
    let host = Host::new(&intel(0x8F), &[(0, 0), (1, 0)]);
    host.set(0, &[(0x606, UNIT_14), (0x611, 1), (0x64D, 0)]);
    host.set(1, &[(0x606, UNIT_14), (0x611, 1), (0x64D, 77)]);
    let mut meter = host.open().unwrap();
    host.read(&mut meter);
    host.set(1, &[(0x64D, 777)]);
    expect![[r"
        package-0 0 µJ in steps of 61
        package-1 0 µJ in steps of 61
        psys 700000000 µJ in steps of 1000000
    "]]
    .assert_eq(&show(&host.read(&mut meter)));
}

fn zones(meter: &EnergyMeter) -> Vec<String> {
    meter.zones().iter().map(ToString::to_string).collect()
}

#[test]
fn both_packages_showing_the_platform_are_one() {
    let host = Host::new(&intel(0x55), &[(0, 0), (1, 0)]);
    for cpu in [0, 1] {
        host.set(cpu, &[(0x606, UNIT_14), (0x611, 1), (0x64D, 77)]);
    }
    assert_eq!(zones(&host.open().unwrap()), ["package-0", "package-1", "psys"]);
}

#[test]
fn intel_s_dies_count_apart_and_amd_s_do_not() {
    let places = [(0, 0), (0, 1), (1, 0), (1, 1)];
    let (intel, amd) = (Host::new(&intel(0x55), &places), Host::new(&amd(), &places));
    for cpu in 0..4 {
        intel.set(cpu, &[(0x606, UNIT_14), (0x611, 1)]);
        amd.set(cpu, &[(SPREAD.unit, UNIT_16), (PACKAGE, 1)]);
    }
    let dies = ["package-0-die-0", "package-0-die-1", "package-1-die-0", "package-1-die-1"];
    assert_eq!(zones(&intel.open().unwrap()), dies);
    assert_eq!(zones(&amd.open_spread().unwrap()), ["package-0", "package-1"]);
}

#[test]
fn a_register_that_stops_answering_is_an_error() {
    let host = Host::new(&intel(0x9E), &[(0, 0)]);
    host.set(0, &[(0x606, UNIT_14), (0x611, 5), (0x641, 5)]);
    let mut meter = host.open().unwrap();
    let device = fs::File::options().write(true).open(host.roots.dev.join("cpu/0/msr")).unwrap();
    device.set_len(0x640).unwrap();
    expect![[r"
        package-0 0 µJ in steps of 61
        uncore-0 io
    "]]
    .assert_eq(&show(&host.read(&mut meter)));
}

#[test]
fn registers_wrap_at_32_bits() {
    let host = Host::new(&intel(0x9E), &[(0, 0)]);
    host.set(0, &[(0x606, UNIT_14), (0x611, (1 << 32) - (1 << 14))]);
    let mut meter = host.open().unwrap();
    host.read(&mut meter);
    host.set(0, &[(0x611, 1 << 14)]);
    let reading = host.read(&mut meter);
    assert_eq!(reading.events[0].1, CounterEvent::Wrap);
    assert_eq!(reading.zones[0].1.total.0, 2_000_000);
    // 262 144 J at 2 kW, a quarter.
    assert_eq!(meter.longest_gap(), Some(Duration::from_millis(32_768)));
}

#[test]
fn cpus_that_are_off_line_are_not_trusted_to_be_in_package_0() {
    let host = Host::new(&intel(0x9E), &[(0, 0), (0, 0)]);
    host.set(0, &[(0x606, UNIT_14), (0x611, 5)]).set(1, &[(0x606, UNIT_14), (0x611, 5)]);
    for (cpu, state) in [("cpu0", "0"), ("cpu1", "1")] {
        write_tree(&host.roots.sys.join("devices/system/cpu").join(cpu), &[("online", state)]);
    }
    assert_eq!(cores::online(&host.roots.sys, vec![0, 1, 2]), [1, 2]);
    let mut meter = host.open().unwrap();
    host.read(&mut meter);
    host.set(0, &[(0x611, 500)]).set(1, &[(0x611, 5 + (1 << 14))]);
    assert_eq!(host.read(&mut meter).zones[0].1.total.0, 1_000_000);
}

#[test]
fn a_package_without_a_cpu_on_line_hides_no_other() {
    let host = Host::new(&intel(0x55), &[(0, 0), (1, 0)]);
    host.set(1, &[(0x606, UNIT_14), (0x611, 5)]);
    let meter = host.open().unwrap();
    assert_eq!(zones(&meter), ["package-1"]);
    assert_eq!(meter.notes(), ["package 0 has no CPU with a readable register, left out"]);
}
