//! Reads the web configuration (TLS and passwords), in the file format that Prometheus' exporters share.
//!
//! The format is <https://github.com/prometheus/exporter-toolkit/blob/master/docs/web-configuration.md>. Its values are secrets, or paths
//! of secrets: nothing here prints values, only keys, lines and names.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde_saphyr::Error;

use crate::misspelt::unknown_key;

/// Larger than any web configuration or certificate.
const LARGEST: u64 = 1 << 20;

/// The reason why a web configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum WebConfigError {
    /// A file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Unreadable {
        /// Its path.
        path: PathBuf,
        /// The error.
        #[source]
        cause: io::Error,
    },
    /// The file has a syntax error.
    #[error("in the web configuration: {0}")]
    Syntax(String),
    /// A value is well-formed but cannot be used.
    #[error("in the web configuration, {key}: {problem}")]
    Invalid {
        /// The key.
        key: String,
        /// The problem, and the right form.
        problem: String,
    },
}

impl WebConfigError {
    pub(super) fn invalid(key: impl Into<String>, problem: impl Into<String>) -> Self {
        Self::Invalid { key: key.into(), problem: problem.into() }
    }
}

/// The content of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebConfig {
    pub(super) tls_server_config: Option<TlsConfig>,
    pub(super) http_server_config: HttpConfig,
    pub(super) basic_auth_users: BTreeMap<String, Secret>,
}

/// `tls_server_config`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsConfig {
    pub(super) cert_file: Option<PathBuf>,
    pub(super) key_file: Option<PathBuf>,
    pub(super) client_ca_file: Option<PathBuf>,
    pub(super) cert: Option<String>,
    pub(super) key: Option<Secret>,
    pub(super) client_ca: Option<String>,
    pub(super) client_auth_type: ClientAuth,
    pub(super) min_version: Version,
    pub(super) max_version: Version,
    pub(super) cipher_suites: Vec<String>,
    pub(super) curve_preferences: Vec<String>,
    /// All cipher suites are good: the order makes no useful difference.
    #[serde(rename = "prefer_server_cipher_suites")]
    _prefer_server_cipher_suites: Option<bool>,
}

/// `client_auth_type`, by Go's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) enum ClientAuth {
    #[default]
    #[serde(alias = "")]
    NoClientCert,
    VerifyClientCertIfGiven,
    RequireAndVerifyClientCert,
}

/// `min_version` and `max_version`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub(super) enum Version {
    #[default]
    #[serde(alias = "")]
    Any,
    #[serde(rename = "TLS12")]
    Tls12,
    #[serde(rename = "TLS13")]
    Tls13,
}

/// `http_server_config`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HttpConfig {
    /// A permission that is not used: answers are small, and HTTP/1.1 has less to attack.
    #[serde(rename = "http2")]
    _http2: Option<bool>,
    pub(super) headers: BTreeMap<String, String>,
}

/// A text that is not printed.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub(super) struct Secret(pub(super) String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("…")
    }
}

impl WebConfig {
    /// Parses the text of a file; paths in it are relative to `folder`.
    pub fn parse(text: &str, folder: &Path) -> Result<Self, WebConfigError> {
        if text.trim().is_empty() {
            return Ok(Self::default());
        }
        let wrong = |error: serde_saphyr::Error| WebConfigError::Syntax(without_contents(&error));
        // A file of comments only is a null.
        let read: Option<Self> = serde_saphyr::from_str(text).map_err(wrong)?;
        let mut config = read.unwrap_or_default();
        if let Some(tls) = &mut config.tls_server_config {
            for path in [&mut tls.cert_file, &mut tls.key_file, &mut tls.client_ca_file].into_iter().flatten()
            {
                *path = folder.join(&*path);
            }
        }
        Ok(config)
    }

    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self, WebConfigError> {
        let text = read_text(path)?;
        Self::parse(&text, path.parent().unwrap_or(Path::new("")))
    }

    /// The files it names.
    pub(super) fn files(&self) -> impl Iterator<Item = &Path> {
        let tls = self.tls_server_config.as_ref();
        let named = tls.map(|tls| [&tls.cert_file, &tls.key_file, &tls.client_ca_file]);
        named.into_iter().flatten().flatten().map(PathBuf::as_path)
    }
}

/// The problem and its place: the name of a key, the expected form, and nothing of the file's text.
fn without_contents(error: &serde_saphyr::Error) -> String {
    let place = error
        .location()
        .map_or_else(String::new, |at| format!("line {}, column {}: ", at.line(), at.column()));
    let problem = match error.without_snippet() {
        Error::SerdeUnknownField { field, expected, .. } => {
            let known = expected.iter().copied();
            format!("{}, expected one of {}", unknown_key(field, known), expected.join(", "))
        }
        Error::DuplicateMappingKey { .. } => "a key is given twice".to_owned(),
        Error::SerdeUnknownVariant { expected, .. } => format!("expected one of {}", expected.join(", ")),
        Error::SerdeInvalidType { expected, .. } | Error::SerdeInvalidValue { expected, .. } => {
            format!("expected {expected}")
        }
        Error::SerdeMissingField { field, .. } => format!("{field} is missing"),
        _ => "not valid YAML of a web configuration (its content is not shown, because it can be a secret)"
            .to_owned(),
    };
    format!("{place}{problem}")
}

/// The text of a small file.
pub(super) fn read_text(path: &Path) -> Result<String, WebConfigError> {
    use std::io::Read;
    let unreadable = |cause| WebConfigError::Unreadable { path: path.to_path_buf(), cause };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(LARGEST + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > LARGEST {
        return Err(unreadable(io::Error::new(io::ErrorKind::FileTooLarge, "larger than a megabyte")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
