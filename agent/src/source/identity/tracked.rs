//! Decides which programs are tracked, by the name that the kernel keeps: those of the table of programs, and those of `cpu.tracked`.

use agent_core::ffmpeg::command_line::program::{PROGRAMS, grammar};

use crate::source::identity::processes::kept_name;

/// Whether a process of this name is tracked. `configured` are the names of `cpu.tracked`.
pub(crate) fn is_tracked(comm: &str, configured: &[String]) -> bool {
    grammar(comm).is_some() || configured.iter().any(|name| kept_name(name) == comm)
}

/// Names of tracked programs, without those that the eBPF program knows by itself ([`agent_common::is_named_ffmpeg`]).
pub(crate) fn names(configured: &[String]) -> impl Iterator<Item = &str> {
    let listed = PROGRAMS.iter().map(|(name, _)| *name).filter(|name| !name.contains('*'));
    listed.chain(configured.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use agent_common::{COMM_LEN, is_named_ffmpeg};

    use super::*;

    #[test]
    fn the_kernel_side_and_the_table_agree() {
        let configured = ["an-encoder-with-a-long-name".to_owned()];
        let by_kernel = |comm: &str| {
            let mut name = [0; COMM_LEN];
            name[..comm.len()].copy_from_slice(comm.as_bytes());
            is_named_ffmpeg(&name) || names(&configured).any(|name| kept_name(name) == comm)
        };
        for comm in [
            "ffmpeg",
            "ffmpeg5",
            "jellyfin-ffmpeg",
            ".ffmpeg-wrapped",
            "Plex Transcoder",
            "HandBrakeCLI",
            "gst-launch-1.0",
            "an-encoder-with",
            "ffprobe",
            "myffmpeg",
            "x26",
            "sh",
        ] {
            assert_eq!(by_kernel(comm), is_tracked(comm, &configured), "{comm}");
        }
        assert!(PROGRAMS.iter().filter(|(name, _)| name.contains('*')).count() == 2, "two patterns");
    }
}
