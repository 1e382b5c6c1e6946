//! Builds the TLS configuration of listeners from `tls_server_config`: TLS 1.2 and 1.3, with rustls and ring.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{CipherSuite, NamedGroup, RootCertStore, ServerConfig, SupportedProtocolVersion};

use crate::server::web_config::{ClientAuth, Secret, TlsConfig, Version, WebConfigError, read_text};

const SECTION: &str = "tls_server_config";

fn invalid(key: &str, problem: impl Into<String>) -> WebConfigError {
    WebConfigError::invalid(format!("{SECTION}.{key}"), problem)
}

/// Builds the TLS configuration.
pub(super) fn server_config(config: &TlsConfig) -> Result<ServerConfig, WebConfigError> {
    let chain = certificates("cert", config.cert_file.as_deref(), config.cert.as_deref())?
        .ok_or_else(|| invalid("cert_file", "is missing"))?;
    let key = private_key(config)?;
    let provider = Arc::new(provider(config)?);
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&versions(config)?)
        .map_err(|error| invalid("cipher_suites", error.to_string()))?;
    let builder = match client_verifier(config, provider)? {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut server = builder
        .with_single_cert(chain, key)
        .map_err(|error| invalid("key_file", format!("does not match cert_file: {error}")))?;
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(server)
}

/// A file or its inline text; both is an error.
fn text(
    key: &str,
    file: Option<&std::path::Path>,
    inline: Option<&str>,
) -> Result<Option<String>, WebConfigError> {
    match (file, inline) {
        (Some(_), Some(_)) => Err(invalid(key, format!("is given twice: as {key} and as {key}_file"))),
        (Some(path), None) => read_text(path).map(Some),
        (None, inline) => Ok(inline.map(str::to_owned)),
    }
}

/// Parses the certificates of a PEM text.
pub(super) fn certificates(
    key: &str,
    file: Option<&std::path::Path>,
    inline: Option<&str>,
) -> Result<Option<Vec<CertificateDer<'static>>>, WebConfigError> {
    let Some(text) = text(key, file, inline)? else { return Ok(None) };
    let found = CertificateDer::pem_slice_iter(text.as_bytes()).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| {
        invalid(&format!("{key}_file"), format!("is not a PEM file: {}", pem_problem(&error)))
    })?;
    if found.is_empty() {
        return Err(invalid(&format!("{key}_file"), "has no certificate"));
    }
    Ok(Some(found))
}

fn private_key(config: &TlsConfig) -> Result<PrivateKeyDer<'static>, WebConfigError> {
    let inline = config.key.as_ref().map(|Secret(key)| key.as_str());
    let text = text("key", config.key_file.as_deref(), inline)?;
    let text = text.ok_or_else(|| invalid("key_file", "is missing"))?;
    PrivateKeyDer::from_pem_slice(text.as_bytes())
        .map_err(|error| invalid("key_file", format!("has no private key: {}", pem_problem(&error))))
}

/// The problem of a PEM text, without its lines.
fn pem_problem(error: &pem::Error) -> &'static str {
    match error {
        pem::Error::MissingSectionEnd { .. } => "a section has no end",
        pem::Error::IllegalSectionStart { .. } => "a section has an invalid first line",
        pem::Error::Base64Decode(_) => "a section is not base64",
        pem::Error::NoItemsFound => "no such section",
        _ => "it cannot be read",
    }
}

fn versions(config: &TlsConfig) -> Result<Vec<&'static SupportedProtocolVersion>, WebConfigError> {
    let from_12 = config.min_version != Version::Tls13;
    let to_13 = config.max_version != Version::Tls12;
    let both = [(from_12, &rustls::version::TLS12), (to_13, &rustls::version::TLS13)];
    let versions: Vec<_> =
        both.into_iter().filter_map(|(wanted, version)| wanted.then_some(version)).collect();
    if versions.is_empty() {
        return Err(invalid("max_version", "is below min_version"));
    }
    Ok(versions)
}

/// Ring's provider, with the configured cipher suites.
fn provider(config: &TlsConfig) -> Result<CryptoProvider, WebConfigError> {
    let mut provider = ring::default_provider();
    if !config.cipher_suites.is_empty() {
        let known = |suite: CipherSuite| {
            let name = format!("{suite:?}");
            // Go leaves the version out of the names of TLS 1.3's suites.
            name.replacen("TLS13_", "TLS_", 1)
        };
        let offered = provider.cipher_suites.clone();
        provider.cipher_suites =
            wanted(&config.cipher_suites, "cipher_suites", &offered, |suite| known(suite.suite()))?;
    }
    if !config.curve_preferences.is_empty() {
        let offered = provider.kx_groups.clone();
        provider.kx_groups = wanted(&config.curve_preferences, "curve_preferences", &offered, |group| {
            let name = match group.name() {
                NamedGroup::secp256r1 => "CurveP256",
                NamedGroup::secp384r1 => "CurveP384",
                NamedGroup::X25519 => "X25519",
                _ => "",
            };
            name.to_owned()
        })?;
    }
    Ok(provider)
}

/// The named ones of `offered`, in the order of the names.
fn wanted<T: Copy>(
    names: &[String],
    key: &str,
    offered: &[T],
    name_of: impl Fn(&T) -> String,
) -> Result<Vec<T>, WebConfigError> {
    let find = |name: &String| {
        let found = offered.iter().copied().find(|candidate| name_of(candidate) == *name);
        found.ok_or_else(|| {
            let known: Vec<String> = offered.iter().map(&name_of).collect();
            invalid(key, format!("has an entry that is not one of {}", known.join(", ")))
        })
    };
    names.iter().map(find).collect()
}

fn client_verifier(
    config: &TlsConfig,
    provider: Arc<CryptoProvider>,
) -> Result<Option<Arc<dyn ClientCertVerifier>>, WebConfigError> {
    let authorities =
        certificates("client_ca", config.client_ca_file.as_deref(), config.client_ca.as_deref())?;
    let Some(authorities) = authorities else {
        return match config.client_auth_type {
            ClientAuth::NoClientCert => Ok(None),
            kind => Err(invalid("client_ca_file", format!("is missing: client_auth_type {kind:?} needs it"))),
        };
    };
    if config.client_auth_type == ClientAuth::NoClientCert {
        let problem = "is NoClientCert, but client_ca_file is given: set RequireAndVerifyClientCert, or \
            remove client_ca_file";
        return Err(invalid("client_auth_type", problem));
    }
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        roots.add(authority).map_err(|error| invalid("client_ca_file", error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), provider);
    let builder = match config.client_auth_type {
        ClientAuth::VerifyClientCertIfGiven => builder.allow_unauthenticated(),
        _ => builder,
    };
    builder.build().map(Some).map_err(|error| invalid("client_ca_file", error.to_string()))
}
