//! Reads the renditions of ffmpeg's command line.
//!
//! Options apply to the file that follows them. Outputs are evaluated after all files are known, because filter graphs and inputs belong to
//! the whole command.

mod map;
mod output;
mod pace;

use crate::ffmpeg::command_line::ffmpeg::map::Input;
use crate::ffmpeg::command_line::ffmpeg::output::Output;
use crate::ffmpeg::command_line::filter::Graph;
use crate::ffmpeg::command_line::frame::Frame;
use crate::ffmpeg::command_line::option::{OptionName, Streams};
use crate::ffmpeg::command_line::{CommandLine, Work};

/// Options of one file, in the order of the command line.
#[derive(Debug, Default)]
struct Options<'a>(Vec<(OptionName<'a>, &'a str)>);

/// Files and graphs of a command line.
#[derive(Debug, Default)]
struct Files<'a> {
    inputs: Vec<Input>,
    outputs: Vec<Output<'a>>,
    graphs: Vec<&'a str>,
}

/// Whether the words are a command line of ffmpeg, of a program with another name: one that names an input.
pub(super) fn is_ffmpeg<'a>(arguments: impl Iterator<Item = &'a str>) -> bool {
    !split(arguments).inputs.is_empty()
}

/// Reads the outputs and their streams.
pub(super) fn read<'a>(arguments: impl Iterator<Item = &'a str>) -> CommandLine {
    let Files { inputs, outputs, graphs } = split(arguments);
    let frames: Vec<Frame> = inputs.iter().map(|input| input.frame).collect();
    let mut graph = Graph::default();
    for text in &graphs {
        graph.add(text, &frames);
    }
    let mut count = 0;
    let mut streams = Vec::new();
    for output in &outputs {
        count += output.count();
        streams.extend(output.streams(&inputs, &mut graph));
    }
    let is_live = inputs.iter().any(|input| input.is_live);
    let counted = pace::counted(&streams, &graphs);
    let renditions = streams.into_iter().map(|stream| stream.rendition);
    let renditions = renditions.filter(|rendition| rendition.work != Work::Decode).collect();
    CommandLine { outputs: count, renditions, is_live, counted, ..CommandLine::default() }
}

/// Splits the words as `split_commandline()` in ffmpeg's `fftools/cmdutils.c` does.
fn split<'a>(arguments: impl Iterator<Item = &'a str>) -> Files<'a> {
    let mut arguments = arguments.peekable();
    let mut files = Files::default();
    let mut options = Options::default();
    let mut is_file = false;
    while let Some(argument) = arguments.next() {
        let name = match argument.strip_prefix('-') {
            Some("-") if !is_file => {
                // The next word is a file, whatever it begins with.
                is_file = true;
                continue;
            }
            Some(name) if !is_file && !name.is_empty() => OptionName::parse(name),
            _ => {
                files.outputs.push(Output::new(argument, std::mem::take(&mut options)));
                is_file = false;
                continue;
            }
        };
        let next = arguments.peek().copied().unwrap_or_default();
        if !name.takes(next) {
            options.0.push((name, ""));
            continue;
        }
        let Some(value) = arguments.next() else { break };
        match name.base {
            "i" => files.inputs.push(Input::new(&std::mem::take(&mut options), value)),
            "filter_complex" | "lavfi" if name.is_in_file => {}
            "filter_complex" | "lavfi" => files.graphs.push(value),
            _ => options.0.push((name, value)),
        }
    }
    files
}

impl<'a> Options<'a> {
    /// The last value of an option; specifiers do not matter.
    fn last(&self, base: &str) -> Option<&'a str> {
        self.0.iter().rev().find(|(name, _)| name.base == base).map(|(_, value)| *value)
    }

    /// The last value that applies to the video stream with these positions.
    fn of(&self, base: &str, among_video: usize, among_all: usize) -> Option<&'a str> {
        let is_meant = |streams: Streams| streams.include(among_video, among_all);
        let mut meant = self.0.iter().rev().filter(|(name, _)| name.base == base && is_meant(name.streams));
        meant.next().map(|(_, value)| *value)
    }
}
