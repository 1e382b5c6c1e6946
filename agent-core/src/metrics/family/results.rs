//! Port 9502: `results_*`, under the names of the exporter ffwatt replaces; each series once.
//!
//! Energy and mean power are those charged to the scenario's own encodes; `net` and `delta` compare the host's power with its power during
//! the run's baseline.

use std::borrow::Cow;

use crate::metrics::catalog::{Kind, Listener, Metric, Samples};
use crate::model::joined::{PredictedPower, ScenarioFigures};
use crate::model::snapshot::Snapshot;

const LABELS: &[&str] = &[
    "run_id",
    "scenario",
    "bitrate",
    "resolution",
    "fps",
    "streams",
    "output_ladder",
    "encoder_type",
    "encoder",
    "preset",
];

const SECONDS_PER_HOUR: f64 = 3600.0;

pub(super) const METRICS: &[Metric] = &[
    Metric {
        name: "results_exporter_up",
        kind: Kind::Gauge,
        unit: None,
        help: "1 if the newest result file could be read or none exists yet, 0 if it could not be read.",
        labels: &[],
        listener: Listener::Results,
        fill: |snapshot, _, samples| {
            if let Some(is_readable) = snapshot.joined.is_readable {
                samples.whole([], u64::from(is_readable));
            }
        },
    },
    Metric {
        name: "results_scenarios_total",
        kind: Kind::Gauge,
        unit: None,
        help: "Number of scenarios of the last run.",
        labels: &[],
        listener: Listener::Results,
        fill: |snapshot, _, samples| samples.whole([], snapshot.joined.scenarios.len() as u64),
    },
    gauge(
        "results_scenario_duration_seconds",
        "Duration of a scenario, in seconds.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| Some(scenario.duration?.as_secs_f64()));
        },
    ),
    gauge(
        "results_scenario_mean_power_watts",
        "Mean power charged to a scenario, in watts.",
        |snapshot, _, samples| {
            each(snapshot, samples, mean);
        },
    ),
    gauge(
        "results_scenario_measured_power_watts",
        "The same value as results_scenario_mean_power_watts, in watts.",
        |snapshot, _, samples| each(snapshot, samples, mean),
    ),
    gauge(
        "results_scenario_total_energy_joules",
        "Energy charged to a scenario, in joules; for a baseline, the energy of the host.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.energy?.energy.joules())),
    ),
    gauge(
        "results_scenario_total_energy_wh",
        "Energy charged to a scenario, in Wh; for a baseline, the energy of the host.",
        |snapshot, _, samples| {
            each(snapshot, samples, watt_hours);
        },
    ),
    gauge(
        "results_scenario_power_stdev",
        "Standard deviation of a scenario's power from tick to tick, in watts.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.energy?.deviation?.0)),
    ),
    gauge(
        "results_scenario_prediction_confidence_high",
        "Mean power plus two standard deviations, in watts.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| Some(mean(scenario)? + 2.0 * deviation(scenario)?));
        },
    ),
    gauge(
        "results_scenario_prediction_confidence_low",
        "Mean power minus two standard deviations, in watts, at least 0.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| Some((mean(scenario)? - 2.0 * deviation(scenario)?).max(0.0)));
        },
    ),
    gauge(
        "results_scenario_container_cpu_percent",
        "Mean CPU use of all containers together during a scenario, in percent of one CPU.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| Some(scenario.energy?.containers?.percent()));
        },
    ),
    gauge(
        "results_scenario_estimated_docker_overhead_watts",
        "CPU use of the container engine (1 is one CPU) multiplied by the mean power of a scenario, in \
         watts.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| Some(scenario.energy?.engine?.0 * mean(scenario)?));
        },
    ),
    gauge("results_scenario_energy_wh_per_min", "Energy per minute, in Wh.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| {
            let minutes = scenario.duration?.as_secs_f64() / 60.0;
            Some(watt_hours(scenario)? / minutes)
        });
    }),
    gauge(
        "results_scenario_energy_wh_per_mbps",
        "Energy per megabit per second of the requested bitrate, in Wh.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| scenario.efficiency.watt_hours_per_megabit),
    ),
    gauge(
        "results_scenario_energy_mj_per_frame",
        "Energy per frame, in millijoules.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| Some(scenario.efficiency.joules_per_frame? * 1000.0));
        },
    ),
    gauge("results_scenario_total_pixels", "Encoded pixels, over all renditions.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| Some(scenario.pixels?.0));
    }),
    gauge(
        "results_scenario_efficiency_score",
        "Pixels per joule; where the pixels are unknown, megabits per second per watt.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| {
                scenario.efficiency.pixels_per_joule.or(scenario.efficiency.megabits_per_watt)
            });
        },
    ),
    gauge(
        "results_scenario_predicted_power_watts",
        "Mean power that a fit over the scenarios of the run predicts for this number of streams, in \
         watts.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| predicted(scenario, |predicted| predicted.power.0));
        },
    ),
    gauge(
        "results_scenario_predicted_power_low_watts",
        "Lower limit of the prediction's 95 % interval, in watts.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| predicted(scenario, |predicted| predicted.low.0));
        },
    ),
    gauge(
        "results_scenario_predicted_power_high_watts",
        "Upper limit of the prediction's 95 % interval, in watts.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| predicted(scenario, |predicted| predicted.high.0));
        },
    ),
    gauge(
        "results_scenario_predicted_energy_joules",
        "Predicted power multiplied by the duration of the scenario, in joules.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| {
                Some(scenario.predicted?.power.during(scenario.duration?).joules())
            });
        },
    ),
    gauge(
        "results_scenario_predicted_efficiency_score",
        "Pixels per joule of the predicted energy.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| {
                let energy = scenario.predicted?.power.during(scenario.duration?).joules();
                Some(scenario.pixels?.0 / energy)
            });
        },
    ),
    gauge(
        "results_scenario_net_power_watts",
        "Mean power of the host minus its mean power during the baseline, in watts.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.net?.power.0)),
    ),
    gauge(
        "results_scenario_delta_power_watts",
        "The same value as results_scenario_net_power_watts, in watts.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.net?.power.0)),
    ),
    gauge(
        "results_scenario_net_energy_wh",
        "Energy of the host minus the energy at the baseline's power over the same time, in Wh.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.net?.energy_watt_hours)),
    ),
    gauge(
        "results_scenario_delta_energy_wh",
        "The same value as results_scenario_net_energy_wh, in Wh.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.net?.energy_watt_hours)),
    ),
    gauge(
        "results_scenario_net_container_cpu_percent",
        "CPU use of containers minus their CPU use during the baseline, in percent of one CPU.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.net?.containers?.percent())),
    ),
    gauge(
        "results_scenario_power_pct_increase",
        "Increase of the host's power over the baseline, in percent of the baseline's power.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.net?.increase?.percent())),
    ),
    gauge(
        "results_scenario_avg_fps",
        "Frames per second that a scenario reached.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| scenario.reached_rate);
        },
    ),
    gauge("results_scenario_dropped_frames", "Dropped frames of a scenario.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| Some(scenario.dropped? as f64));
    }),
    gauge("results_scenario_total_frames", "Encoded frames, over all renditions.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| scenario.frames);
    }),
    gauge("results_scenario_vmaf_score", "VMAF of a scenario's output.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| Some(scenario.vmaf?.0));
    }),
    gauge(
        "results_scenario_psnr_score",
        "PSNR of a scenario's output, in decibels.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| Some(scenario.psnr?.0));
        },
    ),
];

type Fill = for<'a> fn(&'a Snapshot, crate::metrics::Options, &mut Samples<'a>);

const fn gauge(name: &'static str, help: &'static str, fill: Fill) -> Metric {
    Metric { name, kind: Kind::Gauge, unit: None, help, labels: LABELS, listener: Listener::Results, fill }
}

fn each<'a>(
    snapshot: &'a Snapshot,
    samples: &mut Samples<'a>,
    figure: impl Fn(&ScenarioFigures) -> Option<f64>,
) {
    for scenario in &snapshot.joined.scenarios {
        if let Some(value) = figure(scenario) {
            let names = &scenario.names;
            let labels = [
                &names.run,
                &names.scenario,
                &names.bitrate,
                &names.resolution,
                &names.frame_rate,
                &names.streams,
                &names.ladder,
                &names.encoder_type,
                &names.encoder,
                &names.preset,
            ];
            samples.number(labels.map(|label| Cow::Borrowed(label.as_str())), value);
        }
    }
}

fn mean(scenario: &ScenarioFigures) -> Option<f64> {
    Some(scenario.energy?.mean?.0)
}

fn deviation(scenario: &ScenarioFigures) -> Option<f64> {
    Some(scenario.energy?.deviation?.0)
}

fn watt_hours(scenario: &ScenarioFigures) -> Option<f64> {
    Some(scenario.energy?.energy.joules() / SECONDS_PER_HOUR)
}

fn predicted(scenario: &ScenarioFigures, figure: impl Fn(PredictedPower) -> f64) -> Option<f64> {
    scenario.predicted.map(figure)
}
