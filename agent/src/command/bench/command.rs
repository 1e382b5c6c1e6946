//! Builds ffmpeg's command line for a stream.

use std::path::{Path, PathBuf};

use agent_core::model::scenario::Picture;
use agent_core::units::Pixels;

use crate::command::bench::clips::ClipEncode;
use crate::command::bench::plan::Scenario;
use crate::command::bench::two_pass::Pass;
use crate::command::bench::{Target, rate_control, slug};

/// The encoder for one of upstream's names, or that of its library.
pub(super) fn encoder(name: &str) -> &str {
    match name {
        "h264" | "x264" => "libx264",
        "h265" | "hevc" | "x265" => "libx265",
        "av1" | "svt-av1" => "libsvtav1",
        "vp9" => "libvpx-vp9",
        other => other,
    }
}

/// The preset of an encoder when none is chosen: about as fast as upstream's `veryfast`.
pub(super) fn default_preset(encoder: &str) -> Option<&'static str> {
    match encoder {
        "libx264" | "libx265" => Some("veryfast"),
        "libsvtav1" => Some("10"),
        name if name.ends_with("_nvenc") => Some("p4"),
        _ => None,
    }
}

/// Settings of one ffmpeg of a scenario.
#[derive(Debug)]
pub(super) struct Stream<'a> {
    pub(super) scenario: &'a Scenario,
    /// Its number within the scenario.
    pub(super) index: usize,
    pub(super) encoder: &'a str,
    pub(super) preset: Option<&'a str>,
    pub(super) target: &'a Target,
    /// Encodes as fast as possible instead of in real time.
    pub(super) is_fast: bool,
}

impl Stream<'_> {
    /// Arguments of each ffmpeg, one after the other: of two, the first writes statistics into the second folder. They write progress to
    /// standard output.
    pub(super) fn passes(&self, folder: &Path, statistics: &Path) -> Vec<Vec<String>> {
        let Some(encode) = &self.scenario.clip else { return vec![self.of_source(folder)] };
        if !encode.has_two_passes {
            return vec![self.of_clip(encode, folder, None)];
        }
        let path = statistics.join("pass");
        [Pass::First, Pass::Second].map(|pass| self.of_clip(encode, folder, Some((pass, &path)))).into()
    }

    /// Encodes a generated source.
    fn of_source(&self, folder: &Path) -> Vec<String> {
        let outputs = pictures(self.scenario);
        let picture = largest(self.scenario);
        let mut words = Words::default();
        words.add("-hide_banner -nostdin -loglevel error -progress pipe:1 -stats_period 0.2");
        if !self.is_fast {
            words.add("-re");
        }
        words.add(&format!("-f lavfi -i {}", source(picture)));
        words.add("-f lavfi -i sine=frequency=1000:sample_rate=48000");
        if self.scenario.outputs.is_empty() {
            words.add("-map 0:v -map 1:a");
            self.output(&mut words, picture, picture, 0, folder);
        } else {
            words.add("-filter_complex");
            words.word(&ladder(&outputs));
            for (number, rendition) in outputs.iter().enumerate() {
                words.add(&format!("-map [v{number}] -map 1:a"));
                self.output(&mut words, *rendition, picture, number, folder);
            }
        }
        words.0
    }

    /// Encodes pictures without compression into a file without sound, or reads them only.
    fn of_clip(&self, encode: &ClipEncode, folder: &Path, pass: Option<(Pass, &Path)>) -> Vec<String> {
        let mut words = Words::default();
        words.add("-hide_banner -nostdin -loglevel error -progress pipe:1 -stats_period 0.2 -i");
        words.word(&encode.clip.raw.display().to_string());
        words.add("-map 0:v:0");
        if encode.is_reading() {
            words.add(&format!("-c:v {} -f null -", self.encoder));
            return words.0;
        }
        let picture = self.scenario.picture;
        // The pictures have their size already.
        let setting = encode.setting.strip_prefix(&format!("{} ", picture.size_name()));
        let setting = setting.unwrap_or(&encode.setting);
        if self.encoder == "libx265" {
            words.add("-x265-params log-level=error");
        }
        let setting = (setting, picture.frame_rate);
        words.0.extend(rate_control::words_of_pass(self.encoder, self.preset, setting, pass));
        if let Some((Pass::First, _)) = pass {
            words.add("-f null -");
        } else {
            words.add("-y");
            words.word(&clip_file(self.scenario, folder).display().to_string());
        }
        words.0
    }

    fn output(&self, words: &mut Words, picture: Picture, source: Picture, number: usize, folder: &Path) {
        words.add(&format!("-c:v {}", self.encoder));
        if let Some(preset) = self.preset {
            words.add(&format!("-preset {preset}"));
        }
        if self.encoder == "libx265" {
            words.add("-x265-params log-level=error");
        }
        let asked = self.scenario.streams.get(self.index).map_or("", String::as_str);
        let kilobits = share(asked, picture, source);
        words.add(&format!("-b:v {kilobits}k"));
        // SVT-AV1 accepts a limit only with constant quality.
        if self.encoder != "libsvtav1" {
            words.add(&format!("-maxrate {kilobits}k -bufsize {}k", kilobits * 2));
        }
        words.add(&format!("-pix_fmt yuv420p -g {:.0}", picture.frame_rate * 2.0));
        words.add("-c:a aac -b:a 128k");
        let name = name(self.scenario, self.index, number);
        match self.target {
            Target::Null => words.add("-f null -"),
            Target::Folder(_) => {
                words.add("-y");
                words.word(&folder.join(format!("{name}.mkv")).display().to_string());
            }
            Target::Url(url) => {
                let format = if url.starts_with("rtmp") { "flv" } else { "mpegts" };
                words.add(&format!("-f {format}"));
                let separator = if url.starts_with("rtmp") && !url.ends_with('/') { "/" } else { "" };
                let address =
                    if url.starts_with("rtmp") { format!("{url}{separator}{name}") } else { url.clone() };
                words.word(&address);
            }
        }
    }
}

/// The encoded pictures: the renditions, or the only one.
fn pictures(scenario: &Scenario) -> Vec<Picture> {
    match &scenario.outputs[..] {
        [] => vec![scenario.picture],
        outputs => outputs.to_vec(),
    }
}

/// The largest rendition, which has the size of the source: nothing is scaled up.
pub(super) fn largest(scenario: &Scenario) -> Picture {
    let by_size = |one: &Picture, other: &Picture| one.pixels().0.total_cmp(&other.pixels().0);
    pictures(scenario).into_iter().max_by(by_size).unwrap_or(scenario.picture)
}

/// The filter by which ffmpeg generates the source.
pub(super) fn source(picture: Picture) -> String {
    let Picture { width, height, frame_rate } = picture;
    format!("testsrc2=size={width}x{height}:rate={frame_rate}")
}

/// File name of a stream's rendition.
fn name(scenario: &Scenario, stream: usize, rendition: usize) -> String {
    format!("{}_{stream}_{rendition}", slug(&scenario.name))
}

/// The encode of a clip.
pub(super) fn clip_file(scenario: &Scenario, folder: &Path) -> PathBuf {
    folder.join(format!("{}.mkv", name(scenario, 0, 0)))
}

/// The files of all streams and renditions, for a scenario that writes into this folder.
pub(super) fn files(scenario: &Scenario, folder: &Path) -> Vec<PathBuf> {
    let renditions = pictures(scenario).len();
    let all = (0..scenario.streams.len())
        .flat_map(|stream| (0..renditions).map(move |rendition| (stream, rendition)));
    all.map(|(stream, rendition)| folder.join(format!("{}.mkv", name(scenario, stream, rendition)))).collect()
}

/// The bitrate of a rendition in kbit/s: the largest has the scenario's, the others in proportion to their pixels a second.
fn share(asked: &str, picture: Picture, largest: Picture) -> u64 {
    use agent_core::join::bitrate::{Dialect, parse};
    let kilobits = parse(asked, Dialect::Runner).map_or(0.0, |megabits| megabits.0 * 1000.0);
    let speed = |picture: Picture| {
        let Pixels(pixels) = picture.pixels();
        pixels * picture.frame_rate
    };
    (kilobits * speed(picture) / speed(largest)).round().max(1.0) as u64
}

/// The filter graph of a ladder: one source, decoded once, scaled to each rendition.
fn ladder(outputs: &[Picture]) -> String {
    let split: Vec<String> = (0..outputs.len()).map(|number| format!("[s{number}]")).collect();
    let scale = |(number, picture): (usize, &Picture)| {
        let Picture { width, height, frame_rate } = picture;
        format!("[s{number}]scale={width}:{height},fps={frame_rate}[v{number}]")
    };
    let scales: Vec<String> = outputs.iter().enumerate().map(scale).collect();
    format!("[0:v]split={}{};{}", outputs.len(), split.concat(), scales.join(";"))
}

#[derive(Debug, Default)]
struct Words(Vec<String>);

impl Words {
    /// Adds words that are separated by spaces.
    fn add(&mut self, text: &str) {
        self.0.extend(text.split(' ').map(str::to_owned));
    }

    /// Adds one word, with its spaces.
    fn word(&mut self, text: &str) {
        self.0.push(text.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use expect_test::{Expect, expect};

    use super::*;
    use crate::command::bench::plan::Times;

    fn check(scenario: &Scenario, encoder: &str, target: &Target, expected: &Expect) {
        let preset = default_preset(encoder);
        let stream = Stream { scenario, index: 0, encoder, preset, target, is_fast: false };
        expected.assert_eq(&stream.passes(Path::new("/out"), Path::new("")).concat().join(" "));
    }

    fn single() -> Scenario {
        let second = Duration::from_secs(1);
        let times = Times { baseline: second, duration: second, stabilization: second, cooldown: second };
        Scenario::single("2.5 Mbps Stream", "2500k", times)
    }

    #[test]
    fn one_rendition() {
        check(
            &single(),
            "libx264",
            &Target::Null,
            &expect![
                "-hide_banner -nostdin -loglevel error -progress pipe:1 -stats_period 0.2 -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=1000:sample_rate=48000 -map 0:v -map 1:a -c:v libx264 -preset veryfast -b:v 2500k -maxrate 2500k -bufsize 5000k -pix_fmt yuv420p -g 60 -c:a aac -b:a 128k -f null -"
            ],
        );
        check(
            &single(),
            "libsvtav1",
            &Target::Folder("/out".into()),
            &expect![
                "-hide_banner -nostdin -loglevel error -progress pipe:1 -stats_period 0.2 -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=1000:sample_rate=48000 -map 0:v -map 1:a -c:v libsvtav1 -preset 10 -b:v 2500k -pix_fmt yuv420p -g 60 -c:a aac -b:a 128k -y /out/2-5-mbps-stream_0_0.mkv"
            ],
        );
        check(
            &single(),
            "h264_nvenc",
            &Target::Url("rtmp://host/live".into()),
            &expect![
                "-hide_banner -nostdin -loglevel error -progress pipe:1 -stats_period 0.2 -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=1000:sample_rate=48000 -map 0:v -map 1:a -c:v h264_nvenc -preset p4 -b:v 2500k -maxrate 2500k -bufsize 5000k -pix_fmt yuv420p -g 60 -c:a aac -b:a 128k -f flv rtmp://host/live/2-5-mbps-stream_0_0"
            ],
        );
    }

    #[test]
    fn a_ladder_is_one_ffmpeg_with_all_its_renditions() {
        let picture = |width, height| Picture { width, height, frame_rate: 30.0 };
        let scenario = Scenario { outputs: vec![picture(1280, 720), picture(640, 360)], ..single() };
        check(
            &scenario,
            "libx265",
            &Target::Null,
            &expect![
                "-hide_banner -nostdin -loglevel error -progress pipe:1 -stats_period 0.2 -re -f lavfi -i testsrc2=size=1280x720:rate=30 -f lavfi -i sine=frequency=1000:sample_rate=48000 -filter_complex [0:v]split=2[s0][s1];[s0]scale=1280:720,fps=30[v0];[s1]scale=640:360,fps=30[v1] -map [v0] -map 1:a -c:v libx265 -preset veryfast -x265-params log-level=error -b:v 2500k -maxrate 2500k -bufsize 5000k -pix_fmt yuv420p -g 60 -c:a aac -b:a 128k -f null - -map [v1] -map 1:a -c:v libx265 -preset veryfast -x265-params log-level=error -b:v 625k -maxrate 625k -bufsize 1250k -pix_fmt yuv420p -g 60 -c:a aac -b:a 128k -f null -"
            ],
        );
    }
}
