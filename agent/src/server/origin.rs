//! Refuses requests that a web page from another site makes a browser on this host send.
//!
//! A listener on a loopback address is for this host, but any page in a browser on this host can send requests to it. A page
//! may read the answers once its own host name resolves to 127.0.0.1 (DNS rebinding): such a request has that name in `Host`.
//! And it may post without reading the answer: such a request says so in `Origin` and `Sec-Fetch-Site`. Programs that are no
//! browsers send neither of the two, and `Host` is the address that they connect to.

use std::net::IpAddr;
use std::sync::Arc;

use axum::http::header::{HOST, ORIGIN};
use axum::http::uri::Authority;
use axum::http::{HeaderName, HeaderValue, Request, Uri};

#[cfg(test)]
mod tests;

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The reason why a request is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Foreign {
    /// Its `Host` is not one of this host.
    #[error(
        "the request is for another host: a listener on a loopback address answers requests for localhost, loopback addresses and \
         the names in listen.host_names only (Host header)"
    )]
    Host,
    /// It writes, and is from a page of another origin.
    #[error(
        "the request comes from a web page of another origin, and pages may not post here (Origin and Sec-Fetch-Site headers); \
         a page behind a reverse proxy needs its host name in listen.host_names"
    )]
    Origin,
}

/// Host names for which requests to a listener are accepted.
#[derive(Clone, Debug)]
pub(super) struct Hosts {
    address: IpAddr,
    names: Arc<[String]>,
}

impl Hosts {
    /// The names for a listener on this address; `names` are accepted besides those of the loopback.
    pub(super) fn new(address: IpAddr, names: Arc<[String]>) -> Self {
        Self { address: address.to_canonical(), names }
    }

    /// Checks whether a request may be answered.
    pub(super) fn check<Body>(&self, request: &Request<Body>) -> Result<(), Foreign> {
        if self.address.is_loopback() && !self.is_for_this_host(request) {
            return Err(Foreign::Host);
        }
        if !request.method().is_safe() && !self.is_from_here(request) {
            return Err(Foreign::Origin);
        }
        Ok(())
    }

    /// A request without a host name, which HTTP/1.0 allows, is not from a browser.
    fn is_for_this_host<Body>(&self, request: &Request<Body>) -> bool {
        let mut hosts = request.headers().get_all(HOST).iter();
        hosts.all(|host| authority(host).is_some_and(|host| self.is_known(&host)))
            && request.uri().authority().is_none_or(|host| self.is_known(host))
    }

    fn is_from_here<Body>(&self, request: &Request<Body>) -> bool {
        let headers = request.headers();
        let is_same_site = |site: &HeaderValue| matches!(site.as_bytes(), b"same-origin" | b"none");
        let host = headers.get(HOST).and_then(authority);
        headers.get_all(FETCH_SITE).iter().all(is_same_site)
            && headers.get_all(ORIGIN).iter().all(|origin| {
                host.as_ref().is_some_and(|host| self.is_known(host) && is_same_origin(origin, host))
            })
    }

    fn is_known(&self, authority: &Authority) -> bool {
        let host = authority.host();
        if let Some(address) = address(host) {
            return address.is_loopback() || address == self.address;
        }
        let host = host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase();
        // Browsers and resolvers resolve these names to the loopback (RFC 6761).
        host == "localhost"
            || host.ends_with(".localhost")
            || self.names.iter().any(|name| name.eq_ignore_ascii_case(&host))
    }
}

/// Host and port of a `Host` header, without a user.
fn authority(value: &HeaderValue) -> Option<Authority> {
    Authority::try_from(value.as_bytes()).ok().filter(|authority| !authority.as_str().contains('@'))
}

fn address(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    bare.unwrap_or(host).parse().ok().map(|address: IpAddr| address.to_canonical())
}

fn is_same_origin(origin: &HeaderValue, host: &Authority) -> bool {
    let Ok(origin) = Uri::try_from(origin.as_bytes()) else { return false };
    let usual = match origin.scheme_str() {
        Some("http") => 80,
        Some("https") => 443,
        _ => return false,
    };
    origin.authority().is_some_and(|origin| {
        origin.host().eq_ignore_ascii_case(host.host())
            && origin.port_u16().unwrap_or(usual) == host.port_u16().unwrap_or(usual)
    })
}
