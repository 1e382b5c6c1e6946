//! `ffwatt check --ready`: does the agent that runs here have figures? For health checks of containers, which may have no curl.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use super::pinned;
use crate::config::Config;
use crate::server;
use crate::source::chain;

/// How long the agent may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the main listener says to `/ready`; an error in words when it says nothing or "not yet".
pub fn ready(config: &Config) -> Result<(), String> {
    let address = reachable(config.listen.address, config.listen.port);
    let certificates = match &config.web.config_file {
        Some(path) => server::own_certificates(path).map_err(|error| chain(&error))?,
        None => None,
    };
    let scheme = if certificates.is_some() { "https" } else { "http" };
    let failed = |error: std::io::Error| format!("no agent answers at {scheme}://{address}/ready: {error}");
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let status = match certificates {
        None => ask(&mut stream, address).map_err(failed)?,
        Some(certificates) => {
            let mut connection = pinned::connection(&certificates, address.ip())?;
            let asked = ask(&mut rustls::Stream::new(&mut connection, &mut stream), address);
            match asked {
                // It is who it should be and lives; whoever has no certificate is told no more.
                Err(error) if pinned::is_refusal(&error) => return Ok(()),
                asked => asked.map_err(failed)?,
            }
        }
    };
    if status == "200" {
        Ok(())
    } else {
        Err(format!("the agent at {scheme}://{address}/ready answers {status}"))
    }
}

/// The status of the answer.
fn ask(stream: &mut (impl Read + Write), address: SocketAddr) -> std::io::Result<String> {
    let request = format!("GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    let mut part = [0; 512];
    // The status is in the first line; what comes after it is of no interest.
    while !answer.contains(&b'\n') && answer.len() < 4096 {
        match stream.read(&mut part)? {
            0 => break,
            length => answer.extend_from_slice(&part[..length]),
        }
    }
    Ok(String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or_default().to_owned())
}

/// An address that listens everywhere is asked at home.
pub fn reachable(address: IpAddr, port: u16) -> SocketAddr {
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
