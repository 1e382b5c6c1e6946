//! Which of these processes is at the other end of a connection?
//!
//! By its socket: the process's own network namespace lists the connection with its inode (`/proc/<pid>/net/tcp`), and the process
//! has that inode open (`/proc/<pid>/fd`). That only who may trace the process can see, so not an agent behind landlock. Or by what
//! it was told to post to (`/proc/<pid>/cmdline`). Or by its address, which only a container's own namespace has
//! (`/proc/<pid>/net/fib_trie`, `if_inet6`). Asked once a connection, never on behalf of a scrape.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{BufReader, Read};
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use procfs::net::TcpNetEntries;
use procfs::{ExplicitSystemInfo, FromBufReadSI};

use crate::host::HostRoots;
use crate::model::cpu::ProcessId;
use crate::source::identity::processes;

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

/// The processes that were told on their command line to post their progress to this id.
pub fn by_command_line(
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
        // Nothing follows, or the id does.
        let rest = rest.split(['?', '#']).next().unwrap_or_default();
        (rest.is_empty() && id.is_empty()) || rest.strip_prefix('/') == Some(id)
    })
}

/// The processes in a network namespace that has this address, when the agent's own does not.
pub fn by_address(
    roots: &HostRoots,
    address: IpAddr,
    candidates: impl Iterator<Item = ProcessId>,
) -> Vec<ProcessId> {
    if has_address(|table| roots.proc.join("self").join(table), address) {
        return Vec::new();
    }
    candidates.filter(|process| has_address(|table| roots.process(process.0, table), address)).collect()
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
        for process in ["self", "7", "8", "9"] {
            fs::create_dir_all(folder.path().join(process).join("net")).unwrap();
        }
        let trie = |address: &str| {
            format!(
                "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 172.17.0.0\n        /16 link UNICAST\n     |-- {address}\n        \
                 /32 host LOCAL\n     |-- 172.17.255.255\n        /32 link BROADCAST\n"
            )
        };
        for (process, address) in [("self", "172.17.0.1"), ("7", "172.17.0.2"), ("8", "172.17.0.1")] {
            fs::write(folder.path().join(process).join("net/fib_trie"), trie(address)).unwrap();
        }
        let inet6 = "fe800000000000000042acfffe110002 0e 40 20 80     eth0\n";
        fs::write(folder.path().join("9/net/if_inet6"), inet6).unwrap();
        let all = || [7, 8, 9, 10].map(ProcessId).into_iter();
        let of = |address: &str| by_address(&roots, address.parse().unwrap(), all());
        assert_eq!(of("172.17.0.2"), [ProcessId(7)]);
        assert_eq!(of("172.17.0.1"), [], "8 is in the agent's own namespace");
        assert_eq!(of("172.17.255.255"), []);
        assert_eq!(of("fe80::42:acff:fe11:2"), [ProcessId(9)]);
    }

    #[test]
    fn who_was_told_to_post_is_known_by_its_command_line() {
        let table = [
            ("ffmpeg -progress http://127.0.0.1:9510/progress/any -i a b", "any", true),
            ("ffmpeg -i a -progress https://user:secret@host/behind/progress/live/1?x b", "live/1", true),
            ("ffmpeg -progress http://127.0.0.1:9510/progress b", "", true),
            ("ffmpeg -progress http://127.0.0.1:9510/progress/ b", "", true),
            ("ffmpeg -progress http://127.0.0.1:9510/progress/any b", "an", false),
            ("ffmpeg -progress http://127.0.0.1:9510/progress/any b", "", false),
            ("ffmpeg -i http://127.0.0.1:9510/progress/any b", "any", false),
            ("ffmpeg -progress fifo b", "", false),
            ("ffmpeg -progress", "", false),
        ];
        for (line, id, expected) in table {
            assert_eq!(posts_to(line.replace(' ', "\0").as_bytes(), id), expected, "{line} {id}");
        }
    }
}
