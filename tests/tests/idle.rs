//! Tests learned idle power: a counter's reset in a quiet stretch changes nothing.
//!
//! Run: together.

#![allow(clippy::unwrap_used, reason = "a test may panic")]
#![allow(clippy::disallowed_methods, reason = "the counter of the fixture goes by the real time")]

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tests::agent::Agent;
use tests::command::pause;
use tests::host::Host;

/// Power of the fixture, in microjoules per millisecond: 10 W.
const POWER: u128 = 10_000;

/// Advances the energy counter of a host that draws 10 W, until `is_over`; returns the longest time between two steps. Where the
/// counter is set back, it begins again.
fn count(host: &Mutex<Host>, is_reset: &AtomicBool, is_over: &AtomicBool) -> Duration {
    let (began, mut stepped, mut longest) = (Instant::now(), Instant::now(), Duration::ZERO);
    let mut base = 100_000_000_000_u64;
    while !is_over.load(Ordering::Relaxed) {
        if is_reset.swap(false, Ordering::Relaxed) {
            base = 0;
        }
        let drawn = began.elapsed().as_millis() * POWER;
        host.lock().unwrap().set_energy("intel-rapl:0", base + u64::try_from(drawn).unwrap()).unwrap();
        longest = longest.max(stepped.elapsed());
        stepped = Instant::now();
        pause(Duration::from_millis(5));
    }
    longest
}

#[test]
fn a_counter_reset_in_a_quiet_stretch_leaves_the_idle_power_as_it_was() {
    let host = Host::client().unwrap();
    let flags = host.flags();
    let flags: Vec<&str> = flags.iter().map(String::as_str).chain(["--interval=2s"]).collect();
    let host = Mutex::new(host);
    let (is_reset, is_over) = (AtomicBool::new(false), AtomicBool::new(false));
    let (learned, longest) = thread::scope(|scope| {
        let counting = scope.spawn(|| count(&host, &is_reset, &is_over));
        let agent = Agent::start(&flags).unwrap();
        let learned = |after: u64| {
            let mut watts = None;
            for _ in 0..after {
                agent.wait_ticks(1).unwrap();
                host.lock().unwrap().step(&[]).unwrap();
                watts = agent
                    .scrape()
                    .unwrap()
                    .sum("ffwatt_idle_power_watts", &[("package", "0"), ("domain", "package")]);
            }
            watts
        };
        let first = learned(8).unwrap();
        is_reset.store(true, Ordering::Relaxed);
        let later = learned(14).unwrap();
        let resets = agent
            .scrape()
            .unwrap()
            .sum("ffwatt_energy_resets_total", &[("package", "0"), ("domain", "package")]);
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(resets, Some(1.0));
        assert!(agent.stop().unwrap().0.success());
        ([first, later], counting.join().unwrap())
    });
    // The figure's error comes only from the counter's delay, at both ends of ten seconds.
    let bound = 10.0 * (2.0 * longest.as_secs_f64() / 10.0) + 0.1;
    assert!(
        learned.iter().all(|watts| (watts - 10.0).abs() <= bound),
        "{learned:?}, counter late by {longest:?}"
    );
}
