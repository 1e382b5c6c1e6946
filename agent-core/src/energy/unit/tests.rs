//! Tests that counts are converted exactly.

use proptest::prelude::*;

use super::*;

#[test]
fn units_of_two_are_exact() {
    // 2⁻¹⁴ J is 61.035 15625 µJ.
    let unit = EnergyUnit::joules_over_two_to(14);
    assert_eq!(unit.energy_of(1), MicroJoules(61));
    assert_eq!(unit.energy_of(1 << 14), MicroJoules(1_000_000));
    assert_eq!(unit.energy_of(u128::from(u32::MAX)), MicroJoules(262_143_999_938));
    assert_eq!(unit.energy_of(1 << 32), MicroJoules(262_144_000_000));
}

#[test]
fn steps_are_rounded() {
    for (unit, microjoules) in [
        (EnergyUnit::joules_over_two_to(14), 61),
        (EnergyUnit::joules_over_two_to(16), 15),
        (EnergyUnit::joules_over_two_to(32), 1),
        (EnergyUnit::joules_over_two_to(0), 1_000_000),
        (EnergyUnit::microjoules_times_two_to(5), 32),
        (EnergyUnit::MICROJOULE, 1),
    ] {
        assert_eq!(unit.step(), MicroJoules(microjoules), "{unit:?}");
    }
}

#[test]
fn the_kernel_s_scale_is_two_to_the_minus_32() {
    let unit = EnergyUnit::parse_joules("2.3283064365386962890625e-10\n");
    assert_eq!(unit, Some(EnergyUnit::joules_over_two_to(32)));
}

#[test]
fn nonsense_scales_are_refused() {
    for text in ["", "Joules", "0", "-1e-9", "nan", "inf", "1e-40", "1e40"] {
        assert_eq!(EnergyUnit::parse_joules(text), None, "{text:?}");
    }
}

#[test]
fn a_full_64_bit_count_does_not_overflow() {
    let unit = EnergyUnit::joules_over_two_to(32);
    assert_eq!(unit.energy_of(1 << 64), MicroJoules((1 << 32) * 1_000_000));
    assert_eq!(unit.energy_of(u128::MAX), MicroJoules(u64::MAX));
    assert_eq!(EnergyUnit::JOULE.energy_of(u128::MAX), MicroJoules(u64::MAX));
}

proptest! {
    #[test]
    fn conversion_is_the_rational_one_rounded_down(count in any::<u64>(), exponent in 0_u32..=32) {
        let exact = (u128::from(count) * 1_000_000) >> exponent;
        let energy = EnergyUnit::joules_over_two_to(exponent).energy_of(u128::from(count));
        prop_assert_eq!(u128::from(energy.0), exact.min(u128::from(u64::MAX)));
    }
}
