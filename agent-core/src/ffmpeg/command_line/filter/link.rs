//! Connects the pads of a filter graph, and evaluates its filters from the inputs to the outputs.
//!
//! The rules are those of libavfilter/graphparser.c: labels first, then the outputs of the filter before in the chain; what is missing
//! comes from the streams of the command.

use std::collections::HashMap;

use crate::ffmpeg::command_line::filter::syntax::Filter;
use crate::ffmpeg::command_line::filter::{Pad, format, resize};

/// Where an input of a filter comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Link<'a> {
    /// An output of a filter: number of the filter, number of its output.
    Filter(usize, usize),
    /// A label that no filter has as an output: a stream of the command.
    Label(&'a str),
    /// A stream of the command without a label.
    Open,
}

/// The connections of a graph.
#[derive(Debug, Default)]
pub(super) struct Links<'a> {
    /// The inputs of each filter.
    inputs: Vec<Vec<Link<'a>>>,
    /// Number of outputs of each filter.
    outputs: Vec<usize>,
    /// Outputs that no filter takes.
    pub(super) labelled: HashMap<&'a str, (usize, usize)>,
    pub(super) unlabelled: Vec<(usize, usize)>,
}

impl<'a> Links<'a> {
    pub(super) fn new(filters: &'a [Filter]) -> Self {
        let mut links = Self::default();
        // Inputs with labels that a later filter may define.
        let mut waiting: HashMap<&str, Vec<(usize, usize)>> = HashMap::new();
        let mut current: Vec<(usize, usize)> = Vec::new();
        for (number, filter) in filters.iter().enumerate() {
            let mut inputs = Vec::new();
            for label in &filter.inputs {
                inputs.push(links.labelled.remove(label.as_str()).map_or_else(
                    || {
                        waiting.entry(label).or_default().push((number, inputs.len()));
                        Link::Label(label)
                    },
                    |(filter, output)| Link::Filter(filter, output),
                ));
            }
            inputs.extend(current.drain(..).map(|(filter, output)| Link::Filter(filter, output)));
            while inputs.len() < resize::input_count(&filter.name, &filter.options) {
                inputs.push(Link::Open);
            }
            links.inputs.push(inputs);
            let count = resize::output_count(&filter.name, &filter.options).max(filter.outputs.len());
            links.outputs.push(count);
            for output in 0..count {
                match filter.outputs.get(output) {
                    None => current.push((number, output)),
                    Some(label) => links.define(label, (number, output), &mut waiting),
                }
            }
            if filter.ends_chain {
                links.unlabelled.append(&mut current);
            }
        }
        links
    }

    fn define(
        &mut self,
        label: &'a str,
        source: (usize, usize),
        waiting: &mut HashMap<&str, Vec<(usize, usize)>>,
    ) {
        match waiting.get_mut(label).and_then(Vec::pop) {
            None => {
                self.labelled.insert(label, source);
            }
            Some((filter, input)) => {
                if let Some(link) = self.inputs.get_mut(filter).and_then(|inputs| inputs.get_mut(input)) {
                    *link = Link::Filter(source.0, source.1);
                }
            }
        }
    }

    /// The labels of streams of the command.
    pub(super) fn labels(&self) -> impl Iterator<Item = &'a str> {
        self.inputs.iter().flatten().filter_map(|link| match link {
            Link::Label(label) => Some(*label),
            Link::Filter(..) | Link::Open => None,
        })
    }

    /// The outputs of each filter; none for filters in a circle.
    pub(super) fn evaluate(
        &self,
        filters: &[Filter],
        mut open: impl FnMut(Link<'_>) -> Pad,
    ) -> Vec<Vec<Pad>> {
        let mut followers: Vec<Vec<usize>> = vec![Vec::new(); filters.len()];
        let mut missing: Vec<usize> = vec![0; filters.len()];
        for (number, inputs) in self.inputs.iter().enumerate() {
            for link in inputs {
                if let Link::Filter(source, _) = link {
                    followers[*source].push(number);
                    missing[number] += 1;
                }
            }
        }
        let is_coarse = filters.iter().any(format::is_coarse);
        let mut pads: Vec<Vec<Pad>> = vec![Vec::new(); filters.len()];
        // In the order of the text, which is the order in which open inputs take streams.
        let mut ready: Vec<usize> = (0..filters.len()).rev().filter(|number| missing[*number] == 0).collect();
        while let Some(number) = ready.pop() {
            let input = |link: &Link<'a>| match *link {
                Link::Filter(source, output) => pads[source].get(output).copied().unwrap_or(Pad::UNKNOWN),
                link => open(link),
            };
            let inputs: Vec<Pad> = self.inputs[number].iter().map(input).collect();
            pads[number] = resize::apply(&filters[number], &inputs, self.outputs[number]);
            if is_coarse {
                resize::without_fine_sides(&filters[number], &mut pads[number]);
            }
            for follower in &followers[number] {
                missing[*follower] -= 1;
                if missing[*follower] == 0 {
                    ready.push(*follower);
                }
            }
        }
        pads
    }
}
