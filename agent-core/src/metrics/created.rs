//! Adds `_created` samples to the counters of an OpenMetrics text, which tell a scraper that a series began at 0 and when.
//!
//! `prometheus-client` writes none for counters
//! (<https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md#counter>).

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use crate::time::WallTime;

/// The time at which each sample of a counter was 0: those of a family are added before its lines are written, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct CreationTimes(Arc<Mutex<VecDeque<Option<WallTime>>>>);

impl CreationTimes {
    pub(super) fn extend(&self, times: impl Iterator<Item = Option<WallTime>>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(times);
    }

    fn next(&self) -> Option<WallTime> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pop_front().flatten()
    }
}

/// Text with the samples `_created`.
#[derive(Debug, Default)]
pub(super) struct WithCreated {
    text: String,
    times: CreationTimes,
    is_counter: bool,
}

impl WithCreated {
    pub(super) fn new(times: CreationTimes) -> Self {
        Self { times, ..Self::default() }
    }

    pub(super) fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            self.is_counter = kind.ends_with(" counter");
        }
        if line.starts_with('#') || !self.is_counter {
            return;
        }
        // The value is the last word: label values may contain spaces, and there are no exemplars.
        let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
        let (name, labels) = series.split_at(series.find('{').unwrap_or(series.len()));
        if let (Some(family), Some(created)) = (name.strip_suffix("_total"), self.times.next()) {
            // Writing into a string cannot fail.
            let _ = writeln!(self.text, "{family}_created{labels} {:.3}", created.0);
        }
    }

    pub(super) fn text(self) -> String {
        self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_counters_with_a_time_get_a_sample() {
        let text = "# HELP a_joules Energy.\n# TYPE a_joules counter\n# UNIT a_joules joules\n\
                    a_joules_total{z=\"x_total 1\"} 0.5\na_joules_total{z=\"2\"} 1.0\n\
                    # HELP b_total A gauge.\n# TYPE b_total gauge\nb_total 3\n\
                    # HELP c Events.\n# TYPE c counter\nc_total 7\n# EOF\n";
        let created = [Some(WallTime(1_700_000_000.5)), None, Some(WallTime(1.0))];
        let expected = "# HELP a_joules Energy.\n# TYPE a_joules counter\n# UNIT a_joules joules\n\
                        a_joules_total{z=\"x_total 1\"} 0.5\na_joules_created{z=\"x_total 1\"} 1700000000.500\n\
                        a_joules_total{z=\"2\"} 1.0\n\
                        # HELP b_total A gauge.\n# TYPE b_total gauge\nb_total 3\n\
                        # HELP c Events.\n# TYPE c counter\nc_total 7\nc_created 1.000\n# EOF\n";
        let times = CreationTimes::default();
        times.extend(created.into_iter());
        let mut with_created = WithCreated::new(times);
        text.lines().for_each(|line| with_created.line(line));
        assert_eq!(with_created.text(), expected);
    }
}
