//! Runs a filter graph in real ffmpeg and in the agent's parser, and compares the sizes.

use std::process::{Command, Stdio};
use std::sync::Mutex;

use agent_core::ffmpeg::command_line;

/// A command line with sources of `lavfi`, up to the encoder.
#[derive(Debug)]
pub(crate) struct Case(Vec<String>);

/// What a comparison found.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) equal: usize,
    pub(crate) absent: usize,
    /// By ffmpeg: nothing is encoded, so that any answer is right.
    pub(crate) refused: usize,
    /// A line for each difference.
    pub(crate) different: Vec<String>,
}

impl Case {
    pub(crate) fn chain(input: &str, chain: &str) -> Self {
        Self::new(&[input], "-vf", chain)
    }

    pub(crate) fn graph(inputs: &[&str], graph: &str) -> Self {
        let mut case = Self::new(inputs, "-filter_complex", graph);
        if graph.contains("[out]") {
            case.0.extend(["-map".to_owned(), "[out]".to_owned()]);
        }
        case
    }

    fn new(inputs: &[&str], option: &str, graph: &str) -> Self {
        let mut words = Vec::new();
        for input in inputs {
            words.extend(["-t", "1", "-f", "lavfi", "-i", input].map(str::to_owned));
        }
        words.extend([option.to_owned(), graph.to_owned()]);
        Self(words)
    }

    /// The agent's size, `1280x720`; `720p` where only the height is known.
    fn computed(&self) -> Option<String> {
        let words = ["ffmpeg"].into_iter().chain(self.0.iter().map(String::as_str));
        let line: Vec<&str> = words.chain(["-c:v", "libx264", "out.mkv"]).collect();
        command_line::parse(line.join("\0").as_bytes(), &[]).resolution()
    }

    /// The size of the first frame; `None` when ffmpeg refuses the graph.
    fn real(&self) -> Option<String> {
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-filter_threads", "1"]).args(&self.0);
        command.args(["-frames:v", "1", "-f", "framecrc", "-"]).stderr(Stdio::null());
        let header = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let size = header.lines().find_map(|line| line.strip_prefix("#dimensions 0: "));
        size.map(str::to_owned)
    }
}

/// Compares all cases, on all processors.
pub(crate) fn judge(cases: Vec<Case>) -> Counts {
    let (cases, counts) = (Mutex::new(cases), Mutex::new(Counts::default()));
    let workers = std::thread::available_parallelism().unwrap().get();
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let Some(case) = cases.lock().unwrap().pop() else { break };
                    let (real, computed) = (case.real(), case.computed());
                    counts.lock().unwrap().add(&case, real, computed);
                }
            });
        }
    });
    counts.into_inner().unwrap()
}

impl Counts {
    fn add(&mut self, case: &Case, real: Option<String>, computed: Option<String>) {
        let height = |size: &str| size.rsplit('x').next().map(|height| format!("{height}p"));
        match (real, computed) {
            (None, _) => self.refused += 1,
            (Some(_), None) => self.absent += 1,
            (Some(real), Some(computed)) if real == computed => self.equal += 1,
            (Some(real), Some(computed)) if height(&real).as_ref() == Some(&computed) => self.absent += 1,
            (Some(real), Some(computed)) => {
                self.different
                    .push(format!("ffmpeg {}: ffmpeg makes {real}, computed {computed}", case.0.join(" ")));
            }
        }
    }
}
