//! State of the screen, and its changes by keys and answers. No terminal here.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use crate::api::{Answer, Transcode};
use crate::command::top::ClientError;
use crate::command::top::rows::{self, Kind, Row};

/// Result of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    GoOn,
    End,
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
    pub(super) is_typing: bool,
    pub(super) is_paused: bool,
    pub(super) has_detail: bool,
    /// The key of the selected line: the selection follows it.
    chosen: Option<String>,
}

impl State {
    pub(super) fn new(url: String, filter: String) -> Self {
        let order = |kind: Kind| Order { column: kind.power(), is_descending: true };
        Self {
            url,
            answer: None,
            problem: None,
            kind: Kind::default(),
            orders: [order(Kind::Transcodes), order(Kind::Workloads)],
            filter,
            is_typing: false,
            is_paused: false,
            has_detail: false,
            chosen: None,
        }
    }

    /// Sorts each table that has a column of this title; an error lists the columns.
    pub(super) fn sort_by(&mut self, title: &str) -> Result<(), String> {
        let mut has_any = false;
        for kind in [Kind::Transcodes, Kind::Workloads] {
            let found = kind.columns().iter().position(|column| column.title.eq_ignore_ascii_case(title));
            if let Some(column) = found {
                self.orders[kind as usize] = Order { column, is_descending: !kind.columns()[column].is_text };
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

    /// The selected transcode, when its detail is shown.
    pub(super) fn detail(&self) -> Option<&Transcode> {
        if !self.has_detail || self.kind != Kind::Transcodes {
            return None;
        }
        let rows = self.rows();
        let key = &rows.get(self.place(&rows)?)?.key;
        self.answer.as_ref()?.transcodes.as_ref()?.iter().find(|one| one.transcode == *key)
    }

    /// Handles a key.
    pub(super) fn press(&mut self, key: KeyEvent) -> Step {
        if key.modifiers.contains(KeyModifiers::CONTROL) && key.code == KeyCode::Char('c') {
            return Step::End;
        }
        if self.is_typing {
            self.type_filter(key.code);
            return Step::GoOn;
        }
        match key.code {
            KeyCode::Esc if self.has_detail => self.has_detail = false,
            KeyCode::Esc if !self.filter.is_empty() => self.filter.clear(),
            KeyCode::Char('q') | KeyCode::Esc => return Step::End,
            KeyCode::Tab => {
                self.kind = if self.kind == Kind::Transcodes { Kind::Workloads } else { Kind::Transcodes };
                self.chosen = None;
            }
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('r') => {
                let order = &mut self.orders[self.kind as usize];
                order.is_descending = !order.is_descending;
            }
            KeyCode::Char('s') | KeyCode::Right => self.sort_beside(1),
            KeyCode::Char('S') | KeyCode::Left => self.sort_beside(-1),
            KeyCode::Enter => self.has_detail = !self.has_detail,
            KeyCode::Down | KeyCode::Char('j') => self.choose(1),
            KeyCode::Up | KeyCode::Char('k') => self.choose(-1),
            KeyCode::PageDown => self.choose(10),
            KeyCode::PageUp => self.choose(-10),
            KeyCode::Home => self.choose(isize::MIN),
            KeyCode::End => self.choose(isize::MAX),
            _ => {}
        }
        Step::GoOn
    }

    fn type_filter(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.filter.clear();
                self.is_typing = false;
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(character) => self.filter.push(character),
            _ => {}
        }
    }

    fn sort_beside(&mut self, step: isize) {
        let columns = self.kind.columns();
        let order = &mut self.orders[self.kind as usize];
        let count = columns.len().cast_signed();
        order.column = (order.column.cast_signed() + step).rem_euclid(count).cast_unsigned();
        order.is_descending = !columns[order.column].is_text;
    }

    fn choose(&mut self, step: isize) {
        let rows = self.rows();
        let Some(place) = self.place(&rows) else { return };
        let last = rows.len() - 1;
        let place = place.cast_signed().saturating_add(step).clamp(0, last.cast_signed()).cast_unsigned();
        self.chosen = Some(rows[place].key.clone());
    }
}
