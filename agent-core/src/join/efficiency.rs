//! Computes four measures of efficiency per watt and per joule. Each has its own unit: they are never ranked with each other.

use crate::join::bitrate::Megabits;
use crate::join::quotient;
use crate::units::{MicroJoules, Pixels, Vmaf, Watts};

/// Megabits per second and watt, over all streams.
pub(super) fn throughput_per_watt(bitrate: Megabits, streams: u32, power: Watts) -> Option<f64> {
    quotient(bitrate.0 * f64::from(streams), power.0).filter(|score| *score > 0.0)
}

/// Pixels per joule.
pub(super) fn pixels_per_joule(pixels: Pixels, energy: MicroJoules) -> Option<f64> {
    quotient(pixels.0, energy.joules()).filter(|score| *score > 0.0)
}

/// VMAF points per watt.
pub(super) fn quality_per_watt(vmaf: Vmaf, power: Watts) -> Option<f64> {
    quotient(vmaf.0, power.0)
}

/// Pixels per joule, weighted by their quality.
pub(super) fn quality_weighted_pixels_per_joule(
    pixels: Pixels,
    vmaf: Vmaf,
    energy: MicroJoules,
) -> Option<f64> {
    quotient(pixels.0 * vmaf.0 / 100.0, energy.joules())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upstream's golden vectors.
    #[test]
    fn golden() {
        let energy = |joules| MicroJoules::from_joules(joules).unwrap();
        let pixels = |width: f64, height: f64, rate: f64, seconds: f64| width * height * rate * seconds;
        let one = Pixels(pixels(1280.0, 720.0, 30.0, 120.0));
        assert_eq!(pixels_per_joule(one, energy(12_000.0)), Some(276_480.0));
        let two = Pixels(pixels(1920.0, 1080.0, 30.0, 100.0) + pixels(1280.0, 720.0, 30.0, 100.0));
        assert_eq!(pixels_per_joule(two, energy(7500.0)), Some(1_198_080.0));
        assert_eq!(throughput_per_watt(Megabits(2.5), 4, Watts(100.0)), Some(0.1));
        assert_eq!(throughput_per_watt(Megabits(5.0), 1, Watts(80.0 + 20.0)), Some(0.05));
        assert_eq!(quality_per_watt(Vmaf(92.5), Watts(80.0)), Some(1.15625));
        let weighted = quality_weighted_pixels_per_joule(one, Vmaf(92.5), energy(9600.0));
        assert_eq!(format!("{:.4e}", weighted.unwrap()), "3.1968e5");
    }

    #[test]
    fn nothing_for_nothing() {
        assert_eq!(quality_per_watt(Vmaf(90.0), Watts(0.0)), None);
        assert_eq!(pixels_per_joule(Pixels(5.0), MicroJoules::ZERO), None);
        assert_eq!(throughput_per_watt(Megabits(1.0), 1, Watts(f64::NAN)), None);
    }
}
