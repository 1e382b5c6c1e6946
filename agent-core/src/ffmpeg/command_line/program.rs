//! Table of the programs that are encoders, by the names of their files.
//!
//! The kernel knows a program by the first 15 bytes of its file name, so the patterns are compared with no more than that.

/// Grammar of a program's command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grammar {
    /// ffmpeg's options and files.
    Ffmpeg,
    /// A pipeline of `gst-launch-1.0`.
    Gstreamer,
    /// Options of `HandBrakeCLI`.
    HandBrake,
    /// Options of a program that is one encoder.
    Encoder,
}

/// Programs that are tracked without any configuration; `*` stands for any text.
pub const PROGRAMS: [(&str, Grammar); 14] = [
    ("ffmpeg*", Grammar::Ffmpeg),
    ("*-ffmpeg", Grammar::Ffmpeg),
    (".ffmpeg-wrapped", Grammar::Ffmpeg),
    ("Plex Transcoder", Grammar::Ffmpeg),
    ("gst-launch-1.0", Grammar::Gstreamer),
    ("HandBrakeCLI", Grammar::HandBrake),
    ("SvtAv1EncApp", Grammar::Encoder),
    ("x264", Grammar::Encoder),
    ("x264-10bit", Grammar::Encoder),
    ("x265", Grammar::Encoder),
    ("x265-10bit", Grammar::Encoder),
    ("aomenc", Grammar::Encoder),
    ("rav1e", Grammar::Encoder),
    ("vvencapp", Grammar::Encoder),
];

/// Words before `-ffmpeg` that a label shows. Any other word may be a part of anything.
const KNOWN_PREFIXES: [&str; 8] =
    ["jellyfin", "tdarr", "emby", "plex", "nvidia", "static", "unmanic", "kodi"];

/// Programs that run other programs: their own name says nothing of the line's grammar.
const RUNNERS: [&str; 24] = [
    "sh", "bash", "dash", "ash", "zsh", "busybox", "env", "nice", "ionice", "chrt", "taskset", "timeout",
    "nohup", "setsid", "stdbuf", "sudo", "docker", "podman", "ssh", "perl", "ruby", "node", "php", "lua",
];

/// The grammar of a program of this name; `None` for other programs.
pub fn grammar(name: &str) -> Option<Grammar> {
    let fits = |pattern: &str| match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => {
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        }
    };
    PROGRAMS.iter().find(|(pattern, _)| fits(pattern)).map(|(_, grammar)| *grammar)
}

/// Whether the program only runs another one, which the rest of its command line names.
pub(super) fn is_runner(name: &str) -> bool {
    RUNNERS.contains(&name) || name.starts_with("python")
}

/// The name that a label shows for a program of this grammar: its own, where that is of words of the table and a version.
pub(super) fn shown(name: &str, grammar: Grammar) -> String {
    let is_listed = PROGRAMS.iter().any(|(pattern, _)| *pattern == name);
    let is_version = |text: &str| {
        text.len() <= 8
            && text.chars().all(|character| character.is_ascii_digit() || matches!(character, '.' | '-'))
    };
    let is_versioned = name.strip_prefix("ffmpeg").is_some_and(|rest| rest == "_g" || is_version(rest));
    let is_prefixed = name.strip_suffix("-ffmpeg").is_some_and(|prefix| KNOWN_PREFIXES.contains(&prefix));
    let own = is_listed || is_versioned || is_prefixed;
    let general = match grammar {
        Grammar::Ffmpeg => "ffmpeg",
        Grammar::Gstreamer => "gst-launch-1.0",
        Grammar::HandBrake => "HandBrakeCLI",
        Grammar::Encoder => "encoder",
    };
    if own { name.to_owned() } else { general.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_by_pattern_and_their_names_in_labels() {
        for (name, expected) in [
            ("ffmpeg", Some((Grammar::Ffmpeg, "ffmpeg"))),
            ("ffmpeg-7.1", Some((Grammar::Ffmpeg, "ffmpeg-7.1"))),
            ("ffmpeg5", Some((Grammar::Ffmpeg, "ffmpeg5"))),
            ("ffmpeg-of-mine", Some((Grammar::Ffmpeg, "ffmpeg"))),
            ("jellyfin-ffmpeg", Some((Grammar::Ffmpeg, "jellyfin-ffmpeg"))),
            ("k3y-ffmpeg", Some((Grammar::Ffmpeg, "ffmpeg"))),
            (".ffmpeg-wrapped", Some((Grammar::Ffmpeg, ".ffmpeg-wrapped"))),
            ("Plex Transcoder", Some((Grammar::Ffmpeg, "Plex Transcoder"))),
            ("x265", Some((Grammar::Encoder, "x265"))),
            ("x265-of-mine", None),
            ("-ffmpe", None),
            ("ffprobe", None),
        ] {
            let found = grammar(name);
            assert_eq!(
                found.map(|grammar| (grammar, shown(name, grammar))),
                expected.map(|(grammar, shown)| (grammar, shown.to_owned())),
                "{name}"
            );
        }
        assert!(PROGRAMS.iter().all(|(name, _)| name.len() <= 15), "the kernel keeps no more");
    }
}
