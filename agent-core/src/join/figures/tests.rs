//! Tests that a run's figures follow from its energy, and from nothing else.

use super::*;
use crate::join::history::{Charge, Tick};
use crate::join::subject::Candidate;
use crate::model::scenario::{FilePower, Quality};
use crate::units::{CpuTime, MicroJoules, Money, Vmaf};

fn prices() -> Prices {
    let tariff = Tariff::new(Money(0.12), Money(0.5), Money(0.0), None, None);
    Prices {
        tariff,
        currency: "USD".into(),
        also: vec![Rate::parse("EUR=0.5").unwrap()],
        carbon: Grams(400.0),
        viewers: 1,
    }
}

fn workload() -> Subject {
    Subject::Workload { name: "ffrtmp/a".into(), id: "1".into() }
}

/// A hundred seconds from 1000 on: the host draws 10 W, from 1050 on 30 W, of which the workload 20 W on two cores.
fn history() -> History {
    let tick = |second: u32| {
        let busy = second >= 50;
        let host =
            Charge { energy: MicroJoules(if busy { 30_000_000 } else { 10_000_000 }), cpu: CpuTime(0) };
        let mut charges = std::collections::HashMap::from([(Subject::Host, host)]);
        if busy {
            let charge = Charge { energy: MicroJoules(20_000_000), cpu: CpuTime(2_000_000_000) };
            charges.insert(workload(), charge);
        }
        let from = 1000.0 + f64::from(second);
        Tick { from: WallTime(from), to: WallTime(from + 1.0), charges, containers: CpuTime(0), engine: None }
    };
    let candidate = Candidate { subject: workload(), scenario: None, life: None };
    History::of(&(0..100).map(tick).collect::<Vec<_>>(), vec![candidate])
}

fn scenario(name: &str, from: f64, to: f64) -> Scenario {
    Scenario {
        name: name.into(),
        window: Some((WallTime(from), WallTime(to))),
        container: Some("ffrtmp/a".into()),
        resolution: Some("1280x720".into()),
        frame_rate: Some(30.0),
        bitrate: Some("2500k".into()),
        quality: Quality { vmaf: Some(Vmaf(90.0)), ..Quality::default() },
        ..Scenario::default()
    }
}

fn figures_of(scenarios: Vec<Scenario>) -> Vec<ScenarioFigures> {
    let run = Run { id: "r".into(), scenarios, ..Run::default() };
    let found: Vec<Found> =
        run.scenarios.iter().map(|scenario| find(scenario, &history(), EnergyBasis::Measured)).collect();
    figures(&run, &found, &prices())
}

#[test]
fn attributed_energy_and_the_hosts_power_above_the_baseline() {
    let all = figures_of(vec![scenario("Baseline (Idle)", 1010.0, 1040.0), scenario("a", 1060.0, 1090.0)]);
    let [baseline, encode] = &all[..] else { panic!("{}", all.len()) };
    let energy = baseline.energy.unwrap();
    assert_eq!((energy.energy, energy.matched), (MicroJoules(300_000_000), Matched::Host));
    assert!(baseline.net.is_none(), "a baseline is not compared with itself");
    assert_eq!((baseline.pixels, baseline.efficiency), (None, Efficiency::default()), "and encodes nothing");
    let energy = encode.energy.unwrap();
    assert_eq!((energy.energy, energy.matched), (MicroJoules(600_000_000), Matched::Container));
    assert_eq!((energy.mean, energy.deviation), (Some(Watts(20.0)), Some(Watts(0.0))));
    assert_eq!(energy.cpu, Some(CpuTime(60_000_000_000)));
    let net = encode.net.unwrap();
    assert_eq!((net.power, net.increase), (Watts(20.0), Some(Ratio(2.0))));
    assert!((net.energy_watt_hours - 20.0 * 30.0 / 3600.0).abs() < 1e-12);
    // The host drew 10 W, and 30 W with the encode: the difference is saved, whatever the encode itself was charged.
    let saved = encode.costs[0].energy_saved_an_hour.unwrap();
    assert!((saved.0 - -0.020 * 0.12).abs() < 1e-12, "{}", saved.0);
    let avoided = encode.carbon_avoided_an_hour.unwrap();
    assert!((avoided.0 - -0.020 * 400.0).abs() < 1e-9, "{}", avoided.0);
}

#[test]
fn a_baseline_is_labelled_as_one_and_has_nothing_of_an_encode() {
    let baseline = Scenario {
        encoder: Some("libx264".into()),
        preset: Some("fast".into()),
        ..scenario("Baseline (Idle)", 1010.0, 1040.0)
    };
    let all = figures_of(vec![baseline, scenario("a", 1060.0, 1090.0)]);
    let names = &all[0].names;
    assert!(names.is_baseline && !all[1].names.is_baseline);
    assert_eq!([&names.encoder, &names.preset, &names.resolution, &names.frame_rate], [""; 4]);
    assert_eq!([&names.encoder_type, &names.ladder], ["baseline"; 2]);
    let costs = &all[0].costs[0];
    assert_eq!((costs.per_pixel, costs.per_watch_hour, costs.per_output_hour), (None, None, None));
    assert!(costs.shown().is_some(), "its energy has a price all the same");
}

#[test]
fn a_ladder_has_the_size_and_rate_of_its_largest_rendition() {
    let picture = |width, height, frame_rate| crate::model::scenario::Picture { width, height, frame_rate };
    let outputs = vec![picture(854, 480, 30.0), picture(1920, 1080, 50.0)];
    let all = figures_of(vec![Scenario { outputs, ..scenario("ladder", 1060.0, 1090.0) }]);
    let names = &all[0].names;
    assert_eq!((names.resolution.as_str(), names.frame_rate.as_str()), ("1920x1080", "50"));
}

#[test]
fn costs_in_every_currency_add_up() {
    let all = figures_of(vec![scenario("a", 1060.0, 1090.0)]);
    let [dollars, euros] = &all[0].costs[..] else { panic!("{}", all[0].costs.len()) };
    assert!((dollars.energy.unwrap().0 - 600.0 / 3.6e6 * 0.12).abs() < 1e-15);
    assert!((dollars.compute.unwrap().0 - 30.0 / 3600.0 * 0.5).abs() < 1e-15);
    assert!((dollars.compute_by_load.unwrap().0 - 60.0 * 0.5 / 3600.0).abs() < 1e-15);
    for cost in [dollars, euros] {
        let sum = cost.energy.unwrap().0 + cost.compute.unwrap().0;
        assert!((cost.total.unwrap().0 - sum).abs() < 1e-15);
    }
    assert_eq!((&*euros.currency, euros.total.unwrap().0), ("EUR", dollars.total.unwrap().0 / 2.0));
}

#[test]
fn efficiency_by_attributed_joules() {
    let all = figures_of(vec![scenario("a", 1060.0, 1090.0)]);
    let found = all[0].efficiency;
    assert_eq!(found.vmaf_per_watt, Some(4.5));
    assert_eq!(found.joules_per_frame, Some(600.0 / 900.0));
    assert_eq!(found.pixels_per_joule, Some(1280.0 * 720.0 * 900.0 / 600.0));
    assert_eq!(found.megabits_per_watt, Some(0.125));
    assert_eq!(all[0].carbon, Some(Grams(600.0 / 3.6e6 * 400.0)));
}

#[test]
fn a_window_that_is_not_known_leaves_the_files_own_joules_or_nothing() {
    let before = scenario("before", 900.0, 1010.0);
    let running = scenario("running", 1090.0, 1200.0);
    let power = FilePower { energy: MicroJoules::from_joules(7.0), ..FilePower::default() };
    let with_own = Scenario { power, ..scenario("own", 100.0, 200.0) };
    let all = figures_of(vec![before, running, with_own]);
    assert!(all[0].energy.is_none() && all[1].energy.is_none());
    let energy = all[2].energy.unwrap();
    assert_eq!((energy.energy, energy.basis), (MicroJoules(7_000_000), EnergyBasis::File));
    assert_eq!(all[0].costs[0].energy, None, "unknown is not free");
    assert!(all[0].costs[0].compute.is_some(), "the time is known");
    assert_eq!((all[0].costs[0].total, all[0].costs[0].shown()), (None, None), "and is no cost alone");
}

#[test]
fn power_is_predicted_from_the_other_scenarios() {
    let with = |streams: u32, watts: f64| {
        let power = FilePower { mean: Some(Watts(watts)), ..FilePower::default() };
        Scenario { streams: Some(streams), power, ..scenario(&format!("{streams}"), 100.0, 200.0) }
    };
    let all = figures_of(vec![with(1, 12.0), with(2, 14.0), with(4, 18.0)]);
    assert!(all.iter().all(|figures| figures.predicted.is_some()));
    assert!((all[1].predicted.unwrap().power.0 - 14.0).abs() < 1e-9);
    assert!(figures_of(vec![with(1, 12.0)])[0].predicted.is_none(), "one point is no curve");
}
