//! Reads the renditions of a `gst-launch` pipeline.
//!
//! Elements and their properties are read in the order of the command line; see gst-launch-1.0(1). Caps give the size, `!` only links.

use crate::ffmpeg::command_line::encoder::Encoder;
use crate::ffmpeg::command_line::frame::{self, Frame};
use crate::ffmpeg::command_line::{BitsPerSecond, CommandLine, Rendition, Work, bitrate};

/// `speed-preset` of x264enc and x265enc by number.
const SPEEDS: [&str; 11] = [
    "None",
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
];

/// Properties that choose an encoder's speed, the most specific first.
const SPEED_PROPERTIES: [&str; 6] =
    ["speed-preset", "preset", "cpu-used", "target-usage", "speed", "deadline"];

/// Reads the sinks, and the encoders before them.
pub(super) fn read<'a>(arguments: impl Iterator<Item = &'a str>) -> CommandLine {
    let mut pipeline = Pipeline::default();
    for argument in arguments.filter(|argument| !argument.starts_with('-')) {
        // The whole pipeline may be one argument.
        for word in argument.split_whitespace() {
            pipeline.take(word);
        }
    }
    pipeline.close();
    CommandLine { outputs: pipeline.sinks, renditions: pipeline.renditions, ..CommandLine::default() }
}

#[derive(Debug, Default)]
struct Pipeline<'a> {
    frame: Frame,
    /// The size at the last `tee`, where branches begin.
    at_tee: Frame,
    element: &'a str,
    properties: Vec<(&'a str, &'a str)>,
    sinks: usize,
    renditions: Vec<Rendition>,
}

impl<'a> Pipeline<'a> {
    fn take(&mut self, word: &'a str) {
        if word == "!" {
            return;
        }
        if is_caps(word) || (is_caps(self.element) && word.contains('=')) {
            if is_caps(word) {
                self.begin(word);
            }
            self.take_caps(word);
        } else if let Some(property) = word.split_once('=') {
            self.properties.push(property);
        } else {
            self.begin(word);
            if word.ends_with('.') {
                self.frame = self.at_tee;
            }
        }
    }

    /// `video/x-raw,width=1280,height=(int)720`.
    fn take_caps(&mut self, caps: &str) {
        for (key, value) in caps.split(',').filter_map(|field| field.trim().split_once('=')) {
            let side = frame::side(value.rsplit(')').next().unwrap_or(value).trim_matches('"'));
            match key {
                "width" => self.frame.width = side,
                "height" => self.frame.height = side,
                _ => {}
            }
        }
    }

    fn begin(&mut self, element: &'a str) {
        self.close();
        self.element = element;
    }

    /// Completes the properties of the last element.
    fn close(&mut self) {
        let element = std::mem::take(&mut self.element);
        let properties = std::mem::take(&mut self.properties);
        let kind = element.trim_end_matches(|character: char| character.is_ascii_digit());
        if element == "tee" {
            self.at_tee = self.frame;
        } else if kind.ends_with("sink") && kind != "fakesink" {
            self.sinks += 1;
        } else if kind.ends_with("enc") {
            let encoder = Encoder::named(element);
            if encoder.standard().is_some() {
                let work = Work::Encode {
                    preset: preset(&properties),
                    bitrate: asked_bitrate(element, &properties),
                    encoder,
                };
                self.renditions.push(Rendition { work, frame: self.frame });
            }
        }
    }
}

/// Whether the word is a media type instead of an element.
fn is_caps(word: &str) -> bool {
    word.starts_with("video/") || word.starts_with("audio/") || word.starts_with("image/")
}

fn property<'a>(properties: &[(&str, &'a str)], name: &str) -> Option<&'a str> {
    properties.iter().find(|(key, _)| *key == name).map(|(_, value)| *value)
}

fn preset(properties: &[(&str, &str)]) -> Option<String> {
    SPEED_PROPERTIES.iter().find_map(|name| {
        let value = property(properties, name)?;
        Some(match *name {
            "speed-preset" => {
                let by_number = value.parse().ok().and_then(|number: usize| SPEEDS.get(number).copied());
                by_number.unwrap_or(value).to_owned()
            }
            "preset" | "deadline" => value.to_owned(),
            _ => format!("{name}={value}"),
        })
    })
}

/// Most elements use kbit/s; these use bit/s.
fn asked_bitrate(element: &str, properties: &[(&str, &str)]) -> Option<BitsPerSecond> {
    let asked = property(properties, "bitrate").or_else(|| property(properties, "target-bitrate"))?;
    if matches!(element, "vp8enc" | "vp9enc" | "openh264enc") {
        bitrate::parse(asked)
    } else {
        bitrate::parse_kilobits(asked)
    }
}
