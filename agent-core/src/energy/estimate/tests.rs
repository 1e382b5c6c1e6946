//! Tests of the choice between the processor's generation, the flat figures and the user's own.

use super::*;
use crate::energy::generation::named;
use crate::energy::processor::Vendor;

const ZEN5C: Processor =
    Processor { vendor: Vendor::Amd, family: 26, model: 17, stepping: 0, is_virtual: true };
const STRANGER: Processor = Processor { family: 99, ..ZEN5C };

fn by(processor: ProcessorChoice) -> EstimateOptions {
    EstimateOptions { processor, threads_per_vcpu: 1, ..EstimateOptions::default() }
}

/// Idle and busy power and their errors, to three digits.
fn figures(estimate: &Estimate) -> String {
    let VcpuPower { idle, busy } = estimate.power;
    format!("{} ±{:.2}, {} ±{:.2}", idle.power.plain(), idle.error.0, busy.power.plain(), busy.error.0)
}

#[test]
fn the_processor_chooses_the_row() {
    let estimate = Estimate::choose(by(ProcessorChoice::Auto), ZEN5C);
    assert_eq!((estimate.cpu(), estimate.source()), ("zen5c", "SPECpower_ssj2008"));
    assert_eq!(figures(&estimate), "0.209 ±0.13, 1.147 ±0.15");
    assert_eq!(estimate.summary(), "0.209 to 1.147 W per virtual CPU for AMD Zen 5c (EPYC 9005), busy ±15 %");
    assert_eq!(
        estimate.explanation(),
        "row zen5c of the table (AMD Zen 5c (EPYC 9005)), 33 results of SPECpower_ssj2008; idle ±13 %, busy ±15 %, \
         because this is AMD family 26, model 17, stepping 0"
    );
}

#[test]
fn a_virtual_cpu_that_is_a_core_draws_twice_as_much() {
    let options = EstimateOptions { threads_per_vcpu: 2, ..by(ProcessorChoice::Auto) };
    let estimate = Estimate::choose(options, ZEN5C);
    assert_eq!(figures(&estimate), "0.418 ±0.13, 2.294 ±0.15");
    assert!(
        estimate.explanation().contains("2 hardware threads per virtual CPU"),
        "{}",
        estimate.explanation()
    );
    // The flat figures are of virtual CPUs as AWS sells them.
    let flat = Estimate::choose(EstimateOptions { processor: ProcessorChoice::Flat, ..options }, ZEN5C);
    assert_eq!(figures(&flat), "0.74 ±1.50, 3.5 ±1.50");
}

#[test]
fn the_configuration_chooses_another_row() {
    let zen2 = ProcessorChoice::Only(named("zen2").unwrap());
    let estimate = Estimate::choose(by(zen2), STRANGER);
    assert_eq!((estimate.cpu(), estimate.is_unknown()), ("zen2", false));
    assert!(estimate.explanation().ends_with("by energy.model_cpu"), "{}", estimate.explanation());
}

#[test]
fn an_unknown_processor_has_the_flat_figures_and_their_wide_bound() {
    let estimate = Estimate::choose(by(ProcessorChoice::Auto), STRANGER);
    assert_eq!((estimate.cpu(), estimate.source()), ("flat", "Cloud Carbon Footprint"));
    assert!(estimate.is_unknown());
    assert_eq!(figures(&estimate), "0.74 ±1.50, 3.5 ±1.50");
    assert_eq!(
        estimate.explanation(),
        "flat figures, because the table has no row for AMD family 99, model 17, stepping 0; idle ±150 %, busy ±150 %"
    );
    let chosen = Estimate::choose(by(ProcessorChoice::Flat), ZEN5C);
    assert_eq!((chosen.power, chosen.cpu(), chosen.is_unknown()), (estimate.power, "flat", false));
}

#[test]
fn watts_set_by_hand_win() {
    let by_hand =
        EstimateOptions { busy: Some(Watts(2.0)), threads_per_vcpu: 2, ..by(ProcessorChoice::Auto) };
    let estimate = Estimate::choose(by_hand, ZEN5C);
    assert_eq!((estimate.cpu(), estimate.source()), ("configured", "configuration"));
    assert_eq!(figures(&estimate), "0.74 ±0.50, 2 ±0.50", "the other one is flat");
    let both = EstimateOptions { idle: Some(Watts(0.000_001)), ..by_hand };
    assert_eq!(figures(&Estimate::choose(both, ZEN5C)), "0.000001 ±0.50, 2 ±0.50");
}
