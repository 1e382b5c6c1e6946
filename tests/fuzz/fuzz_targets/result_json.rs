//! Fuzzes result files: any text gives scenarios or a reason, and all figures are numbers.
#![no_main]

use std::path::Path;

use agent_core::join::cost::Tariff;
use agent_core::join::figures::{self, Prices};
use agent_core::join::history::History;
use agent_core::model::joined::EnergyBasis;
use agent_core::results;
use agent_core::units::{Grams, Money};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok((run, _)) = results::parse(Path::new("test_results_1.json"), bytes) else { return };
    let nothing = History::of(&[], Vec::new());
    let found: Vec<_> =
        run.scenarios.iter().map(|scenario| figures::find(scenario, &nothing, EnergyBasis::File)).collect();
    let tariff = Tariff::new(Money(0.12), Money(0.5), Money(0.0), None, None);
    let prices = Prices { tariff, currency: "USD".into(), also: Vec::new(), carbon: Grams(400.0), viewers: 1 };
    for figures in figures::figures(&run, &found, &prices) {
        for cost in &figures.costs {
            assert!(cost.total.is_none_or(|total| total.0.is_finite()), "{figures:?}");
        }
        let efficiency = figures.efficiency;
        for value in [efficiency.joules_per_frame, efficiency.vmaf_per_watt, efficiency.pixels_per_joule] {
            assert!(value.is_none_or(f64::is_finite), "{figures:?}");
        }
    }
});
