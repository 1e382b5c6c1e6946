//! Computes the engine time of each window from readings of DRM clients.
//!
//! A client may show through several file descriptions and processes, so each is counted once. A value may fall, and is then held at its
//! highest ("is allowed to go backwards", <https://docs.kernel.org/gpu/drm-usage-stats.html>): time is counted again from there on. No
//! engine is busier than its window is long, times its number of units.
//!
//! **Bounded** by [`ROOM`] clients of [`MOST_ENGINES`] engines.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::gpu::engine::EngineTimes;
use crate::gpu::fdinfo::{DrmClient, Engine, MOST_ENGINES, Usage};

#[cfg(test)]
mod tests;

/// Most clients that are followed: each encoder has one or two.
const ROOM: usize = 4096;

/// All clients that were seen in the last windows.
#[derive(Debug, Default)]
pub struct EngineClients {
    /// By device, and by their numbers there.
    clients: BTreeMap<String, BTreeMap<u64, Followed>>,
    window: u64,
}

#[derive(Debug, Default)]
struct Followed {
    /// Highest values, by engine.
    held: BTreeMap<String, Usage>,
    /// The window in which it was last seen.
    seen: u64,
}

impl EngineClients {
    /// Begins a window: forgets clients that the last one did not show.
    pub fn begin_window(&mut self) {
        let window = self.window;
        self.clients.retain(|_, clients| {
            clients.retain(|_, client| client.seen == window);
            !clients.is_empty()
        });
        self.window += 1;
    }

    /// Adds a reading. Returns the engine time of the window of this length; nothing for a client that the window has shown already. A
    /// client that is seen for the first time has used its engines in this window if it `is_new`, else at an unknown time before.
    pub fn observe(&mut self, reading: &DrmClient<'_>, window: Duration, is_new: bool) -> EngineTimes {
        let mut times = EngineTimes::default();
        let is_full = self.clients.values().map(BTreeMap::len).sum::<usize>() >= ROOM;
        let id = reading.id;
        let of_device = match self.clients.get_mut(id.device) {
            Some(of_device) => of_device,
            None if is_full => return times,
            None => self.clients.entry(id.device.to_owned()).or_default(),
        };
        let (client, has_begun) = match of_device.get_mut(&id.number) {
            Some(client) => (client, true),
            None if is_full => return times,
            None => (of_device.entry(id.number).or_default(), is_new),
        };
        client.seen = self.window;
        for engine in &reading.engines {
            if let Some(held) = client.held.get_mut(engine.name) {
                times.add(engine.class(), busy(engine, *held, window));
                *held = highest(*held, engine.usage);
            } else if client.held.len() < MOST_ENGINES {
                let begin = match engine.usage {
                    // An engine that the client uses for the first time.
                    Usage::Nanoseconds(_) if has_begun => Usage::Nanoseconds(0),
                    usage => usage,
                };
                times.add(engine.class(), busy(engine, begin, window));
                client.held.insert(engine.name.to_owned(), highest(begin, engine.usage));
            }
        }
        times
    }
}

/// Busy nanoseconds of an engine since `begin`.
fn busy(engine: &Engine<'_>, begin: Usage, window: Duration) -> u64 {
    let window = u64::try_from(window.as_nanos()).unwrap_or(u64::MAX);
    let most = window.saturating_mul(u64::from(engine.capacity));
    let busy = match (begin, engine.usage) {
        (Usage::Nanoseconds(begin), Usage::Nanoseconds(end)) => end.saturating_sub(begin),
        (Usage::Cycles { busy: begin, total: since }, Usage::Cycles { busy: end, total }) => {
            let (busy, total) = (end.saturating_sub(begin), total.saturating_sub(since));
            if total == 0 {
                return 0;
            }
            let part = u128::from(busy) * u128::from(window) / u128::from(total);
            u64::try_from(part).unwrap_or(u64::MAX)
        }
        // The driver counts in another unit now.
        _ => 0,
    };
    busy.min(most)
}

/// The later of two values; of nanoseconds and busy cycles, the higher one.
fn highest(held: Usage, now: Usage) -> Usage {
    match (held, now) {
        (Usage::Nanoseconds(held), Usage::Nanoseconds(now)) => Usage::Nanoseconds(held.max(now)),
        (Usage::Cycles { busy: held, .. }, Usage::Cycles { busy, total }) => {
            Usage::Cycles { busy: held.max(busy), total }
        }
        (_, now) => now,
    }
}
