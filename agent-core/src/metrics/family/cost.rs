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
    gauge("cost_total", "Energy and machine time of a scenario.", |snapshot, _, samples| {
        each(snapshot, samples, |cost| cost.total);
    }),
    gauge("cost_energy", "Energy of a scenario.", |snapshot, _, samples| {
        each(snapshot, samples, |cost| cost.energy);
    }),
    gauge("cost_compute", "Machine time of a scenario.", |snapshot, _, samples| {
        each(snapshot, samples, |cost| cost.compute);
    }),
    gauge("cost_per_pixel", "The total for one pixel.", |snapshot, _, samples| {
        each(snapshot, samples, |cost| cost.per_pixel);
    }),
    gauge("cost_per_watch_hour", "The total for an hour of one viewer.", |snapshot, _, samples| {
        each(snapshot, samples, |cost| cost.per_watch_hour);
    }),
    gauge("cost_total_load_aware", "Energy and busy cores of a scenario.", |snapshot, _, samples| {
        each(snapshot, samples, |cost| cost.total_by_load);
    }),
    gauge(
        "cost_energy_load_aware",
        "Energy of a scenario, where its busy cores are known too.",
        |snapshot, _, samples| each(snapshot, samples, |cost| cost.compute_by_load.and(cost.energy)),
    ),
    gauge("cost_compute_load_aware", "Busy cores of a scenario.", |snapshot, _, samples| {
        each(snapshot, samples, |cost| cost.compute_by_load);
    }),
    gauge(
        "cost_usd_per_hour",
        "Energy of an hour, in the label's currency whatever the name says.",
        |snapshot, _, samples| each(snapshot, samples, |cost| cost.energy_an_hour),
    ),
    gauge("cost_monthly_projection", "Energy of 720 hours.", |snapshot, _, samples| {
        each(snapshot, samples, |cost| a_month(cost.energy_an_hour));
    }),
    gauge(
        "cost_monthly_savings",
        "Energy of 720 hours of the baseline less the scenario's.",
        |snapshot, _, samples| each(snapshot, samples, |cost| a_month(cost.energy_saved_an_hour)),
    ),
    carbon("co2_emissions_kg_per_hour", "Carbon of an hour, in kg.", |snapshot, _, samples| {
        each_carbon(snapshot, samples, |scenario| Some(scenario.carbon_an_hour?.0));
    }),
    carbon("co2_monthly_projection", "Carbon of 720 hours, in kg.", |snapshot, _, samples| {
        each_carbon(snapshot, samples, |scenario| Some(scenario.carbon_an_hour?.0 * HOURS_PER_MONTH));
    }),
    carbon(
        "co2_monthly_avoided",
        "Carbon of 720 hours of the baseline less the scenario's, in kg.",
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
