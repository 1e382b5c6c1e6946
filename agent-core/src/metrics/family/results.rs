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
        help: "Whether the newest result file could be read, or there is none yet (1), or not (0).",
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
        help: "Scenarios of the last run.",
        labels: &[],
        listener: Listener::Results,
        fill: |snapshot, _, samples| samples.whole([], snapshot.joined.scenarios.len() as u64),
    },
    gauge("results_scenario_duration_seconds", "How long a scenario ran.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| Some(scenario.duration?.as_secs_f64()));
    }),
    gauge(
        "results_scenario_mean_power_watts",
        "Mean power charged to a scenario.",
        |snapshot, _, samples| {
            each(snapshot, samples, mean);
        },
    ),
    gauge(
        "results_scenario_measured_power_watts",
        "The same as results_scenario_mean_power_watts.",
        |snapshot, _, samples| each(snapshot, samples, mean),
    ),
    gauge(
        "results_scenario_total_energy_joules",
        "Energy charged to a scenario; of a baseline, the host's.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.energy?.energy.joules())),
    ),
    gauge("results_scenario_total_energy_wh", "The same in watt hours.", |snapshot, _, samples| {
        each(snapshot, samples, watt_hours);
    }),
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
        "Mean power less two standard deviations, in watts, not under 0.",
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
        "The engine's CPU use, of one CPU, times a scenario's mean power.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| Some(scenario.energy?.engine?.0 * mean(scenario)?));
        },
    ),
    gauge("results_scenario_energy_wh_per_min", "Watt hours a minute.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| {
            let minutes = scenario.duration?.as_secs_f64() / 60.0;
            Some(watt_hours(scenario)? / minutes)
        });
    }),
    gauge(
        "results_scenario_energy_wh_per_mbps",
        "Watt hours for each megabit a second that was asked for.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| scenario.efficiency.watt_hours_per_megabit),
    ),
    gauge("results_scenario_energy_mj_per_frame", "Millijoules a frame.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| Some(scenario.efficiency.joules_per_frame? * 1000.0));
    }),
    gauge("results_scenario_total_pixels", "Pixels encoded, over all renditions.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| Some(scenario.pixels?.0));
    }),
    gauge(
        "results_scenario_efficiency_score",
        "Pixels for a joule; where pixels are not known, megabits a second and watt.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| {
                scenario.efficiency.pixels_per_joule.or(scenario.efficiency.megabits_per_watt)
            });
        },
    ),
    gauge(
        "results_scenario_predicted_power_watts",
        "Mean power that a fit over the run's scenarios has for this number of streams.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| predicted(scenario, |predicted| predicted.power.0));
        },
    ),
    gauge(
        "results_scenario_predicted_power_low_watts",
        "Lower end of the prediction's 95 % interval.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| predicted(scenario, |predicted| predicted.low.0));
        },
    ),
    gauge(
        "results_scenario_predicted_power_high_watts",
        "Upper end of the prediction's 95 % interval.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| predicted(scenario, |predicted| predicted.high.0));
        },
    ),
    gauge(
        "results_scenario_predicted_energy_joules",
        "Predicted power times the scenario's time.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| {
                Some(scenario.predicted?.power.during(scenario.duration?).joules())
            });
        },
    ),
    gauge(
        "results_scenario_predicted_efficiency_score",
        "Pixels for a joule of the predicted energy.",
        |snapshot, _, samples| {
            each(snapshot, samples, |scenario| {
                let energy = scenario.predicted?.power.during(scenario.duration?).joules();
                Some(scenario.pixels?.0 / energy)
            });
        },
    ),
    gauge(
        "results_scenario_net_power_watts",
        "The host's mean power above that during the baseline.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.net?.power.0)),
    ),
    gauge(
        "results_scenario_delta_power_watts",
        "The same as results_scenario_net_power_watts.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.net?.power.0)),
    ),
    gauge(
        "results_scenario_net_energy_wh",
        "The host's energy above the baseline's power over the same time, in watt hours.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.net?.energy_watt_hours)),
    ),
    gauge(
        "results_scenario_delta_energy_wh",
        "The same as results_scenario_net_energy_wh.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.net?.energy_watt_hours)),
    ),
    gauge(
        "results_scenario_net_container_cpu_percent",
        "CPU use of containers above that during the baseline, in percent of one CPU.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.net?.containers?.percent())),
    ),
    gauge(
        "results_scenario_power_pct_increase",
        "The host's power above the baseline's, in percent of the baseline's.",
        |snapshot, _, samples| each(snapshot, samples, |scenario| Some(scenario.net?.increase?.percent())),
    ),
    gauge("results_scenario_avg_fps", "Frames a second that were reached.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| scenario.reached_rate);
    }),
    gauge("results_scenario_dropped_frames", "Frames that were lost.", |snapshot, _, samples| {
        each(snapshot, samples, |scenario| Some(scenario.dropped? as f64));
    }),
    gauge("results_scenario_total_frames", "Frames encoded, over all renditions.", |snapshot, _, samples| {
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
