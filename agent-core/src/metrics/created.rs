//! Adds `_created` samples to the counters of an OpenMetrics text, which tell a scraper that a series began at 0 and when.
//!
//! `prometheus-client` writes none for counters
//! (<https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md#counter>).

use std::fmt::Write;

use crate::time::WallTime;

/// `created` has one entry for each sample of a counter in `text`, in the order of the text.
pub(super) fn add(text: &str, created: &[Option<WallTime>]) -> String {
    let mut with_created = String::with_capacity(text.len() * 2);
    let mut created = created.iter();
    let mut is_counter = false;
    for line in text.lines() {
        with_created.push_str(line);
        with_created.push('\n');
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            is_counter = kind.ends_with(" counter");
        }
        if line.starts_with('#') || !is_counter {
            continue;
        }
        // The value is the last word: label values may contain spaces, and there are no exemplars.
        let series = line.rsplit_once(' ').map_or(line, |(series, _)| series);
        let (name, labels) = series.split_at(series.find('{').unwrap_or(series.len()));
        if let (Some(family), Some(Some(created))) = (name.strip_suffix("_total"), created.next()) {
            // Writing into a string cannot fail.
            let _ = writeln!(with_created, "{family}_created{labels} {:.3}", created.0);
        }
    }
    with_created
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
        assert_eq!(add(text, &created), expected);
    }
}
