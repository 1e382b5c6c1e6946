//! Decides by the power of the `uncore` domain whether the integrated GPU of a package is at rest.
//!
//! CPU use does not show the work of an integrated GPU: a transcode by QSV or VAAPI may draw 15 W and use 1 % of a CPU. Windows with a busy
//! GPU teach no idle power, neither by quiet stretches nor by regression.

use crate::model::energy::{Domain, Scope, Zone};
use crate::units::Watts;

/// Highest power of `uncore` while the integrated GPU is at rest.
///
/// Linux puts an idle GPU into RC6 ("the GPU to enter an very low-voltage mode when idle, using down to 0V while at this stage",
/// `drivers/gpu/drm/i915/gt/intel_rc6.c`), in which `uncore` shows some tenths of a watt at most. A GPU that refreshes a screen may draw
/// more: idle power is then unknown until it is calibrated or configured, instead of wrong.
pub const AT_REST: Watts = Watts(1.0);

/// Whether the power of this zone shows a busy integrated GPU.
pub fn is_busy(zone: Zone, power: Watts) -> bool {
    zone.domain == Domain::Uncore && power > AT_REST
}

/// Whether a zone includes energy that the integrated GPU of a package causes: all but its cores. The GPU uses the memory, too.
pub fn is_affected(zone: Zone, graphics: Scope) -> bool {
    let is_near = match (package_of(zone.scope), package_of(graphics)) {
        (Some(one), Some(other)) => one == other,
        // The whole platform includes every package.
        _ => true,
    };
    is_near && zone.domain != Domain::Core
}

fn package_of(scope: Scope) -> Option<u32> {
    match scope {
        Scope::Package(package) | Scope::Die { package, .. } => Some(package),
        Scope::Platform => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(domain: Domain, scope: Scope) -> Zone {
        Zone { scope, domain }
    }

    #[test]
    fn only_uncore_shows_a_busy_gpu() {
        let package = Scope::Package(0);
        assert!(is_busy(zone(Domain::Uncore, package), Watts(15.0)));
        assert!(!is_busy(zone(Domain::Uncore, package), Watts(0.4)));
        assert!(!is_busy(zone(Domain::Package, package), Watts(15.0)));
    }

    #[test]
    fn the_gpu_of_a_package_affects_its_zones_but_the_cores() {
        let (first, second) = (Scope::Package(0), Scope::Package(1));
        for (domain, scope, expected) in [
            (Domain::Package, first, true),
            (Domain::Package, Scope::Die { package: 0, die: 1 }, true),
            (Domain::Uncore, first, true),
            (Domain::Dram, first, true),
            (Domain::Psys, Scope::Platform, true),
            (Domain::Core, first, false),
            (Domain::Package, second, false),
            (Domain::Dram, second, false),
        ] {
            assert_eq!(is_affected(zone(domain, scope), first), expected, "{domain} {scope}");
        }
    }
}
