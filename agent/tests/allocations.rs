//! Counts allocations by number of containers: they can be counted exactly, where time cannot.

#[path = "../benches/busy_host/mod.rs"]
mod busy_host;

use std::sync::Arc;
use std::time::Duration;

use agent_core::join;
use agent_core::metrics::catalog::Listener;
use agent_core::metrics::{Format, Options, render};
use agent_core::time::{MonoTime, WallTime};
use agent_core::units::CpuTime;
use ffwatt::inside::History as ShownHistory;

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

fn of_a_tick(workloads: u32) -> u64 {
    let (mut totals, demand) = (busy_host::totals(workloads), busy_host::demand(workloads));
    // The first window makes the accounts.
    busy_host::tick(&mut totals, &demand, 1);
    allocations(|| busy_host::tick(&mut totals, &demand, 2))
}

fn of_a_tick_by_core(workloads: u32) -> u64 {
    const CORES: u32 = 8;
    let (mut totals, demand) = (busy_host::totals(workloads), busy_host::demand_by_core(workloads, CORES));
    busy_host::tick_by_core(&mut totals, &demand, 1, CORES);
    allocations(|| busy_host::tick_by_core(&mut totals, &demand, 2, CORES))
}

fn of_a_scrape(workloads: u32) -> u64 {
    let snapshot = busy_host::snapshot(workloads);
    allocations(|| drop(render(&snapshot, Listener::Main, Format::OpenMetrics, Options::default())))
}

#[test]
fn attribution_does_not_allocate_by_container() {
    for of_a_tick in [of_a_tick, of_a_tick_by_core] {
        let (few, many) = (of_a_tick(100), of_a_tick(10_000));
        assert!(few > 0, "the counter counts");
        // A vector that grows doubles: 2^7 is more than a hundredfold.
        assert!(many <= few + 4 * 7, "{few} for 100, {many} for 10,000");
    }
}

#[test]
fn a_scrape_costs_as_much_for_each_container() {
    let [none, thousand, two] = [0, 1000, 2000].map(of_a_scrape);
    let (first, second) = (thousand - none, two - thousand);
    assert!(second <= first + first / 100, "{first} for the first thousand, {second} for the second");
}

/// Bytes that both histories hold after this time, with a tick a second in which all containers were busy.
fn of_a_past(workloads: u32, length: Duration) -> i64 {
    let mut snapshot = Arc::unwrap_or_clone(busy_host::snapshot(workloads));
    let (mut joined, mut shown) = (None, None);
    let held = allocation_counter::measure(|| {
        let joined = joined.insert(join::history::History::new(Duration::from_mins(15)));
        let shown = shown.insert(ShownHistory::default());
        for second in 1..=length.as_secs() {
            snapshot.tick = second;
            snapshot.at = MonoTime(second * 1_000_000_000);
            snapshot.wall = WallTime(second as f64);
            for workload in &mut snapshot.workloads {
                workload.account.cpu += CpuTime(1_000_000);
            }
            joined.push(&snapshot);
            shown.push(&snapshot);
        }
    });
    held.bytes_current
}

#[test]
fn the_past_of_a_thousand_busy_containers_is_small() {
    let [hundred, thousand] = [100, 1000].map(|workloads| of_a_past(workloads, Duration::from_mins(20)));
    println!("{hundred} bytes for 100, {thousand} for 1000");
    assert!(hundred > 0, "the counter counts");
    assert!(hundred <= 1_500_000, "{hundred} bytes for 100");
    assert!(thousand <= 9_000_000, "{thousand} bytes for 1000");
}
