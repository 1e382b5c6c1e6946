//! Property tests: any command line is read, and no word of it reaches a label unless a table has it.

use proptest::prelude::*;

use super::*;

/// Words of random command lines.
const WORDS: [&str; 62] = [
    "ffmpeg",
    "-i",
    "in.mp4",
    "out.mp4",
    "-",
    "--",
    "-c:v",
    "-c",
    "-vcodec",
    "libx264",
    "copy",
    "-map",
    "0:v",
    "0:p:5",
    "m:language:",
    "[v]",
    "-0:a",
    "-0:v:1",
    "-vf",
    "scale=-2:720",
    "scale=((((((((((((((((((iw))))))))))))))))))",
    "-filter_complex",
    "[0:v]split[a][v];[a]scale=1:'2",
    "-s",
    "0x0",
    "99999999999x1",
    "-b:v",
    "1e400",
    "-preset",
    "-preset:v:0",
    "-cpu-used",
    "-quality",
    "-x264-params",
    "preset=:bitrate=",
    "-svtav1-params",
    "preset=",
    "",
    ":",
    "-:",
    "-f",
    "tee",
    "lavfi",
    "crop=-1:iw/0",
    "-c:v:99999999999999999999",
    "]",
    "\\",
    "'",
    "rtmp://host/app/",
    "-o",
    "-e",
    "--encoder-preset",
    "--preset",
    "--bitrate",
    "x264enc",
    "nvh264enc",
    "!",
    "speed-preset=",
    "bitrate=",
    "video/x-raw,width=",
    "filesink",
    "avenc_",
    "_nvenc",
];

const PROGRAMS: [&str; 10] = [
    "ffmpeg",
    "/usr/bin/ffmpeg",
    "-ffmpeg",
    "ffmpeg-",
    "gst-launch-1.0",
    "HandBrakeCLI",
    "x264",
    "SvtAv1EncApp",
    "other",
    "Plex Transcoder",
];

fn labels(line: &[u8]) -> Vec<String> {
    parse(line, &[]).labels().collect()
}

proptest! {
    #[test]
    fn anything_is_read_and_labels_are_bounded(
        noise in proptest::collection::vec(any::<u8>(), 0..200),
        words in proptest::collection::vec(proptest::sample::select(&WORDS[..]), 0..40),
        program in proptest::sample::select(&PROGRAMS[..]),
    ) {
        let line = [program.as_bytes(), b"\0", words.join("\0").as_bytes(), b"\0", &noise].concat();
        for label in labels(&line) {
            prop_assert!(label.chars().count() <= MAX_CHARACTERS, "{}", label);
            prop_assert!(!label.chars().any(char::is_control), "{:?}", label);
        }
        // The kernel ends each word; a line that is cut has no end.
        if !line.ends_with(b"\0") {
            let ended = [&line[..], b"\0"].concat();
            prop_assert_eq!(labels(&ended), labels(&line));
        }
    }

    #[test]
    fn a_key_at_any_place_reaches_no_label(
        mut words in proptest::collection::vec(proptest::sample::select(&WORDS[..]), 1..30),
        program in proptest::sample::select(&PROGRAMS[..]),
        // A key of letters and digits: nothing of it is a number or a word of a table.
        key in "[a-z]{2}[0-9][a-zA-Z0-9]{3,20}Q",
        place in any::<proptest::sample::Index>(),
        at_end in any::<bool>(),
    ) {
        words.insert(0, program);
        let place = place.index(words.len());
        // The key is a word, or a part of one.
        let forms = [key.clone(), format!("{}{key}", words[place]), format!("{key}{}", words[place])];
        for form in forms {
            let mut line: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            if at_end {
                line.insert(place + 1, form);
            } else {
                line[place] = form;
            }
            for label in labels(line.join("\0").as_bytes()) {
                prop_assert!(!label.contains(&key), "{:?} in {:?}", key, label);
                prop_assert!(!label.contains(['/', ':', '@', '?']), "{:?}", label);
            }
        }
    }
}

#[test]
fn the_key_of_each_option_that_is_read() {
    let key = "live_k3yOfAStream";
    for line in [
        format!("ffmpeg -i a.mp4 -c:v {key} o.mp4"),
        format!("ffmpeg -i a.mp4 -c:v lib{key}_nvenc o.mp4"),
        format!("ffmpeg -i a.mp4 -c:v libx264 -preset {key} o.mp4"),
        format!("ffmpeg -i a.mp4 -c:v libvpx -deadline {key} o.webm"),
        format!("ffmpeg -i a.mp4 -c:v libvpx -cpu-used {key} o.webm"),
        format!("ffmpeg -i a.mp4 -c:v libsvtav1 -svtav1-params preset={key} o.mkv"),
        format!("ffmpeg -i a.mp4 -c:v h264_amf -quality {key} o.mkv"),
        format!("ffmpeg -i a.mp4 -s {key} -f {key} -b:v {key} {key}"),
        format!("{key}-ffmpeg -i a.mp4 o.mp4"),
        format!("{key} -i a.mp4 o.mp4"),
        format!("gst-launch-1.0 videotestsrc ! x264enc speed-preset={key} bitrate={key} ! {key}sink"),
        format!("gst-launch-1.0 videotestsrc ! {key}enc ! fakesink"),
        format!("HandBrakeCLI -i a -o b -e {key} --encoder-preset {key}"),
        format!("x265 --preset {key} -o a b"),
    ] {
        for label in labels(words(&line).join("\0").as_bytes()) {
            assert!(!label.contains(key), "{label} of {line}");
        }
    }
}
