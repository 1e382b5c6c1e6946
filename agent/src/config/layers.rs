//! Merges file, environment and flags into one configuration, and names the layer that an error comes from.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::fs::File;
use std::io::{self, Read};
use std::num::{ParseFloatError, ParseIntError};
use std::path::{Path, PathBuf};

use toml::{Table, Value};

use crate::config::keys::{KEYS, Key, Kind, PREFIX};
use crate::config::{Config, file_problem, restricted};

/// The variable that names the configuration file.
pub(crate) const FILE_VARIABLE: &str = "FFWATT_CONFIG";

/// The reason why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}", path = path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The error.
        #[source]
        cause: io::Error,
    },
    /// Users other than root can change the file, and the agent has more rights than its caller.
    #[error(
        "users other than root can change the configuration file {path}, and this ffwatt has file \
         capabilities: run `chown root:root` and `chmod go-w` on the file and on its folder",
        path = path.display()
    )]
    Shared {
        /// Its path.
        path: PathBuf,
    },
    /// A caller with fewer rights than the agent may not choose this option.
    #[error(
        "--{option} is refused: this ffwatt has file capabilities, so callers cannot set files, \
         programs, sockets or restrictions. Set the option in {usual_file} (owned by root and writable \
         only by root), or run ffwatt as root or as the systemd unit",
        usual_file = usual_file.display()
    )]
    Refused {
        /// The flag, without dashes.
        option: String,
        /// The file in which root configures it.
        usual_file: PathBuf,
    },
    /// The file has an error.
    #[error("in the configuration file {path}: {problem}", path = path.display())]
    File {
        /// Its path.
        path: PathBuf,
        /// The problem, with line and key.
        problem: String,
    },
    /// A value from the environment or the command line has a wrong form.
    #[error("{origin}: {problem}")]
    Value {
        /// The variable or flag.
        origin: String,
        /// The problem.
        problem: String,
    },
    /// A value is well-formed but cannot be used.
    #[error("{key}: {problem} (set by {origin})")]
    Invalid {
        /// The key.
        key: &'static str,
        /// The problem.
        problem: String,
        /// The layer of the value.
        origin: String,
    },
}

/// The layers above the defaults, lowest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layers {
    /// The configuration file; it must exist.
    pub file: Option<PathBuf>,
    /// The environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// Values of flags by key path.
    pub flags: BTreeMap<&'static str, String>,
    /// The agent has more rights than its caller: only a file that root alone can change counts.
    pub is_restricted: bool,
}

impl Layers {
    /// The effective configuration.
    pub(crate) fn resolve(&self) -> Result<Config, ConfigError> {
        let mut origins: BTreeMap<&'static str, String> = BTreeMap::new();
        let mut config = match &self.file {
            Some(path) => read_file(path, self.is_restricted, &mut origins)?,
            None => Config::default(),
        };
        for key in KEYS {
            let names =
                std::iter::once(key.variable()).chain(key.upstream.iter().map(|name| (*name).to_owned()));
            // Compose files write an empty variable for "not set".
            let set = names.filter_map(|name| Some((self.environment.get(&OsString::from(&name))?, name)));
            let Some((value, name)) = set.into_iter().find(|(value, _)| !value.is_empty()) else { continue };
            let origin = format!("environment variable {name}");
            config = with_value(&config, key, &value.to_string_lossy(), &origin)?;
            origins.insert(key.path, origin);
        }
        for key in KEYS {
            if let Some(value) = self.flags.get(key.path) {
                let origin = format!("--{}", key.flag());
                config = with_value(&config, key, value, &origin)?;
                origins.insert(key.path, origin);
            }
        }
        config = checked(config, &mut origins)?;
        config.user_state_dir = self.user_state_dir();
        Ok(config)
    }

    /// Variables that would set a key, or name the file.
    pub(crate) fn known_variables(&self) -> impl Iterator<Item = &OsStr> {
        let is_known = |name: &str| {
            let sets = |key: &Key| key.variable() == name || key.upstream.contains(&name);
            name == FILE_VARIABLE || KEYS.iter().any(sets)
        };
        let set = self.environment.iter().filter(|(_, value)| !value.is_empty());
        set.map(|(name, _)| name.as_os_str()).filter(move |name| name.to_str().is_some_and(is_known))
    }

    /// Variables with the prefix that are no key. No error, because orchestrators make variables of their own from a service's name.
    pub(crate) fn unknown_variables(&self) -> impl Iterator<Item = &OsStr> {
        let is_known = |name: &str| name == FILE_VARIABLE || KEYS.iter().any(|key| key.variable() == name);
        self.environment
            .keys()
            .map(OsString::as_os_str)
            .filter(move |name| name.to_str().is_some_and(|name| name.starts_with(PREFIX) && !is_known(name)))
    }

    /// <https://specifications.freedesktop.org/basedir-spec/latest/#variables>
    fn user_state_dir(&self) -> Option<PathBuf> {
        let variable =
            |name: &str| self.environment.get(&OsString::from(name)).filter(|value| !value.is_empty());
        let base = variable("XDG_STATE_HOME").map(PathBuf::from);
        base.or_else(|| Some(PathBuf::from(variable("HOME")?).join(".local/state")))
            .map(|base| base.join("ffwatt"))
    }
}

fn read_file(
    path: &Path,
    is_restricted: bool,
    origins: &mut BTreeMap<&'static str, String>,
) -> Result<Config, ConfigError> {
    let unreadable = |cause| ConfigError::Unreadable { path: path.to_path_buf(), cause };
    let mut file = File::open(path).map_err(unreadable)?;
    if is_restricted && !restricted::is_roots_alone(path, &file).map_err(unreadable)? {
        return Err(ConfigError::Shared { path: path.to_path_buf() });
    }
    let mut text = String::new();
    file.read_to_string(&mut text).map_err(unreadable)?;
    read_text(&text, path, origins)
}

/// The configuration of a file with this text, without environment and flags.
pub fn parse(text: &str) -> Result<Config, ConfigError> {
    let mut origins = BTreeMap::new();
    let config = read_text(text, Path::new("text"), &mut origins)?;
    checked(config, &mut origins)
}

fn checked(config: Config, origins: &mut BTreeMap<&'static str, String>) -> Result<Config, ConfigError> {
    config.check().map_err(|(key, problem)| ConfigError::Invalid {
        key,
        problem,
        origin: origins.remove(key).unwrap_or_else(|| "default".to_owned()),
    })?;
    Ok(config)
}

fn read_text(
    text: &str,
    path: &Path,
    origins: &mut BTreeMap<&'static str, String>,
) -> Result<Config, ConfigError> {
    let wrong = |error: toml::de::Error| ConfigError::File {
        path: path.to_path_buf(),
        problem: file_problem::describe(text, &error),
    };
    let config: Config = toml::from_str(text).map_err(wrong)?;
    let given: Table = toml::from_str(text).map_err(wrong)?;
    for key in KEYS.iter().filter(|key| look_up(&given, key.path).is_some()) {
        origins.insert(key.path, format!("configuration file {}", path.display()));
    }
    Ok(config)
}

/// The configuration as a commented file.
pub fn print(config: &Config) -> String {
    let table = as_table(config);
    let mut text =
        String::from("# ffwatt configuration. Every key is optional; the values below are in use.\n");
    let mut section = "";
    for key in KEYS {
        let (of, name) = key.path.rsplit_once('.').unwrap_or(("", key.path));
        if of != section {
            section = of;
            let _ = writeln!(text, "\n[{section}]");
        }
        let _ = writeln!(text, "\n{}", comment(key));
        let _ = match look_up(&table, key.path) {
            Some(value) => writeln!(text, "{name} = {value}"),
            None => writeln!(text, "# {name} ="),
        };
    }
    text
}

fn comment(key: &Key) -> String {
    let mut names = key.variable();
    for name in key.upstream {
        names = format!("{names}, {name}");
    }
    let more = if key.more.is_empty() { String::new() } else { format!(" {}", key.more) };
    format!("# {}{more}\n# {}\n# Environment: {names}. Flag: --{}", key.doc, key.values(), key.flag())
}

fn with_value(config: &Config, key: &Key, text: &str, origin: &str) -> Result<Config, ConfigError> {
    let wrong = |problem: String| ConfigError::Value { origin: origin.to_owned(), problem };
    let value = match key.kind {
        Kind::Text | Kind::Time => Value::String(text.to_owned()),
        Kind::Integer => {
            let number = text.trim().parse();
            let explain = |error: ParseIntError| wrong(format!("{text:?} is not a whole number: {error}"));
            Value::Integer(number.map_err(explain)?)
        }
        Kind::Number => {
            let number = text.trim().parse();
            let explain = |error: ParseFloatError| wrong(format!("{text:?} is not a number: {error}"));
            Value::Float(number.map_err(explain)?)
        }
        Kind::List => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            Value::Array(parts.map(|part| Value::String(part.to_owned())).collect())
        }
    };
    let mut table = as_table(config);
    set(&mut table, key.path, value);
    table.try_into().map_err(|error: toml::de::Error| {
        // The user who set the variable or flag may see its value.
        wrong(format!("{text:?} cannot be used, {}", file_problem::expectation(error.message())))
    })
}

pub(super) fn set(table: &mut Table, path: &str, value: Value) {
    match path.split_once('.') {
        None => table.insert(path.to_owned(), value),
        Some((section, name)) => {
            let section = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
            section.as_table_mut().and_then(|section| section.insert(name.to_owned(), value))
        }
    };
}

pub(super) fn as_table(config: &Config) -> Table {
    // Every part of the configuration is a table of plain values, so this cannot fail; a test checks it.
    Table::try_from(config).unwrap_or_default()
}

pub(super) fn look_up<'a>(table: &'a Table, path: &str) -> Option<&'a Value> {
    match path.split_once('.') {
        None => table.get(path),
        Some((section, name)) => table.get(section)?.as_table()?.get(name),
    }
}

#[cfg(test)]
mod tests;
