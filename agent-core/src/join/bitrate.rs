//! Parses the bitrates of result files, in the three ways of the tools that ffwatt replaces.
//!
//! The figures of those tools depend on how they read a bitrate such as `2500`. Each way is kept, by its name.

/// Megabits per second.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Megabits(pub f64);

/// The tool of upstream whose syntax is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// The advisor: `k` and `M`; a bare number is thousands.
    Advisor,
    /// The results exporter: `kbps`, `Mbps` and `bps` too; a bare number is thousands when it is above 1000, else millions.
    Results,
    /// The runner of workloads: as the advisor, but only whole words.
    Runner,
}

/// Parses a bitrate; `None` when the text is none, or several.
pub fn parse(text: &str, dialect: Dialect) -> Option<Megabits> {
    let mut text = text.trim().to_ascii_lowercase();
    if dialect == Dialect::Results {
        text.retain(|character| !character.is_whitespace());
    }
    let (text, is_bits) = match (dialect, text.strip_suffix("bps")) {
        (Dialect::Results, Some(rest)) => (rest.trim(), true),
        _ => (text.as_str(), false),
    };
    let value = match (text.strip_suffix('k'), text.strip_suffix('m')) {
        (Some(thousands), _) => number(thousands)? / 1000.0,
        (None, Some(millions)) => number(millions)?,
        (None, None) if is_bits => number(text)? / 1e6,
        (None, None) => {
            let value = number(text)?;
            if dialect == Dialect::Results && value <= 1000.0 { value } else { value / 1000.0 }
        }
    };
    (value > 0.0).then_some(Megabits(value))
}

fn number(text: &str) -> Option<f64> {
    let is_plain = text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    text.trim().parse().ok().filter(|value: &f64| is_plain && value.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Upstream's own table: the result of each tool, in megabits.
    #[test]
    fn the_three_dialects() {
        let table = [
            ("2500k", Some(2.5), Some(2.5), Some(2.5)),
            ("5M", Some(5.0), Some(5.0), Some(5.0)),
            ("3000", Some(3.0), Some(3.0), Some(3.0)),
            ("1000", Some(1.0), Some(1000.0), Some(1.0)),
            ("500", Some(0.5), Some(500.0), Some(0.5)),
            ("2500kbps", None, Some(2.5), None),
            ("5mbps", None, Some(5.0), None),
            ("2500 kbps", None, Some(2.5), None),
            ("2.5 Mbps", None, Some(2.5), None),
            ("1000000bps", None, Some(1.0), None),
            ("", None, None, None),
            ("N/A", None, None, None),
            ("0k", None, None, None),
            ("1000k,2500k,5M", None, None, None),
            ("1e5", None, None, None),
            ("-5M", None, None, None),
        ];
        for (text, advisor, results, runner) in table {
            let read = |dialect| parse(text, dialect).map(|megabits| megabits.0);
            assert_eq!(read(Dialect::Advisor), advisor, "{text} by the advisor");
            assert_eq!(read(Dialect::Results), results, "{text} by the results exporter");
            assert_eq!(read(Dialect::Runner), runner, "{text} by the runner");
        }
    }
}
