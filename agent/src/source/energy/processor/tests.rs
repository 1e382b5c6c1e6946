//! Tests of the energy units of processors.

use super::*;

fn intel(model: u32) -> Processor {
    Processor { vendor: Vendor::Intel, family: 6, model, ..Processor::default() }
}

#[test]
fn units() {
    let amd = Processor { vendor: Vendor::Amd, family: 25, model: 17, ..Processor::default() };
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
