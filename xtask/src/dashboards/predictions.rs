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
        description: "Power by number of streams, fitted over the last run's scenarios, with the fit's own 95 % interval.",
        refresh: "30s",
        since: "now-1h",
        variables: SCENARIOS[..1].to_vec(),
        panels: vec![
            lines(
                "Measured and predicted",
                "watt",
                "Mean power of a scenario, and what the fit says for its streams.",
            )
            .query(&*mean, "{{scenario}}: measured")
            .query(&*predicted, "{{scenario}}: predicted"),
            lines("The fit's interval", "watt", "95 % of such scenarios should lie between low and high.")
                .query(&*predicted, "{{scenario}}: predicted")
                .query(&*low, "{{scenario}}: low")
                .query(&*high, "{{scenario}}: high"),
            gauge(
                "Accuracy",
                "percent",
                "How close the fit comes to what was measured, on average over the scenarios.",
            )
            .query(format!("clamp_min(100 - avg(abs({mean} - {predicted}) / {mean}) * 100, 0)"), "accuracy")
            .range(0.0, 100.0)
            .thresholds(BAD, &[(70.0, WARN), (90.0, GOOD)]),
            stat(
                "Width of the interval",
                "watt",
                "Mean distance from low to high: wide when scenarios are few or far from a line.",
            )
            .query(format!("avg({high} - {low})"), "width")
            .size(8, 6),
            stat(
                "Spread from tick to tick",
                "watt",
                "Mean distance of two standard deviations up and down, while the scenarios ran.",
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
            bars("Predicted power", "watt", "By scenario.").query(&*predicted, "{{scenario}}"),
            table("All of it", "watt", "Measured, predicted, and the interval.")
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
