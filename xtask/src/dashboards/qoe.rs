//! Dashboard `QoE (Quality of Experience)`: upstream's seven panels.

use super::panel::{BAD, GOOD, WARN, gauge, lines, pie};
use super::queries::{largest_scenarios, lowest_scenarios, of_scenarios};
use super::{Dashboard, TOP, Variable};

const SELECTED: &str = r#"{instance=~"$instance(:.*)?"}"#;

pub(crate) fn dashboard() -> Dashboard {
    let of = |metric: &str| of_scenarios(&format!("{metric}{SELECTED}"), "");
    let low = |metric: &str| lowest_scenarios(&of(metric), "");
    let scenario = "{{scenario}} on {{instance}}";
    Dashboard {
        file: "qoe",
        uid: "qoe-dashboard",
        title: "QoE (Quality of Experience)",
        description: "VMAF, PSNR and quality per watt, by scenario of the last run.",
        refresh: "5s",
        since: "now-1h",
        variables: vec![Variable::Host, TOP],
        panels: vec![
            lines(
                "VMAF",
                "none",
                "VMAF, 0 to 100. At 93 and more, most viewers see no difference from the source.",
            )
            .query(low("qoe_vmaf_score"), scenario)
            .range(0.0, 100.0),
            lines("PSNR", "dB", "PSNR in decibels; infinite for identical pictures.")
                .query(low("qoe_psnr_score"), scenario),
            lines("Quality per watt", "none", "VMAF points per watt of mean power.")
                .query(low("qoe_quality_per_watt"), scenario),
            lines("QoE efficiency", "short", "Pixels per joule, weighted by VMAF / 100.")
                .query(low("qoe_efficiency_score"), scenario),
            // Upstream's colours were reversed.
            gauge("Mean VMAF", "none", "Mean over the scenarios of the last run.")
                .query(format!("avg(qoe_vmaf_score{SELECTED})"), "VMAF")
                .range(0.0, 100.0)
                .thresholds(BAD, &[(70.0, WARN), (90.0, GOOD)]),
            gauge(
                "Mean PSNR",
                "dB",
                "Mean over the scenarios of the last run with pictures that differ from the source.",
            )
            .query(format!("avg(qoe_psnr_score{SELECTED} < Inf)"), "PSNR")
            .range(0.0, 60.0)
            .thresholds(BAD, &[(30.0, WARN), (40.0, GOOD)]),
            pie("Duration of scoring", "s", "Duration of the computation of the scores.")
                .query(largest_scenarios(&of("qoe_computation_duration_seconds"), ""), scenario)
                .size(8, 6),
        ],
    }
}
