//! Reads the renditions of a `gst-launch` pipeline.
//!
//! Elements and their properties are read in the order of the command line; see gst-launch-1.0(1). Caps give the size, `!` only links.

use crate::ffmpeg::command_line::encoder::Encoder;
use crate::ffmpeg::command_line::encoder::rows::{PRESETS, Unit, X264_SPEEDS};
use crate::ffmpeg::command_line::frame::{self, Frame};
use crate::ffmpeg::command_line::{BitsPerSecond, CommandLine, Rendition, Work, bitrate, preset};
use crate::model::transcode::FrameCount;

/// Sources that deliver in real time.
const LIVE_SOURCES: [&str; 17] = [
    "alsasrc",
    "decklinkaudiosrc",
    "decklinkvideosrc",
    "libcamerasrc",
    "ndisrc",
    "nvarguscamerasrc",
    "pipewiresrc",
    "pulsesrc",
    "ristsrc",
    "rtmp2src",
    "rtmpsrc",
    "rtspsrc",
    "srtsrc",
    "udpsrc",
    "v4l2src",
    "whepsrc",
    "ximagesrc",
];

/// Properties with a bitrate, of all encoders.
const BITRATES: [&str; 3] = ["bitrate", "target-bitrate", "bps"];

/// Encoders whose `speed-preset` has a number for each name.
const NUMBERED: [&str; 2] = ["x264enc", "x265enc"];

/// The property with V4L2 controls, and the control with a bitrate in bits.
const CONTROLS: (&str, &str) = ("extra-controls", "video_bitrate");

/// Bits per second below which a number of unclear unit may be one of thousands.
const LEAST_BITS: u64 = 200_000;

/// Reads the sinks, and the encoders before them.
pub(super) fn read<'a>(arguments: impl Iterator<Item = &'a str>) -> CommandLine {
    let mut pipeline = Pipeline::default();
    for argument in arguments.filter(|argument| !argument.starts_with('-')) {
        // The whole pipeline may be one argument.
        for word in argument.split([' ', '\t', '\n', '\'']).filter(|word| !word.is_empty()) {
            pipeline.take(word);
        }
    }
    pipeline.close();
    CommandLine {
        outputs: pipeline.sinks,
        is_live: pipeline.is_live,
        frame_count: (pipeline.renditions.len() == 1).then_some(FrameCount::ONE),
        renditions: pipeline.renditions,
        ..CommandLine::default()
    }
}

#[derive(Debug, Default)]
struct Pipeline<'a> {
    frame: Frame,
    /// The size at the last `tee`, where branches begin.
    at_tee: Frame,
    element: &'a str,
    properties: Vec<(&'a str, &'a str)>,
    sinks: usize,
    is_live: bool,
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
        } else if let Some((name, value)) = word.split_once('=') {
            if name == "caps" {
                self.take_caps(value.trim_matches('"'));
            }
            self.properties.push((name, value));
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
        } else if LIVE_SOURCES.contains(&kind) || property(&properties, "is-live") == Some("true") {
            self.is_live = true;
        } else if kind.ends_with("sink") && kind != "fakesink" {
            self.sinks += 1;
        } else if let Some(encoder) = encoder_of(element) {
            let work = Work::Encode {
                preset: preset(&encoder, &properties),
                bitrate: asked_bitrate(&encoder, &properties),
                encoder,
            };
            self.renditions.push(Rendition { work, frame: self.frame });
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

/// The encoder of an element; `avenc_…` are those of ffmpeg.
fn encoder_of(element: &str) -> Option<Encoder> {
    let ffmpeg = || Encoder::named(element.strip_prefix("avenc_")?);
    let own = Encoder::named(element).filter(|encoder| encoder.row.vendor == "GStreamer");
    own.or_else(|| ffmpeg().filter(|encoder| encoder.name.is_some()))
}

fn preset(encoder: &Encoder, properties: &[(&str, &str)]) -> Option<String> {
    let Some(asked) = property(properties, "speed-preset") else {
        return preset::preset(encoder, |name| property(properties, name));
    };
    if !NUMBERED.contains(&encoder.row.name) {
        let number = preset::small_number(asked).map(|number| format!("speed-preset={number}"));
        return number.or_else(|| preset::word(asked));
    }
    // 0 is none, and the names follow in their order.
    let by_number = |value: &str| match value.parse::<usize>().ok()? {
        0 => Some("none"),
        number => PRESETS[..X264_SPEEDS].get(number - 1).copied(),
    };
    preset::word(by_number(asked).unwrap_or(asked))
}

fn asked_bitrate(encoder: &Encoder, properties: &[(&str, &str)]) -> Option<BitsPerSecond> {
    if preset::aims_at_quality(|name| property(properties, name)) {
        return None;
    }
    let (controls, control) = CONTROLS;
    if let Some(asked) = property(properties, controls).and_then(|all| preset::parameter(all, control)) {
        return bitrate::parse(asked.trim_matches('"'));
    }
    let asked = BITRATES.iter().find_map(|name| property(properties, name))?;
    match encoder.row.unit {
        Unit::Bits => bitrate::parse(asked),
        Unit::Kilobits => bitrate::parse_kilobits(asked),
        Unit::Unclear => bitrate::parse(asked).filter(|bitrate| bitrate.0 >= LEAST_BITS),
    }
}
