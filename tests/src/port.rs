//! Reserves TCP ports for one test process.

use std::io;
use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::{Mutex, PoisonError};

use anyhow::Context;

/// Ports below those that the kernel gives to connections (`net.ipv4.ip_local_port_range`), so that no connection takes one.
const FIRST: u16 = 20_000;

/// Number of ports.
const COUNT: u16 = 12_000;

/// The claims of this process.
static CLAIMS: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());

/// A port that nobody listens on, and that is given out only once while this process runs.
///
/// Test processes run side by side, and an agent binds its ports some time after this function returns. So each reserved port has a
/// socket in the kernel's abstract namespace. The kernel removes that socket when the process ends, in whatever way.
pub fn reserve() -> anyhow::Result<u16> {
    // Each process begins at another port, so it seldom meets one of another process.
    let begin = (std::process::id() % 600) as u16 * 20;
    let mut ports = (0..COUNT).map(|step| FIRST + (begin + step) % COUNT);
    let (port, claim) = ports
        .find_map(|port| {
            let claim = claim(port).ok()?;
            TcpListener::bind(("127.0.0.1", port)).ok()?;
            Some((port, claim))
        })
        .with_context(|| format!("no port from {FIRST} to {} is free", FIRST + COUNT - 1))?;
    CLAIMS.lock().unwrap_or_else(PoisonError::into_inner).push(claim);
    Ok(port)
}

/// Claims a port among all processes of the tests. An error: another caller has it.
fn claim(port: u16) -> io::Result<UnixListener> {
    UnixListener::bind_addr(&SocketAddr::from_abstract_name(format!("ffwatt-test-port-{port}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_not_given_to_another_process() {
        let port = reserve().expect("a port");
        claim(port).expect_err("another process would get the port, too");
        TcpListener::bind(("127.0.0.1", port)).expect("nobody listens on the port");
        assert_ne!(reserve().expect("a second port"), port);
    }
}
