//! Columns and rows of the tables of transcodes and workloads.

use std::cmp::Ordering;

use agent_core::model::transcode::TranscodeEnding;

use crate::api::{Answer, Prices, Transcode, Workload};
use crate::command::top::format::{bytes, digits, grams, money, shown, text, watts, with_unit};

/// Longest name in a table.
const LONGEST_NAME: usize = 32;

/// Subject of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Runs of encoders.
    #[default]
    Transcodes,
    /// Containers, units and the rest.
    Workloads,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// Narrower columns are unreadable.
    pub(super) width: u16,
    pub(super) is_text: bool,
}

const fn column(title: &'static str, width: u16, is_text: bool) -> Column {
    Column { title, width, is_text }
}

const TRANSCODES: [Column; 11] = [
    column("CONTAINER", 16, true),
    column("ENCODE", 26, true),
    column("STATE", 12, true),
    column("POWER", 8, false),
    column("ENERGY", 9, false),
    column("J/FRAME", 9, false),
    column("SPEED", 6, false),
    column("FRAMES", 8, false),
    column("VMAF", 5, false),
    column("COST", 10, false),
    column("CO2", 9, false),
];

const WORKLOADS: [Column; 8] = [
    column("NAME", 28, true),
    column("KIND", 10, true),
    column("POWER", 8, false),
    column("ENERGY", 9, false),
    column("CPU", 6, false),
    column("MEMORY", 9, false),
    column("COST", 10, false),
    column("CO2", 9, false),
];

/// Text and sort value of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    pub(super) text: String,
    value: Option<f64>,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// The same in every answer.
    pub(super) key: String,
    pub(super) cells: Vec<Cell>,
    /// Whether it has ended.
    pub(super) is_over: bool,
    /// Whether it falls behind, or has failed.
    pub(super) is_alarming: bool,
}

impl Kind {
    pub(super) fn columns(self) -> &'static [Column] {
        match self {
            Self::Transcodes => &TRANSCODES,
            Self::Workloads => &WORKLOADS,
        }
    }

    /// The column of the power, by which the table is sorted at first.
    pub(super) fn power(self) -> usize {
        self.columns().iter().position(|column| column.title == "POWER").unwrap_or(0)
    }
}

/// The lines that contain the text, in order.
pub(super) fn rows(answer: &Answer, kind: Kind, filter: &str, sort: usize, is_descending: bool) -> Vec<Row> {
    let filter = filter.to_lowercase();
    let mut rows: Vec<Row> = match kind {
        Kind::Transcodes => {
            let all = answer.transcodes.iter().flatten();
            all.filter(|one| has_text(one, &filter)).map(|one| transcode(one, &answer.prices)).collect()
        }
        Kind::Workloads => {
            let all = answer.workloads.iter().flatten();
            let words = |one: &Workload| [&one.workload, &one.id, &one.kind].map(|word| word.to_lowercase());
            let has_text = |one: &&Workload| words(one).iter().any(|word| word.contains(&filter));
            all.filter(has_text).map(|one| workload(one, &answer.prices)).collect()
        }
    };
    let is_text = kind.columns()[sort].is_text;
    rows.sort_by(|one, other| {
        let (one, other) = (&one.cells[sort], &other.cells[sort]);
        if is_text {
            let order = one.text.to_lowercase().cmp(&other.text.to_lowercase());
            return if is_descending { order.reverse() } else { order };
        }
        match (one.value, other.value) {
            (Some(one), Some(other)) if is_descending => other.total_cmp(&one),
            (Some(one), Some(other)) => one.total_cmp(&other),
            // Unknown values come last, in either order.
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    });
    rows
}

/// Encoder, preset and size of an encode.
pub(super) fn encode_of(one: &Transcode) -> String {
    let asked = &one.asked;
    let codec = asked.codec.as_deref().unwrap_or(&one.program);
    let parts = [Some(codec), asked.preset.as_deref(), asked.resolution.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// State of a transcode.
pub(super) fn state_of(one: &Transcode) -> String {
    match (one.is_running, one.told.is_stalled, one.asked.exit_code) {
        (true, Some(true), _) => "falls behind".to_owned(),
        (true, ..) => "running".to_owned(),
        (false, _, Some(code)) if has_failed(one) => format!("failed ({code})"),
        (false, ..) => one.asked.ending.clone().unwrap_or_else(|| TranscodeEnding::Ended.name().to_owned()),
    }
}

fn has_failed(one: &Transcode) -> bool {
    one.asked.ending.as_deref() == Some(TranscodeEnding::Failed.name())
}

fn has_text(one: &Transcode, filter: &str) -> bool {
    let words = [one.workload.as_str(), &one.transcode, one.asked.scenario.as_deref().unwrap_or_default()];
    words.iter().any(|word| word.to_lowercase().contains(filter))
        || encode_of(one).to_lowercase().contains(filter)
}

fn named(name: &str) -> Cell {
    Cell { text: text(name, LONGEST_NAME), value: None }
}

fn figure(value: Option<f64>, how: impl Fn(Option<f64>) -> String) -> Cell {
    Cell { text: how(value), value }
}

fn transcode(one: &Transcode, prices: &Prices) -> Row {
    let (told, figures) = (&one.told, &one.figures);
    let power = figures.power_watts.filter(|_| one.is_running);
    let frames = told.frames.map(|frames| frames as f64);
    let cells = vec![
        named(&one.workload),
        named(&encode_of(one)),
        named(&state_of(one)),
        figure(power, watts),
        figure(figures.energy_joules, |value| with_unit(value, "J")),
        figure(figures.joules_per_frame, |value| with_unit(value, "J")),
        figure(told.speed_ratio, |value| shown(value, |speed| format!("{speed:.2}x"))),
        figure(frames, |value| shown(value, |frames| format!("{frames:.0}"))),
        figure(figures.vmaf_score, |value| shown(value, |vmaf| format!("{vmaf:.1}"))),
        figure(figures.cost, |value| money(value, &prices.currency)),
        figure(figures.carbon_grams, grams),
    ];
    Row {
        key: one.transcode.clone(),
        cells,
        is_over: !one.is_running,
        is_alarming: has_failed(one) || told.is_stalled == Some(true),
    }
}

fn workload(one: &Workload, prices: &Prices) -> Row {
    let memory = one.memory_bytes;
    let cells = vec![
        named(&one.workload),
        named(if one.kind == "pseudo" { "host" } else { &one.kind }),
        figure(one.power_watts, watts),
        figure(one.energy_joules, |value| with_unit(value, "J")),
        figure(Some(one.cpu_cores), |value| shown(value, digits)),
        Cell { text: bytes(memory), value: memory.map(|memory| memory as f64) },
        figure(one.energy_cost, |value| money(value, &prices.currency)),
        figure(one.carbon_grams, grams),
    ];
    let key = format!("{}\n{}", one.workload, one.id);
    Row { key, cells, is_over: !one.is_running, is_alarming: false }
}
