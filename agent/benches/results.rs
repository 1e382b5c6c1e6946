//! Measures the time that result files, their join and the ledger take. No tick and no scrape waits for any of it.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a bench may panic and print")]

use std::fs;
use std::path::Path;

use agent_core::join::cost::Tariff;
use agent_core::join::figures::{self, Prices};
use agent_core::join::history::{Charge, History, Tick};
use agent_core::join::subject::{Candidate, Subject};
use agent_core::model::joined::EnergyBasis;
use agent_core::time::WallTime;
use agent_core::units::{CpuTime, Grams, MicroJoules, Money};
use divan::{Bencher, black_box};
use ffwatt::inside::{Buckets, Folder, Grouping, Ledger, TranscodeRow};

fn main() {
    divan::main();
}

/// The agent's check every half second when nothing has changed.
#[divan::bench]
fn rescan_of_10000_files_that_did_not_change(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..10_000 {
        let name = format!("test_results_2026{number:04}_000000.json");
        fs::write(folder.path().join(name), r#"{"scenarios":[]}"#).unwrap();
    }
    let mut results = Folder::new(folder.path().into());
    assert!(results.changed().unwrap().is_some());
    bencher.bench_local(|| assert!(black_box(results.changed().unwrap()).is_none()));
}

/// A file of a megabyte is read, parsed and joined with a quarter of an hour of history.
#[divan::bench]
fn a_result_file_of_1_mb_joined(bencher: Bencher<'_, '_>) {
    let bytes = file_of_a_megabyte();
    let history = quarter_of_an_hour();
    let tariff = Tariff::new(Money(0.12), Money(0.5), Money(0.0), None, None);
    let prices =
        Prices { tariff, currency: "USD".into(), also: Vec::new(), carbon: Grams(400.0), viewers: 1 };
    bencher.bench_local(|| {
        let (run, _) = agent_core::results::parse(Path::new("test_results_1.json"), &bytes).unwrap();
        let found: Vec<_> = run
            .scenarios
            .iter()
            .map(|scenario| figures::find(scenario, &history, EnergyBasis::Measured))
            .collect();
        figures::figures(&run, &found, &prices)
    });
}

fn file_of_a_megabyte() -> Vec<u8> {
    let mut text = String::from("{\"scenarios\":[");
    let mut number = 0;
    while text.len() < 1_000_000 {
        let start = 100 + number % 800;
        text.extend([
            if number == 0 { "" } else { "," },
            &format!(
                r#"{{"name":"scenario {number}","bitrate":"2500k","resolution":"1280x720","fps":30,"duration":10,
                "start_time":{start},"end_time":{},"container":"live-1","vmaf_score":93.5,"psnr_score":41.2}}"#,
                start + 10
            ),
        ]);
        number += 1;
    }
    text.push_str("]}");
    text.into_bytes()
}

fn quarter_of_an_hour() -> History {
    let subject = |number: u32| Subject::Workload { name: format!("live-{number}").into(), id: "1".into() };
    let charge = Charge { energy: MicroJoules(1_000_000), cpu: CpuTime(1_000_000_000) };
    let tick = |second: u32| Tick {
        from: WallTime(f64::from(second)),
        to: WallTime(f64::from(second + 1)),
        charges: (0..50).map(|number| (subject(number), charge)).collect(),
        containers: CpuTime(0),
        engine: None,
    };
    let candidate = |number| Candidate { subject: subject(number), scenario: None, life: None };
    History::of(&(0..900).map(tick).collect::<Vec<_>>(), (0..50).map(candidate).collect())
}

/// The query of `ffwatt report --by codec`.
#[divan::bench(sample_count = 20)]
fn report_over_100000_transcodes(bencher: Bencher<'_, '_>) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = ledger_of_100000(folder.path());
    bencher.bench_local(|| ledger.groups(WallTime(0.0), WallTime(f64::MAX), Grouping::Codec).unwrap());
}

fn ledger_of_100000(folder: &Path) -> Ledger {
    let (mut ledger, _) = Ledger::open(folder, WallTime(0.0)).unwrap();
    let row = |number: u32| TranscodeRow {
        key: format!("{number}-1"),
        started: WallTime(f64::from(number)),
        ended: WallTime(f64::from(number + 60)),
        workload: format!("live-{}", number % 100),
        codec: ["libx264", "libx265", "libsvtav1"][number as usize % 3].to_owned(),
        energy: MicroJoules(5_000_000),
        cpu: CpuTime(9_000_000_000),
        ..TranscodeRow::default()
    };
    let rows: Vec<TranscodeRow> = (0..100_000).map(row).collect();
    ledger.record(&mut Buckets::default(), &std::collections::HashMap::new(), &rows).unwrap();
    ledger
}
