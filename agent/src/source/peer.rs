//! Finds the process or the user at the other end of a connection.
//!
//! The user is in the list of connections of the agent's own network namespace, which has the inode and the user of each
//! (`/proc/self/net/tcp`). The process is found by that inode, if the process has it open (`/proc/<pid>/fd`), or by the same list of the
//! process's namespace (`/proc/<pid>/net/tcp`). Only a program that may trace the process can read these, so an agent behind
//! landlock cannot. Otherwise the process is found by the URL of its command line (`/proc/<pid>/cmdline`), or by its address, which only a
//! container's own namespace has (`/proc/<pid>/net/fib_trie`, `if_inet6`). Never read on behalf of a scrape.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use agent_core::model::cpu::ProcessId;
use agent_core::model::progress::Ends;
use procfs::net::{TcpNetEntries, TcpNetEntry};
use procfs::{ExplicitSystemInfo, FromBufReadSI};

use crate::host::HostRoots;
use crate::source::identity::processes;

#[cfg(test)]
mod tests;

/// Longest part of a table that is read: some 100 000 connections.
const TABLE_LIMIT: u64 = 16 << 20;

/// The user at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PeerUser {
    /// The user, by number.
    User(u32),
    /// The other end is on this host and was closed.
    Gone,
    /// The other end is on another host, or the host does not show the user.
    NotTold,
}

/// The other ends of some connections. They are identified by both addresses: two sockets may share the local one.
#[derive(Debug)]
pub(crate) struct Sockets<'a> {
    roots: &'a HostRoots,
    /// Inode and user; `None` where the host's list cannot be read. A closed socket has no inode.
    own: Option<HashMap<Ends, (u64, u32)>>,
    /// Sockets of processes, as far as they were needed.
    open: RefCell<HashMap<ProcessId, HashSet<u64>>>,
}

impl<'a> Sockets<'a> {
    /// Looks up all these connections at once.
    pub(crate) fn of(roots: &'a HostRoots, wanted: impl Iterator<Item = Ends>) -> Self {
        let wanted: HashSet<Ends> = wanted.map(canonical).collect();
        let own = connections(|table| roots.proc.join("self").join(table)).map(|entries| {
            let all = entries.map(|entry| (ends(&entry), (entry.inode, entry.uid)));
            all.filter(|(ends, _)| wanted.contains(ends)).collect()
        });
        Self { roots, own, open: RefCell::default() }
    }

    /// The user of the other end.
    pub(crate) fn user(&self, connection: Ends) -> PeerUser {
        let connection = canonical(connection);
        match self.own.as_ref().map(|own| own.get(&connection)) {
            Some(Some((inode, user))) if *inode != 0 => PeerUser::User(*user),
            // The kernel no longer shows the user, but 0.
            Some(Some(_)) => PeerUser::Gone,
            Some(None) if connection.peer.ip().is_loopback() => PeerUser::Gone,
            _ => PeerUser::NotTold,
        }
    }

    /// The one of these processes that has the other end open.
    pub(crate) fn owner(&self, connection: Ends, candidates: &[ProcessId]) -> Option<ProcessId> {
        let connection = canonical(connection);
        let own = self.own.as_ref().and_then(|own| own.get(&connection)).map(|(inode, _)| *inode);
        let mut open = self.open.borrow_mut();
        candidates.iter().copied().find(|process| {
            let open = open.entry(*process).or_insert_with(|| sockets(self.roots, *process));
            match own {
                _ if open.is_empty() => false,
                Some(inode) => inode != 0 && open.contains(&inode),
                None => {
                    connections(|table| self.roots.process(process.0, table)).is_some_and(|mut entries| {
                        entries.any(|entry| ends(&entry) == connection && open.contains(&entry.inode))
                    })
                }
            }
        })
    }
}

/// Real and effective user of a process.
pub(crate) fn users(roots: &HostRoots, process: ProcessId) -> Vec<u32> {
    let text = fs::read_to_string(roots.process(process.0, "status")).unwrap_or_default();
    let users = text.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
    users.split_whitespace().take(2).filter_map(|user| user.parse().ok()).collect()
}

/// Processes whose command line posts progress to this id.
pub(crate) fn by_command_line(
    roots: &HostRoots,
    id: &str,
    candidates: impl Iterator<Item = ProcessId>,
) -> Vec<ProcessId> {
    candidates.filter(|process| posts_to(&processes::command_line(roots, *process), id)).collect()
}

fn posts_to(command_line: &[u8], id: &str) -> bool {
    let text = String::from_utf8_lossy(command_line);
    let words = || text.split('\0');
    let addresses = words().zip(words().skip(1)).filter(|(option, _)| *option == "-progress");
    addresses.filter_map(|(_, address)| address.rsplit_once("/progress")).any(|(_, rest)| {
        // The id is the rest, or the rest is empty.
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        (rest.is_empty() && id.is_empty()) || rest.strip_prefix('/') == Some(id)
    })
}

/// Processes in a network namespace that has this address, when the agent's own does not.
pub(crate) fn by_address(
    roots: &HostRoots,
    address: IpAddr,
    candidates: impl Iterator<Item = ProcessId>,
) -> Vec<ProcessId> {
    if has_address(|table| roots.proc.join("self").join(table), address) {
        return Vec::new();
    }
    candidates.filter(|process| has_address(|table| roots.process(process.0, table), address)).collect()
}

fn canonical(Ends { peer, own }: Ends) -> Ends {
    let canonical = |address: SocketAddr| SocketAddr::new(address.ip().to_canonical(), address.port());
    Ends { peer: canonical(peer), own: canonical(own) }
}

/// An entry of the peer's list, with its ends as the agent sees the connection.
fn ends(entry: &TcpNetEntry) -> Ends {
    canonical(Ends { peer: entry.local_address, own: entry.remote_address })
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

/// The connections of a network namespace; `None` where it cannot be read.
fn connections(path: impl Fn(&str) -> PathBuf) -> Option<impl Iterator<Item = TcpNetEntry>> {
    // Only the byte order of addresses depends on the machine.
    let machine = ExplicitSystemInfo {
        boot_time_secs: 0,
        ticks_per_second: 100,
        page_size: 4096,
        is_little_endian: cfg!(target_endian = "little"),
    };
    let read = |table| {
        let text = BufReader::new(File::open(path(table)).ok()?.take(TABLE_LIMIT));
        TcpNetEntries::from_buf_read(text, &machine).ok()
    };
    let (v4, v6) = (read("net/tcp"), read("net/tcp6"));
    let is_told = v4.is_some() || v6.is_some();
    is_told.then(|| [v4, v6].into_iter().flatten().flat_map(|entries| entries.0))
}

fn has_address(path: impl Fn(&str) -> PathBuf, address: IpAddr) -> bool {
    let read = |table| {
        let mut text = String::new();
        let file = File::open(path(table)).ok()?;
        file.take(TABLE_LIMIT).read_to_string(&mut text).ok()?;
        Some(text)
    };
    match address {
        IpAddr::V4(address) => read("net/fib_trie").is_some_and(|text| {
            let leaf = format!("|-- {address}");
            // The line behind an address gives its kind: `/32 host LOCAL`.
            let mut lines = text.lines().zip(text.lines().skip(1));
            lines.any(|(line, next)| line.trim() == leaf && next.trim() == "/32 host LOCAL")
        }),
        IpAddr::V6(address) => read("net/if_inet6").is_some_and(|text| {
            let numbers = text.lines().filter_map(|line| u128::from_str_radix(line.get(..32)?, 16).ok());
            numbers.map(Ipv6Addr::from).any(|known| known == address)
        }),
    }
}
