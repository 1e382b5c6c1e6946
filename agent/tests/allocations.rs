//! What grows with the number of containers, and how? Allocations can be counted exactly, where time cannot.

#[path = "../benches/busy_host/mod.rs"]
mod busy_host;

use ffwatt::exposition::catalog::Listener;
use ffwatt::exposition::{Format, Options, render};

fn allocations(work: impl FnOnce()) -> u64 {
    allocation_counter::measure(work).count_total
}

fn of_a_tick(workloads: u32) -> u64 {
    let (mut totals, demand) = (busy_host::totals(workloads), busy_host::demand(workloads));
    // The first window makes the accounts.
    busy_host::tick(&mut totals, &demand, 1);
    allocations(|| busy_host::tick(&mut totals, &demand, 2))
}

fn of_a_scrape(workloads: u32) -> u64 {
    let snapshot = busy_host::snapshot(workloads);
    allocations(|| drop(render(&snapshot, Listener::Main, Format::OpenMetrics, Options::default())))
}

#[test]
fn attribution_does_not_allocate_by_container() {
    let (few, many) = (of_a_tick(100), of_a_tick(10_000));
    assert!(few > 0, "the counter counts");
    // A vector that grows doubles: 2^7 is more than a hundredfold.
    assert!(many <= few + 4 * 7, "{few} for 100, {many} for 10,000");
}

#[test]
fn a_scrape_costs_as_much_for_each_container() {
    let [none, thousand, two] = [0, 1000, 2000].map(of_a_scrape);
    let (first, second) = (thousand - none, two - thousand);
    assert!(second <= first + first / 100, "{first} for the first thousand, {second} for the second");
}
