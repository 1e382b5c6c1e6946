//! Tests that processors and their energy units are identified.

use super::*;

fn intel(model: u32) -> Processor {
    Processor { vendor: Vendor::Intel, family: 6, model, is_virtual: false }
}

#[test]
fn cpuinfo_is_read() {
    let text = "processor\t: 0\nvendor_id\t: GenuineIntel\ncpu family\t: 6\nmodel\t\t: 143\nmodel name\t: Xeon: 9\n\
        flags\t\t: fpu hypervisor lahf_lm\n\nprocessor\t: 1\nvendor_id\t: AuthenticAMD\n";
    assert_eq!(Processor::parse(text), Processor { is_virtual: true, ..intel(0x8F) });
    assert_eq!(Processor::parse("vendor_id : HygonGenuine").vendor, Vendor::Amd);
    assert_eq!(Processor::parse("CPU implementer : 0x41"), Processor::default());
}

#[test]
fn units() {
    let amd = Processor { vendor: Vendor::Amd, family: 25, model: 17, is_virtual: false };
    for (processor, domain, exponent, microjoules) in [
        (intel(0x9E), Domain::Package, 14, 61),
        (intel(0x9E), Domain::Dram, 14, 61),
        (intel(0x55), Domain::Package, 14, 61),
        (intel(0x55), Domain::Dram, 14, 15),
        (intel(0x8F), Domain::Dram, 14, 61),
        (intel(0x8F), Domain::Psys, 14, 1_000_000),
        (intel(0x9E), Domain::Psys, 14, 61),
        (intel(0x37), Domain::Package, 5, 32),
        (amd, Domain::Package, 16, 15),
        (Processor { family: 19, ..intel(0x55) }, Domain::Dram, 14, 61),
    ] {
        assert_eq!(processor.unit(domain, exponent).step().0, microjoules, "{processor:?} {domain}");
    }
}
