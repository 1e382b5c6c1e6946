//! Which of these processes is at the other end of a connection?
//!
//! By its socket: the process's own network namespace lists the connection with its inode (`/proc/<pid>/net/tcp`), and the process
//! has that inode open (`/proc/<pid>/fd`). Or by its address, which only a container's own namespace has
//! (`/proc/<pid>/net/fib_trie`, `if_inet6`). Asked once a connection, never on behalf of a scrape.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use procfs::net::TcpNetEntries;
use procfs::{ExplicitSystemInfo, FromBufReadSI};

use crate::host::HostRoots;
use crate::model::cpu::ProcessId;

/// Most of a table that is read: some 100 000 connections.
const TABLE_LIMIT: u64 = 16 << 20;

/// The process that has this end of a connection.
pub fn by_socket(
    roots: &HostRoots,
    peer: SocketAddr,
    candidates: impl Iterator<Item = ProcessId>,
) -> Option<ProcessId> {
    let peer = canonical(peer);
    let mut candidates = candidates.map(|process| (process, sockets(roots, process)));
    candidates
        .find(|(process, open)| {
            !open.is_empty() && connections(roots, *process, peer).any(|inode| open.contains(&inode))
        })
        .map(|(process, _)| process)
}

/// The processes in a network namespace that is not the agent's and has this address.
pub fn by_address(
    roots: &HostRoots,
    address: IpAddr,
    candidates: impl Iterator<Item = ProcessId>,
) -> Vec<ProcessId> {
    let namespace = |path| -> Option<OsString> { Some(fs::read_link(path).ok()?.into_os_string()) };
    let own = namespace(roots.proc.join("self/ns/net"));
    candidates
        .filter(|process| {
            let theirs = namespace(roots.process(process.0, "ns/net"));
            theirs.is_some() && theirs != own && has_address(roots, *process, address)
        })
        .collect()
}

fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// Inodes of a process's sockets.
fn sockets(roots: &HostRoots, process: ProcessId) -> HashSet<u64> {
    let Ok(entries) = fs::read_dir(roots.process(process.0, "fd")) else { return HashSet::new() };
    let inode = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?;
        target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
    };
    entries.flatten().filter_map(inode).collect()
}

/// Inodes of the connections that a process's namespace has at this end.
fn connections(roots: &HostRoots, process: ProcessId, here: SocketAddr) -> impl Iterator<Item = u64> {
    // Only the byte order of addresses depends on the machine.
    let machine = ExplicitSystemInfo {
        boot_time_secs: 0,
        ticks_per_second: 100,
        page_size: 4096,
        is_little_endian: cfg!(target_endian = "little"),
    };
    ["net/tcp", "net/tcp6"].into_iter().flat_map(move |table| {
        let file = File::open(roots.process(process.0, table)).ok();
        let text = file.map(|file| BufReader::new(file.take(TABLE_LIMIT)));
        let entries = text.and_then(|text| TcpNetEntries::from_buf_read(text, &machine).ok());
        let entries = entries.map(|entries| entries.0).unwrap_or_default().into_iter();
        entries.filter(move |entry| canonical(entry.local_address) == here).map(|entry| entry.inode)
    })
}

fn has_address(roots: &HostRoots, process: ProcessId, address: IpAddr) -> bool {
    let read = |table| {
        let mut text = String::new();
        let file = File::open(roots.process(process.0, table)).ok()?;
        file.take(TABLE_LIMIT).read_to_string(&mut text).ok()?;
        Some(text)
    };
    match address {
        IpAddr::V4(address) => read("net/fib_trie").is_some_and(|text| {
            let leaf = format!("|-- {address}");
            // The line behind an address says what it is: `/32 host LOCAL`.
            let mut lines = text.lines().zip(text.lines().skip(1));
            lines.any(|(line, next)| line.trim() == leaf && next.trim() == "/32 host LOCAL")
        }),
        IpAddr::V6(address) => read("net/if_inet6").is_some_and(|text| {
            let numbers = text.lines().filter_map(|line| u128::from_str_radix(line.get(..32)?, 16).ok());
            numbers.map(Ipv6Addr::from).any(|known| known == address)
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};
    use std::os::unix::fs::symlink;

    use super::*;

    fn own() -> ProcessId {
        ProcessId(std::process::id())
    }

    #[test]
    fn a_real_connection_is_found_at_its_owner() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            // Where there is no IPv6 there is nothing to find.
            let Ok(listener) = TcpListener::bind(address) else { continue };
            let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let roots = HostRoots::default();
            let peer = stream.local_addr().unwrap();
            assert_eq!(by_socket(&roots, peer, [ProcessId(1), own()].into_iter()), Some(own()));
            assert_eq!(by_socket(&roots, peer, [ProcessId(u32::MAX)].into_iter()), None);
            let other = SocketAddr::new(peer.ip(), 1);
            assert_eq!(by_socket(&roots, other, [own()].into_iter()), None);
            drop(stream);
        }
    }

    #[test]
    fn an_address_is_whose_namespace_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let roots = HostRoots { proc: folder.path().to_path_buf(), ..HostRoots::default() };
        for (process, namespace) in [("self", "1"), ("7", "2"), ("8", "1"), ("9", "3")] {
            let at = folder.path().join(process);
            fs::create_dir_all(at.join("ns")).unwrap();
            fs::create_dir_all(at.join("net")).unwrap();
            symlink(format!("net:[{namespace}]"), at.join("ns/net")).unwrap();
        }
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 172.17.0.0\n        /16 link UNICAST\n     |-- 172.17.0.2\n        \
                    /32 host LOCAL\n     |-- 172.17.255.255\n        /32 link BROADCAST\n";
        for process in ["7", "8"] {
            fs::write(folder.path().join(process).join("net/fib_trie"), trie).unwrap();
        }
        let inet6 = "fe800000000000000042acfffe110002 0e 40 20 80     eth0\n";
        fs::write(folder.path().join("9/net/if_inet6"), inet6).unwrap();
        let all = || [7, 8, 9, 10].map(ProcessId).into_iter();
        let of = |address: &str| by_address(&roots, address.parse().unwrap(), all());
        assert_eq!(of("172.17.0.2"), [ProcessId(7)], "8 is in the agent's own namespace");
        assert_eq!(of("172.17.255.255"), []);
        assert_eq!(of("fe80::42:acff:fe11:2"), [ProcessId(9)]);
    }
}
