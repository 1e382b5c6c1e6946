//! How is an agent asked?

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ureq::Agent;
use ureq::tls::{PemItem, RootCerts, TlsConfig, parse_pem};

use crate::api::Answer;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// Longest answer: a thousand workloads and transcodes are under one megabyte.
const LONGEST: u64 = 32 << 20;

/// Why an agent gives no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It is no address.
    #[error("--url {0}: no address such as http://host:9510")]
    Url(String),
    /// The certificate cannot be used.
    #[error("--ca {path}: {problem}", path = path.display())]
    Certificate {
        /// Where it was to be.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Nobody answers.
    #[error("no agent answers at {url}: {cause}; start one with `ffwatt run`, or name another with --url")]
    Unreachable {
        /// Where.
        url: String,
        /// Why not.
        cause: String,
    },
    /// It wants to know who asks.
    #[error("the agent at {url} wants a password: --url https://user:password@host:9510")]
    Password {
        /// Where.
        url: String,
    },
    /// It answers, but not as an agent does.
    #[error("{url} answers {problem}: is it an ffwatt of this version?")]
    Answer {
        /// Where.
        url: String,
        /// What it answers.
        problem: String,
    },
}

/// Asks one agent.
#[derive(Debug)]
pub(super) struct Client {
    agent: Agent,
    question: String,
    shown: String,
    authorization: Option<String>,
}

impl Client {
    pub(super) fn new(url: &str, ca: Option<&Path>) -> Result<Self, ClientError> {
        let (scheme, rest) = url
            .split_once("://")
            .filter(|(scheme, rest)| is_scheme(scheme) && !rest.is_empty())
            .ok_or_else(|| {
                // A password may stand in it.
                ClientError::Url(url.rsplit('@').next().unwrap_or_default().to_owned())
            })?;
        let (user, host) = rest.rsplit_once('@').map_or((None, rest), |(user, host)| (Some(user), host));
        let shown = format!("{scheme}://{}", host.trim_end_matches('/'));
        let question = format!("{shown}/api/v1/snapshot?include=workloads,transcodes,scenarios");
        let mut config = Agent::config_builder().timeout_global(Some(PATIENCE)).http_status_as_error(false);
        if let Some(path) = ca {
            config = config.tls_config(TlsConfig::builder().root_certs(roots(path)?).build());
        }
        let authorization = user.map(|user| format!("Basic {}", STANDARD.encode(user)));
        Ok(Self { agent: config.build().into(), question, shown, authorization })
    }

    /// Whom it asks, without a password.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }

    pub(super) fn ask(&self) -> Result<Answer, ClientError> {
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
        let body = answer.body_mut().with_config().limit(LONGEST).read_to_vec();
        let body = body.map_err(|error| ClientError::Unreachable { url: url(), cause: error.to_string() })?;
        serde_json::from_slice(&body)
            .map_err(|error| ClientError::Answer { url: url(), problem: error.to_string() })
    }
}

fn is_scheme(scheme: &str) -> bool {
    ["http", "https"].contains(&scheme)
}

fn roots(path: &Path) -> Result<RootCerts, ClientError> {
    let failed = |problem: String| ClientError::Certificate { path: path.to_path_buf(), problem };
    let bytes = fs::read(path).map_err(|error| failed(error.to_string()))?;
    let mut certificates = Vec::new();
    for item in parse_pem(&bytes) {
        if let PemItem::Certificate(certificate) = item.map_err(|error| failed(error.to_string()))? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        Err(failed("no certificate in it".to_owned()))
    } else {
        Ok(certificates.into())
    }
}
