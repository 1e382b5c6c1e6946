//! The host of a report, and its method and uncertainty in words.

use agent_core::model::scenario::Conditions;
use maud::{Markup, html};

use crate::command::report::html::{Report, origin};

/// Titles of the entries that `ffwatt bench` writes.
const TITLES: [(&str, &str); 6] = [
    ("processor", "Processor"),
    ("kernel", "Kernel"),
    ("governors", "CPU governors"),
    ("has_turbo", "Turbo"),
    ("ffmpeg", "ffmpeg"),
    ("ffwatt", "ffwatt"),
];

/// The host that encoded, and its programs.
pub(super) fn host(conditions: &Conditions) -> Markup {
    let title = |name: &str| TITLES.iter().find(|(known, _)| *known == name).map(|(_, title)| *title);
    html! {
        h2 { "Host" }
        @if conditions.host.is_empty() {
            p { "The result file does not say which host encoded it." }
        } @else {
            table.words {
                tbody {
                    @for (name, value) in &conditions.host {
                        tr { th scope="row" { bdi { (title(name).unwrap_or(name)) } } td { bdi { (value) } } }
                    }
                }
            }
        }
    }
}

/// How the figures came about, and how far they can be trusted.
pub(super) fn method(report: &Report<'_>) -> Markup {
    let prices = report.prices;
    html! {
        h2 { "Method" }
        ul {
            @for basis in report.origins() { li { (origin(basis)) } }
            li {
                "A setting is an encoder with a preset and a limit of its size (constant quality or bitrate), on one clip. \
                 Repeats of an encode are one setting, with their mean."
            }
            li {
                "J/frame is energy divided by encoded frames. An hour of output has 3600 × frame rate frames."
            }
            li {
                "g CO2e is kWh × " (prices.carbon.0) " g. Cost is energy × the price of a kWh, plus CPU time × the price of a \
                 core, in " (prices.currency) ", by the configuration of ffwatt."
            }
            li {
                "VMAF is the mean over the frames, against the source in its own size. Scores of different models are not \
                 compared."
            }
            li {
                "BD-energy and BD-rate are the mean differences of joules per frame and of bitrate at equal VMAF, over the VMAF \
                 that both curves have; BD-VMAF is the difference at equal bitrate. Curves are monotone piecewise cubics over \
                 logarithms (Bjøntegaard, VCEG-M33; Herglotz et al., 2024)."
            }
            li {
                "A setting is on the convex hull if no mix of other settings of its clip has more VMAF for the same logarithm of \
                 bitrate, or of joules per frame. It is on the hull of both if no mix is as good in VMAF, bitrate and energy at \
                 once: each setting that is on neither plot's hull, but on this one, is a compromise of bitrate and energy."
            }
        }
        h2 { "Uncertainty" }
        ul {
            li {
                "± 95 % is the interval of the mean of the repeats (Student's t), with that of the readings of the clip that are \
                 subtracted. A setting that was encoded once has none: its error is not known."
            }
            li {
                "The interval does not include the error of the attribution of energy to workloads: on a host that does nothing \
                 else, it has the same sign for all encodes. It does not include other clips either: content decides which \
                 encoder is better."
            }
            li { "The differences of curves have no interval." }
        }
    }
}
