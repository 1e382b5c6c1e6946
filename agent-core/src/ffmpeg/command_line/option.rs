//! Parses ffmpeg's option names: whether an option takes a value, and the streams of its specifier.

use crate::ffmpeg::table::{self, Form};

/// An option's name without its specifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct OptionName<'a> {
    pub(super) base: &'a str,
    pub(super) streams: Streams,
    /// Whether the value is the name of a file with the value: `-/filter_complex graph.txt`.
    pub(super) is_in_file: bool,
}

/// The streams to which an option applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Streams {
    /// All streams: without a specifier.
    All,
    /// Every video stream.
    Video,
    /// One video stream, by its position among the output's video streams.
    OneVideo(usize),
    /// One stream, by its position among all streams of the output.
    One(usize),
    /// Not video, or a specifier that depends on the streams themselves.
    Other,
}

impl<'a> OptionName<'a> {
    /// Parses the text after the dash.
    pub(super) fn parse(text: &'a str) -> Self {
        let (base, specifier) = text.split_once(':').unwrap_or((text, ""));
        let (base, is_in_file) = base.strip_prefix('/').map_or((base, false), |base| (base, true));
        let streams = match specifier.split_once(':').unwrap_or((specifier, "")) {
            ("", _) => Streams::All,
            ("v" | "V", "") => Streams::Video,
            ("v" | "V", number) => number.parse().map_or(Streams::Other, Streams::OneVideo),
            (number, "") => number.parse().map_or(Streams::Other, Streams::One),
            _ => Streams::Other,
        };
        // Short forms whose name contains the specifier.
        let (base, streams) = match (base, streams) {
            ("vcodec", Streams::All) => ("c", Streams::Video),
            ("acodec" | "scodec" | "dcodec", _) => ("c", Streams::Other),
            ("codec", streams) => ("c", streams),
            ("vb" | "b", Streams::All) => ("b", Streams::Video),
            ("vf", Streams::All) => ("filter", Streams::Video),
            ("vframes", Streams::All) => ("frames", Streams::Video),
            ("vpre", Streams::All) => ("preset", Streams::Video),
            (base, streams) => (base, streams),
        };
        Self { base, streams, is_in_file }
    }

    /// Whether the next word is the option's value. Options of libraries always have one.
    pub(super) fn takes(&self, next: &str) -> bool {
        let form = table::form(self.base);
        let negated = || self.base.strip_prefix("no").and_then(table::form).map(|_| Form::Flag);
        match form.or_else(negated).unwrap_or(Form::Value) {
            Form::Value => true,
            Form::Flag => false,
            Form::Either => next.parse::<i64>().is_ok() || matches!(next, "true" | "false"),
        }
    }
}
