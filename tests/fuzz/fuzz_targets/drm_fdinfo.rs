//! Fuzzes the `fdinfo` of DRM devices: any text gives a bounded client or none, and no window has more engine time than it is long.
#![no_main]

use std::time::Duration;

use agent_core::gpu::clients::EngineClients;
use agent_core::gpu::engine::EngineClass;
use agent_core::gpu::fdinfo::parse;
use libfuzzer_sys::fuzz_target;

const WINDOW: Duration = Duration::from_secs(1);

fuzz_target!(|text: &str| {
    let mut clients = EngineClients::default();
    // Each part is a reading of a window of its own; a part is read twice, as of a client that two processes share.
    for (number, part) in text.split('\0').enumerate() {
        clients.begin_window();
        let Some(client) = parse(part) else { continue };
        assert!(client.engines.len() <= 32 && client.engines.iter().all(|engine| engine.capacity > 0));
        let times = clients.observe(&client, WINDOW, number % 2 == 0);
        for class in EngineClass::ALL {
            let units: u64 = client
                .engines
                .iter()
                .filter(|engine| engine.class() == class)
                .map(|engine| u64::from(engine.capacity))
                .sum();
            assert!(times.of(class) <= units.saturating_mul(1_000_000_000), "{class:?} of {client:?}");
        }
        assert!(clients.observe(&client, WINDOW, true).is_zero(), "counted twice: {client:?}");
    }
});
