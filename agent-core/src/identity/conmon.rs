//! Reads id and name of a container from the command line of conmon, the process by which Podman watches a container.
//!
//! `/proc/<pid>/cmdline` is readable for all users, so the containers of all users have names without a socket.

use crate::identity::cgroup_path;

/// A container, as Podman describes it to conmon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConmonContainer {
    /// Full id, 64 lower-case hex digits.
    pub id: String,
    /// Name of the container.
    pub name: String,
}

/// Options of conmon 2 without a value (`src/cli.c`). Every other option takes the next word, or the text after `=`.
const FLAGS: &[&str] = &[
    "--exec",
    "--exec-attach",
    "--full-attach",
    "--leave-stdin-open",
    "--no-container-partial-message",
    "--no-new-keyring",
    "--no-pivot",
    "--no-sync-log",
    "--replace-listen-pid",
    "--stdin",
    "--sync",
    "--syslog",
    "--systemd-cgroup",
    "--terminal",
    "--version",
];

/// Characters of short options without a value.
const SHORT_FLAGS: &str = "eist";

/// Parses `/proc/<pid>/cmdline` of a conmon. `None` for another program, and for a command line without a valid id and name.
///
/// A process can have any command line: the caller checks that the process started the container.
pub fn parse(command_line: &[u8]) -> Option<ConmonContainer> {
    let text = str::from_utf8(command_line).ok()?;
    let mut words = text.strip_suffix('\0').unwrap_or(text).split('\0');
    if words.next()?.rsplit('/').next()? != "conmon" {
        return None;
    }
    let (mut id, mut name) = (None, None);
    while let Some(word) = words.next() {
        let (option, value) = match word.split_once('=') {
            Some((option, value)) if word.starts_with("--") => (option, value),
            _ if is_flag(word) => continue,
            _ => (word, words.next()?),
        };
        match option {
            "-c" | "--cid" => id = Some(value),
            "-n" | "--name" => name = Some(value),
            _ => {}
        }
    }
    let (id, name) = (id?, name?);
    (cgroup_path::is_container_id(id) && is_container_name(name))
        .then(|| ConmonContainer { id: id.to_owned(), name: name.to_owned() })
}

/// Whether a word is no option, or one or more options without a value.
fn is_flag(word: &str) -> bool {
    match word.strip_prefix('-') {
        None => true,
        Some(short) if !short.starts_with('-') => short.chars().all(|letter| SHORT_FLAGS.contains(letter)),
        Some(_) => FLAGS.contains(&word),
    }
}

/// Whether Podman and nerdctl accept this name for a container: `[a-zA-Z0-9][a-zA-Z0-9_.-]*`.
pub(super) fn is_container_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text.chars().all(|one| one.is_ascii_alphanumeric() || matches!(one, '_' | '.' | '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3726184226f5d3147c25fdeab5b60097e378e8a720503a5e19ecfdf29f869860";

    /// Name by the words of a command line; `{A}` is the id.
    fn name(words: &str) -> Option<String> {
        let words: Vec<&str> = words.split(' ').collect();
        let line = words.join("\0").replace("{A}", ID) + "\0";
        let found = parse(line.as_bytes());
        assert!(found.as_ref().is_none_or(|found| found.id == ID), "{found:?}");
        found.map(|found| found.name)
    }

    #[test]
    fn command_lines_of_podman() {
        let table = [
            // Podman 4.3 as root, cgroupfs manager
            (
                "/usr/bin/conmon --api-version 1 -c {A} -u {A} -r /usr/sbin/runc \
                 -b /var/lib/containers/storage/overlay-containers/{A}/userdata -p /run/pidfile -n live-a \
                 --exit-dir /run/libpod/exits --full-attach -l k8s-file:/var/ctr.log --log-level warning \
                 --runtime-arg --log-format=json --runtime-arg=/run/oci-log --conmon-pidfile /run/conmon.pid \
                 --exit-command /usr/bin/podman --exit-command-arg --root --exit-command-arg container \
                 --exit-command-arg cleanup --exit-command-arg {A}",
                Some("live-a"),
            ),
            // Systemd manager, a terminal, standard input
            ("/usr/bin/conmon --api-version 1 -s -c {A} -u {A} -n web.1 -t -i --syslog", Some("web.1")),
            ("conmon -it -c {A} -n x", Some("x")),
            // podman exec: a session has an id of its own
            ("/usr/bin/conmon --api-version 1 -c {A} -u 1f -n web -e --exec-attach", Some("web")),
            // Long options
            ("/usr/libexec/podman/conmon --cid={A} --name=web", Some("web")),
            ("/usr/libexec/podman/conmon --cid {A} --name web", Some("web")),
        ];
        for (words, expected) in table {
            assert_eq!(name(words).as_deref(), expected, "{words}");
        }
    }

    #[test]
    fn values_of_other_options_are_no_options() {
        let table = [
            ("conmon -c {A} -n web --exit-command-arg -n --exit-command-arg other", Some("web")),
            ("conmon -c {A} -n web --log-tag --name=other", Some("web")),
            ("conmon -c {A} --exit-command-arg -n other", None),
            ("conmon -c {A} -n", None),
        ];
        for (words, expected) in table {
            assert_eq!(name(words).as_deref(), expected, "{words}");
        }
    }

    #[test]
    fn other_command_lines() {
        let table = [
            "",
            "conmon",
            "/usr/bin/podman run -c {A} -n web",
            "/usr/bin/conmon-launcher -c {A} -n web",
            "conmon -c 3726184226f5 -n web",
            "conmon -c {A} -n ../web",
            "conmon -c {A} -n -web",
            "conmon -n web",
        ];
        for words in table {
            assert_eq!(name(words), None, "{words}");
        }
        assert_eq!(parse(b"conmon\0-c\0\xff\0-n\0web\0"), None);
    }
}
