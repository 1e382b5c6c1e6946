//! Draws the screen, or prints it as text.

use std::io::{self, Write};

use agent_core::duration;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style, Stylize};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Cell, Paragraph, Row as TableRow, Table, TableState, Wrap};

use crate::api::{Answer, Notice, Transcode};
use crate::command::top::format::{digits, grams, money, shown, text, watts, with_unit};
use crate::command::top::keys::State;
use crate::command::top::rows::{Column, Kind, Row, encode_of, state_of};

/// Colours of the parts of the host's power, as on the page.
const PARTS: [(&str, Color); 5] = [
    ("containers", Color::Blue),
    ("services", Color::Magenta),
    ("system", Color::Cyan),
    ("idle", Color::DarkGray),
    ("unattributed", Color::Yellow),
];

/// Columns that are left out first on a narrow terminal.
const LESS_NEEDED: [&str; 7] = ["CO2", "COST", "FRAMES", "VMAF", "MEMORY", "STATE", "KIND"];

const KEYS: &str = " q quit  Tab table  ↑↓ choose  Enter detail  s S sort  r reverse  / filter  p pause";

pub(super) fn draw(frame: &mut Frame<'_>, state: &State) {
    let detail = state.detail();
    let notice = notice(state);
    let [head, split, said, table, below, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(u16::from(notice.is_some())),
        Constraint::Min(3),
        Constraint::Length(if detail.is_some() { 11 } else { 0 }),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(headline(state), head);
    frame.render_widget(state.answer.as_ref().map(parts).unwrap_or_default(), split);
    if let Some((words, style)) = notice {
        frame.render_widget(Paragraph::new(words).style(style), said);
    }
    draw_table(frame, state, table);
    if let Some(one) = detail {
        draw_detail(frame, one, state.answer.as_ref(), below);
    }
    let foot =
        if state.is_typing { format!(" filter: {}▏", text(&state.filter, 60)) } else { KEYS.to_owned() };
    frame.render_widget(Paragraph::new(foot).reversed(), keys);
}

fn headline(state: &State) -> Line<'static> {
    let mut spans = vec![" ffwatt ".bold(), Span::from(format!("{}  ", state.url)).dim()];
    if let Some(answer) = &state.answer {
        let host = &answer.host;
        spans.push(watts(host.power_watts).bold());
        let busy = shown(host.utilisation_ratio, |ratio| format!("{:.0} %", ratio * 100.0));
        let energy = with_unit(host.energy_joules, "J");
        spans.push(
            format!("   {energy} since the start   CPU {busy} of {}   tick {}", host.cpus, answer.tick)
                .into(),
        );
    }
    if state.is_paused {
        spans.push("   paused".yellow().bold());
    }
    Line::from(spans)
}

fn parts(answer: &Answer) -> Line<'static> {
    let mut spans = vec![Span::from(" ")];
    for part in &answer.split {
        let colour =
            PARTS.iter().find(|(name, _)| *name == part.part).map_or(Color::Reset, |(_, colour)| *colour);
        spans.push(Span::styled("■ ", Style::new().fg(colour)));
        spans.push(format!("{} {}   ", part.part, watts(Some(part.power_watts))).into());
    }
    Line::from(spans)
}

/// The message about an agent that has stopped.
fn stale(answer: &Answer) -> Option<String> {
    let age = answer.age.as_secs();
    answer.is_stale().then(|| format!("The agent has not updated for {age} s: the figures are old."))
}

/// The message in the notice line.
fn notice(state: &State) -> Option<(String, Style)> {
    if let Some(problem) = &state.problem {
        return Some((format!(" {}: the figures are old", text(problem, 300)), Style::new().fg(Color::Red)));
    }
    let answer = state.answer.as_ref()?;
    if let Some(words) = stale(answer) {
        return Some((format!(" {words}"), Style::new().fg(Color::Red)));
    }
    let first = answer.notices.first()?;
    let more = match answer.notices.len() - 1 {
        0 => String::new(),
        more => format!(" (and {more} more: `ffwatt top --once`)"),
    };
    Some((format!(" {}{more}", told(first, answer)), Style::new().fg(Color::Yellow)))
}

/// A notice, with the time since which it holds.
fn told(notice: &Notice, answer: &Answer) -> String {
    let since = notice.since_unix_seconds.map_or_else(String::new, |since| {
        format!("For {}: ", duration::in_words(answer.time_unix_seconds - since))
    });
    format!("{since}{}", text(&notice.text, 300))
}

fn style_of(row: &Row) -> Style {
    match (row.is_alarming, row.is_over) {
        (true, _) => Style::new().fg(Color::Red),
        (false, true) => Style::new().fg(Color::DarkGray),
        (false, false) => Style::new(),
    }
}

/// The columns that fit, with their positions. The sort column stays.
fn fitting(columns: &'static [Column], sorted: usize, width: u16) -> Vec<(usize, &'static Column)> {
    let mut fitting: Vec<_> = columns.iter().enumerate().collect();
    // One space between columns.
    let needed =
        |columns: &[(usize, &Column)]| columns.iter().map(|(_, column)| column.width + 1).sum::<u16>();
    for title in LESS_NEEDED {
        if needed(&fitting) <= width + 1 {
            break;
        }
        fitting.retain(|(index, column)| *index == sorted || column.title != title);
    }
    fitting
}

fn draw_table(frame: &mut Frame<'_>, state: &State, area: Rect) {
    let rows = state.rows();
    let (sorted, is_descending) = state.order();
    let columns = fitting(state.kind.columns(), sorted, area.width);
    let aligned = |column: &Column, text: String| {
        let line = Line::from(text);
        Cell::from(if column.is_text { line } else { line.right_aligned() })
    };
    let titles = columns.iter().map(|(index, column)| {
        let arrow = match (*index == sorted, is_descending) {
            (true, true) => "↓",
            (true, false) => "↑",
            (false, _) => "",
        };
        aligned(column, format!("{}{arrow}", column.title))
    });
    let lines = rows.iter().map(|row| {
        let cells = columns.iter().map(|(index, column)| aligned(column, row.cells[*index].text.clone()));
        TableRow::new(cells).style(style_of(row))
    });
    let widths = columns.iter().map(|(index, column)| match index {
        0 => Constraint::Min(column.width),
        _ => Constraint::Length(column.width),
    });
    let what = match state.kind {
        Kind::Transcodes => "Encodes",
        Kind::Workloads => "Workloads",
    };
    let filter = if state.filter.is_empty() {
        String::new()
    } else {
        format!(", filter {:?}", text(&state.filter, 40))
    };
    let title = format!(" {what}: {}{filter} ", rows.len());
    let table = Table::new(lines, widths)
        .header(TableRow::new(titles).style(Style::new().add_modifier(Modifier::BOLD)))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .block(Block::new().borders(Borders::TOP).title(title));
    let mut place = TableState::default().with_selected(state.place(&rows));
    frame.render_stateful_widget(table, area, &mut place);
}

/// All figures of one transcode, line by line.
fn detail_lines(one: &Transcode, answer: Option<&Answer>) -> Vec<(&'static str, String)> {
    let (asked, told, figures) = (&one.asked, &one.told, &one.figures);
    let currency = answer.map_or("", |answer| &answer.prices.currency);
    let whole = |value: Option<u64>| shown(value, |value| value.to_string());
    let word = |value: &Option<String>| text(value.as_deref().unwrap_or("–"), 60);
    let live = if one.is_live { ", live" } else { "" };
    vec![
        (
            "encode",
            format!("{} in {} ({}){live}", text(&encode_of(one), 80), text(&one.workload, 40), one.transcode),
        ),
        ("scenario", word(&asked.scenario)),
        (
            "state",
            format!(
                "{}, {} outputs, {} encoded renditions, {} copied streams",
                state_of(one),
                one.outputs,
                one.encoded_renditions,
                one.copied_streams
            ),
        ),
        (
            "energy",
            format!(
                "{}, {} now, {} s of CPU",
                with_unit(figures.energy_joules, "J"),
                watts(figures.power_watts),
                digits(one.cpu_seconds)
            ),
        ),
        (
            "per unit",
            format!(
                "{} per frame, {} per second of output, {} per megapixel",
                with_unit(figures.joules_per_frame, "J"),
                with_unit(figures.joules_per_output_second, "J"),
                with_unit(figures.joules_per_megapixel, "J")
            ),
        ),
        (
            "progress",
            format!(
                "{} frames, {} fps, {} speed, {}, {} dropped, {} duplicated",
                whole(told.frames),
                shown(told.frames_per_second, digits),
                shown(told.speed_ratio, |speed| format!("{speed:.2}x")),
                with_unit(told.output_bits_per_second, "bit/s"),
                whole(told.dropped_frames),
                whole(told.duplicated_frames)
            ),
        ),
        (
            "quality",
            format!(
                "VMAF {}, PSNR {}, SSIM {}{}",
                shown(figures.vmaf_score, |vmaf| format!("{vmaf:.2}")),
                shown(figures.psnr_decibels, |psnr| format!("{psnr:.2} dB")),
                shown(figures.ssim_score, |ssim| format!("{ssim:.4}")),
                figures
                    .quality_covered_ratio
                    .map_or_else(String::new, |share| format!(", of {:.0} % of the source", share * 100.0))
            ),
        ),
        (
            "cost",
            format!(
                "{}, {} per hour of output, {} CO2e",
                money(figures.cost, currency),
                money(figures.cost_per_output_hour, currency),
                grams(figures.carbon_grams)
            ),
        ),
    ]
}

fn draw_detail(frame: &mut Frame<'_>, one: &Transcode, answer: Option<&Answer>, area: Rect) {
    let line =
        |(name, fact): (&'static str, String)| Line::from(vec![format!(" {name:<10}").dim(), fact.into()]);
    let lines: Vec<Line<'_>> = detail_lines(one, answer).into_iter().map(line).collect();
    let block = Block::new().borders(Borders::TOP).title(" Detail ");
    frame.render_widget(Paragraph::new(lines).wrap(Wrap { trim: false }).block(block), area);
}

/// Prints everything as text, for a pipe.
pub(super) fn print(state: &State, out: &mut dyn Write) -> io::Result<()> {
    let Some(answer) = &state.answer else { return Ok(()) };
    writeln!(out, "{}", headline(state).to_string().trim())?;
    writeln!(out, "{}", parts(answer).to_string().trim())?;
    if let Some(words) = stale(answer) {
        writeln!(out, "{words}")?;
    }
    for notice in &answer.notices {
        writeln!(out, "{}", told(notice, answer))?;
    }
    for (kind, state) in [Kind::Transcodes, Kind::Workloads].map(|kind| (kind, state.of_kind(kind))) {
        let columns = kind.columns();
        let rows = state.rows();
        let widths: Vec<usize> = (0..columns.len())
            .map(|place| {
                let cells = rows.iter().map(|row| row.cells[place].text.chars().count());
                cells.chain([columns[place].title.len()]).max().unwrap_or(0)
            })
            .collect();
        let write = |out: &mut dyn Write, cells: &mut dyn Iterator<Item = &str>| {
            let mut line = String::new();
            for ((cell, column), width) in cells.zip(columns).zip(&widths) {
                let padding = " ".repeat(width - cell.chars().count());
                let (before, behind) =
                    if column.is_text { ("", padding.as_str()) } else { (padding.as_str(), "") };
                line.extend([before, cell, behind, "  "]);
            }
            writeln!(out, "{}", line.trim_end())
        };
        writeln!(out)?;
        write(out, &mut columns.iter().map(|column| column.title))?;
        for row in &rows {
            write(out, &mut row.cells.iter().map(|cell| cell.text.as_str()))?;
        }
    }
    Ok(())
}
