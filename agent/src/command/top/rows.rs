//! Columns and rows of the tables of transcodes and workloads.

use std::cmp::Ordering;

use serde_json::Value;

use crate::api::condition::Condition;
use crate::api::{Answer, Prices, Transcode, Workload};
use crate::command::top::format::{bytes, digits, grams, money, percent, shown, text, watts, with_unit};

/// Longest name in a table.
const LONGEST_NAME: usize = 64;

use ColumnForm::{Figure, Name, Word, Words};

/// Subject of a table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Kind {
    /// Runs of encoders.
    #[default]
    Transcodes,
    /// Containers, units and the rest.
    Workloads,
}

/// What may happen to the text of a column on a narrow screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ColumnForm {
    /// Shortened with an ellipsis, at any character.
    Name,
    /// Shortened with an ellipsis, between words.
    Words,
    /// Shown whole, or not at all.
    Word,
    /// As a word, and on the right.
    Figure,
}

/// A column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) title: &'static str,
    /// Name of the field in JSON.
    pub(super) field: &'static str,
    /// Columns do not change their width with each value; a longer figure makes its column wider.
    pub(super) width: usize,
    pub(super) form: ColumnForm,
    /// On a narrow screen, columns with a smaller rank are left out first.
    pub(super) rank: u8,
}

impl Column {
    pub(super) fn is_figure(&self) -> bool {
        self.form == ColumnForm::Figure
    }

    /// Whether the text may be shortened.
    pub(super) fn is_name(&self) -> bool {
        matches!(self.form, ColumnForm::Name | ColumnForm::Words)
    }
}

const fn column(
    title: &'static str,
    field: &'static str,
    width: usize,
    form: ColumnForm,
    rank: u8,
) -> Column {
    Column { title, field, width, form, rank }
}

const TRANSCODES: [Column; 12] = [
    column("CONTAINER", "workload", 16, Name, 100),
    column("ENCODE", "encode", 18, Words, 75),
    column("STATE", "state", 8, Word, 90),
    column("POWER", "power_watts", 8, Figure, 95),
    column("SHARE", "power_share_ratio", 6, Figure, 45),
    column("ENERGY", "energy_joules", 8, Figure, 60),
    column("J/FRAME", "joules_per_frame", 8, Figure, 70),
    column("SPEED", "speed_ratio", 6, Figure, 65),
    column("FRAMES", "frames", 8, Figure, 25),
    column("VMAF", "vmaf_score", 5, Figure, 50),
    column("COST", "cost", 10, Figure, 20),
    column("CO2", "carbon_grams", 9, Figure, 15),
];

const WORKLOADS: [Column; 10] = [
    column("NAME", "workload", 20, Name, 100),
    column("KIND", "kind", 10, Word, 25),
    column("STATE", "state", 8, Word, 90),
    column("POWER", "power_watts", 8, Figure, 95),
    column("SHARE", "power_share_ratio", 6, Figure, 45),
    column("ENERGY", "energy_joules", 8, Figure, 60),
    column("CPU", "cpu_cores", 5, Figure, 55),
    column("MEMORY", "memory_bytes", 9, Figure, 35),
    column("COST", "cost", 10, Figure, 20),
    column("CO2", "carbon_grams", 9, Figure, 15),
];

/// Text and value of a cell.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Cell {
    pub(super) text: String,
    /// Null when it is unknown.
    pub(super) value: Value,
}

/// A line of the table.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// The same in every answer.
    pub(super) key: String,
    /// The transcode's key, or the workload's id.
    pub(super) id: String,
    pub(super) cells: Vec<Cell>,
    pub(super) condition: Condition,
    /// Share of the host's power, from 0 to 1.
    pub(super) share: Option<f64>,
}

impl Kind {
    pub(super) fn columns(self) -> &'static [Column] {
        match self {
            Self::Transcodes => &TRANSCODES,
            Self::Workloads => &WORKLOADS,
        }
    }

    /// The column with this field.
    pub(super) fn place_of(self, field: &str) -> usize {
        self.columns().iter().position(|column| column.field == field).unwrap_or(0)
    }
}

/// The lines that contain the text, in order.
pub(super) fn rows(answer: &Answer, kind: Kind, filter: &str, sort: usize, is_descending: bool) -> Vec<Row> {
    let filter = filter.to_lowercase();
    let mut rows: Vec<Row> = match kind {
        Kind::Transcodes => {
            let all = answer.transcodes.iter().flatten();
            all.filter(|one| has_text(one, &filter)).map(|one| transcode(one, answer)).collect()
        }
        Kind::Workloads => {
            let all = answer.workloads.iter().flatten();
            let words = |one: &Workload| [&one.workload, &one.id, &one.kind].map(|word| word.to_lowercase());
            let has_text = |one: &&Workload| words(one).iter().any(|word| word.contains(&filter));
            all.filter(has_text).map(|one| workload(one, answer)).collect()
        }
    };
    let is_figure = kind.columns()[sort].is_figure();
    rows.sort_by(|one, other| {
        let (one, other) = (&one.cells[sort], &other.cells[sort]);
        if !is_figure {
            let order = one.text.to_lowercase().cmp(&other.text.to_lowercase());
            return if is_descending { order.reverse() } else { order };
        }
        match (one.value.as_f64(), other.value.as_f64()) {
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

/// The keys of all rows of both tables, and their watts.
pub(super) fn powers(answer: &Answer) -> impl Iterator<Item = (String, Option<f64>)> {
    let transcodes = answer.transcodes.iter().flatten().map(|one| (one.transcode.clone(), power_of(one)));
    let workloads = answer.workloads.iter().flatten().map(|one| (key_of(one), one.power_watts));
    transcodes.chain(workloads)
}

/// Encoder, preset and size of an encode.
pub(super) fn encode_of(one: &Transcode) -> String {
    let asked = &one.asked;
    let codec = asked.codec.as_deref().unwrap_or(&one.program);
    let parts = [Some(codec), asked.preset.as_deref(), asked.resolution.as_deref()];
    parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
}

/// The key of a workload's row: two workloads may have one name.
pub(super) fn key_of(one: &Workload) -> String {
    format!("{}\n{}", one.workload, one.id)
}

/// The watts of a running transcode.
pub(super) fn power_of(one: &Transcode) -> Option<f64> {
    one.figures.power_watts.filter(|_| one.is_running)
}

/// The share of the host's power.
pub(super) fn share_of(watts: Option<f64>, answer: &Answer) -> Option<f64> {
    let whole = answer.host.power_watts.filter(|whole| *whole > 0.0)?;
    watts.map(|watts| watts / whole)
}

fn has_text(one: &Transcode, filter: &str) -> bool {
    let words = [one.workload.as_str(), &one.transcode, one.asked.scenario.as_deref().unwrap_or_default()];
    words.iter().any(|word| word.to_lowercase().contains(filter))
        || encode_of(one).to_lowercase().contains(filter)
}

fn named(name: &str) -> Cell {
    Cell { text: text(name, LONGEST_NAME), value: name.into() }
}

fn figure(value: Option<f64>, how: impl Fn(Option<f64>) -> String) -> Cell {
    Cell { text: how(value), value: value.into() }
}

fn whole(value: Option<u64>, how: impl Fn(Option<u64>) -> String) -> Cell {
    Cell { text: how(value), value: value.into() }
}

fn transcode(one: &Transcode, answer: &Answer) -> Row {
    let (told, figures, Prices { currency, .. }) = (&one.told, &one.figures, &answer.prices);
    let (power, condition) = (power_of(one), Condition::of_transcode(one));
    let share = share_of(power, answer);
    let cells = vec![
        named(&one.workload),
        named(&encode_of(one)),
        Cell { text: condition.text(), value: condition.word().into() },
        figure(power, watts),
        figure(share, percent),
        figure(figures.energy_joules, |value| with_unit(value, "J")),
        figure(figures.joules_per_frame, |value| with_unit(value, "J")),
        figure(told.speed_ratio, |value| shown(value, |speed| format!("{speed:.2}x"))),
        whole(told.frames, |value| shown(value, |frames| frames.to_string())),
        figure(figures.vmaf_score, |value| shown(value, |vmaf| format!("{vmaf:.1}"))),
        figure(figures.cost, |value| money(value, currency)),
        figure(figures.carbon_grams, grams),
    ];
    Row { key: one.transcode.clone(), id: one.transcode.clone(), cells, condition, share }
}

fn workload(one: &Workload, answer: &Answer) -> Row {
    let condition = Condition::of_workload(one);
    let share = share_of(one.power_watts, answer);
    let cells = vec![
        named(&one.workload),
        Cell {
            text: if one.kind == "pseudo" { "host".to_owned() } else { text(&one.kind, LONGEST_NAME) },
            value: one.kind.as_str().into(),
        },
        Cell { text: condition.text(), value: condition.word().into() },
        figure(one.power_watts, watts),
        figure(share, percent),
        figure(one.energy_joules, |value| with_unit(value, "J")),
        figure(Some(one.cpu_cores), |value| shown(value, digits)),
        whole(one.memory_bytes, bytes),
        figure(one.cost, |value| money(value, &answer.prices.currency)),
        figure(one.carbon_grams, grams),
    ];
    Row { key: key_of(one), id: one.id.clone(), cells, condition, share }
}
