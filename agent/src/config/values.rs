//! Types of single configuration values, and their syntax.

use std::fmt;
use std::time::Duration;

use agent_core::attribution::IdlePolicy;
use agent_core::energy::estimate::ProcessorChoice;
use agent_core::energy::generation;
use agent_core::model::energy::EnergySourceKind;
use serde::de::{Error, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};

/// The CPU meter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CpuChoice {
    /// eBPF, else cgroupfs.
    #[default]
    Auto,
    /// eBPF only.
    Bpf,
    /// cgroupfs only.
    Cgroupfs,
}

/// The source of energy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum EnergyChoice {
    /// The best source that works; the model, where none does.
    #[default]
    Auto,
    /// This source, or none.
    Only(EnergySourceKind),
}

impl EnergyChoice {
    const AUTO: &str = "auto";

    /// All values.
    pub const NAMES: [&str; EnergySourceKind::ALL.len() + 1] = {
        let mut names = [Self::AUTO; EnergySourceKind::ALL.len() + 1];
        let mut index = 0;
        while index < EnergySourceKind::ALL.len() {
            names[index + 1] = EnergySourceKind::ALL[index].name();
            index += 1;
        }
        names
    };

    /// Whether this source may be used.
    pub fn allows(self, kind: EnergySourceKind) -> bool {
        self == Self::Auto || self == Self::Only(kind)
    }
}

impl<'de> Deserialize<'de> for EnergyChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        if name == Self::AUTO {
            return Ok(Self::Auto);
        }
        let kind = EnergySourceKind::named(&name);
        kind.map(Self::Only).ok_or_else(|| D::Error::unknown_variant(&name, &Self::NAMES))
    }
}

impl From<EnergyChoice> for String {
    fn from(choice: EnergyChoice) -> Self {
        match choice {
            EnergyChoice::Auto => EnergyChoice::AUTO.to_owned(),
            EnergyChoice::Only(kind) => kind.name().to_owned(),
        }
    }
}

/// The processor of the model: [`ProcessorChoice`] as written in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub struct ModelCpu(pub ProcessorChoice);

impl ModelCpu {
    const AUTO: &str = "auto";
    const FLAT: &str = "flat";

    /// All values.
    const NAMES: [&str; generation::ALL.len() + 2] = {
        let mut names = [Self::AUTO; generation::ALL.len() + 2];
        names[1] = Self::FLAT;
        let mut index = 0;
        while index < generation::ALL.len() {
            names[index + 2] = generation::ALL[index].name;
            index += 1;
        }
        names
    };
}

impl<'de> Deserialize<'de> for ModelCpu {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Ok(Self(match name.as_str() {
            Self::AUTO => ProcessorChoice::Auto,
            Self::FLAT => ProcessorChoice::Flat,
            _ => {
                let unknown = || D::Error::unknown_variant(&name, &Self::NAMES);
                ProcessorChoice::Only(generation::named(&name).ok_or_else(unknown)?)
            }
        }))
    }
}

impl From<ModelCpu> for String {
    fn from(ModelCpu(choice): ModelCpu) -> Self {
        match choice {
            ProcessorChoice::Auto => ModelCpu::AUTO,
            ProcessorChoice::Flat => ModelCpu::FLAT,
            ProcessorChoice::Only(generation) => generation.name,
        }
        .to_owned()
    }
}

/// A restriction of the agent itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Restriction {
    /// Gives up capabilities that are no longer needed.
    Capabilities,
    /// Started programs get no more privileges than the agent has.
    NoNewPrivs,
    /// Refuses writing to folders other than the agent's.
    Landlock,
    /// Refuses system calls that the agent never makes.
    Seccomp,
}

impl Restriction {
    /// Short name for a narrow column.
    pub fn short(self) -> &'static str {
        match self {
            Self::Capabilities => "caps",
            Self::NoNewPrivs => "new privs",
            Self::Landlock | Self::Seccomp => self.name(),
        }
    }

    /// Name in the configuration.
    pub fn name(self) -> &'static str {
        match self {
            Self::Capabilities => "capabilities",
            Self::NoNewPrivs => "no_new_privs",
            Self::Landlock => "landlock",
            Self::Seccomp => "seccomp",
        }
    }
}

/// [`IdlePolicy`] as written in the configuration.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IdleChoice {
    #[default]
    Own,
    Proportional,
    Even,
    Reservation,
}

impl From<IdleChoice> for IdlePolicy {
    fn from(choice: IdleChoice) -> Self {
        match choice {
            IdleChoice::Own => Self::Own,
            IdleChoice::Proportional => Self::Proportional,
            IdleChoice::Even => Self::Even,
            IdleChoice::Reservation => Self::Reservation,
        }
    }
}

/// Accepted senders of progress posts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProgressSenders {
    /// Senders on this host and in its containers.
    #[default]
    Host,
    /// All senders that can reach the listener.
    Anywhere,
}

/// Verbosity of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    Error,
    Warn,
    #[default]
    Info,
    Debug,
    Trace,
}

/// Format of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// A duration, written `100ms`, `1s`, `2m`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct HumanDuration(pub Duration);

impl fmt::Display for HumanDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl Serialize for HumanDuration {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HumanDuration {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl Written {
            fn parse<E: serde::de::Error>(
                self,
                text: &str,
                written: Unexpected<'_>,
            ) -> Result<HumanDuration, E> {
                HumanDuration::parse(text).map_err(|_quotes_the_text| E::invalid_value(written, &self))
            }
        }
        impl serde::de::Visitor<'_> for Written {
            type Value = HumanDuration;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("a length of time such as \"1s\" or \"100ms\", or a number of seconds")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<HumanDuration, E> {
                self.parse(text, Unexpected::Str(text))
            }

            fn visit_i64<E: serde::de::Error>(self, seconds: i64) -> Result<HumanDuration, E> {
                self.parse(&seconds.to_string(), Unexpected::Signed(seconds))
            }

            fn visit_f64<E: serde::de::Error>(self, seconds: f64) -> Result<HumanDuration, E> {
                self.parse(&seconds.to_string(), Unexpected::Float(seconds))
            }
        }
        deserializer.deserialize_any(Written)
    }
}

impl HumanDuration {
    /// Parses `100ms`, `1s`, `2m`; a bare number is seconds, as in the tools that ffwatt replaces.
    pub fn parse(text: &str) -> Result<Self, String> {
        let seconds = text.trim().parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        if let Some(time) = seconds {
            return Ok(Self(time));
        }
        humantime::parse_duration(text)
            .map(Self)
            .map_err(|error| format!("{text:?} is not a length of time such as \"1s\": {error}"))
    }
}
