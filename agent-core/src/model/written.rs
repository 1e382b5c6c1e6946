//! Recognises the output files of a command line without keeping their names, because an address may contain a stream key.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

/// Digests of the words of a command line that may name outputs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenPaths(Arc<[u64]>);

impl WrittenPaths {
    /// Reads the arguments of a process, each ended by a NUL, as in `/proc/<pid>/cmdline`. The words after `-i` are inputs.
    pub fn of(cmdline: &[u8]) -> Self {
        let mut digests = Vec::new();
        let mut before: &[u8] = b"";
        for word in cmdline.split(|byte| *byte == 0).skip(1) {
            if before != b"-i" && !word.starts_with(b"-") && !word.is_empty() {
                // `tee` has several outputs, each behind its options: `[f=mp4]a.mp4|[f=flv]b.flv`.
                digests.extend(word.split(|byte| *byte == b'|').map(|output| digest(path(output))));
            }
            before = word;
        }
        Self(digests.into())
    }

    /// Whether the command line names this absolute path, or a relative path that may be it.
    pub fn contains(&self, path: &[u8]) -> bool {
        let relative = path.iter().enumerate().filter(|(_, byte)| **byte == b'/');
        let relative = relative.filter_map(|(at, _)| path.get(at + 1..));
        std::iter::once(path).chain(relative).any(|path| self.0.contains(&digest(path)))
    }
}

/// The path of an output: without options of `tee`, `location=` of `GStreamer`, `file:` and `./`.
fn path(output: &[u8]) -> &[u8] {
    let bracket = output.first() == Some(&b'[');
    let end = output.iter().position(|byte| *byte == b']').filter(|_| bracket);
    let mut path = end.and_then(|end| output.get(end + 1..)).unwrap_or(output);
    for prefix in [b"location=".as_slice(), b"file:", b"./"] {
        path = path.strip_prefix(prefix).unwrap_or(path);
    }
    path
}

fn digest(path: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    path.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writes(arguments: &[&str], path: &str) -> bool {
        WrittenPaths::of(arguments.join("\0").as_bytes()).contains(path.as_bytes())
    }

    #[test]
    fn outputs_are_recognised() {
        let path = "/data/a/out.mp4";
        for output in [
            path,
            "out.mp4",
            "./out.mp4",
            "a/out.mp4",
            "file:/data/a/out.mp4",
            "[f=mp4]/data/a/out.mp4|[f=flv]rtmp://host/key",
            "location=/data/a/out.mp4",
        ] {
            assert!(writes(&["ffmpeg", "-i", "in.mp4", output], path), "{output}");
        }
        assert!(writes(&["ffmpeg", "-i", "in.mp4", path, "-f", "null", "-"], path), "not the last one");
    }

    #[test]
    fn inputs_and_other_files_are_not() {
        let path = "/data/a/out.mp4";
        for other in ["/tmp/out.mp4", "poster.jpg", "t.mp4", "/dev/null", "-"] {
            assert!(!writes(&["ffmpeg", "-i", path, other], path), "{other}");
        }
        assert!(!writes(&[], path) && !writes(&["/data/a/out.mp4"], path));
    }
}
