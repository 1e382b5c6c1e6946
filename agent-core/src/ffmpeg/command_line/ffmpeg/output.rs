//! Reads how each video stream of an output of ffmpeg is made.

use crate::ffmpeg::command_line::encoder::Encoder;
use crate::ffmpeg::command_line::ffmpeg::Options;
use crate::ffmpeg::command_line::ffmpeg::map::{self, Input, Kind, Stream};
use crate::ffmpeg::command_line::ffmpeg::pace::Pace;
use crate::ffmpeg::command_line::filter::{self, Graph};
use crate::ffmpeg::command_line::frame::Frame;
use crate::ffmpeg::command_line::option::Streams;
use crate::ffmpeg::command_line::{Rendition, Work, muxer, preset};

/// Longest filter chain that is evaluated, in bytes: it may apply to many streams.
const MAX_CHAIN: usize = 16 * 1024;

#[derive(Debug)]
pub(super) struct Output<'a> {
    url: &'a str,
    options: Options<'a>,
}

/// A video stream of an output.
#[derive(Debug)]
pub(super) struct Written<'a> {
    pub(super) rendition: Rendition,
    pub(super) pace: Pace<'a>,
}

impl<'a> Output<'a> {
    pub(super) fn new(url: &'a str, options: Options<'a>) -> Self {
        Self { url, options }
    }

    /// Number of files and streams that it writes: a tee has several, and so has a set of HLS variants.
    pub(super) fn count(&self) -> usize {
        if self.options.last("f") == Some("tee") {
            return self.url.split('|').count();
        }
        let variants = self.options.last("var_stream_map").map(|map| map.split_whitespace().count());
        variants.unwrap_or(1).max(1)
    }

    /// Its video streams.
    pub(super) fn streams(&self, inputs: &[Input], graph: &mut Graph) -> Vec<Written<'a>> {
        let mut streams = map::streams(&self.options, inputs, graph);
        if self.options.last("vn").is_some() {
            return Vec::new();
        }
        let is_video_codec = |position: usize| {
            let (_, codec) = self.options.values.get(&("c", Streams::One(position)))?;
            (*codec != "copy").then(|| Encoder::named(codec).is_some())
        };
        map::resolve(&mut streams, self.names_video(), self.wanted_videos(), is_video_codec);
        let of_format = muxer::default(self.options.last("f"), self.url);
        let videos = streams.iter().enumerate().filter(|(_, stream)| stream.kind == Kind::Video);
        let written = videos.enumerate().filter_map(|(among_video, (among_all, stream))| {
            self.written(*stream, of_format, (among_video, among_all))
        });
        written.collect()
    }

    /// Whether the options name video: an encoder, a copy, a filter or a bitrate of video streams.
    fn names_video(&self) -> bool {
        let is_of_video = |streams: Streams| matches!(streams, Streams::Video | Streams::OneVideo(_));
        let all = self.options.values.get(&("c", Streams::All));
        let mut names = self.options.values.keys();
        all.is_some_and(|(_, codec)| Encoder::named(codec).is_some())
            || names.any(|(name, streams)| {
                is_of_video(*streams) && matches!(*name, "c" | "filter" | "b" | "s" | "crf")
            })
    }

    /// One more than the highest position among the video streams that an encoder is named for.
    fn wanted_videos(&self) -> usize {
        let positions = self.options.values.keys().filter_map(|key| match key {
            ("c", Streams::OneVideo(position)) => Some(position.saturating_add(1)),
            _ => None,
        });
        positions.max().unwrap_or(0)
    }

    /// `None` when the format takes no video.
    fn written(
        &self,
        stream: Stream,
        of_format: muxer::Default,
        (among_video, among_all): (usize, usize),
    ) -> Option<Written<'a>> {
        let of = |base: &str| self.options.of(base, among_video, among_all);
        let format = muxer::name(self.options.last("f"), self.url);
        let pace = Pace::new(&of, stream.input, format);
        let named = match (of("c"), of_format) {
            // The stream cannot be video after all.
            (_, muxer::Default::None) if muxer::has_only_sound(self.options.last("f"), self.url) => {
                return None;
            }
            (Some("copy"), _) => {
                return Some(Written {
                    rendition: Rendition { work: Work::Copy, frame: stream.frame },
                    pace,
                });
            }
            (Some(name), _) | (None, muxer::Default::Video(name)) => Some(name),
            (None, muxer::Default::Unknown) => None,
            (None, muxer::Default::None) => return None,
        };
        let mut frame = stream.frame;
        if let (Some(chain), Some(_)) = (of("filter"), stream.input) {
            let is_evaluated = chain.len() <= MAX_CHAIN;
            frame = if is_evaluated { filter::chain(chain, frame) } else { Frame::UNKNOWN };
        }
        if let Some(size) = of("s") {
            frame = Frame::parse(size).unwrap_or(Frame::UNKNOWN);
        }
        let work = match named.and_then(Encoder::named) {
            None => Work::Unknown,
            Some(encoder) if encoder.only_decodes() => Work::Decode,
            Some(encoder) => Work::Encode {
                preset: preset::preset(&encoder, of),
                bitrate: preset::asked_bitrate(&encoder, of),
                encoder,
            },
        };
        Some(Written { rendition: Rendition { work, frame }, pace })
    }
}
