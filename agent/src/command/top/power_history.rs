//! History of watts of each row, over the time that `top` has been open, as a line of blocks.

use std::collections::BTreeMap;

/// Columns of a history.
pub(super) const SLOTS: usize = 16;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Sum and number of the known values in one column.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    sum: f64,
    count: u32,
}

impl Slot {
    fn mean(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / f64::from(self.count))
    }

    fn with(self, other: Self) -> Self {
        Self { sum: self.sum + other.sum, count: self.count + other.count }
    }
}

/// Histories of all rows. When the columns are full, each two of them become one, so that they always cover all of the time.
#[derive(Clone, Debug)]
pub(super) struct PowerHistory {
    rows: BTreeMap<String, [Slot; SLOTS]>,
    /// Ticks of one column.
    stride: u64,
    /// Process and tick of the last answer, and its distance from the first answer in ticks.
    last: Option<(u32, u64, u64)>,
}

impl PowerHistory {
    pub(super) fn new() -> Self {
        Self { rows: BTreeMap::new(), stride: 1, last: None }
    }

    /// Ticks from the first answer to the last.
    pub(super) fn ticks(&self) -> u64 {
        self.last.map_or(0, |(.., distance)| distance + 1)
    }

    /// Takes the watts of all rows at a tick of the agent with this process number. A tick without an answer stays a gap.
    pub(super) fn take(&mut self, pid: u32, tick: u64, rows: impl Iterator<Item = (String, Option<f64>)>) {
        let distance = match self.last {
            None => 0,
            Some((_, last, _)) if self.is_same(pid) && tick == last => return,
            Some((_, last, distance)) if self.is_same(pid) && tick > last => {
                distance.saturating_add(tick - last)
            }
            // Another agent: how many ticks are missing is unknown, and one is left out.
            Some((.., distance)) => distance.saturating_add(2),
        };
        self.last = Some((pid, tick, distance));
        while distance / self.stride >= SLOTS as u64 {
            self.halve();
        }
        let slot = (distance / self.stride) as usize;
        let mut earlier = std::mem::take(&mut self.rows);
        for (key, watts) in rows {
            let mut slots = earlier.remove(&key).unwrap_or_default();
            if let Some(watts) = watts {
                slots[slot] = slots[slot].with(Slot { sum: watts, count: 1 });
            }
            self.rows.insert(key, slots);
        }
    }

    fn is_same(&self, pid: u32) -> bool {
        self.last.is_some_and(|(last, ..)| last == pid)
    }

    fn halve(&mut self) {
        self.stride *= 2;
        for slots in self.rows.values_mut() {
            let half = |place: usize| match slots.get(2 * place..2 * place + 2) {
                Some(two) => two[0].with(two[1]),
                None => Slot::default(),
            };
            *slots = std::array::from_fn(half);
        }
    }

    /// One block for each column, from 0 W to the largest of the row; a gap is a space. Without a known value there is no line.
    pub(super) fn line(&self, key: &str) -> Option<String> {
        let (.., distance) = self.last?;
        let slots = self.rows.get(key)?;
        let means = slots[..=(distance / self.stride) as usize].iter().map(|slot| slot.mean());
        let largest = means.clone().flatten().reduce(f64::max)?;
        let level = |watts: f64| if largest > 0.0 { (watts / largest * 7.0).round() as usize } else { 0 };
        Some(means.map(|mean| mean.map_or(' ', |watts| BLOCKS[level(watts).min(7)])).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows with these names and 1 W.
    fn rows(names: &[&str]) -> impl Iterator<Item = (String, Option<f64>)> {
        names.iter().map(|name| ((*name).to_owned(), Some(1.0)))
    }

    /// The line after these ticks of one agent, of a row with these watts.
    fn line(ticks: &[(u64, Option<f64>)]) -> Option<String> {
        let mut history = PowerHistory::new();
        for (tick, watts) in ticks {
            history.take(1, *tick, [("a".to_owned(), *watts)].into_iter());
        }
        history.line("a")
    }

    #[test]
    fn gaps_are_gaps_and_zero_is_a_value() {
        assert_eq!(line(&[(7, Some(7.0)), (8, Some(0.0)), (9, Some(3.0))]).unwrap(), "█▁▄");
        assert_eq!(line(&[(7, Some(7.0)), (9, Some(7.0))]).unwrap(), "█ █", "an answer is missing");
        assert_eq!(
            line(&[(7, Some(7.0)), (8, None), (9, Some(7.0))]).unwrap(),
            "█ █",
            "the power is unknown"
        );
        assert_eq!(line(&[(7, Some(7.0)), (7, Some(1.0))]).unwrap(), "█", "one tick counts once");
        assert_eq!(line(&[(7, Some(0.0))]).unwrap(), "▁");
        assert_eq!(line(&[(7, None), (8, None)]), None);
    }

    #[test]
    fn all_of_the_time_is_shown_however_long() {
        let ticks = |count: u64| (1..=count).map(|tick| (tick, Some(tick as f64))).collect::<Vec<_>>();
        for count in [1, 15, 16, 17, 33, 1000] {
            let line = line(&ticks(count)).unwrap();
            let length = line.chars().count();
            assert!(length <= SLOTS && (count < 16 || length > SLOTS / 2), "{count}: {line}");
            assert!(line.ends_with('█') && !line.contains(' '), "{count}: {line}");
        }
        assert!(line(&ticks(1000)).unwrap().starts_with('▁'), "the first watts are still there");
        assert_eq!(line(&[(1, Some(1.0)), (u64::MAX, Some(1.0))]).unwrap().trim_matches('█').trim(), "");
    }

    #[test]
    fn another_agent_and_another_row_begin_after_a_gap() {
        let mut history = PowerHistory::new();
        history.take(1, 50, rows(&["a"]));
        history.take(2, 3, rows(&["a", "b"]));
        assert_eq!(history.line("a").unwrap(), "█ █");
        assert_eq!(history.line("b").unwrap(), "  █");
        history.take(2, 4, rows(&["b"]));
        assert_eq!(history.line("a"), None, "a row that is gone takes no memory");
        assert_eq!(history.ticks(), 4);
    }
}
