//! Tests the engine time of windows: shared clients, values that fall, cycles, and arbitrary readings.

use proptest::prelude::*;

use super::*;
use crate::gpu::engine::EngineClass;
use crate::gpu::fdinfo::ClientId;

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: u64 = 1_000_000;

fn client(number: u64, usage: Usage) -> DrmClient<'static> {
    let engine = Engine { name: "video", usage, capacity: 1 };
    let id = ClientId { device: "0000:00:02.0", number };
    DrmClient { driver: "i915", id, engines: vec![engine] }
}

fn milliseconds(number: u64) -> Usage {
    Usage::Nanoseconds(number * MILLISECOND)
}

/// Milliseconds of the video engine in a window with these readings.
fn window(clients: &mut EngineClients, readings: &[DrmClient<'_>]) -> Vec<u64> {
    clients.begin_window();
    let of = |reading| clients.observe(reading, SECOND, false).of(EngineClass::Video) / MILLISECOND;
    readings.iter().map(of).collect()
}

#[test]
fn each_window_has_the_difference_and_a_shared_client_counts_once() {
    let mut clients = EngineClients::default();
    let at = |number| client(1, milliseconds(number));
    assert_eq!(window(&mut clients, &[at(500), at(500)]), [0, 0], "of an unknown time before");
    assert_eq!(window(&mut clients, &[at(700), at(700)]), [200, 0]);
    assert_eq!(window(&mut clients, &[at(690)]), [0], "it fell");
    assert_eq!(window(&mut clients, &[at(750)]), [50], "since its highest");
    assert_eq!(window(&mut clients, &[at(9000)]), [1000], "no engine is busier than the window is long");
    assert_eq!(window(&mut clients, &[]), [0; 0]);
    assert_eq!(window(&mut clients, &[at(9500)]), [0], "it was gone: perhaps another one");
}

#[test]
fn a_new_client_and_a_new_engine_begin_at_nothing() {
    let mut clients = EngineClients::default();
    clients.begin_window();
    let video = |times: EngineTimes| times.of(EngineClass::Video) / MILLISECOND;
    assert_eq!(video(clients.observe(&client(1, milliseconds(300)), SECOND, true)), 300);
    let mut with_render = client(1, milliseconds(300));
    with_render.engines.push(Engine { name: "render", usage: milliseconds(40), capacity: 1 });
    clients.begin_window();
    let times = clients.observe(&with_render, SECOND, false);
    assert_eq!(times.seconds().collect::<Vec<_>>(), [(EngineClass::Render, 0.04)]);
}

#[test]
fn cycles_are_a_part_of_all_cycles() {
    let mut clients = EngineClients::default();
    let at = |busy, total| client(1, Usage::Cycles { busy, total });
    assert_eq!(window(&mut clients, &[at(10, 1000)]), [0]);
    assert_eq!(window(&mut clients, &[at(35, 1100)]), [250]);
    assert_eq!(window(&mut clients, &[at(60, 1100)]), [0], "no cycle has passed");
    assert_eq!(window(&mut clients, &[at(999, 1200)]), [1000]);
    assert_eq!(window(&mut clients, &[at(1000, 7)]), [0], "the engine's cycles began again");
    assert_eq!(window(&mut clients, &[client(1, milliseconds(5))]), [0], "another unit");
}

#[test]
fn capacity_counts_alike_engines() {
    let mut clients = EngineClients::default();
    let mut twice = client(1, milliseconds(0));
    twice.engines[0].capacity = 2;
    window(&mut clients, &[twice.clone()]);
    twice.engines[0].usage = milliseconds(1700);
    assert_eq!(window(&mut clients, &[twice]), [1700]);
}

proptest! {
    #[test]
    fn no_window_has_more_than_its_time(readings in proptest::collection::vec((0_u64..3, any::<u64>(), any::<u64>(), any::<bool>()), 0..40)) {
        let mut clients = EngineClients::default();
        for chunk in readings.chunks(3) {
            clients.begin_window();
            for (number, busy, total, is_cycles) in chunk {
                let usage = if *is_cycles { Usage::Cycles { busy: *busy, total: *total } } else { Usage::Nanoseconds(*busy) };
                let times = clients.observe(&client(*number, usage), SECOND, true);
                prop_assert!(times.weight() <= 1_000_000_000);
            }
        }
    }
}
