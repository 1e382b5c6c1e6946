//! Reads the renditions of ffmpeg's command line.
//!
//! Options apply to the file that follows them. Outputs are evaluated after all files are known, because filter graphs and inputs belong to
//! the whole command.

mod map;
mod output;
mod pace;
mod target;

use std::collections::HashMap;

use crate::ffmpeg::command_line::ffmpeg::map::Input;
use crate::ffmpeg::command_line::ffmpeg::output::Output;
use crate::ffmpeg::command_line::filter::Graph;
use crate::ffmpeg::command_line::frame::Frame;
use crate::ffmpeg::command_line::option::{OptionName, Streams};
use crate::ffmpeg::command_line::{CommandLine, Work};

/// Most inputs and most outputs that are evaluated. Further outputs are only counted: a command line of 2 MiB may name a million.
const MAX_FILES: usize = 1000;

/// Most streams of one output that are evaluated. Real ladders have a dozen.
const MAX_STREAMS: usize = 64;

/// Options of one file. Of each option, the last value for the same streams is kept.
#[derive(Debug, Default)]
struct Options<'a> {
    /// Values with their place in the command line.
    values: HashMap<(&'a str, Streams), (usize, &'a str)>,
    /// The last value of each option, for any streams.
    last: HashMap<&'a str, &'a str>,
    maps: Vec<&'a str>,
    count: usize,
}

/// Files and graphs of a command line.
#[derive(Debug, Default)]
struct Files<'a> {
    inputs: Vec<Input>,
    outputs: Vec<Output<'a>>,
    /// Outputs that are not evaluated.
    further_outputs: usize,
    graphs: Vec<&'a str>,
}

impl<'a> Files<'a> {
    fn add_output(&mut self, output: Output<'a>) {
        if self.outputs.len() < MAX_FILES {
            self.outputs.push(output);
        } else {
            self.further_outputs += 1;
        }
    }

    fn add_input(&mut self, options: &Options<'_>, url: &str) {
        if self.inputs.len() < MAX_FILES {
            self.inputs.push(Input::new(options, url));
        }
    }
}

/// Whether the words are a command line of ffmpeg, of a program with another name: one that names an input.
pub(super) fn is_ffmpeg<'a>(arguments: impl Iterator<Item = &'a str>) -> bool {
    !split(arguments).inputs.is_empty()
}

/// Reads the outputs and their streams.
pub(super) fn read<'a>(arguments: impl Iterator<Item = &'a str>) -> CommandLine {
    let Files { inputs, outputs, further_outputs, graphs } = split(arguments);
    let frames: Vec<Frame> = inputs.iter().map(|input| input.frame).collect();
    let mut graph = Graph::default();
    for text in &graphs {
        graph.add(text, &frames);
    }
    let mut count = further_outputs;
    let mut streams = Vec::new();
    for output in &outputs {
        count += output.count();
        streams.extend(output.streams(&inputs, &mut graph));
    }
    let is_live = inputs.iter().any(|input| input.is_live);
    let frame_count = pace::frame_count(&streams, &inputs, &graphs);
    let renditions = streams.into_iter().map(|stream| stream.rendition);
    let renditions = renditions.filter(|rendition| rendition.work != Work::Decode).collect();
    CommandLine { outputs: count, renditions, is_live, frame_count, ..CommandLine::default() }
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
                files.add_output(Output::new(argument, std::mem::take(&mut options)));
                is_file = false;
                continue;
            }
        };
        let next = arguments.peek().copied().unwrap_or_default();
        if !name.takes(next) {
            options.push(&name, "");
            continue;
        }
        let Some(value) = arguments.next() else { break };
        match name.base {
            "i" => files.add_input(&std::mem::take(&mut options), value),
            "filter_complex" | "lavfi" if name.is_in_file => {}
            "filter_complex" | "lavfi" => files.graphs.push(value),
            "target" => {
                for (name, value) in target::options(value) {
                    options.push(&OptionName::parse(name), value);
                }
            }
            _ => options.push(&name, value),
        }
    }
    files
}

impl<'a> Options<'a> {
    fn push(&mut self, name: &OptionName<'a>, value: &'a str) {
        self.count += 1;
        self.values.insert((name.base, name.streams), (self.count, value));
        self.last.insert(name.base, value);
        if name.base == "map" && self.maps.len() < MAX_STREAMS {
            self.maps.push(value);
        }
    }

    /// The last value of an option; specifiers do not matter.
    fn last(&self, base: &str) -> Option<&'a str> {
        self.last.get(base).copied()
    }

    /// The last value that applies to the video stream with these positions among the output's video streams and among all.
    fn of(&self, base: &str, among_video: usize, among_all: usize) -> Option<&'a str> {
        let meant = [Streams::All, Streams::Video, Streams::OneVideo(among_video), Streams::One(among_all)];
        let found = meant.into_iter().filter_map(|streams| self.values.get(&(base, streams)));
        found.max_by_key(|(place, _)| *place).map(|(_, value)| *value)
    }
}
