//! Dashboard `QoE (Quality of Experience)`: upstream's seven panels.

use super::Dashboard;
use super::panel::{BAD, GOOD, WARN, gauge, lines, pie};

pub(crate) fn dashboard() -> Dashboard {
    let scenario = "{{scenario}}";
    Dashboard {
        file: "qoe",
        uid: "qoe-dashboard",
        title: "QoE (Quality of Experience)",
        description: "VMAF, PSNR and what quality a watt bought, by scenario of the last run.",
        refresh: "5s",
        since: "now-1h",
        variables: Vec::new(),
        panels: vec![
            lines("VMAF", "none", "0 to 100; from 93 on hardly anybody tells the encode from its source.")
                .query("qoe_vmaf_score", scenario)
                .range(0.0, 100.0),
            lines("PSNR", "dB", "Infinite for pictures that are the same.").query("qoe_psnr_score", scenario),
            lines("Quality for a watt", "none", "VMAF points per watt of mean power.")
                .query("qoe_quality_per_watt", scenario),
            lines("QoE efficiency", "short", "Pixels per joule, weighted by VMAF / 100.")
                .query("qoe_efficiency_score", scenario),
            // Upstream's colours were reversed.
            gauge("Mean VMAF", "none", "Over the scenarios of the last run.")
                .query("avg(qoe_vmaf_score)", "VMAF")
                .range(0.0, 100.0)
                .thresholds(BAD, &[(70.0, WARN), (90.0, GOOD)]),
            gauge(
                "Mean PSNR",
                "dB",
                "Over the scenarios of the last run whose pictures are not the same as their source's.",
            )
            .query("avg(qoe_psnr_score < Inf)", "PSNR")
            .range(0.0, 60.0)
            .thresholds(BAD, &[(30.0, WARN), (40.0, GOOD)]),
            pie("Time that scoring took", "s", "Duration of the computation of the scores, in seconds.")
                .query("qoe_computation_duration_seconds", scenario)
                .size(8, 6),
        ],
    }
}
