//! Keeps what sources of names report, bounded: what exists, and what ceased to exist last.
//!
//! A name outlives its file for a while, because the cgroup that needs it may be admitted later than the file is removed.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;

/// Most names that exist: more than a node has pods and containers. Tests fill it: Miri has fewer.
pub(super) const ROOM: usize = if cfg!(miri) { 64 } else { 8192 };

/// Most names that do not exist any more.
pub(super) const ROOM_GONE: usize = if cfg!(miri) { 16 } else { 1024 };

/// Values by key. The first value of a key stays for as long as it exists.
#[derive(Debug)]
pub(super) struct Reported<Value> {
    there: HashMap<String, Value>,
    gone: HashMap<String, Value>,
    /// Keys in the order in which they ceased to exist. Some may exist again.
    order: VecDeque<String>,
}

impl<Value> Default for Reported<Value> {
    fn default() -> Self {
        Self { there: HashMap::new(), gone: HashMap::new(), order: VecDeque::new() }
    }
}

impl<Value: Eq + Hash> Reported<Value> {
    /// Adds a value. `false` when the key has one already, or when there is no room.
    pub(super) fn tell(&mut self, key: &str, value: Value) -> bool {
        if self.there.contains_key(key) || self.there.len() >= ROOM {
            return false;
        }
        let before = self.gone.remove(key);
        let is_new = before.as_ref() != Some(&value);
        self.there.insert(key.to_owned(), value);
        is_new
    }

    /// Notes that a key does not exist any more. Beyond the room, the key that went first is dropped.
    pub(super) fn gone(&mut self, key: &str) {
        let Some((key, value)) = self.there.remove_entry(key) else { return };
        self.order.push_back(key.clone());
        self.gone.insert(key, value);
        while self.order.len() > ROOM_GONE {
            self.order.pop_front().and_then(|first| self.gone.remove(&first));
        }
    }

    /// The value of a key that exists, or existed lately.
    pub(super) fn get(&self, key: &str) -> Option<&Value> {
        self.there.get(key).or_else(|| self.gone.get(key))
    }

    /// As [`Self::get`], to change it.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Value> {
        self.there.get_mut(key).or_else(|| self.gone.get_mut(key))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_value_stays_and_outlives_its_end() {
        let mut reported = Reported::default();
        assert!(reported.tell("a", 1));
        assert!(!reported.tell("a", 2), "the first is still there");
        reported.gone("a");
        assert_eq!(reported.get("a"), Some(&1));
        assert!(!reported.tell("a", 1), "nothing new");
        reported.gone("a");
        assert!(reported.tell("a", 2));
        assert_eq!(reported.get("a"), Some(&2));
        reported.gone("never");
        assert_eq!(reported.get("never"), None);
    }

    #[test]
    fn it_is_bounded_and_what_went_first_is_dropped_first() {
        let mut reported = Reported::default();
        for round in 0..3 {
            for number in 0..ROOM + 10 {
                reported.tell(&number.to_string(), number);
            }
            assert_eq!((reported.there.len(), reported.gone.len()), (ROOM, 0), "{round}");
            for number in 0..ROOM {
                reported.gone(&number.to_string());
            }
            assert_eq!((reported.there.len(), reported.gone.len()), (0, ROOM_GONE), "{round}");
            assert_eq!(reported.get("0"), None);
            assert!(reported.get(&(ROOM - 1).to_string()).is_some());
            for number in 0..ROOM {
                reported.tell(&number.to_string(), number);
                reported.gone(&number.to_string());
            }
            reported.there.clear();
            reported.gone.clear();
        }
        assert!(reported.order.len() <= ROOM_GONE);
    }
}
