//! Tests that processors are found in the table, and that the table has a power for each row.

use std::collections::BTreeSet;

use super::*;
use crate::units::Watts;

/// Processors of clouds and of single-socket servers: vendor, family, model, name, stepping, and the row.
const PROCESSORS: [(&str, u32, u32, &str, u32, &str); 29] = [
    ("GenuineIntel", 6, 63, "Intel(R) Xeon(R) CPU E5-2676 v3 @ 2.40GHz", 2, "haswell-ep"),
    ("GenuineIntel", 6, 79, "Intel(R) Xeon(R) CPU E5-2686 v4 @ 2.30GHz", 1, "broadwell-ep"),
    ("GenuineIntel", 6, 85, "Intel(R) Xeon(R) Platinum 8175M CPU @ 2.50GHz", 4, "skylake-sp"),
    ("GenuineIntel", 6, 85, "Intel(R) Xeon(R) CPU @ 2.00GHz", 3, "skylake-sp"),
    ("GenuineIntel", 6, 85, "Intel(R) Xeon(R) Platinum 8259CL CPU @ 2.50GHz", 7, "cascade-lake"),
    ("GenuineIntel", 6, 85, "Intel(R) Xeon(R) Platinum 8380H CPU @ 2.90GHz", 11, "cooper-lake"),
    ("GenuineIntel", 6, 106, "Intel(R) Xeon(R) Platinum 8375C CPU @ 2.90GHz", 6, "ice-lake-sp"),
    ("GenuineIntel", 6, 108, "Intel(R) Xeon(R) D-2776NT CPU @ 2.10GHz", 1, "ice-lake-d"),
    ("GenuineIntel", 6, 143, "Intel(R) Xeon(R) Platinum 8488C", 8, "sapphire-rapids"),
    ("GenuineIntel", 6, 143, "INTEL(R) XEON(R) SILVER 4510", 8, "sapphire-rapids"),
    ("GenuineIntel", 6, 207, "INTEL(R) XEON(R) PLATINUM 8592+", 2, "emerald-rapids"),
    ("GenuineIntel", 6, 173, "Intel(R) Xeon(R) 6975P-C", 1, "granite-rapids"),
    ("GenuineIntel", 6, 175, "Intel(R) Xeon(R) 6780E", 3, "sierra-forest"),
    ("GenuineIntel", 6, 60, "Intel(R) Xeon(R) CPU E3-1275L v3 @ 2.70GHz", 3, "haswell"),
    ("GenuineIntel", 6, 94, "Intel(R) Xeon(R) CPU E3-1260L v5 @ 2.90GHz", 3, "skylake"),
    ("GenuineIntel", 6, 158, "Intel(R) Xeon(R) CPU E3-1230 v6 @ 3.50GHz", 9, "kaby-lake"),
    ("GenuineIntel", 6, 158, "Intel(R) Xeon(R) E-2288G CPU @ 3.70GHz", 13, "coffee-lake"),
    ("GenuineIntel", 6, 167, "Intel(R) Xeon(R) E-2388G CPU @ 3.20GHz", 1, "rocket-lake"),
    ("GenuineIntel", 6, 183, "Intel(R) Xeon(R) E-2488", 1, "raptor-lake"),
    ("GenuineIntel", 6, 197, "Intel(R) Core(TM) Ultra 7 255H", 2, "arrow-lake-h"),
    ("AuthenticAMD", 23, 1, "AMD EPYC 7571", 2, "zen1"),
    ("AuthenticAMD", 23, 49, "AMD EPYC 7R32", 0, "zen2"),
    ("AuthenticAMD", 25, 1, "AMD EPYC 7R13 Processor", 1, "zen3"),
    ("AuthenticAMD", 25, 17, "AMD EPYC 9R14", 1, "zen4"),
    ("AuthenticAMD", 25, 160, "AMD EPYC 9754 128-Core Processor", 2, "zen4c"),
    ("AuthenticAMD", 25, 97, "AMD EPYC 4344P 8-Core Processor", 2, "zen4-desktop"),
    ("AuthenticAMD", 26, 2, "AMD EPYC", 1, "zen5"),
    ("AuthenticAMD", 26, 17, "AMD EPYC 9965 192-Core Processor", 0, "zen5c"),
    ("AuthenticAMD", 26, 68, "AMD EPYC 4465P 12-Core Processor", 0, "zen5-desktop"),
];

/// `/proc/cpuinfo` of a guest, as `show_cpuinfo()` of `arch/x86/kernel/cpu/proc.c` writes it; the long list of flags is shortened.
fn cpuinfo(vendor: &str, family: u32, model: u32, name: &str, stepping: u32) -> String {
    let one = |number: u32| {
        format!(
            "processor\t: {number}\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\nmodel name\t: {name}\n\
             stepping\t: {stepping}\nmicrocode\t: 0xffffffff\ncpu MHz\t\t: 2445.404\ncache size\t: 512 KB\nphysical id\t: 0\n\
             siblings\t: 2\ncore id\t\t: 0\ncpu cores\t: 1\nflags\t\t: fpu vme tsc msr hypervisor lahf_lm\nbogomips\t: 4890.80\n\n"
        )
    };
    one(0) + &one(1)
}

#[test]
fn processors_of_every_generation_find_their_row() {
    let mut found = BTreeSet::new();
    for (vendor, family, model, name, stepping, row) in PROCESSORS {
        let processor = Processor::parse(&cpuinfo(vendor, family, model, name, stepping));
        assert_eq!(Generation::of(processor).map(|found| found.name), Some(row), "{name}: {processor}");
        found.insert(row);
    }
    assert_eq!(found.len(), ALL.len(), "each row is tested");
}

#[test]
fn other_processors_have_no_row() {
    for (vendor, family, model, name) in [
        ("GenuineIntel", 6, 62, "Intel(R) Xeon(R) CPU E5-2670 v2 @ 2.50GHz"),
        ("GenuineIntel", 15, 6, "Common KVM processor"),
        ("GenuineIntel", 19, 1, "a processor to come"),
        ("AuthenticAMD", 23, 8, "AMD Ryzen 7 2700X Eight-Core Processor"),
        ("AuthenticAMD", 6, 63, "AMD with the numbers of an Intel"),
        ("HygonGenuine", 24, 1, "Hygon C86 7285 32-core Processor"),
        ("CentaurHauls", 6, 63, "other vendors"),
    ] {
        assert_eq!(
            Generation::of(Processor::parse(&cpuinfo(vendor, family, model, name, 1))),
            None,
            "{name}"
        );
    }
    assert_eq!(
        Generation::of(Processor::parse("CPU implementer\t: 0x41\nCPU part\t: 0xd0c\n")),
        None,
        "Neoverse N1"
    );
    assert_eq!(Generation::of(Processor::default()), None);
}

#[test]
fn every_row_has_a_power_and_a_name_of_its_own() {
    let names: BTreeSet<_> = ALL.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), ALL.len());
    for row in &ALL {
        let ThreadPower { idle, busy } =
            row.thread_power().unwrap_or_else(|| panic!("{}: no results", row.name));
        assert!(idle.low <= idle.median && idle.median <= idle.high, "{}: {idle:?}", row.name);
        assert!(busy.low <= busy.median && busy.median <= busy.high, "{}: {busy:?}", row.name);
        assert!(idle.median < busy.median && busy.median < Watts(10.0), "{}", row.name);
        assert_eq!(named(row.name), Some(row));
    }
    assert_eq!(named("flat"), None);
}

/// Kaby Lake by hand: the middle ones of 9.33, 12.4 and 13.1 W, and of 51.2, 51.8 and 56.1 W, of systems with 8 threads.
#[test]
fn medians_are_of_all_results_of_the_row() {
    let power = |name: &str| named(name).and_then(Generation::thread_power).unwrap();
    let zen3 = power("zen3");
    assert_eq!((zen3.idle.results, zen3.busy.results), (28, 28));
    let kaby_lake = power("kaby-lake");
    assert_eq!((kaby_lake.idle.median, kaby_lake.busy.median), (Watts(1.55), Watts(6.475)));
}

#[test]
fn rows_say_which_processors_they_are_of() {
    let identity = |name: &str| named(name).unwrap().identity();
    assert_eq!(identity("zen2"), "AMD 23/49");
    assert_eq!(identity("skylake-sp"), "Intel 6/85, stepping 0 to 4");
    assert_eq!(identity("cascade-lake"), "Intel 6/85, stepping 5 to 9");
    assert_eq!(identity("coffee-lake"), "Intel 6/158, stepping 10 and later");
}
