//! Two passes of an encoder: the first one writes statistics of the pictures, by which the second one distributes the bits of a bitrate.

use std::path::Path;

/// Encoders with two passes in ffmpeg, tried with ffmpeg 5.1: by `-pass` (<https://ffmpeg.org/ffmpeg.html#Video-Options>), but for x265.
/// ffmpeg takes the option for others, too, SVT-AV1 among them, and encodes twice without statistics.
const KNOWN: [&str; 18] = [
    "flv",
    "h263",
    "h263p",
    "libaom-av1",
    "libtheora",
    "libvpx",
    "libvpx-vp9",
    "libx264",
    "libxvid",
    "mpeg1video",
    "mpeg2video",
    "mpeg4",
    "msmpeg4",
    "msmpeg4v2",
    "snow",
    "wmv1",
    "wmv2",
    X265,
];

/// Encoder that takes its pass as a parameter (<https://x265.readthedocs.io/en/master/cli.html#cmdoption-pass>).
const X265: &str = "libx265";

/// Options of x265, which count once only.
const X265_PARAMETERS: &str = "-x265-params";

/// One of both passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    First,
    Second,
}

/// Whether ffmpeg has two passes for an encoder.
pub(super) fn is_known(encoder: &str) -> bool {
    KNOWN.contains(&encoder)
}

/// Adds a pass to options of ffmpeg. Without a path, the statistics are in the working folder.
pub(super) fn add(words: &mut Vec<String>, encoder: &str, pass: Pass, statistics: Option<&Path>) {
    let number = match pass {
        Pass::First => "1",
        Pass::Second => "2",
    };
    if encoder != X265 {
        words.extend(["-pass".to_owned(), number.to_owned()]);
        words.extend(
            statistics.iter().flat_map(|path| ["-passlogfile".to_owned(), path.display().to_string()]),
        );
        return;
    }
    let path = statistics.map(|path| format!(":stats={}", escaped(&path.display().to_string())));
    let parameters = format!("pass={number}{}", path.unwrap_or_default());
    let place = words.iter().rposition(|word| word == X265_PARAMETERS);
    match place.and_then(|place| words.get_mut(place + 1)) {
        Some(given) => *given = format!("{given}:{parameters}"),
        None => words.extend([X265_PARAMETERS.to_owned(), parameters]),
    }
}

/// A value in a list of parameters (<https://ffmpeg.org/ffmpeg-utils.html#Quoting-and-escaping>).
fn escaped(text: &str) -> String {
    let escape = |character: char| {
        let is_special = matches!(character, ':' | '\\' | '\'' | '=');
        is_special.then_some('\\').into_iter().chain([character])
    };
    text.chars().flat_map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(words: &[&str], encoder: &str, pass: Pass, path: Option<&str>) -> String {
        let mut words = words.iter().map(|word| (*word).to_owned()).collect();
        add(&mut words, encoder, pass, path.map(Path::new));
        words.join(" ")
    }

    #[test]
    fn each_encoder_takes_its_pass_and_statistics() {
        assert_eq!(
            added(&["-c:v", "libx264"], "libx264", Pass::First, Some("/tmp/p")),
            "-c:v libx264 -pass 1 -passlogfile /tmp/p"
        );
        assert_eq!(added(&[], "libvpx-vp9", Pass::Second, None), "-pass 2");
        assert_eq!(added(&[], X265, Pass::Second, Some("/tmp/a:b")), "-x265-params pass=2:stats=/tmp/a\\:b");
    }

    #[test]
    fn parameters_of_x265_that_were_given_stay() {
        let given = ["-x265-params", "log-level=error", "-x265-params", "aq-mode=3", "-tune", "grain"];
        assert_eq!(
            added(&given, X265, Pass::First, None),
            "-x265-params log-level=error -x265-params aq-mode=3:pass=1 -tune grain"
        );
    }

    #[test]
    fn encoders_that_encode_twice_without_statistics_are_not_known() {
        assert!(["libx264", "libx265", "libvpx-vp9", "libaom-av1", "mpeg4"].into_iter().all(is_known));
        assert!(!["libsvtav1", "librav1e", "h264_nvenc", "h264_qsv"].into_iter().any(is_known));
    }
}
