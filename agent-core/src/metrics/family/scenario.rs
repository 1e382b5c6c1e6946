//! `ffwatt_scenario_*` and `ffwatt_budget_*`: energy, cost and quality of scenarios, and the use of budgets.

use std::borrow::Cow;

use crate::metrics::catalog::{Kind, Listener, Metric, Samples};
use crate::model::joined::{BudgetFigures, ScenarioFigures};
use crate::model::snapshot::Snapshot;
use crate::model::vmaf_model::VmafModel;

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "ffwatt_scenario_info",
        kind: Kind::Info,
        unit: None,
        help: "Properties of a scenario: how its energy was matched, and whether it is measured, \
            estimated or taken from the result file. vmaf_model: model of its VMAF score.",
        labels: &[
            "scenario",
            "run_id",
            "matched",
            "basis",
            "encoder",
            "preset",
            "output_ladder",
            "vmaf_model",
        ],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for scenario in &snapshot.joined.scenarios {
                let names = &scenario.names;
                let (matched, basis) =
                    scenario.energy.map_or(("", ""), |energy| (energy.matched.name(), energy.basis.name()));
                let labels = [
                    names.scenario.as_str(),
                    &names.run,
                    matched,
                    basis,
                    &names.encoder,
                    &names.preset,
                    &names.ladder,
                    scenario.vmaf_model.map_or("", VmafModel::name),
                ];
                samples.whole(labels.map(Cow::Borrowed), 1);
            }
        },
    },
    gauge(
        "ffwatt_scenario_energy_joules",
        Some("joules"),
        "Energy charged to a scenario of the last run, in joules.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.energy?.energy.joules())),
    ),
    gauge(
        "ffwatt_scenario_cpu_seconds",
        Some("seconds"),
        "CPU time of a scenario, in seconds.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.energy?.cpu?.seconds())),
    ),
    gauge(
        "ffwatt_scenario_joules_per_frame",
        None,
        "Energy per frame, in joules.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| scenario.efficiency.joules_per_frame);
        },
    ),
    gauge(
        "ffwatt_scenario_joules_per_megapixel",
        None,
        "Energy per million pixels, in joules.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| scenario.efficiency.joules_per_megapixel),
    ),
    gauge(
        "ffwatt_scenario_joules_per_vmaf_point",
        None,
        "Energy per VMAF point, in joules.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| scenario.efficiency.joules_per_vmaf_point),
    ),
    gauge("ffwatt_scenario_vmaf_score", None, "VMAF of a scenario's output.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| Some(scenario.vmaf?.0));
    }),
    gauge("ffwatt_scenario_vmaf_per_watt", None, "VMAF points per watt.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| scenario.efficiency.vmaf_per_watt);
    }),
    Metric {
        name: "ffwatt_scenario_cost",
        kind: Kind::Gauge,
        unit: None,
        help: "Cost of a scenario's energy and busy cores, in the currency of the label; where the busy \
            cores are unknown, cost of energy and host time. Absent where the energy is unknown.",
        labels: &["scenario", "currency"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for scenario in &snapshot.joined.scenarios {
                for cost in &scenario.costs {
                    if let Some(total) = cost.shown() {
                        let name = Cow::Borrowed(scenario.names.scenario.as_str());
                        samples.number([name, (*cost.currency).into()], total.0);
                    }
                }
            }
        },
    },
    Metric {
        name: "ffwatt_scenario_cost_per_output_hour",
        kind: Kind::Gauge,
        unit: None,
        help: "Cost of energy and busy cores per hour of output, in the currency of the label.",
        labels: &["scenario", "currency"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            for scenario in &snapshot.joined.scenarios {
                for cost in &scenario.costs {
                    if let Some(amount) = cost.per_output_hour {
                        let name = Cow::Borrowed(scenario.names.scenario.as_str());
                        samples.number([name, (*cost.currency).into()], amount.0);
                    }
                }
            }
        },
    },
    gauge(
        "ffwatt_scenario_carbon_grams",
        Some("grams"),
        "Carbon emission of a scenario's energy, in g CO2e.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.carbon?.0)),
    ),
    Metric {
        name: "ffwatt_energy_price_per_kwh",
        kind: Kind::Gauge,
        unit: None,
        help: "Price of 1 kWh on this host, in the currency of the label.",
        labels: &["currency"],
        listener: Listener::Main,
        fill: |snapshot, _, samples| {
            let prices = &snapshot.prices;
            samples.number([Cow::Borrowed(&*prices.currency)], prices.kilowatt_hour.0);
        },
    },
    Metric {
        name: "ffwatt_carbon_intensity_grams_per_kwh",
        kind: Kind::Gauge,
        unit: None,
        help: "Carbon intensity of the energy of this host, in g CO2e/kWh.",
        labels: &[],
        listener: Listener::Main,
        fill: |snapshot, _, samples| samples.number([], snapshot.prices.carbon.0),
    },
    budget("ffwatt_budget_limit", "Budget of a period, in the unit of the label.", |snapshot, _, samples| {
        each_budget(snapshot, samples, |budget| Some(budget.limit));
    }),
    budget(
        "ffwatt_budget_spent",
        "Used part of the budget since the start of the period, in the unit of the label.",
        |snapshot, _, samples| {
            each_budget(snapshot, samples, |budget| Some(budget.spent));
        },
    ),
    budget("ffwatt_budget_used_ratio", "Used share of the budget, as a ratio.", |snapshot, _, samples| {
        each_budget(snapshot, samples, |budget| Some(budget.used?.0));
    }),
    budget(
        "ffwatt_budget_forecast",
        "Expected use of the budget at the end of the period at the present rate, in the unit of the \
         label.",
        |snapshot, _, samples| each_budget(snapshot, samples, |budget| budget.forecast),
    ),
];

type Fill = for<'a> fn(&'a Snapshot, crate::metrics::Options, &mut Samples<'a>);

const fn gauge(name: &'static str, unit: Option<&'static str>, help: &'static str, fill: Fill) -> Metric {
    Metric { name, kind: Kind::Gauge, unit, help, labels: &["scenario"], listener: Listener::Main, fill }
}

const fn budget(name: &'static str, help: &'static str, fill: Fill) -> Metric {
    let labels = &["period", "unit"];
    Metric { name, kind: Kind::Gauge, unit: None, help, labels, listener: Listener::Main, fill }
}

fn each<'a>(
    snapshot: &'a Snapshot,
    samples: &mut Samples<'a>,
    figure: impl Fn(&ScenarioFigures) -> Option<f64>,
) {
    for scenario in &snapshot.joined.scenarios {
        if let Some(value) = figure(scenario) {
            samples.number([Cow::Borrowed(scenario.names.scenario.as_str())], value);
        }
    }
}

fn each_budget<'a>(
    snapshot: &'a Snapshot,
    samples: &mut Samples<'a>,
    figure: impl Fn(&BudgetFigures) -> Option<f64>,
) {
    for budget in &snapshot.joined.budgets {
        if let Some(value) = figure(budget) {
            samples.number([budget.period.into(), budget.unit.as_str().into()], value);
        }
    }
}
