//! Dashboard "Future Load Predictions": the predicted power of more streams.

use super::panel::{BAD, GOOD, WARN, bars, gauge, lines, stat, table};
use super::{Dashboard, SCENARIOS};

pub(crate) fn dashboard() -> Dashboard {
    let of = |metric: &str| {
        format!(r#"max by (scenario, streams) ({metric}{{run_id=~"$run_id", scenario!~"(?i).*baseline.*"}})"#)
    };
    let (mean, predicted) =
        (of("results_scenario_mean_power_watts"), of("results_scenario_predicted_power_watts"));
    let (low, high) =
        (of("results_scenario_predicted_power_low_watts"), of("results_scenario_predicted_power_high_watts"));
    Dashboard {
        file: "future-load-predictions",
        uid: "future-load-predictions",
        title: "Future Load Predictions",
        description: "Power by number of streams: a fit over the scenarios of the last run, with its 95 % interval.",
        refresh: "30s",
        since: "now-1h",
        variables: SCENARIOS[..1].to_vec(),
        panels: vec![
            lines(
                "Measured and predicted",
                "watt",
                "Mean power of a scenario, and the prediction for its number of streams.",
            )
            .query(&*mean, "{{scenario}}: measured")
            .query(&*predicted, "{{scenario}}: predicted"),
            lines(
                "Interval of the prediction",
                "watt",
                "95 % of scenarios with this number of streams are expected between low and high.",
            )
            .query(&*predicted, "{{scenario}}: predicted")
            .query(&*low, "{{scenario}}: low")
            .query(&*high, "{{scenario}}: high"),
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
                .query(&*predicted, "{{scenario}}"),
            table("Predictions", "watt", "Measured power, predicted power, and the interval.")
                .query(&*mean, "")
                .query(&*predicted, "")
                .query(&*low, "")
                .query(&*high, "")
                .column("scenario", "Scenario", "string")
                .column("streams", "Streams", "string")
                .column("Value #A", "Measured", "watt")
                .column("Value #B", "Predicted", "watt")
                .column("Value #C", "Low", "watt")
                .column("Value #D", "High", "watt")
                .size(12, 8),
        ],
    }
}
