//! Parses Prometheus' text format, as far as tests query it.

use std::collections::{BTreeMap, HashSet};
use std::fmt;

use anyhow::{Context, bail};

/// One sample.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Its metric's name.
    pub name: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its value as written.
    pub text: String,
    /// Its value.
    pub value: f64,
}

impl Sample {
    /// A label; empty when the sample has none of that name.
    pub fn label(&self, name: &str) -> &str {
        self.labels.get(name).map_or("", String::as_str)
    }

    /// The value in millionths, exactly as written: joules as whole microjoules.
    pub fn millionths(&self) -> i128 {
        (self.value * 1e6).round() as i128
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{:?} {}", self.name, self.labels, self.text)
    }
}

/// A whole scrape.
#[derive(Clone, Debug, Default)]
pub struct Exposition {
    samples: Vec<Sample>,
}

impl Exposition {
    /// Parses a scrape; two samples of the same name and labels are an error, because Prometheus refuses them too.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let mut samples = Vec::new();
        let mut seen = HashSet::new();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let sample = parse_sample(line).with_context(|| format!("not a sample: {line}"))?;
            if !seen.insert(format!("{}{:?}", sample.name, sample.labels)) {
                bail!("a duplicate series: {line}");
            }
            samples.push(sample);
        }
        Ok(Self { samples })
    }

    /// Names of the metrics of all series with this label, once for each series, sorted.
    pub fn series_with(&self, label: &str, value: &str) -> Vec<&str> {
        let of_it = self.samples.iter().filter(|sample| sample.label(label) == value);
        let mut names: Vec<&str> = of_it.map(|sample| sample.name.as_str()).collect();
        names.sort_unstable();
        names
    }

    /// All samples of a metric.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.samples.iter().filter(move |sample| sample.name == name)
    }

    /// Samples of a metric with these labels, and maybe others.
    pub fn find<'a>(
        &'a self,
        name: &'a str,
        labels: &'a [(&'a str, &'a str)],
    ) -> impl Iterator<Item = &'a Sample> {
        self.all(name).filter(|sample| labels.iter().all(|(label, value)| sample.label(label) == *value))
    }

    /// The sum of a metric over the samples with these labels; `None` when there are none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let mut values = self.find(name, labels).map(|sample| sample.value).peekable();
        values.peek()?;
        Some(values.sum())
    }

    /// Names of all metrics.
    pub fn names(&self) -> HashSet<&str> {
        self.samples.iter().map(|sample| sample.name.as_str()).collect()
    }

    /// Host energy less the sum of all workloads and of what has ended, in microjoules, for every package and domain.
    pub fn residuals(&self) -> BTreeMap<(String, String), i128> {
        let mut left = BTreeMap::new();
        let key = |sample: &Sample| (sample.label("package").to_owned(), sample.label("domain").to_owned());
        for sample in self.all("ffwatt_host_energy_joules_total") {
            *left.entry(key(sample)).or_default() += sample.millionths();
        }
        let workloads = self.all("ffwatt_workload_energy_joules_total");
        for sample in workloads.chain(self.all("ffwatt_ended_energy_joules_total")) {
            *left.entry(key(sample)).or_default() -= sample.millionths();
        }
        left
    }
}

/// Checks that there is energy, and that the sum of all charges is the energy of the host, in each package and domain.
///
/// # Panics
///
/// When the sum is another one, or when there is no energy.
#[track_caller]
pub fn assert_closed(scrape: &Exposition) {
    assert!(scrape.all("ffwatt_host_energy_joules_total").next().is_some(), "no energy of the host");
    assert_no_residual(scrape);
}

/// As [`assert_closed`], of a host that may have no energy yet.
///
/// # Panics
///
/// When the sum is another one.
#[track_caller]
pub fn assert_no_residual(scrape: &Exposition) {
    let residuals = scrape.residuals();
    assert!(residuals.values().all(|left| *left == 0), "{residuals:?}");
    let shown: Vec<_> = scrape.all("ffwatt_attribution_residual_joules").map(|sample| sample.value).collect();
    assert!(shown.iter().all(|left| left.abs() < f64::EPSILON), "{shown:?}");
}

fn parse_sample(line: &str) -> Option<Sample> {
    let name_end = line.find(['{', ' '])?;
    let name = line[..name_end].to_owned();
    let (labels, rest) = match line[name_end..].strip_prefix('{') {
        Some(rest) => parse_labels(rest)?,
        None => (BTreeMap::new(), &line[name_end..]),
    };
    let text = rest.trim().to_owned();
    let value = text.parse().ok()?;
    Some(Sample { name, labels, text, value })
}

fn parse_labels(mut rest: &str) -> Option<(BTreeMap<String, String>, &str)> {
    let mut labels = BTreeMap::new();
    loop {
        rest = rest.trim_start_matches(',');
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((labels, rest));
        }
        let (name, value) = rest.split_once("=\"")?;
        let mut text = String::new();
        let mut characters = value.char_indices();
        let end = loop {
            match characters.next()? {
                (end, '"') => break end,
                (_, '\\') => match characters.next()?.1 {
                    'n' => text.push('\n'),
                    other => text.push(other),
                },
                (_, other) => text.push(other),
            }
        };
        labels.insert(name.to_owned(), text);
        rest = &value[end + 1..];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_with_everything_in_them() {
        let text = "# HELP a b\na{x=\"1\",y=\"q\\\"\\\\\\n}\"} 2.5\nb 3\n";
        let scrape = Exposition::parse(text).unwrap();
        assert_eq!(scrape.all("a").next().unwrap().label("y"), "q\"\\\n}");
        assert_eq!(scrape.sum("b", &[]), Some(3.0));
        assert_eq!(scrape.sum("c", &[]), None);
    }

    #[test]
    fn duplicates_are_refused() {
        assert!(Exposition::parse("a{x=\"1\"} 2\na{x=\"1\"} 3\n").is_err());
    }
}
