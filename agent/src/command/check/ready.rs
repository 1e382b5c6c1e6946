//! `ffwatt check --ready`: tells whether the agent on this host has figures. For health checks of containers without curl.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::pinned;
use crate::config::Config;
use crate::error::chain;
use crate::server;

/// Time limit for the agent's answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// In place of a status: the agent closed the connection for lack of a client certificate.
pub(super) const REFUSED: &str = "refused";

/// Longest answer: a snapshot without lists is a few kilobytes.
const LONGEST: u64 = 1 << 20;

/// Requests `/ready` of the main listener; an error is a message when there is no answer or "not yet".
pub(crate) fn ready(config: &Config) -> Result<(), String> {
    match get(config, "/ready")?.0.as_str() {
        // It is the configured agent and lives; without a client certificate it shows no more.
        "200" | REFUSED => Ok(()),
        status => Err(format!("the agent at {}/ready answers {status}", url(config))),
    }
}

fn url(config: &Config) -> String {
    let scheme = if config.web.config_file.is_some() { "https" } else { "http" };
    format!("{scheme}://{}", reachable(config.listen.address, config.listen.port))
}

/// Status and body of an answer of the main listener.
pub(in crate::command) fn get(config: &Config, path: &str) -> Result<(String, Vec<u8>), String> {
    let address = reachable(config.listen.address, config.listen.port);
    let certificates = match &config.web.config_file {
        Some(file) => server::own_certificates(file).map_err(|error| chain(&error))?,
        None => None,
    };
    let scheme = if certificates.is_some() { "https" } else { "http" };
    let failed = |error: std::io::Error| format!("no agent answers at {scheme}://{address}{path}: {error}");
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    match certificates {
        None => ask(&mut stream, address, path).map_err(failed),
        Some(certificates) => {
            let mut connection = pinned::connection(&certificates, address.ip())?;
            match ask(&mut rustls::Stream::new(&mut connection, &mut stream), address, path) {
                Err(error) if pinned::is_refusal(&error) => Ok((REFUSED.to_owned(), Vec::new())),
                asked => asked.map_err(failed),
            }
        }
    }
}

/// A request by HTTP 1.0: the body ends with the connection.
fn ask(
    stream: &mut (impl Read + Write),
    address: SocketAddr,
    path: &str,
) -> std::io::Result<(String, Vec<u8>)> {
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    match stream.take(LONGEST).read_to_end(&mut answer) {
        // Over TLS the other side may close the connection without notice; the answer so far is valid.
        Err(error) if error.kind() == ErrorKind::UnexpectedEof && !answer.is_empty() => {}
        read => drop(read?),
    }
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(answer.len());
    let head = String::from_utf8_lossy(&answer[..end]);
    let status = head.split(' ').nth(1).unwrap_or_default().to_owned();
    Ok((status, answer.get(end + 4..).unwrap_or_default().to_vec()))
}

/// An address of all interfaces is reached on the loopback.
pub(crate) fn reachable(address: IpAddr, port: u16) -> SocketAddr {
    let address = match address {
        IpAddr::V4(any) if any.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(any) if any.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        other => other,
    };
    SocketAddr::new(address, port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everywhere_is_asked_at_home() {
        assert_eq!(reachable([0, 0, 0, 0].into(), 1).to_string(), "127.0.0.1:1");
        assert_eq!(reachable(Ipv6Addr::UNSPECIFIED.into(), 1).to_string(), "[::1]:1");
        assert_eq!(reachable([10, 0, 0, 1].into(), 1).to_string(), "10.0.0.1:1");
    }
}
