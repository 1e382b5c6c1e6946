//! Tests trends: rows by day, a change that is named with its day, one that is not, and the month.

use std::collections::HashMap;
use std::time::Duration;

use agent_core::join::cost::Tariff;
use agent_core::join::history::{Charge, Tick};
use agent_core::join::subject::Subject;
use agent_core::model::joined::EnergyBasis;
use agent_core::model::transcode::SeenOutput;
use agent_core::units::{CpuTime, Grams, MicroJoules, Money};
use expect_test::expect;

use super::*;
use crate::command::report::Form;
use crate::ledger::Buckets;

/// 2026-12-01T00:00:00Z, a Tuesday.
const FIRST: f64 = 1_796_083_200.0;
const DAY: f64 = 86_400.0;

/// Noon of the third of December.
const NOW: WallTime = WallTime(FIRST + 2.5 * DAY);

/// A finished transcode of a thousand frames.
fn row(key: usize, codec: &str, ended: f64, joules_per_frame: f64) -> TranscodeRow {
    let energy = MicroJoules((joules_per_frame * 1e9) as u64);
    TranscodeRow {
        key: format!("{key}-1"),
        started: WallTime(ended - 60.0),
        ended: WallTime(ended),
        codec: codec.into(),
        preset: "fast".into(),
        resolution: "1280x720".into(),
        energy,
        basis: Some(EnergyBasis::Measured),
        seen: SeenOutput { energy, frames: Some(1000), ..SeenOutput::default() },
        ..TranscodeRow::default()
    }
}

fn ledger(folder: &std::path::Path, rows: &[TranscodeRow], days: &[f64]) -> Ledger {
    let (mut ledger, _) = Ledger::open(folder, NOW).unwrap();
    ledger.record(&mut Buckets::default(), &HashMap::new(), rows).unwrap();
    for (index, kilowatt_hours) in days.iter().enumerate() {
        let from = FIRST + index as f64 * DAY;
        let charge = Charge { energy: MicroJoules((kilowatt_hours * 3.6e12) as u64), cpu: CpuTime(0) };
        let tick = Tick {
            from: WallTime(from),
            to: WallTime((from + DAY).min(NOW.0)),
            charges: HashMap::from([(Subject::Host, charge)]),
            containers: CpuTime(0),
            engine: None,
        };
        let mut buckets = Buckets::default();
        buckets.add(&tick, EnergyBasis::Measured);
        ledger.record(&mut buckets, &HashMap::new(), &[]).unwrap();
    }
    ledger
}

fn prices() -> Prices {
    let tariff = Tariff::new(Money(0.25), Money(0.5), Money(0.0), None, None);
    Prices { tariff, currency: "EUR".into(), also: Vec::new(), carbon: Grams(400.0), viewers: 1 }
}

fn reported(rows: &[TranscodeRow], days: &[f64], form: Form) -> String {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger(folder.path(), rows, days);
    let wanted = Wanted { since: None, by: None, now: NOW, zone: TimeZone::UTC };
    let mut out = Vec::new();
    write(&ledger, &wanted, (form, &prices()), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

/// Twenty transcodes of each of two encoders within two days: libx264 rises by 18 % with the second day, libx265 only scatters.
fn rows() -> Vec<TranscodeRow> {
    let noise = [0.01, -0.02, 0.0, 0.03, -0.01, 0.02, -0.03, 0.0, 0.01, -0.01];
    let mut rows = Vec::new();
    for (index, noise) in noise.iter().cycle().take(20).enumerate() {
        let ended = FIRST + 0.05 * DAY + 0.1 * DAY * index as f64;
        let x264 = if index < 10 { 0.2 } else { 0.236 };
        rows.push(row(index, "libx264", ended, x264 * (1.0 + noise)));
        rows.push(row(100 + index, "libx265", ended, 0.5 * (1.0 + 5.0 * noise)));
    }
    rows
}

#[test]
fn a_change_outside_the_noise_is_a_sentence_and_the_month_has_its_forecast() {
    let mut rows = rows();
    rows.push(TranscodeRow { state: State::Running, ..row(900, "libx264", FIRST + DAY, 9.0) });
    rows.push(TranscodeRow { seen: SeenOutput::default(), ..row(901, "libx264", FIRST + DAY, 9.0) });
    expect![[r"
        finished transcodes since 2026-11-04

                                                                 day  transcodes      frames   J/frame
        libx264 fast 1280x720                             2026-12-01          10       10000    0.2000
        libx264 fast 1280x720                             2026-12-02          10       10000    0.2360
        libx265 fast 1280x720                             2026-12-01          10       10000    0.5000
        libx265 fast 1280x720                             2026-12-02          10       10000    0.5000

        J/frame of libx264 fast 1280x720 rose 18 % since Wednesday 2026-12-02: the median was 0.2000 in 10 transcodes and is 0.2360 in 10 (Pettitt's test: p = 0.0016).
        In no row, because their frames or joules are not known: 1 transcodes
        In no row, because they run: 1 transcodes. The ledger has their totals only, not those of each day.

        December 2026 so far: 5.500 kWh, 1.3750 EUR, 2200.0 g CO2e; an agent ran 100 % of the time.
        At the end of the month: 68.200 kWh, 17.0500 EUR, 27280.0 g CO2e, ± 74.922 kWh (95 %), ± 18.7306 EUR, by the mean of 2 complete days (weekdays are not told apart).
    "]]
    .assert_eq(&reported(&rows, &[2.0, 2.4, 1.1], Form::Text));
}

#[test]
fn noise_alone_is_no_change() {
    let rows: Vec<TranscodeRow> = rows().into_iter().filter(|row| row.codec == "libx265").collect();
    let text = reported(&rows, &[], Form::Text);
    assert!(text.contains("No change of J/frame is outside the noise"), "{text}");
    assert!(text.contains("no energy of this month"), "{text}");
    let json: serde_json::Value = serde_json::from_str(&reported(&rows, &[2.0], Form::Json)).unwrap();
    assert_eq!(json["trends"].as_array().unwrap().len(), 1);
    assert!(
        json["trends"][0]["change"].is_null() && json["trends"][0]["days"].as_array().unwrap().len() == 2
    );
    // One complete day: a forecast without an interval.
    assert!((json["month"]["kilowatt_hours"].as_f64().unwrap() - 2.0).abs() < 1e-6, "{json}");
    assert!(
        (json["month"]["forecast_kilowatt_hours"].as_f64().unwrap() - (2.0 + 28.5 * 2.0)).abs() < 1e-6,
        "{json}"
    );
    assert!(json["month"]["forecast_margin_kilowatt_hours"].is_null(), "{json}");
    let csv = reported(&rows, &[], Form::Csv);
    assert!(csv.lines().nth(1).unwrap().starts_with("libx265 fast 1280x720,2026-12-01,10,10000,"), "{csv}");
}

#[test]
fn energy_and_frames_are_those_of_the_observed_part() {
    let whole =
        TranscodeRow { seen: SeenOutput::default(), frames: Some(500), ..row(1, "libx264", FIRST, 0.2) };
    let found = sample(&whole).unwrap();
    assert!((found.joules - 200.0).abs() < 1e-9 && (found.frames - 500.0).abs() < 1e-9);
    let late = TranscodeRow { unobserved: Duration::from_secs(5), ..whole.clone() };
    assert!(sample(&late).is_none(), "the frames are those of all of its life, the joules are not");
    assert!(sample(&TranscodeRow { frames: Some(0), ..whole }).is_none());
}
