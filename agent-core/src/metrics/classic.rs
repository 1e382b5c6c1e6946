//! Converts OpenMetrics text to Prometheus' text format 0.0.4.
//!
//! The two differ in the comment lines only: 0.0.4 gives the family of a counter or an info the name of its samples, and has
//! no info (a gauge instead), no unit and no end mark (<https://prometheus.io/docs/instrumenting/exposition_formats/>).

/// Text 0.0.4, of the lines of [`super::openmetrics`].
#[derive(Debug, Default)]
pub(super) struct Classic {
    text: String,
    /// HELP is before TYPE, but the end of its name depends on the type.
    help: Option<String>,
}

impl Classic {
    pub(super) fn line(&mut self, line: &str) {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            self.help = rest.split_once(' ').map(|(_, help)| help.to_owned());
        } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' '))
        {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            if let Some(help) = self.help.take() {
                push_line(&mut self.text, &["# HELP ", name, suffix, " ", &help]);
            }
            push_line(&mut self.text, &["# TYPE ", name, suffix, " ", kind]);
        } else if !line.starts_with('#') {
            push_line(&mut self.text, &[line]);
        }
    }

    pub(super) fn text(self) -> String {
        self.text
    }
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
        let mut classic = Classic::default();
        text.lines().for_each(|line| classic.line(line));
        assert_eq!(classic.text(), expected);
    }
}
