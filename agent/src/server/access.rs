//! Authentication by the web configuration, read again when it or a file that it names has changed.
//!
//! A file that cannot be used changes nothing; the error is reported once, not at every check.

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use crate::server::passwords::{Users, check_hashes};
use crate::server::tls;
use crate::server::web_config::{WebConfig, WebConfigError};

/// Interval in which the files are checked. No request waits for it; a renewed certificate is valid for days.
const LOOK: Duration = Duration::from_secs(1);

/// Access rules of the web configuration. Without one, all clients have access.
#[derive(Clone, Default)]
pub(super) struct Access {
    /// With TLS, plain connections are not answered.
    pub(super) tls: Option<TlsAcceptor>,
    /// Without users, no password is required.
    pub(super) users: Users,
    /// Headers of every answer.
    pub(super) headers: HeaderMap,
}

impl fmt::Debug for Access {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let summary = Summary::of(self);
        formatter.debug_tuple("Access").field(&summary.to_string()).finish()
    }
}

/// Public summary of the access rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Whether connections are encrypted.
    pub is_encrypted: bool,
    /// Number of users; with none, no password is required.
    pub users: usize,
}

impl Summary {
    fn of(access: &Access) -> Self {
        Self { is_encrypted: access.tls.is_some(), users: access.users.len() }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = if self.is_encrypted { "TLS" } else { "no TLS" };
        match self.users {
            0 => write!(formatter, "{tls}, no password"),
            users => write!(formatter, "{tls}, passwords of {users} users"),
        }
    }
}

/// The headers that exporters support in the configuration.
const HEADERS: [&str; 5] = [
    "content-security-policy",
    "strict-transport-security",
    "x-content-type-options",
    "x-frame-options",
    "x-xss-protection",
];

impl Access {
    fn new(config: &WebConfig) -> Result<Self, WebConfigError> {
        check_hashes(&config.basic_auth_users)?;
        let tls = config.tls_server_config.as_ref().map(tls::server_config).transpose()?;
        Ok(Self {
            tls: tls.map(|config| TlsAcceptor::from(Arc::new(config))),
            users: config.basic_auth_users.clone(),
            headers: headers(config)?,
        })
    }
}

fn headers(config: &WebConfig) -> Result<HeaderMap, WebConfigError> {
    let mut headers = HeaderMap::new();
    for (name, value) in &config.http_server_config.headers {
        let invalid =
            |problem: String| WebConfigError::invalid(format!("http_server_config.headers.{name}"), problem);
        let known = HEADERS.iter().find(|known| known.eq_ignore_ascii_case(name));
        let known = known.ok_or_else(|| invalid(format!("is not one of {}", HEADERS.join(", "))))?;
        let value = HeaderValue::from_str(value).map_err(|error| invalid(error.to_string()))?;
        headers.insert(HeaderName::from_static(known), value);
    }
    Ok(headers)
}

/// Metadata of a file that change when it was changed or replaced.
type Look = Vec<Option<(u64, u64, u64, i64, i64)>>;

/// The web configuration, which is followed.
#[derive(Debug)]
pub(crate) struct AccessFile {
    path: PathBuf,
    /// The file itself, and the files that it names.
    files: Vec<PathBuf>,
    seen: Look,
    publisher: watch::Sender<Arc<Access>>,
}

/// The access rules in force; listeners read the current ones.
#[derive(Clone, Debug)]
pub struct AuthConfig(watch::Receiver<Arc<Access>>);

impl AuthConfig {
    /// Gives access to all clients.
    pub fn allow_all() -> Self {
        Self(watch::channel(Arc::default()).1)
    }

    /// Uses this configuration for ever.
    pub fn of(config: &WebConfig) -> Result<Self, WebConfigError> {
        Ok(Self(watch::channel(Arc::new(Access::new(config)?)).1))
    }

    /// The access rules in force now.
    pub(super) fn access(&self) -> Arc<Access> {
        Arc::clone(&self.0.borrow())
    }

    /// Summary of the access rules.
    pub fn summary(&self) -> Summary {
        Summary::of(&self.access())
    }
}

impl AccessFile {
    /// Reads the file; a problem at the start is an error.
    pub(crate) fn open(path: &Path) -> Result<(Self, AuthConfig), WebConfigError> {
        // Checked before it is read: a change in between is found at the next check.
        let mut file = Self {
            path: path.to_path_buf(),
            files: vec![path.to_path_buf()],
            seen: Look::new(),
            publisher: watch::channel(Arc::default()).0,
        };
        let access = file.read()?;
        file.publisher.send_replace(Arc::new(access));
        let auth_config = AuthConfig(file.publisher.subscribe());
        Ok((file, auth_config))
    }

    fn read(&mut self) -> Result<Access, WebConfigError> {
        self.seen = look(&self.files);
        let config = WebConfig::read(&self.path)?;
        self.files =
            std::iter::once(self.path.as_path()).chain(config.files()).map(Path::to_path_buf).collect();
        self.seen = look(&self.files);
        Access::new(&config)
    }

    /// Follows the file for ever.
    pub(crate) async fn follow(mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            // Small local files, about five system calls.
            if look(&self.files) == self.seen {
                continue;
            }
            match self.read() {
                Ok(access) => {
                    let summary = Summary::of(&access);
                    tracing::info!(file = %self.path.display(), "the web configuration is read again: {summary}");
                    self.publisher.send_replace(Arc::new(access));
                }
                Err(error) => {
                    let problem = crate::error::chain(&error);
                    tracing::error!(file = %self.path.display(), "{problem}: the access rules do not change");
                }
            }
        }
    }
}

/// The certificates of the listeners, for clients that pin them; `None` without TLS.
pub(crate) fn own_certificates(path: &Path) -> Result<Option<Vec<CertificateDer<'static>>>, WebConfigError> {
    let config = WebConfig::read(path)?;
    let Some(tls) = &config.tls_server_config else { return Ok(None) };
    tls::certificates("cert", tls.cert_file.as_deref(), tls.cert.as_deref())
}

fn look(files: &[PathBuf]) -> Look {
    let one = |path: &PathBuf| {
        let metadata = std::fs::metadata(path).ok()?;
        Some((metadata.dev(), metadata.ino(), metadata.size(), metadata.mtime(), metadata.mtime_nsec()))
    };
    files.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(text: &str) -> Result<Access, String> {
        let config = WebConfig::parse(text, Path::new("/nowhere")).map_err(|error| error.to_string())?;
        Access::new(&config).map_err(|error| error.to_string())
    }

    #[test]
    fn headers_are_those_that_exporters_know() {
        let text = "http_server_config: {headers: {X-Frame-Options: deny, content-security-policy: default-src 'self'}}";
        let access = access(text).unwrap();
        assert_eq!(access.headers["x-frame-options"], "deny");
        assert_eq!(access.headers["content-security-policy"], "default-src 'self'");
        for (header, says) in [("Server: x", "not one of"), ("X-Frame-Options: \"a\\nb\"", "header")] {
            let text = format!("http_server_config: {{headers: {{{header}}}}}");
            let error = super::tests::access(&text).unwrap_err();
            assert!(error.contains("http_server_config.headers.") && error.contains(says), "{error}");
        }
    }

    #[test]
    fn nothing_secret_is_printed() {
        let hash = bcrypt::hash("secret", 4).unwrap();
        let access = access(&format!("basic_auth_users: {{admin: '{hash}'}}")).unwrap();
        assert_eq!(format!("{access:?}"), "Access(\"no TLS, passwords of 1 users\")");
        let config = WebConfig::parse(&format!("basic_auth_users: {{admin: '{hash}'}}"), Path::new(""));
        assert!(!format!("{config:?}").contains(&hash));
    }
}
