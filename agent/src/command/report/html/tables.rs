//! Tables of a report: settings, curves compared with an anchor, and scenarios.

use agent_core::comparison::curves::{Axis, Comparison, hull, hull_of_both};
use agent_core::comparison::estimate::Estimate;
use agent_core::comparison::setting::Setting;
use agent_core::model::vmaf_model::VmafModel;
use maud::{Markup, html};

use crate::command::report::curves::{
    WITHOUT_READING, against, cell, means, origin_of_bitrates, percent, title,
};
use crate::command::report::html::Report;
use crate::command::report::settings::{Row, titled};
use crate::command::report::text::{energy_by, shown};

/// The settings with their means, intervals, costs of an hour of output, and hulls.
pub(super) fn settings(report: &Report<'_>) -> Markup {
    let mean =
        |estimate: Option<Estimate>, digits: usize| shown(estimate.map(|estimate| estimate.mean), digits);
    let hulls = |row: &Row<'_>| {
        let clip = &row.setting.names.clip;
        let hulls = [
            ("bitrate", hull(report.curves, clip, Axis::Bitrate)),
            ("energy", hull(report.curves, clip, Axis::Energy)),
            ("both", hull_of_both(report.curves, clip)),
        ];
        let is_on =
            |hull: &[&Setting<'_>]| hull.iter().any(|other| std::ptr::eq(other.names, row.setting.names));
        let on: Vec<&str> = hulls.iter().filter(|(_, hull)| is_on(hull)).map(|(name, _)| *name).collect();
        on.join(", ")
    };
    html! {
        @if !report.rows.is_empty() {
            h2 { "Settings" }
            div.wide {
                table {
                    caption { "Means of repeats. kWh, " (report.prices.currency) " and g CO2e are those of an hour of output." }
                    thead {
                        tr {
                            @for head in ["Setting", "Encodes", "VMAF", "Mbit/s", "J/frame", "± 95 %", "kWh"] { th { (head) } }
                            th { (report.prices.currency) }
                            th { "g CO2e" }
                            th { "On the hull of" }
                        }
                    }
                    tbody {
                        @for row in report.rows {
                            tr {
                                td { bdi { (titled(row.setting)) } }
                                td { (row.setting.scenarios.len()) }
                                td { (format!("{:.2}", row.setting.vmaf())) }
                                td { (shown(row.bitrate, 3)) }
                                td { (mean(row.energy, 4)) }
                                td { (row.margin()) }
                                td { (mean(row.kilowatt_hours, 6)) }
                                td { (mean(row.cost, 6)) }
                                td { (mean(row.carbon, 3)) }
                                td { (hulls(row)) }
                            }
                        }
                    }
                }
            }
            p.quiet {
                (origin_of_bitrates(report.rows.iter().map(|row| row.setting)))
                @if report.rows.iter().any(|row| !row.setting.readings.is_empty()) { " " (WITHOUT_READING) }
            }
        }
    }
}

/// The curves, each compared with the anchor's curve of its clip, and the means over the clips.
pub(super) fn curves(report: &Report<'_>) -> Markup {
    let Some(anchor) = report.anchor else { return html! {} };
    let clips = report.clips().len();
    let row = |name: &str, settings: &str, comparison: Comparison| {
        let Comparison { energy, bitrate, vmaf } = comparison;
        html! {
            tr {
                td { bdi { (name) } }
                td { (settings) }
                td { (cell(energy, percent)) }
                td { (cell(bitrate, percent)) }
                td { (cell(vmaf, |points| format!("{points:+.2}"))) }
                td { (energy.map_or_else(|_| "-".to_owned(), |energy| format!("{:.0} %", energy.overlap * 100.0))) }
            }
        }
    };
    html! {
        h2 { "Curves" }
        div.wide {
            table {
                caption { "Compared with " bdi { (title(anchor)) } @if clips > 1 { " and the same encoder on the other clips" } }
                thead {
                    tr {
                        @for head in [
                            "Curve", "Settings", "J/frame at equal VMAF (BD-energy)", "Bitrate at equal VMAF (BD-rate)",
                            "VMAF at equal bitrate (BD-VMAF)", "VMAF in common",
                        ] { th { (head) } }
                    }
                }
                tbody {
                    @for curve in report.curves {
                        (row(&title(curve), &curve.settings.len().to_string(), against(curve, report.curves, anchor)))
                    }
                    @for (encoder, mean) in means(report.curves, anchor, clips) {
                        (row(&format!("mean of {clips} clips: {encoder}"), "", mean))
                    }
                }
            }
        }
        p.quiet { "A difference of curves with fewer than four settings, or with little VMAF in common, is rough." }
    }
}

/// All scenarios of the file, with what the agent measured of each.
pub(super) fn scenarios(report: &Report<'_>) -> Markup {
    html! {
        h2 { "Scenarios" }
        div.wide {
            table {
                caption { "Each encode of the result file, as a whole. Costs are of energy and CPU time." }
                thead {
                    tr {
                        @for head in ["Scenario", "J", "W", "J/frame", "VMAF", "VMAF model", "Cost", "g CO2e", "Energy by"] {
                            th { (head) }
                        }
                    }
                }
                tbody {
                    @for figures in &report.run.figures {
                        @let energy = figures.energy;
                        @let cost = figures.costs.first();
                        tr {
                            td { bdi { (figures.names.scenario) } }
                            td { (shown(energy.map(|energy| energy.energy.joules()), 3)) }
                            td { (shown(energy.and_then(|energy| Some(energy.mean?.0)), 3)) }
                            td { (shown(figures.efficiency.joules_per_frame, 4)) }
                            td {
                                (shown(figures.vmaf.map(|vmaf| vmaf.0), 1))
                                @if let Some(share) = figures.covered { " of " (format!("{:.0} %", share.percent())) }
                            }
                            td { (figures.vmaf_model.map_or("-", VmafModel::name)) }
                            td {
                                @match cost.and_then(|cost| Some((cost.shown()?.0, &cost.currency))) {
                                    Some((amount, currency)) => (format!("{amount:.6} {currency}")),
                                    None => "-",
                                }
                            }
                            td { (shown(figures.carbon.map(|carbon| carbon.0), 4)) }
                            td { (energy_by(figures)) }
                        }
                    }
                }
            }
        }
    }
}
