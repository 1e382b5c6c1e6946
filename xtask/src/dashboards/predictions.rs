//! Dashboard "Future Load Predictions": the predicted power of more streams.

use super::links::{SCENARIO, SCENARIO_OF_CELL};
use super::panel::{BAD, GOOD, WARN, bars, gauge, lines, stat, table};
use super::queries::{highest_scenarios, of_scenarios};
use super::{Dashboard, SCENARIOS, TOP};

pub(crate) fn dashboard() -> Dashboard {
    let of = |metric: &str| {
        let selected = r#"instance=~"$instance(:.*)?", run_id=~"$run_id", scenario!~"(?i).*baseline.*""#;
        of_scenarios(&format!("{metric}{{{selected}}}"), "streams")
    };
    let (mean, predicted) =
        (of("results_scenario_mean_power_watts"), of("results_scenario_predicted_power_watts"));
    let (low, high) =
        (of("results_scenario_predicted_power_low_watts"), of("results_scenario_predicted_power_high_watts"));
    let top = |series: &str| highest_scenarios(series, "");
    Dashboard {
        file: "future-load-predictions",
        uid: "future-load-predictions",
        title: "Future Load Predictions",
        description: "Power by number of streams: a fit over the scenarios of the last run, with its 95 % interval. \
            A run with fewer than three scenarios, or with one number of streams, has no prediction.",
        refresh: "30s",
        since: "now-1h",
        variables: SCENARIOS[..2].iter().copied().chain([TOP]).collect(),
        panels: vec![
            lines(
                "Measured and predicted",
                "watt",
                "Mean power of a scenario, and the prediction for its number of streams.",
            )
            .query(top(&mean), "{{scenario}} on {{instance}}: measured")
            .query(top(&predicted), "{{scenario}} on {{instance}}: predicted")
            .least(0.0),
            lines(
                "Interval of the prediction",
                "watt",
                "95 % of scenarios with this number of streams are expected between low and high.",
            )
            .query(top(&predicted), "{{scenario}} on {{instance}}: predicted")
            .query(top(&low), "{{scenario}} on {{instance}}: low")
            .query(top(&high), "{{scenario}} on {{instance}}: high")
            .least(0.0),
            gauge(
                "Accuracy",
                "percent",
                "Agreement of prediction and measurement, as a mean over the scenarios.",
            )
            .query(format!("clamp_min(100 - avg(abs({mean} - {predicted}) / {mean}) * 100, 0)"), "accuracy")
            .range(0.0, 100.0)
            .thresholds(BAD, &[(70.0, WARN), (90.0, GOOD)]),
            stat(
                "Width of the interval",
                "watt",
                "Mean distance from low to high. The interval is wide with few scenarios, or if their \
                 power is far from a line.",
            )
            .query(format!("avg({high} - {low})"), "width")
            .size(8, 6),
            stat(
                "Deviation of ticks",
                "watt",
                "Mean width of two standard deviations above and below the mean power of a scenario.",
            )
            .query(
                format!(
                    "avg({} - {})",
                    of("results_scenario_prediction_confidence_high"),
                    of("results_scenario_prediction_confidence_low")
                ),
                "spread",
            )
            .size(8, 6),
            bars("Predicted power", "watt", "Predicted power by scenario.")
                .query(top(&predicted), "{{scenario}} on {{instance}}")
                .least(0.0)
                .link(SCENARIO),
            table("Predictions", "watt", "Measured power, predicted power, and the interval.")
                .query(&*mean, "")
                .query(&*predicted, "")
                .query(&*low, "")
                .query(&*high, "")
                .column("instance", "Host", "string")
                .linked("scenario", "Scenario", SCENARIO_OF_CELL)
                .column("streams", "Streams", "string")
                .column("Value #A", "Measured", "watt")
                .column("Value #B", "Predicted", "watt")
                .column("Value #C", "Low", "watt")
                .column("Value #D", "High", "watt")
                .size(12, 8),
        ],
    }
}
