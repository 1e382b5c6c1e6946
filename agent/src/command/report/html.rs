//! Writes a run as one HTML document: plots, tables, the host, the method and its uncertainty. It needs no network, and no script but its
//! own runs: names in result files are foreign text.

mod method;
mod plots;
mod tables;

use std::collections::BTreeSet;

use agent_core::comparison::curves::Curve;
use agent_core::join::figures::Prices;
use agent_core::model::joined::EnergyBasis;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use ring::digest::{SHA256, digest};

use crate::command::report::FiguredRun;
use crate::command::report::settings::Row;

/// The chart library of the live page, and its style.
const LIBRARY: [&str; 2] = [
    include_str!("../../server/page/uplot/uPlot.iife.min.js"),
    include_str!("../../server/page/uplot/uPlot.min.css"),
];
const STYLE: &str = include_str!("html/report.css");
const SCRIPT: &str = include_str!("html/report.js");

/// What the document shows.
pub(super) struct Report<'a> {
    pub(super) run: &'a FiguredRun,
    pub(super) curves: &'a [Curve<'a>],
    /// The curve to compare with; `None` without curves.
    pub(super) anchor: Option<&'a Curve<'a>>,
    pub(super) rows: &'a [Row<'a>],
    pub(super) prices: &'a Prices,
}

impl Report<'_> {
    fn clips(&self) -> BTreeSet<&str> {
        self.curves.iter().map(|curve| curve.names.clip.as_str()).collect()
    }

    /// Origins of the energies, each once.
    fn origins(&self) -> Vec<EnergyBasis> {
        let all = [EnergyBasis::Measured, EnergyBasis::Modelled, EnergyBasis::File];
        let has = |basis: &EnergyBasis| {
            self.run.figures.iter().any(|figures| figures.energy.is_some_and(|energy| energy.basis == *basis))
        };
        all.into_iter().filter(has).collect()
    }
}

/// The whole document.
pub(super) fn document(report: &Report<'_>) -> String {
    let [library, library_style] = LIBRARY;
    let plots = plots::plots(report);
    let run = &report.run.id;
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width";
                meta name="referrer" content="no-referrer";
                title { (run) " – ffwatt report" }
                style { (PreEscaped(library_style)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    h1 { bdi { (run) } }
                    (summary(report))
                    (charts(report, &plots))
                    (tables::settings(report))
                    (tables::curves(report))
                    (method::host(&report.run.conditions))
                    (method::method(report))
                    (tables::scenarios(report))
                }
                footer { "ffwatt " (env!("CARGO_PKG_VERSION")) }
                script type="application/json" id="plots" { (PreEscaped(plots::as_json(&plots))) }
                script { (PreEscaped(library)) }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    document.into_string()
}

/// Only these scripts and styles, nothing from elsewhere.
fn policy() -> String {
    let hash = |text: &str| format!("'sha256-{}'", STANDARD.encode(digest(&SHA256, text.as_bytes())));
    let [library, library_style] = LIBRARY.map(hash);
    let (script, style) = (hash(SCRIPT), hash(STYLE));
    format!(
        "default-src 'none'; script-src {library} {script}; style-src {library_style} {style}; base-uri 'none'; \
         form-action 'none'"
    )
}

fn summary(report: &Report<'_>) -> Markup {
    let encodes: usize = report.rows.iter().map(|row| row.setting.scenarios.len()).sum();
    let clips = report.clips().len();
    let plural = |count: usize, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    html! {
        p.quiet {
            @if let Some(date) = &report.run.conditions.date { "Run of " bdi { (date) } ", " }
            (plural(report.run.figures.len(), "scenario"))
            @if encodes > 0 { ": " (plural(report.rows.len(), "setting")) ", in " (plural(encodes, "encode")) }
            @if clips > 1 { ", of " (clips) " clips" }
            "."
        }
        @for basis in report.origins() {
            @let is_measured = basis == EnergyBasis::Measured;
            p.warn[!is_measured] { (origin(basis)) }
        }
        @if report.curves.is_empty() {
            p.warn {
                "No scenario has energy, frames and a VMAF of its whole source, so there are no plots and no settings. "
                code { "ffwatt bench --input" } " encodes clips with all three."
            }
        }
    }
}

/// What the energies are.
fn origin(basis: EnergyBasis) -> &'static str {
    match basis {
        EnergyBasis::Measured => {
            "Energy is measured: counters of the host, split among the workloads that ran, by their CPU time."
        }
        EnergyBasis::Modelled => {
            "Energy is estimated from CPU use: the host has no readable energy counter. The intervals do not include the \
             error of the estimate."
        }
        EnergyBasis::File => "Energy is the result file's own: no agent measured it.",
    }
}

fn charts(report: &Report<'_>, plots: &[plots::Plot<'_>]) -> Markup {
    let clips = report.clips();
    html! {
        @if !plots.is_empty() {
            h2 { "Quality against bitrate and energy" }
            noscript { p.quiet { "The plots need JavaScript. The tables below have all of their figures." } }
        }
        @for clip in &clips {
            @if clips.len() > 1 { h3 { bdi { (clip) } } }
            (plots::legend(report.curves, clip))
            div.plots {
                @for (index, plot) in plots.iter().enumerate().filter(|(_, plot)| plot.clip == *clip) {
                    figure data-plot=(index) {
                        figcaption { (plot.title) }
                        div.chart role="img" aria-label={ (plot.title) ", as in the table of settings" } {}
                        p.readout {}
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
