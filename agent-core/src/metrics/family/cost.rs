//! Port 9504: `cost_*`, under the names of both versions of the exporter ffwatt replaces: by time, and by load.

use std::borrow::Cow;

use crate::metrics::catalog::{Kind, Listener, Metric, Samples};
use crate::model::joined::{Costs, ScenarioFigures};
use crate::model::snapshot::Snapshot;
use crate::units::Money;

/// Upstream's month.
const HOURS_PER_MONTH: f64 = 720.0;

const GRAMS_PER_KILOGRAM: f64 = 1000.0;

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "cost_exporter_alive",
        kind: Kind::Gauge,
        unit: None,
        help: "Always 1.",
        labels: &[],
        listener: Listener::Cost,
        fill: |_, _, samples| samples.whole([], 1),
    },
    gauge(
        "cost_total",
        "Cost of a scenario's energy and of the host for its duration, in the currency of the label.",
        |snapshot, _, samples| {
            each(snapshot, samples, |cost| cost.total);
        },
    ),
    gauge(
        "cost_energy",
        "Cost of a scenario's energy, in the currency of the label.",
        |snapshot, _, samples| {
            each(snapshot, samples, |cost| cost.energy);
        },
    ),
    gauge(
        "cost_compute",
        "Cost of the host for the duration of a scenario, in the currency of the label.",
        |snapshot, _, samples| {
            each(snapshot, samples, |cost| cost.compute);
        },
    ),
    gauge(
        "cost_per_pixel",
        "Total cost per encoded pixel, in the currency of the label.",
        |snapshot, _, samples| {
            each(snapshot, samples, |cost| cost.per_pixel);
        },
    ),
    gauge(
        "cost_per_watch_hour",
        "Total cost per viewer hour, in the currency of the label.",
        |snapshot, _, samples| {
            each(snapshot, samples, |cost| cost.per_watch_hour);
        },
    ),
    gauge(
        "cost_total_load_aware",
        "Cost of a scenario's energy and busy cores, in the currency of the label.",
        |snapshot, _, samples| {
            each(snapshot, samples, |cost| cost.total_by_load);
        },
    ),
    gauge(
        "cost_energy_load_aware",
        "Cost of a scenario's energy, in the currency of the label. Absent where its busy cores are \
         unknown.",
        |snapshot, _, samples| each(snapshot, samples, |cost| cost.compute_by_load.and(cost.energy)),
    ),
    gauge(
        "cost_compute_load_aware",
        "Cost of a scenario's busy cores, in the currency of the label.",
        |snapshot, _, samples| {
            each(snapshot, samples, |cost| cost.compute_by_load);
        },
    ),
    gauge(
        "cost_usd_per_hour",
        "Energy cost per hour, in the currency of the label, which can differ from USD.",
        |snapshot, _, samples| each(snapshot, samples, |cost| cost.energy_an_hour),
    ),
    gauge(
        "cost_monthly_projection",
        "Energy cost of 720 hours, in the currency of the label.",
        |snapshot, _, samples| {
            each(snapshot, samples, |cost| a_month(cost.energy_an_hour));
        },
    ),
    gauge(
        "cost_monthly_savings",
        "Energy cost of 720 hours of the baseline minus that of the scenario, in the currency of the \
         label.",
        |snapshot, _, samples| each(snapshot, samples, |cost| a_month(cost.energy_saved_an_hour)),
    ),
    carbon("co2_emissions_kg_per_hour", "Carbon emission per hour, in kg CO2e.", |snapshot, _, samples| {
        each_carbon(snapshot, samples, |scenario| Some(scenario.carbon_an_hour?.0));
    }),
    carbon("co2_monthly_projection", "Carbon emission of 720 hours, in kg CO2e.", |snapshot, _, samples| {
        each_carbon(snapshot, samples, |scenario| Some(scenario.carbon_an_hour?.0 * HOURS_PER_MONTH));
    }),
    carbon(
        "co2_monthly_avoided",
        "Carbon emission of 720 hours of the baseline minus that of the scenario, in kg CO2e.",
        |snapshot, _, samples| {
            each_carbon(snapshot, samples, |scenario| {
                Some(scenario.carbon_avoided_an_hour?.0 * HOURS_PER_MONTH)
            });
        },
    ),
];

type Fill = for<'a> fn(&'a Snapshot, crate::metrics::Options, &mut Samples<'a>);

const fn gauge(name: &'static str, help: &'static str, fill: Fill) -> Metric {
    let labels = &["scenario", "currency", "streams", "bitrate", "encoder"];
    Metric { name, kind: Kind::Gauge, unit: None, help, labels, listener: Listener::Cost, fill }
}

const fn carbon(name: &'static str, help: &'static str, fill: Fill) -> Metric {
    let labels = &["scenario", "streams", "bitrate", "encoder"];
    Metric { name, kind: Kind::Gauge, unit: None, help, labels, listener: Listener::Cost, fill }
}

fn each<'a>(snapshot: &'a Snapshot, samples: &mut Samples<'a>, figure: impl Fn(&Costs) -> Option<Money>) {
    for scenario in &snapshot.joined.scenarios {
        for cost in &scenario.costs {
            if let Some(amount) = figure(cost) {
                let [name, streams, bitrate, encoder] = labels(scenario);
                samples.number([name, (*cost.currency).into(), streams, bitrate, encoder], amount.0);
            }
        }
    }
}

fn each_carbon<'a>(
    snapshot: &'a Snapshot,
    samples: &mut Samples<'a>,
    grams: impl Fn(&ScenarioFigures) -> Option<f64>,
) {
    for scenario in &snapshot.joined.scenarios {
        if let Some(grams) = grams(scenario) {
            samples.number(labels(scenario), grams / GRAMS_PER_KILOGRAM);
        }
    }
}

fn labels(scenario: &ScenarioFigures) -> [Cow<'_, str>; 4] {
    let names = &scenario.names;
    [&names.label, &names.streams, &names.bitrate, &names.encoder_type].map(|label| label.as_str().into())
}

fn a_month(an_hour: Option<Money>) -> Option<Money> {
    an_hour.map(|amount| Money(amount.0 * HOURS_PER_MONTH))
}
