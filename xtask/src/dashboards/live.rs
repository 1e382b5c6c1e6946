//! Dashboard "Live": the encodes that run now, with their speed, dropped frames and energy per frame.

use super::links::{NAMESPACE_OF_CELL, PAGE, PAGE_OF_CELL, WORKLOAD, WORKLOAD_OF_CELL};
use super::panel::{BAD, GOOD, Panel, WARN, areas, lines, stat, table};
use super::queries::{highest, highest_and_mean, lowest_and_mean};
use super::{Dashboard, TOP, Variable};

/// Labels of an encode.
const ENCODE: &str = "instance, workload, transcode, namespace";

const SELECTED: &str = r#"{instance=~"$instance(:.*)?"}"#;

/// Legend of an encode. The series `other` has its name in the label `workload`.
const LEGEND: &str = "{{workload}} {{transcode}} {{instance}}";

pub(crate) fn dashboard() -> Dashboard {
    Dashboard {
        file: "live",
        uid: "ffwatt-live",
        title: "Live",
        description: "Encodes that run now: speed, dropped frames, stalls, power and joules per frame.",
        refresh: "5s",
        since: "now-15m",
        variables: vec![Variable::Host, TOP],
        panels: now().into_iter().chain(over_time()).chain([encodes()]).collect(),
    }
}

/// A figure of encodes that run now.
fn running(figure: &str) -> String {
    format!(
        "avg by ({ENCODE}) ({figure}{SELECTED} and on (instance, workload, transcode) (ffwatt_transcode_running{SELECTED} == 1))"
    )
}

/// Growth of a counter of encodes per second.
fn growth(counter: &str) -> String {
    format!("sum by ({ENCODE}) (rate({counter}{SELECTED}[$__rate_interval]))")
}

/// Energy of the last seconds by the frames of the last seconds.
fn joules_per_frame() -> String {
    format!(
        "{} / ({} > 0)",
        growth("ffwatt_transcode_energy_joules_total"),
        growth("ffwatt_transcode_frames_total")
    )
}

fn now() -> [Panel; 6] {
    let dropped = growth("ffwatt_transcode_dropped_frames_total");
    [
        stat("Encodes running", "none", "Encoder processes that run now.")
            .query(format!("sum(ffwatt_transcode_running{SELECTED})"), "encodes"),
        stat("Encodes stalled", "none", "Encodes that fall behind their live input.")
            .query(format!("sum({})", running("ffwatt_transcode_stalled")), "stalled")
            .thresholds(GOOD, &[(1.0, BAD)]),
        stat(
            "Lowest speed",
            "none",
            "Speed of the slowest encode: seconds of output per second. Below 1, \
            a live encode falls behind.",
        )
        .query(format!("min({})", running("ffwatt_transcode_speed_ratio")), "speed")
        .thresholds(BAD, &[(0.95, WARN), (0.99, GOOD)])
        .decimals(2),
        stat("Frames dropped", "none", "Frames per second that all encodes drop.")
            .query(format!("sum({dropped})"), "frames per second")
            .thresholds(GOOD, &[(0.01, BAD)])
            .decimals(2),
        stat("Power of encodes", "watt", "Power charged to all encodes.")
            .query(format!("sum({})", growth("ffwatt_transcode_energy_joules_total")), "encodes"),
        stat("J/frame", "joule", "Mean energy per frame of the encodes that post progress, at present.")
            .query(format!("avg({})", joules_per_frame()), "J/frame"),
    ]
}

fn over_time() -> [Panel; 5] {
    [
        lines("Speed", "none", "The encodes with the lowest speed, and the mean of the others.")
            .query(lowest_and_mean(&running("ffwatt_transcode_speed_ratio"), "workload"), LEGEND)
            .least(0.0)
            .link(PAGE)
            .link(WORKLOAD),
        lines(
            "J/frame",
            "joule",
            "The encodes with the highest energy per frame at present, and the mean of \
            the others. Absent for encodes without progress.",
        )
        .query(highest_and_mean(&joules_per_frame(), "workload"), LEGEND)
        .least(0.0)
        .link(PAGE)
        .link(WORKLOAD),
        lines(
            "Dropped frames per second",
            "none",
            "The encodes that drop most frames, and the sum of the others.",
        )
        .query(highest(&growth("ffwatt_transcode_dropped_frames_total"), "workload"), LEGEND)
        .least(0.0)
        .link(PAGE)
        .link(WORKLOAD),
        lines(
            "Stalled",
            "none",
            "1 while an encode falls behind its live input. Absent where the input is not live. \
            Encodes that are not shown are counted in `other`.",
        )
        .query(highest(&running("ffwatt_transcode_stalled"), "workload"), LEGEND)
        .least(0.0)
        .link(PAGE)
        .link(WORKLOAD),
        areas(
            "Power of encodes",
            "watt",
            "The encodes with the highest power, stacked with the sum of the others.",
        )
        .query(highest(&growth("ffwatt_transcode_energy_joules_total"), "workload"), LEGEND)
        .size(24, 8)
        .link(PAGE)
        .link(WORKLOAD),
    ]
}

fn encodes() -> Panel {
    table("Encodes running", "none", "Each encode that runs now. Energy per frame is that since its start.")
        .query(
            format!(
                "avg by ({ENCODE}) (ffwatt_transcode_running{SELECTED} == 1) * on (instance, workload, transcode) \
                 group_left (codec, preset, resolution) ffwatt_transcode_info{SELECTED}"
            ),
            "",
        )
        .query(running("ffwatt_transcode_speed_ratio"), "")
        .query(running("ffwatt_transcode_dropped_frames_total"), "")
        .query(running("ffwatt_transcode_stalled"), "")
        .query(running("ffwatt_transcode_joules_per_frame"), "")
        .query(
            format!(
                "{} and on (instance, workload, transcode) (ffwatt_transcode_running{SELECTED} == 1)",
                growth("ffwatt_transcode_energy_joules_total")
            ),
            "",
        )
        .linked("instance", "Host", PAGE_OF_CELL)
        .linked("workload", "Container", WORKLOAD_OF_CELL)
        .linked("namespace", "Namespace", NAMESPACE_OF_CELL)
        .column("transcode", "Encode", "string")
        .column("codec", "Codec", "string")
        .column("preset", "Preset", "string")
        .column("resolution", "Size", "string")
        .column("Value #A", "Running", "none")
        .column("Value #B", "Speed", "none")
        .column("Value #C", "Dropped", "none")
        .column("Value #D", "Stalled", "none")
        .column("Value #E", "J/frame", "joule")
        .column("Value #F", "Power", "watt")
        .size(24, 10)
}
