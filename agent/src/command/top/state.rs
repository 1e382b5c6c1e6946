//! State of the screen, and its changes by keys and answers. No terminal here.

use ratatui::crossterm::event::{KeyCode, KeyEvent};

use crate::api::{Answer, Transcode, Workload};
use crate::command::top::ClientError;
use crate::command::top::keys::{self, BINDINGS, Effect, TYPING, TypingEffect};
use crate::command::top::power_history::PowerHistory;
use crate::command::top::rows::{self, Kind, Row};

/// Rows of a page.
const PAGE: isize = 10;

/// Result of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    GoOn,
    End,
}

/// Where keys go.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Focus {
    #[default]
    Table,
    /// A filter is typed.
    Filter,
    Help,
}

/// Sort order of one table.
#[derive(Clone, Copy, Debug)]
struct Order {
    column: usize,
    is_descending: bool,
}

/// State of the screen.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) url: String,
    pub(super) answer: Option<Answer>,
    /// Error of the last request.
    pub(super) problem: Option<String>,
    pub(super) kind: Kind,
    orders: [Order; 2],
    pub(super) filter: String,
    pub(super) focus: Focus,
    pub(super) is_paused: bool,
    pub(super) has_detail: bool,
    /// The key of the selected line: the selection follows it.
    chosen: Option<String>,
    pub(super) history: PowerHistory,
}

/// The subject of the detail.
#[derive(Clone, Copy, Debug)]
pub(super) enum Subject<'a> {
    Transcode(&'a Transcode),
    Workload(&'a Workload),
}

impl State {
    pub(super) fn new(url: String, filter: String) -> Self {
        let order = |kind: Kind| Order { column: kind.place_of("power_watts"), is_descending: true };
        Self {
            url,
            answer: None,
            problem: None,
            kind: Kind::default(),
            orders: [order(Kind::Transcodes), order(Kind::Workloads)],
            filter,
            focus: Focus::default(),
            is_paused: false,
            has_detail: false,
            chosen: None,
            history: PowerHistory::new(),
        }
    }

    /// Sorts each table that has a column of this title; an error lists the columns.
    pub(super) fn sort_by(&mut self, title: &str) -> Result<(), String> {
        let mut has_any = false;
        for kind in [Kind::Transcodes, Kind::Workloads] {
            let found = kind.columns().iter().position(|column| column.title.eq_ignore_ascii_case(title));
            if let Some(column) = found {
                self.orders[kind as usize] =
                    Order { column, is_descending: kind.columns()[column].is_figure() };
                has_any = true;
            }
        }
        let all = || Kind::Transcodes.columns().iter().chain(Kind::Workloads.columns());
        if has_any { Ok(()) } else { Err(all().map(|column| column.title).collect::<Vec<_>>().join(", ")) }
    }

    /// The sort column, and whether the largest value is first.
    pub(super) fn order(&self) -> (usize, bool) {
        let order = self.orders[self.kind as usize];
        (order.column, order.is_descending)
    }

    /// Takes an answer or an error. While paused nothing changes.
    pub(super) fn answered(&mut self, answer: Result<Answer, ClientError>) {
        match answer {
            Ok(_) if self.is_paused => {}
            Ok(answer) => {
                self.history.take(answer.process.pid, answer.tick, rows::powers(&answer));
                self.answer = Some(answer);
                self.problem = None;
            }
            // The last answer stays.
            Err(error) => self.problem = Some(error.to_string()),
        }
    }

    /// The same state with this table.
    pub(super) fn of_kind(&self, kind: Kind) -> Self {
        Self { kind, ..self.clone() }
    }

    /// The lines of the table.
    pub(super) fn rows(&self) -> Vec<Row> {
        let (column, is_descending) = self.order();
        let rows = |answer| rows::rows(answer, self.kind, &self.filter, column, is_descending);
        self.answer.as_ref().map(rows).unwrap_or_default()
    }

    /// The position of the selected line among these.
    pub(super) fn place(&self, rows: &[Row]) -> Option<usize> {
        let chosen = self.chosen.as_ref().and_then(|key| rows.iter().position(|row| row.key == *key));
        chosen.or_else(|| (!rows.is_empty()).then_some(0))
    }

    /// The selected transcode or workload, when its detail is shown.
    pub(super) fn detail(&self) -> Option<Subject<'_>> {
        let answer = self.answer.as_ref().filter(|_| self.has_detail)?;
        let rows = self.rows();
        let key = &rows.get(self.place(&rows)?)?.key;
        match self.kind {
            Kind::Transcodes => {
                let mut all = answer.transcodes.iter().flatten();
                all.find(|one| one.transcode == *key).map(Subject::Transcode)
            }
            Kind::Workloads => {
                let mut all = answer.workloads.iter().flatten();
                all.find(|one| rows::key_of(one) == *key).map(Subject::Workload)
            }
        }
    }

    /// Handles a key.
    pub(super) fn press(&mut self, key: KeyEvent) -> Step {
        if keys::always_quits(key) {
            return Step::End;
        }
        match self.focus {
            Focus::Help => self.focus = Focus::Table,
            Focus::Filter => self.type_filter(key),
            Focus::Table => {
                if let Some(effect) = keys::effect(&BINDINGS, key) {
                    return self.apply(effect);
                }
            }
        }
        Step::GoOn
    }

    fn apply(&mut self, effect: Effect) -> Step {
        match effect {
            Effect::Back if self.has_detail => self.has_detail = false,
            Effect::Back if !self.filter.is_empty() => self.filter.clear(),
            Effect::Quit | Effect::Back => return Step::End,
            Effect::Help => self.focus = Focus::Help,
            Effect::OtherTable => {
                self.kind = if self.kind == Kind::Transcodes { Kind::Workloads } else { Kind::Transcodes };
                self.chosen = None;
            }
            Effect::Filter => self.focus = Focus::Filter,
            Effect::Pause => self.is_paused = !self.is_paused,
            Effect::Reverse => {
                let order = &mut self.orders[self.kind as usize];
                order.is_descending = !order.is_descending;
            }
            Effect::NextColumn => self.sort_beside(1),
            Effect::PreviousColumn => self.sort_beside(-1),
            Effect::Detail => self.has_detail = !self.has_detail,
            Effect::Down => self.choose(1),
            Effect::Up => self.choose(-1),
            Effect::PageDown => self.choose(PAGE),
            Effect::PageUp => self.choose(-PAGE),
            Effect::First => self.choose(isize::MIN),
            Effect::Last => self.choose(isize::MAX),
        }
        Step::GoOn
    }

    fn type_filter(&mut self, key: KeyEvent) {
        match (keys::effect(&TYPING, key), key.code) {
            (Some(TypingEffect::Keep), _) => self.focus = Focus::Table,
            (Some(TypingEffect::Clear), _) => {
                self.filter.clear();
                self.focus = Focus::Table;
            }
            (Some(TypingEffect::Erase), _) => {
                self.filter.pop();
            }
            (None, KeyCode::Char(character)) => self.filter.push(character),
            (None, _) => {}
        }
    }

    fn sort_beside(&mut self, step: isize) {
        let columns = self.kind.columns();
        let order = &mut self.orders[self.kind as usize];
        let count = columns.len().cast_signed();
        order.column = (order.column.cast_signed() + step).rem_euclid(count).cast_unsigned();
        order.is_descending = columns[order.column].is_figure();
    }

    fn choose(&mut self, step: isize) {
        let rows = self.rows();
        let Some(place) = self.place(&rows) else { return };
        let last = rows.len() - 1;
        let place = place.cast_signed().saturating_add(step).clamp(0, last.cast_signed()).cast_unsigned();
        self.chosen = Some(rows[place].key.clone());
    }
}
