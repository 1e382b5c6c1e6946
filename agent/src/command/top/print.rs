//! Prints all rows once, as text for a pipe or as JSON for programs.

use std::io::{self, Write};

use serde_json::{Map, Value, json};

use crate::api::{Answer, Notice};
use crate::command::top::rows::{Kind, Row};
use crate::command::top::state::State;
use crate::command::top::{fitting, view};

/// No part of a printed line is left out.
const UNBOUNDED: usize = usize::MAX;

/// Prints everything as text.
pub(super) fn text(state: &State, out: &mut dyn Write) -> io::Result<()> {
    let Some(answer) = &state.answer else { return Ok(()) };
    writeln!(out, "{}", view::headline(state, UNBOUNDED).to_string().trim())?;
    for line in view::parts(answer, UNBOUNDED) {
        writeln!(out, "{}", line.to_string().trim())?;
    }
    if let Some(words) = view::stale(answer) {
        writeln!(out, "{words}")?;
    }
    for notice in &answer.notices {
        writeln!(out, "{}", view::told(notice, answer))?;
    }
    for kind in [Kind::Transcodes, Kind::Workloads] {
        table(kind, &state.of_kind(kind).rows(), out)?;
    }
    Ok(())
}

fn table(kind: Kind, rows: &[Row], out: &mut dyn Write) -> io::Result<()> {
    let columns = kind.columns();
    let widths: Vec<usize> = (0..columns.len())
        .map(|place| {
            let cells = rows.iter().map(|row| fitting::width(&row.cells[place].text));
            cells.chain([columns[place].title.len()]).max().unwrap_or(0)
        })
        .collect();
    let write = |out: &mut dyn Write, cells: &mut dyn Iterator<Item = &str>| {
        let mut line = String::new();
        for ((cell, column), width) in cells.zip(columns).zip(&widths) {
            let padding = " ".repeat(width - fitting::width(cell));
            let (before, behind) =
                if column.is_figure() { (padding.as_str(), "") } else { ("", padding.as_str()) };
            line.extend([before, cell, behind, "  "]);
        }
        writeln!(out, "{}", line.trim_end())
    };
    writeln!(out)?;
    write(out, &mut columns.iter().map(|column| column.title))?;
    for row in rows {
        write(out, &mut row.cells.iter().map(|cell| cell.text.as_str()))?;
    }
    Ok(())
}

/// Prints everything as JSON. Each field is there; an unknown figure is null.
pub(super) fn json(state: &State, out: &mut dyn Write) -> io::Result<()> {
    let Some(answer) = &state.answer else { return Ok(()) };
    let list = |kind: Kind| -> Vec<Value> {
        state.of_kind(kind).rows().iter().map(|row| object(kind, row)).collect()
    };
    let all = json!({
        "api_version": answer.api_version,
        "agent_version": answer.agent_version,
        "tick": answer.tick,
        "time_unix_seconds": answer.time_unix_seconds,
        "age_seconds": answer.age.as_secs(),
        "is_estimated": answer.method.is_estimated,
        "currency": answer.prices.currency,
        "host": host(answer),
        "notices": answer.notices.iter().map(notice).collect::<Vec<_>>(),
        "transcodes": list(Kind::Transcodes),
        "workloads": list(Kind::Workloads),
    });
    writeln!(out, "{all:#}")
}

fn host(answer: &Answer) -> Value {
    let host = &answer.host;
    json!({
        "cpus": host.cpus,
        "utilisation_ratio": host.utilisation_ratio,
        "power_watts": host.power_watts,
        "energy_joules": host.energy_joules,
        "cost": host.cost,
        "cost_per_hour": host.cost_per_hour,
    })
}

fn notice(notice: &Notice) -> Value {
    json!({
        "finding": notice.finding,
        "count": notice.count,
        "since_unix_seconds": notice.since_unix_seconds,
        "text": notice.text,
        "fix": notice.fix,
    })
}

fn object(kind: Kind, row: &Row) -> Value {
    let id = match kind {
        Kind::Transcodes => "transcode",
        Kind::Workloads => "id",
    };
    let mut object = Map::new();
    object.insert(id.to_owned(), row.id.clone().into());
    for (column, cell) in kind.columns().iter().zip(&row.cells) {
        object.insert(column.field.to_owned(), cell.value.clone());
    }
    Value::Object(object)
}
