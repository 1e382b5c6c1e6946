//! `ffwatt check --ready`: does the agent that runs here have figures? For health checks of containers, which may have no curl.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use crate::config::Config;

/// How long the agent may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the main listener says to `/ready`; an error in words when it says nothing or "not yet".
pub fn ready(config: &Config) -> Result<(), String> {
    let address = reachable(config.listen.address, config.listen.port);
    let failed = |error: std::io::Error| format!("no agent answers at http://{address}/ready: {error}");
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).map_err(failed)?;
    stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
    let request = format!("GET /ready HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).map_err(failed)?;
    let mut answer = String::new();
    stream.take(4096).read_to_string(&mut answer).map_err(failed)?;
    let status = answer.split(' ').nth(1).unwrap_or_default();
    if status == "200" {
        Ok(())
    } else {
        Err(format!("the agent at http://{address}/ready answers {status}"))
    }
}

/// An address that listens everywhere is asked at home.
fn reachable(address: IpAddr, port: u16) -> SocketAddr {
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
