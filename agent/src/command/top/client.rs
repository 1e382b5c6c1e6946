//! Requests snapshots from an agent's API, with TLS and authentication.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::crypto::ring;
use ureq::Agent;
use ureq::tls::{Certificate, PemItem, TlsConfig, parse_pem};

use crate::api::Answer;

/// Time limit for an answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest answer: a thousand workloads and transcodes are under one megabyte.
const LONGEST: u64 = 32 << 20;

/// The reason why an agent gives no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClientError {
    /// The text is no address.
    #[error("--url {0} is not an address such as http://host:9510")]
    Url(String),
    /// The CA file cannot be used.
    #[error("--ca {path}: {problem}", path = path.display())]
    Certificate {
        /// Path of the file.
        path: PathBuf,
        /// The problem.
        problem: String,
    },
    /// This host has no trusted CA certificates.
    #[error("no trusted CA certificates on this host; pass the CA file with --ca")]
    NobodyToBelieve,
    /// The agent cannot be reached.
    #[error(
        "no agent answers at {url}: {cause}; start an agent with `ffwatt run`, or give its address \
            with --url"
    )]
    Unreachable {
        /// The address.
        url: String,
        /// The error.
        cause: String,
    },
    /// The agent requires authentication.
    #[error("the agent at {url} requires a password; use --url https://user:password@host:9510")]
    Password {
        /// The address.
        url: String,
    },
    /// The answer is not an agent's.
    #[error(
        "unexpected answer from {url}: {problem}; check that this address is an ffwatt of the same \
            version"
    )]
    Answer {
        /// The address.
        url: String,
        /// The problem of the answer.
        problem: String,
    },
}

/// A client of one agent.
#[derive(Debug)]
pub(crate) struct Client {
    agent: Agent,
    question: String,
    shown: String,
    authorization: Option<String>,
}

impl Client {
    pub(crate) fn new(url: &str, ca: Option<&Path>) -> Result<Self, ClientError> {
        let (scheme, rest) = url
            .split_once("://")
            .filter(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty())
            .ok_or_else(|| {
                // The address may contain a password.
                ClientError::Url(url.rsplit('@').next().unwrap_or_default().to_owned())
            })?;
        let (user, host) = rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
        let shown = format!("{scheme}://{}", host.trim_end_matches('/'));
        let question = format!("{shown}/api/v1/snapshot?include=workloads,transcodes,scenarios");
        let roots = match (ca, scheme) {
            (Some(path), _) => certificates(path)?,
            (None, "https") => certificates_of_host()?,
            (None, _) => Vec::new(),
        };
        let tls = TlsConfig::builder()
            .unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()))
            .root_certs(roots.into());
        let config = Agent::config_builder()
            .timeout_global(Some(PATIENCE))
            .http_status_as_error(false)
            .tls_config(tls.build());
        let authorization = user.map(|user| format!("Basic {}", STANDARD.encode(user)));
        Ok(Self { agent: config.build().into(), question, shown, authorization })
    }

    /// The address, without a password.
    pub(crate) fn shown(&self) -> &str {
        &self.shown
    }

    pub(crate) fn ask(&self) -> Result<Answer, ClientError> {
        let url = || self.shown.clone();
        let mut request = self.agent.get(&self.question);
        if let Some(authorization) = &self.authorization {
            request = request.header("Authorization", authorization);
        }
        let mut answer = request
            .call()
            .map_err(|error| ClientError::Unreachable { url: url(), cause: error.to_string() })?;
        match answer.status().as_u16() {
            200 => {}
            401 => return Err(ClientError::Password { url: url() }),
            status => return Err(ClientError::Answer { url: url(), problem: status.to_string() }),
        }
        let age = answer.headers().get("age").and_then(|age| age.to_str().ok()?.parse().ok());
        let body = answer.body_mut().with_config().limit(LONGEST).read_to_vec();
        let body = body.map_err(|error| ClientError::Unreachable { url: url(), cause: error.to_string() })?;
        let answer: Answer = serde_json::from_slice(&body)
            .map_err(|error| ClientError::Answer { url: url(), problem: error.to_string() })?;
        Ok(Answer { age: Duration::from_secs(age.unwrap_or(0)), ..answer })
    }
}

fn is_scheme(scheme: &str) -> bool {
    ["http", "https"].contains(&scheme)
}

fn certificates(path: &Path) -> Result<Vec<Certificate<'static>>, ClientError> {
    let failed = |problem: String| ClientError::Certificate { path: path.to_path_buf(), problem };
    let bytes = fs::read(path).map_err(|error| failed(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&bytes) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| failed(error.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        Err(failed("the file has no certificate".to_owned()))
    } else {
        Ok(certificates)
    }
}

/// The host's trusted CA certificates, by OpenSSL's rules: `SSL_CERT_FILE`, or the distribution's bundle.
fn certificates_of_host() -> Result<Vec<Certificate<'static>>, ClientError> {
    let found = rustls_native_certs::load_native_certs().certs;
    if found.is_empty() {
        return Err(ClientError::NobodyToBelieve);
    }
    Ok(found.iter().map(|certificate| Certificate::from_der(certificate).to_owned()).collect())
}
