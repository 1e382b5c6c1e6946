//! Recognizes command lines of wrappers: of scripts, and of programs that run an encoder with their own arguments.

use crate::ffmpeg::command_line::file_name;
use crate::ffmpeg::command_line::program::is_runner;

/// Names of the program and of the script that it runs, without their folders; `None` for a program that runs no other one. The kernel puts
/// the interpreter and at most one option before the path of a script (execve(2)).
pub fn script(cmdline: &[u8]) -> Option<(String, String)> {
    let mut words = cmdline.split(|byte| *byte == 0).map(name);
    let runner = words.next().filter(|name| is_runner(name))?;
    let script = words.find(|word| !word.is_empty() && !word.starts_with('-') && !is_runner(word));
    Some((runner, script.unwrap_or_default()))
}

/// Whether a command line ends with all arguments of an encoder's, which must have some.
pub fn has_arguments_of(cmdline: &[u8], encoder: &[u8]) -> bool {
    let Some(program_end) = encoder.iter().position(|byte| *byte == 0) else { return false };
    let arguments = &encoder[program_end + 1..];
    let before = cmdline.strip_suffix(arguments).unwrap_or_default();
    !arguments.is_empty() && before.ends_with(b"\0")
}

fn name(word: &[u8]) -> String {
    file_name(&String::from_utf8_lossy(word)).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: &str) -> Vec<u8> {
        format!("{words} ").replace(' ', "\0").into_bytes()
    }

    #[test]
    fn scripts_and_their_names() {
        for (words, expected) in [
            ("/bin/sh /usr/local/bin/ffmpeg -i a b", Some(("sh", "ffmpeg"))),
            ("/bin/bash -e ./ffmpeg-7.1 -i a b", Some(("bash", "ffmpeg-7.1"))),
            ("/usr/bin/python3.11 /usr/bin/ffmpeg -i a b", Some(("python3.11", "ffmpeg"))),
            ("/bin/busybox sh /bin/ffmpeg", Some(("busybox", "ffmpeg"))),
            ("/usr/bin/perl -w /usr/bin/x264 -o a b", Some(("perl", "x264"))),
            ("docker exec box ffmpeg -i a b", Some(("docker", "exec"))),
            ("sh", Some(("sh", ""))),
            ("ffmpeg -i /bin/sh b", None),
            ("worker -i /opt/ffmpeg.mp4 b", None),
            ("", None),
        ] {
            let found = script(&line(words));
            let expected = expected.map(|(runner, script)| (runner.to_owned(), script.to_owned()));
            assert_eq!(found, expected, "{words}");
        }
    }

    #[test]
    fn arguments_of_an_encoder() {
        let encoder = line("/opt/real -i a b");
        for (words, expected) in [
            ("ffmpeg -i a b", true),
            ("sh /usr/bin/ffmpeg -i a b", true),
            ("ffmpeg -y -i a b", true),
            ("ffmpeg -i a bb", false),
            ("ffmpeg-i a b", false),
            ("ffmpeg -i a b c", false),
            ("", false),
        ] {
            assert_eq!(has_arguments_of(&line(words), &encoder), expected, "{words}");
        }
        assert!(!has_arguments_of(&line("ffmpeg"), &line("ffmpeg")), "no arguments");
        assert!(!has_arguments_of(b"", b""));
    }
}
