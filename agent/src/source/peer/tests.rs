//! Tests of the other end of a connection: real sockets, and lists of fixture hosts.

use std::net::{TcpListener, TcpStream};

use super::*;

fn own() -> ProcessId {
    ProcessId(std::process::id())
}

#[test]
fn a_real_connection_is_found_at_its_owner_and_its_user() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        // Without IPv6 there is nothing to find.
        let Ok(listener) = TcpListener::bind(address) else { continue };
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let roots = HostRoots::default();
        let connection = Ends { peer: stream.local_addr().unwrap(), own: stream.peer_addr().unwrap() };
        // The same local address with another remote end is another socket.
        let other = Ends { own: SocketAddr::new(connection.own.ip(), 1), ..connection };
        let known = Sockets::of(&roots, [connection, other].into_iter());
        assert_eq!(known.owner(connection, &[ProcessId(1), own()]), Some(own()));
        assert_eq!(known.owner(connection, &[ProcessId(u32::MAX)]), None);
        assert_eq!(known.owner(other, &[own()]), None);
        let user = rustix::process::geteuid().as_raw();
        assert_eq!((known.user(connection), known.user(other)), (PeerUser::User(user), PeerUser::Gone));
        assert!(users(&roots, own()).contains(&user));
        drop(stream);
        let later = Sockets::of(&roots, [connection].into_iter());
        assert_eq!((later.user(connection), later.owner(connection, &[own()])), (PeerUser::Gone, None));
    }
}

#[test]
fn a_user_is_told_of_this_host_only_and_of_open_sockets_only() {
    let folder = tempfile::tempdir().unwrap();
    let roots = HostRoots { proc: folder.path().to_path_buf(), ..HostRoots::default() };
    let ends = |peer: &str| Ends { peer: peer.parse().unwrap(), own: "127.0.0.1:9510".parse().unwrap() };
    let all = ["127.0.0.1:40000", "127.0.0.1:40001", "127.0.0.1:40002", "192.0.2.1:40000"].map(ends);
    let users = |sockets: &Sockets<'_>| all.map(|connection| sockets.user(connection));
    assert_eq!(users(&Sockets::of(&roots, all.into_iter())), [PeerUser::NotTold; 4], "there is no list");
    // 9C40 is 40000, 2526 is 9510; the second is in TIME_WAIT, where the kernel shows root and no inode.
    let list = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n   \
                0: 0100007F:9C40 0100007F:2526 01 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0 20 4 30 10 -1\n   \
                1: 0100007F:9C41 0100007F:2526 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0\n";
    fs::create_dir_all(folder.path().join("self/net")).unwrap();
    fs::write(folder.path().join("self/net/tcp"), list).unwrap();
    let told = users(&Sockets::of(&roots, all.into_iter()));
    assert_eq!(told, [PeerUser::User(1000), PeerUser::Gone, PeerUser::Gone, PeerUser::NotTold]);
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
