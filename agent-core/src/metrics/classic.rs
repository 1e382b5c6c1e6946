//! Converts OpenMetrics text to Prometheus' text format 0.0.4.
//!
//! The two differ in the comment lines only: 0.0.4 gives the family of a counter or an info the name of its samples, and has
//! no info (a gauge instead), no unit and no end mark (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

/// Converts the text of [`super::openmetrics`].
pub(super) fn from_openmetrics(text: &str) -> String {
    let mut classic = String::with_capacity(text.len());
    // HELP is before TYPE, but the end of its name depends on the type.
    let mut help = None;
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ');
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            if let Some((_, help)) = help.take() {
                push_line(&mut classic, &["# HELP ", name, suffix, " ", help]);
            }
            push_line(&mut classic, &["# TYPE ", name, suffix, " ", kind]);
        } else if !line.starts_with('#') {
            push_line(&mut classic, &[line]);
        }
    }
    classic
}

fn push_line(text: &mut String, parts: &[&str]) {
    for part in parts {
        text.push_str(part);
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_types_units_and_the_end_mark() {
        let text = "# HELP a_joules Energy.\n# TYPE a_joules counter\n# UNIT a_joules joules\na_joules_total{z=\"1\"} 0.5\n\
                    # HELP b What it is.\n# TYPE b info\nb_info{v=\"# HELP\"} 1\n\
                    # HELP c_watts Power.\n# TYPE c_watts gauge\nc_watts 2.0\n# EOF\n";
        let expected = "# HELP a_joules_total Energy.\n# TYPE a_joules_total counter\na_joules_total{z=\"1\"} 0.5\n\
                        # HELP b_info What it is.\n# TYPE b_info gauge\nb_info{v=\"# HELP\"} 1\n\
                        # HELP c_watts Power.\n# TYPE c_watts gauge\nc_watts 2.0\n";
        assert_eq!(from_openmetrics(text), expected);
    }
}
