//! Reads what nerdctl tells of a container: the command line of containerd's shim, by which containerd started the container, says where
//! the container's `config.json` is, and that file has the name as an annotation.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::identity::cgroup_path;
use crate::identity::conmon::is_container_name;

/// A container, as containerd describes it to its shim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShimContainer {
    /// Full id, 64 lower-case hex digits.
    pub id: String,
    /// The container's configuration by the OCI runtime specification, as a path of the shim.
    pub config: PathBuf,
}

/// What nerdctl has written into a container's configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NerdctlContainer {
    /// Name of the container.
    pub name: String,
    /// All annotations.
    pub annotations: BTreeMap<String, String>,
}

/// Options of the shim without a value (`runtime/v2/shim/shim.go` of containerd). Every other option takes the next word, or the text
/// after `=`.
const FLAGS: &[&str] = &["debug", "info", "v"];

/// Folder of running containers in the state folder of containerd, for the shims of version 2: containerd 1.3 and later.
const TASKS: &str = "io.containerd.runtime.v2.task";

/// Annotation of nerdctl (`pkg/labels/labels.go`).
const NAME: &str = "nerdctl/name";

/// Parses `/proc/<pid>/cmdline` of a shim of any runtime. `None` for another program, and for a command line without id, namespace
/// and socket of containerd.
///
/// The state folder is taken to be that of the socket, which is so in containerd's own configuration and in that of k3s and rke2.
pub fn parse(command_line: &[u8]) -> Option<ShimContainer> {
    let text = str::from_utf8(command_line).ok()?;
    let mut words = text.strip_suffix('\0').unwrap_or(text).split('\0');
    if !words.next()?.rsplit('/').next()?.starts_with("containerd-shim-") {
        return None;
    }
    let mut options: BTreeMap<&str, &str> = BTreeMap::new();
    while let Some(word) = words.next() {
        let Some(option) = word.strip_prefix("--").or_else(|| word.strip_prefix('-')) else { break };
        match option.split_once('=') {
            Some((option, value)) => options.insert(option, value),
            None if FLAGS.contains(&option) => continue,
            None => options.insert(option, words.next()?),
        };
    }
    let (id, namespace) = (*options.get("id")?, *options.get("namespace")?);
    let socket = options.get("address")?;
    let socket = Path::new(socket.strip_prefix("unix://").unwrap_or(socket));
    if !cgroup_path::is_container_id(id) || !is_container_name(namespace) || !socket.is_absolute() {
        return None;
    }
    let config = socket.parent()?.join(TASKS).join(namespace).join(id).join("config.json");
    Some(ShimContainer { id: id.to_owned(), config })
}

/// Parses a container's `config.json`. `None` where nerdctl has not named the container.
pub fn nerdctl(config: &[u8]) -> Option<NerdctlContainer> {
    #[derive(Deserialize)]
    struct Config {
        annotations: BTreeMap<String, String>,
    }
    let Config { annotations } = serde_json::from_slice(config).ok()?;
    let name = annotations.get(NAME).filter(|name| is_container_name(name))?.clone();
    Some(NerdctlContainer { name, annotations })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "3726184226f5d3147c25fdeab5b60097e378e8a720503a5e19ecfdf29f869860";

    /// Path of the configuration by the words of a command line; `{A}` is the id.
    fn config(words: &str) -> Option<String> {
        let words: Vec<&str> = words.split(' ').collect();
        let line = words.join("\0").replace("{A}", ID) + "\0";
        let found = parse(line.as_bytes())?;
        assert_eq!(found.id, ID);
        Some(found.config.display().to_string().replace(ID, "{A}"))
    }

    #[test]
    fn command_lines_of_shims() {
        let of_default = "/run/containerd/io.containerd.runtime.v2.task/default/{A}/config.json";
        let table = [
            // containerd 1.6 and 2.1
            (
                "/usr/bin/containerd-shim-runc-v2 -namespace default -id {A} -address /run/containerd/containerd.sock",
                Some(of_default),
            ),
            (
                "/usr/bin/containerd-shim-runc-v2 -debug -namespace=default --id={A} \
                 -address unix:///run/containerd/containerd.sock",
                Some(of_default),
            ),
            (
                "containerd-shim-kata-v2 -publish-binary /usr/bin/containerd -namespace default \
                 -address /run/containerd/containerd.sock -id {A}",
                Some(of_default),
            ),
            (
                "/var/lib/rancher/k3s/data/cni/containerd-shim-runc-v2 -namespace k8s.io -id {A} \
                 -address /run/k3s/containerd/containerd.sock",
                Some("/run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/{A}/config.json"),
            ),
        ];
        for (words, expected) in table {
            assert_eq!(config(words).as_deref(), expected, "{words}");
        }
    }

    #[test]
    fn other_command_lines() {
        let table = [
            "",
            "containerd-shim-runc-v2",
            "/usr/bin/containerd --config x -namespace default -id {A} -address /run/containerd.sock",
            "containerd-shim-runc-v2 -id {A} -address /run/containerd.sock",
            "containerd-shim-runc-v2 -namespace default -address /run/containerd.sock",
            "containerd-shim-runc-v2 -namespace default -id {A}",
            "containerd-shim-runc-v2 -namespace default -id {A} -address",
            "containerd-shim-runc-v2 -namespace default -id {A} -address containerd.sock",
            "containerd-shim-runc-v2 -namespace ../etc -id {A} -address /run/containerd.sock",
            "containerd-shim-runc-v2 -namespace default -id ../{A} -address /run/containerd.sock",
            "containerd-shim-runc-v2 start -namespace default -id {A} -address /run/containerd.sock",
        ];
        for words in table {
            assert_eq!(config(words), None, "{words}");
        }
        assert_eq!(parse(b"containerd-shim-runc-v2\0-id\0\xff\0"), None);
    }

    #[test]
    fn configurations() {
        let written = br#"{"ociVersion": "1.1.0", "process": {"args": ["ffmpeg"]},
            "annotations": {"nerdctl/name": "live-a.1", "nerdctl/namespace": "default", "ffwatt.scenario": "live"}}"#;
        let found = nerdctl(written).unwrap();
        assert_eq!(found.name, "live-a.1");
        assert_eq!(found.annotations.get("ffwatt.scenario").map(String::as_str), Some("live"));
        let without: [&[u8]; 6] = [
            b"",
            b"{}",
            b"[1]",
            br#"{"annotations": {"io.kubernetes.cri.container-name": "app"}}"#,
            br#"{"annotations": {"nerdctl/name": "../app"}}"#,
            br#"{"annotations": {"nerdctl/name": 7}}"#,
        ];
        for text in without {
            assert_eq!(nerdctl(text), None, "{}", String::from_utf8_lossy(text));
        }
    }
}
