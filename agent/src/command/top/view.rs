//! Draws the screen: host, notice, table, detail, help and the last line with keys.

use agent_core::duration;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row as TableRow, Table, TableState};

use crate::api::snapshot::PART_NAMES;
use crate::api::{Answer, Notice};
use crate::command::top::format::{UNKNOWN, money, shown, text, watts, with_unit};
use crate::command::top::help::{self, HelpLine};
use crate::command::top::keys::BINDINGS;
use crate::command::top::layout::{self, Content, Placed};
use crate::command::top::rows::{ColumnForm, Kind, Row};
use crate::command::top::state::{Focus, State};
use crate::command::top::{detail, fitting};

/// Colours of the parts of the host's power, as on the page.
const PARTS: [(&str, Color); 5] = [
    ("containers", Color::Blue),
    ("services", Color::Magenta),
    ("system", Color::Cyan),
    ("idle", Color::DarkGray),
    ("unattributed", Color::Yellow),
];

/// Most lines of the parts of the host's power.
const PART_LINES: usize = 3;

/// Most rows of the table that stay above a detail without room for all of its lines.
const ROWS_ABOVE: usize = 3;

pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let (width, height) = (usize::from(frame.area().width), usize::from(frame.area().height));
    let split = state.answer.as_ref().map(|answer| parts(answer, width)).unwrap_or_default();
    let notice = notice(state, width).filter(|_| state.focus != Focus::Help);
    let split = if state.focus == Focus::Help { Vec::new() } else { split };
    let above = 1 + split.len() + usize::from(notice.is_some());
    // The table has a border and titles.
    let table_lines = 2 + state.rows().len().min(ROWS_ABOVE);
    let detail = detail_lines(state, width, height.saturating_sub(above + 1 + table_lines));
    let length = |lines: usize| Constraint::Length(u16::try_from(lines).unwrap_or(u16::MAX));
    let [head, split_area, notice_area, table, below, keys] = Layout::vertical([
        length(1),
        length(split.len()),
        length(usize::from(notice.is_some())),
        Constraint::Min(0),
        length(detail.as_ref().map_or(0, |lines| lines.len() + 1)),
        length(1),
    ])
    .areas(frame.area());
    frame.render_widget(headline(state, width), head);
    frame.render_widget(Paragraph::new(split), split_area);
    if let Some((words, style)) = notice {
        frame.render_widget(Paragraph::new(words).style(style), notice_area);
    }
    if state.focus == Focus::Help {
        draw_help(frame, table);
    } else {
        draw_table(frame, state, table);
        if let Some(lines) = detail {
            draw_block(frame, " Detail ", lines, below);
        }
    }
    frame.render_widget(Paragraph::new(last_line(state, width)).reversed(), keys);
}

/// The first line. On a narrow screen, whole parts are left out.
pub(super) fn headline(state: &State, width: usize) -> Line<'static> {
    let mut parts = vec![(8, " ffwatt ".bold()), (4, Span::from(format!("{}  ", state.url)).dim())];
    if let Some(answer) = &state.answer {
        let host = &answer.host;
        let busy = shown(host.utilisation_ratio, |ratio| format!("{:.0} %", ratio * 100.0));
        parts.push((9, watts(host.power_watts).bold()));
        parts.push((6, format!("   {} since the start", with_unit(host.energy_joules, "J")).into()));
        parts.push((5, format!("   CPU {busy} of {}", host.cpus).into()));
        if let Some(cost) = host.cost_per_hour {
            parts.push((2, format!("   {}/h", money(Some(cost), &answer.prices.currency)).into()));
        }
        parts.push((3, format!("   tick {}", answer.tick).into()));
    }
    if state.is_paused {
        parts.push((10, "   paused".yellow().bold()));
    }
    let parts = fitting::most_needed(parts, width, |(rank, _)| *rank, |(_, span)| span.width());
    Line::from(parts.into_iter().map(|(_, span)| span).collect::<Vec<_>>())
}

/// The parts of the host's power, in lines of this width. A part that does not fit is left out.
pub(super) fn parts(answer: &Answer, width: usize) -> Vec<Line<'static>> {
    let mut lines: Vec<Line<'static>> = Vec::new();
    for part in &answer.split {
        let colour =
            PARTS.iter().find(|(name, _)| *name == part.part).map_or(Color::Reset, |(_, colour)| *colour);
        let name =
            PART_NAMES.iter().find(|(known, _)| *known == part.part).map_or(&*part.part, |(_, name)| name);
        let words = format!("{name} {}", watts(Some(part.power_watts)));
        let spans = [Span::styled(" ■ ", Style::new().fg(colour)), words.into()];
        let size = spans.iter().map(Span::width).sum::<usize>();
        let has_room = lines.len() < PART_LINES;
        match lines.last_mut() {
            Some(line) if line.width() + 2 + size <= width => {
                line.extend([Span::from("  ")].into_iter().chain(spans));
            }
            _ if size <= width && has_room => lines.push(Line::from(spans.to_vec())),
            _ => {}
        }
    }
    lines
}

/// The message about an agent that has stopped.
pub(super) fn stale(answer: &Answer) -> Option<String> {
    let age = answer.age.as_secs();
    answer.is_stale().then(|| format!("The agent has not updated for {age} s: the figures are old."))
}

/// The message in the notice line.
fn notice(state: &State, width: usize) -> Option<(String, Style)> {
    let fitted = |words: &str, colour| {
        (format!(" {}", fitting::whole_words(words, width.saturating_sub(1))), Style::new().fg(colour))
    };
    if let Some(problem) = &state.problem {
        return Some(fitted(&format!("{}: the figures are old", text(problem, 300)), Color::Red));
    }
    let answer = state.answer.as_ref()?;
    if let Some(words) = stale(answer) {
        return Some(fitted(&words, Color::Red));
    }
    let first = answer.notices.first()?;
    let more = match answer.notices.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more: `ffwatt top --once`)"),
    };
    Some(fitted(&format!("{}{more}", told(first, answer)), Color::Yellow))
}

/// A notice, with the time since which it holds.
pub(super) fn told(notice: &Notice, answer: &Answer) -> String {
    let since = notice.since_unix_seconds.map_or_else(String::new, |since| {
        format!("For {}: ", duration::in_words(answer.time_unix_seconds - since))
    });
    format!("{since}{}", text(&notice.text, 300))
}

/// The last line: the filter that is typed, or keys.
fn last_line(state: &State, width: usize) -> String {
    match state.focus {
        Focus::Filter => {
            format!(" filter: {}▏", fitting::shortened(&text(&state.filter, 300), width.saturating_sub(10)))
        }
        Focus::Help => fitting::whole_words(" any key closes the help", width),
        Focus::Table => {
            let words = BINDINGS.iter().rev().filter_map(|binding| Some(format!(" {} ", binding.brief()?)));
            let mut words: Vec<_> = (0..).zip(words).collect();
            words.reverse();
            let words =
                fitting::most_needed(words, width, |(rank, _)| *rank, |(_, word)| fitting::width(word));
            words.into_iter().map(|(_, word)| word).collect()
        }
    }
}

fn style_of(row: &Row) -> Style {
    match (row.condition.is_alarming(), row.condition.is_over()) {
        (true, _) => Style::new().fg(Color::Red),
        (false, true) => Style::new().fg(Color::DarkGray),
        (false, false) => Style::new(),
    }
}

/// The text of a row in a column, as wide as the column at most.
fn cell(row: &Row, placed: Placed, state: &State, has_state: bool) -> String {
    let width = placed.width;
    match placed.content {
        Content::Bar => row.share.map_or_else(|| UNKNOWN.to_owned(), layout::bar),
        Content::History => state.history.line(&row.key).unwrap_or_else(|| UNKNOWN.to_owned()),
        Content::Figures(place) => {
            let text = &row.cells[place].text;
            match state.kind.columns()[place].form {
                _ if place == 0 && !has_state => {
                    fitting::shortened(&format!("{}{text}", row.condition.mark()), width)
                }
                ColumnForm::Name => fitting::shortened(text, width),
                ColumnForm::Words => fitting::whole_words(text, width),
                ColumnForm::Word | ColumnForm::Figure => text.clone(),
            }
        }
    }
}

fn title_of(placed: Placed, state: &State) -> String {
    let title = match placed.content {
        Content::Bar => String::new(),
        Content::History => {
            let seconds = state.answer.as_ref().map_or(0.0, |answer| answer.tick_seconds);
            format!("LAST {}", duration::in_words(state.history.ticks() as f64 * seconds))
        }
        Content::Figures(place) => layout::title(state.kind, place, state.order()),
    };
    fitting::whole_words(&title, placed.width)
}

fn draw_table(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let rows = state.rows();
    let kind = state.kind;
    let columns = layout::columns(kind, &rows, state.order(), usize::from(area.width));
    let has_state = columns.iter().any(|placed| placed.content == Content::Figures(kind.place_of("state")));
    let aligned = |placed: &Placed, text: String| {
        let is_figure =
            matches!(placed.content, Content::Figures(place) if kind.columns()[place].is_figure());
        let line = Line::from(text);
        Cell::from(if is_figure { line.right_aligned() } else { line })
    };
    let titles = columns.iter().map(|placed| aligned(placed, title_of(*placed, state)));
    let lines = rows.iter().map(|row| {
        let cells = columns.iter().map(|placed| aligned(placed, cell(row, *placed, state, has_state)));
        TableRow::new(cells).style(style_of(row))
    });
    let widths =
        columns.iter().map(|placed| Constraint::Length(u16::try_from(placed.width).unwrap_or(u16::MAX)));
    let what = match kind {
        Kind::Transcodes => "Encodes",
        Kind::Workloads => "Workloads",
    };
    let mut title = format!(" {what}: {} ", rows.len());
    if !state.filter.is_empty() {
        title = format!(" {what}: {}, filter {:?} ", rows.len(), text(&state.filter, 40));
    }
    let title = fitting::whole_words(&title, usize::from(area.width));
    let table = Table::new(lines, widths)
        .column_spacing(1)
        .header(TableRow::new(titles).style(Style::new().add_modifier(Modifier::BOLD)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(Block::new().borders(Borders::TOP).title(title));
    let mut place = TableState::default().with_selected(state.place(&rows));
    frame.render_stateful_widget(table, area, &mut place);
}

/// The first lines that fit, and how many more there are.
fn first_lines(mut lines: Vec<Line<'static>>, most: usize) -> Vec<Line<'static>> {
    if lines.len() > most {
        let more = lines.len() + 1 - most;
        lines.truncate(most.saturating_sub(1));
        lines.push(Line::from(format!(" … {more} lines more")));
    }
    lines
}

/// The lines of the detail, with its border at most `most`.
fn detail_lines(state: &State, width: usize, most: usize) -> Option<Vec<Line<'static>>> {
    let (subject, answer) = (state.detail()?, state.answer.as_ref()?);
    let line = |(name, fact): (&'static str, String)| {
        Line::from(vec![detail::label(name, width).dim(), fact.into()])
    };
    let lines = detail::lines(subject, answer, width).into_iter().map(line).collect();
    Some(first_lines(lines, most.saturating_sub(1)))
}

fn draw_block(frame: &mut Frame<'_>, title: &'static str, lines: Vec<Line<'static>>, area: Rect) {
    let block = Block::new().borders(Borders::TOP).title(title);
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let line = |(term, meaning): HelpLine| {
        let is_heading = !term.starts_with(' ') && meaning.is_empty();
        Line::from(vec![if is_heading { term.bold() } else { term.into() }, meaning.into()])
    };
    let lines = |all: Vec<HelpLine>| {
        first_lines(all.into_iter().map(line).collect(), usize::from(area.height).saturating_sub(1))
    };
    let width = usize::from(area.width);
    if width < help::WIDE {
        let all = [help::keys(width), help::states(width)].concat();
        draw_block(frame, " Help ", lines(all), area);
        return;
    }
    let [left, right] = Layout::horizontal([Constraint::Percentage(50); 2]).areas(area);
    draw_block(frame, " Help ", lines(help::keys(usize::from(left.width))), left);
    draw_block(frame, "", lines(help::states(usize::from(right.width))), right);
}
