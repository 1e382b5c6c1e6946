//! Reads the description of a PMU and its events from sysfs.
//!
//! The format is that of `Documentation/ABI/testing/sysfs-bus-event_source-devices-events`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use agent_core::energy::unit::EnergyUnit;

use super::super::cpu_list;
use crate::source::SourceError;

/// A PMU's folder.
#[derive(Debug)]
pub(super) struct Pmu {
    pub(super) folder: PathBuf,
    /// Number for `perf_event_open`, assigned at run time.
    pub(super) number: u32,
    /// One CPU for each of its counters; `None` when the PMU does not list them.
    pub(super) cpus: Option<Vec<usize>>,
}

/// An energy event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    /// Value for `perf_event_attr.config`.
    pub(super) config: u64,
    /// Energy of one count.
    pub(super) unit: EnergyUnit,
}

impl Pmu {
    /// `None` when there is no such PMU.
    pub(super) fn read(folder: &Path) -> Result<Option<Self>, SourceError> {
        let Some(number) = read(&folder.join("type"))? else { return Ok(None) };
        let Ok(number) = number.parse() else { return Err(nonsense(&folder.join("type"), "a number")) };
        let mask = folder.join("cpumask");
        let cpus = match read(&mask)? {
            Some(list) => Some(cpu_list::parse(&list).ok_or_else(|| nonsense(&mask, "a list of CPUs"))?),
            None => None,
        };
        Ok(Some(Self { folder: folder.to_owned(), number, cpus }))
    }

    /// `None` when the PMU has no such event.
    pub(super) fn event(&self, name: &str) -> Result<Option<Event>, SourceError> {
        let file = |suffix: &str| self.folder.join("events").join(format!("{name}{suffix}"));
        let Some(terms) = read(&file(""))? else { return Ok(None) };
        let config = parse_terms(&terms).ok_or_else(|| nonsense(&file(""), "event=NUMBER"))?;
        if read(&file(".unit"))?.is_some_and(|unit| unit != "Joules") {
            return Err(nonsense(&file(".unit"), "Joules"));
        }
        let scale = read(&file(".scale"))?.unwrap_or_default();
        let unit = EnergyUnit::parse_joules(&scale)
            .ok_or_else(|| nonsense(&file(".scale"), "a number of joules"))?;
        Ok(Some(Event { config, unit }))
    }
}

/// Parses `event=0x02`. Both PMUs have only this term, the low bits of `config` (`PMU_FORMAT_ATTR(event, "config:0-7")`,
/// `arch/x86/events/rapl.c`); any other term is refused.
fn parse_terms(text: &str) -> Option<u64> {
    let number = text.strip_prefix("event=")?;
    match number.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16).ok(),
        None => number.parse().ok(),
    }
}

/// Text of a file; `None` when it does not exist.
fn read(path: &Path) -> Result<Option<String>, SourceError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(SourceError::transient(format!("read {}", path.display()), error)),
    }
}

fn nonsense(path: &Path, expected: &str) -> SourceError {
    SourceError::broken(format!("{} does not contain {expected}", path.display()))
}
