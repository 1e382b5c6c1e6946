//! Reserves TCP ports for one test process.

use std::net::TcpListener;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::Context;

/// Ports below those that the kernel gives to connections (`net.ipv4.ip_local_port_range`), so that no connection takes one.
const FIRST: u16 = 20_000;

/// Number of ports.
const COUNT: u16 = 12_000;

/// A port that nobody listens on, and that no other test process gets while this one runs.
///
/// Test processes run side by side, and an agent binds its ports some time after this function returns. So each reserved port has a
/// socket in the kernel's abstract namespace. The kernel removes that socket when the process ends, in whatever way.
pub fn reserve() -> anyhow::Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    static RESERVED: Mutex<Vec<UnixListener>> = Mutex::new(Vec::new());
    // Each process begins at another port, so it seldom meets one of another process.
    let begin = (std::process::id() % 600) as u16 * 20;
    for _ in 0..COUNT {
        let port = FIRST + begin.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let name = SocketAddr::from_abstract_name(format!("ffwatt-test-port-{port}"))
            .context("a name of a socket")?;
        let Ok(reservation) = UnixListener::bind_addr(&name) else { continue };
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            RESERVED.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(reservation);
            return Ok(port);
        }
    }
    anyhow::bail!("no port from {FIRST} to {} is free", FIRST + COUNT - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_port_is_not_given_to_another_process() {
        let port = reserve().expect("a port");
        let name = SocketAddr::from_abstract_name(format!("ffwatt-test-port-{port}")).expect("a name");
        UnixListener::bind_addr(&name).expect_err("another process would get the port, too");
        TcpListener::bind(("127.0.0.1", port)).expect("nobody listens on the port");
        assert_ne!(reserve().expect("a second port"), port);
    }
}
