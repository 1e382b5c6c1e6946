//! Computes all figures of a run's scenarios: energy, costs, efficiency and predicted power.

use std::sync::Arc;
use std::time::Duration;

use crate::join::bitrate::{self, Dialect};
use crate::join::cost::{self, Tariff};
use crate::join::history::History;
use crate::join::prediction::{Model, Observation};
use crate::join::pricing::Rate;
use crate::join::subject::Subject;
use crate::join::{efficiency, finite, matching, quotient, scenario_defaults};
use crate::model::joined::{
    Costs, Efficiency, EnergyBasis, Matched, Names, Net, PredictedPower, ScenarioEnergy, ScenarioFigures,
};
use crate::model::prices::UnitPrices;
use crate::model::scenario::{Run, Scenario};
use crate::time::WallTime;
use crate::units::{CpuTime, Grams, MicroJoules, Money, Ratio, Watts};

/// A window is known when no more than this is missing at its beginning, and no more than a twentieth of it.
const MAY_BE_MISSING: Duration = Duration::from_secs(2);

/// Prices that costs are computed from.
#[derive(Clone, Debug, PartialEq)]
pub struct Prices {
    /// The tariff.
    pub tariff: Tariff,
    /// Currency of the tariff.
    pub currency: Arc<str>,
    /// Other currencies in which costs are shown.
    pub also: Vec<Rate>,
    /// Carbon of a kilowatt hour.
    pub carbon: Grams,
    /// Number of viewers of a scenario that gives none.
    pub viewers: u32,
}

impl Prices {
    /// Prices and carbon of a kilowatt hour and of an hour of a busy CPU.
    pub fn units(&self) -> UnitPrices {
        UnitPrices {
            kilowatt_hour: self.tariff.energy(MicroJoules(KILOWATT_HOUR)),
            core_hour: self.tariff.cores(CpuTime(CORE_HOUR)),
            currency: self.currency.clone(),
            carbon: self.carbon,
        }
    }
}

/// A kilowatt hour in microjoules.
const KILOWATT_HOUR: u64 = 3_600_000_000_000;

/// An hour of one CPU in nanoseconds.
const CORE_HOUR: u64 = 3_600_000_000_000;

/// Energy found for a scenario.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Found {
    /// Energy of the scenario, its source, and the rule that matched it.
    pub energy: Option<ScenarioEnergy>,
    /// The host's mean power in the scenario's window.
    pub host: Option<Watts>,
}

impl Found {
    /// Whether the energy is attributed: it does not change later.
    pub fn is_attributed(&self) -> bool {
        self.energy.is_some_and(|energy| energy.basis != EnergyBasis::File)
    }

    /// Whether no better rule could match the scenario.
    pub fn is_best_for(&self, scenario: &Scenario) -> bool {
        self.energy.is_some_and(|energy| energy.matched <= matching::best_rule(scenario))
    }

    /// The result of the better rule; of the same rule, this one.
    #[must_use]
    pub fn or_better(self, other: Self) -> Self {
        let rule = |found: &Self| found.energy.map(|energy| energy.matched);
        match (rule(&self), rule(&other)) {
            (Some(mine), Some(others)) if mine <= others => self,
            (Some(_), None) => self,
            _ => other,
        }
    }
}

/// All scenarios of a run, given the energy of each.
pub fn figures(run: &Run, found: &[Found], prices: &Prices) -> Vec<ScenarioFigures> {
    let baseline = run.scenarios.iter().position(scenario_defaults::is_baseline);
    let baseline = baseline.and_then(|index| found.get(index));
    let observations: Vec<Observation> = run
        .scenarios
        .iter()
        .zip(found)
        .filter(|(scenario, _)| !scenario_defaults::is_baseline(scenario))
        .filter_map(|(scenario, found)| {
            Some(Observation { streams: scenario_defaults::streams(scenario), power: found.energy?.mean? })
        })
        .collect();
    let context = RunContext { run: &run.id, baseline, model: Model::fit(&observations), prices };
    let all = run.scenarios.iter().zip(found);
    all.map(|(scenario, found)| one(scenario, found, &context)).collect()
}

/// Properties of a run that the figures of each of its scenarios need.
struct RunContext<'a> {
    run: &'a str,
    baseline: Option<&'a Found>,
    model: Option<Model>,
    prices: &'a Prices,
}

/// Energy of a scenario: attributed where the history covers its whole window, else the file's own. `basis` is the source of
/// attributed energy.
pub fn find(scenario: &Scenario, history: &History, basis: EnergyBasis) -> Found {
    let Some((from, to)) = scenario.window else {
        return Found { energy: from_file(scenario), host: None };
    };
    // A host always draws power: without any energy of it, that of its workloads is unknown too.
    let host = known(history, &[Subject::Host], from, to).filter(|(energy, _)| *energy > MicroJoules::ZERO);
    let matched = host.and_then(|_| matching::find(scenario, &history.candidates()));
    let attributed = matched.and_then(|(matched, subjects)| {
        let (energy, cpu) = known(history, &subjects, from, to)?;
        let steps = history.within(&subjects, from, to);
        let powers: Vec<f64> =
            steps.iter().filter_map(|step| Some(step.charge.energy.over(step.length)?.0)).collect();
        Some(ScenarioEnergy {
            energy,
            cpu: Some(cpu),
            mean: energy.over(between(from, to)),
            deviation: deviation(&powers).map(Watts),
            gpu: scenario.power.gpu_mean,
            containers: mean(steps.iter().map(|step| step.containers.share_of(step.length.into()))),
            engine: mean(steps.iter().map(|step| step.engine)),
            basis,
            matched,
        })
    });
    let host = host.and_then(|(energy, _)| energy.over(between(from, to)));
    Found { energy: attributed.or_else(|| from_file(scenario)), host }
}

/// Energy and CPU time, when the history covers the whole window.
fn known(
    history: &History,
    subjects: &[Subject],
    from: WallTime,
    to: WallTime,
) -> Option<(MicroJoules, CpuTime)> {
    let spent = history.over(subjects, from, to);
    let missing = between(from, to).saturating_sub(spent.covered);
    // The energy of a window that is not over is unknown: half of it would be taken for all.
    let is_over = history.ends().is_some_and(|ends| ends.0 >= to.0);
    let is_known = is_over && missing <= MAY_BE_MISSING && missing * 20 <= between(from, to);
    is_known.then_some((spent.charge.energy, spent.charge.cpu))
}

/// The file's own energy: as it says, else its mean power for its time, else the integral of its power.
fn from_file(scenario: &Scenario) -> Option<ScenarioEnergy> {
    let duration = scenario.duration();
    let series = scenario.series.step.and_then(|step| cost::integral(&scenario.series.watts, step));
    let by_mean = || Some(scenario.power.mean?.during(duration?));
    let energy = scenario.power.energy.or_else(by_mean).or_else(|| MicroJoules::from_joules(series?))?;
    let seconds = |values: &[f64]| {
        CpuTime::from_seconds(scenario.series.step.and_then(|step| cost::integral(values, step))?)
    };
    let cpu = match (seconds(&scenario.series.cores), seconds(&scenario.series.gpus)) {
        (None, None) => None,
        (cores, gpus) => Some(cores.unwrap_or_default() + gpus.unwrap_or_default()),
    };
    Some(ScenarioEnergy {
        energy,
        cpu,
        mean: scenario.power.mean.or_else(|| energy.over(duration?)),
        deviation: deviation(&scenario.series.watts).map(Watts),
        gpu: scenario.power.gpu_mean,
        containers: None,
        engine: None,
        basis: EnergyBasis::File,
        matched: Matched::File,
    })
}

fn one(scenario: &Scenario, found: &Found, context: &RunContext<'_>) -> ScenarioFigures {
    let RunContext { run, baseline, model, prices } = context;
    let is_baseline = scenario_defaults::is_baseline(scenario);
    let duration = scenario.duration();
    let energy = found.energy;
    let baseline = baseline.filter(|_| !is_baseline);
    let mean = energy.and_then(|energy| energy.mean);
    let an_hour = |mean: Watts| cost::carbon(mean.during(HOUR), prices.carbon);
    let compared = baseline.and_then(|baseline| compared(found, baseline));
    let main = costs(scenario, energy, compared, prices);
    let converted = prices.also.iter().map(|rate| main.in_currency(rate)).collect::<Vec<_>>();
    ScenarioFigures {
        names: names(run, scenario),
        duration,
        net: baseline.and_then(|baseline| net(found, baseline, duration?)),
        predicted: model.as_ref().filter(|_| !is_baseline).map(|model| {
            let prediction = model.predict(scenario_defaults::streams(scenario));
            PredictedPower { power: prediction.power, low: prediction.low, high: prediction.high }
        }),
        vmaf: scenario.quality.vmaf,
        vmaf_model: scenario.quality.vmaf_model,
        psnr: scenario.quality.psnr,
        ssim: scenario.quality.ssim,
        quality_took: scenario.quality.took,
        covered: scenario.quality.covered,
        drop_rate: drop_rate(scenario),
        dropped: scenario.dropped,
        reached_rate: scenario.reached_rate,
        // A baseline's picture is only a word in its file: nothing is encoded.
        frames: scenario_defaults::frames(scenario).filter(|_| !is_baseline),
        pixels: scenario_defaults::pixels(scenario).filter(|_| !is_baseline),
        output_size: scenario.output_size,
        efficiency: efficiency_of(scenario, energy.filter(|_| !is_baseline)),
        costs: std::iter::once(main).chain(converted).collect(),
        carbon: energy.map(|energy| cost::carbon(energy.energy, prices.carbon)),
        carbon_an_hour: mean.map(an_hour),
        carbon_avoided_an_hour: compared.map(|(with, without)| Grams(an_hour(without).0 - an_hour(with).0)),
        energy,
    }
}

const HOUR: Duration = Duration::from_hours(1);

fn names(run: &str, scenario: &Scenario) -> Names {
    let written = |text: &Option<String>| text.clone().unwrap_or_default();
    let names = Names {
        is_baseline: scenario_defaults::is_baseline(scenario),
        run: run.to_owned(),
        scenario: scenario.name.clone(),
        label: scenario_defaults::label(scenario),
        bitrate: written(&scenario.bitrate),
        ..Names::default()
    };
    if names.is_baseline {
        let word = || scenario_defaults::BASELINE.to_owned();
        return Names { streams: "0".to_owned(), ladder: word(), encoder_type: word(), ..names };
    }
    let or = |text: &Option<String>, otherwise: &str| text.clone().unwrap_or_else(|| otherwise.to_owned());
    let largest = scenario.outputs.iter().max_by_key(|picture| (picture.width, picture.height));
    Names {
        resolution: largest.map_or_else(|| written(&scenario.resolution), |picture| picture.size_name()),
        frame_rate: largest
            .map(|picture| picture.frame_rate)
            .or(scenario.frame_rate)
            .map(|rate| rate.to_string())
            .unwrap_or_default(),
        streams: scenario_defaults::streams(scenario).to_string(),
        ladder: scenario_defaults::ladder(scenario),
        encoder_type: scenario_defaults::encoder_type(scenario),
        encoder: or(&scenario.encoder, "h264"),
        // Upstream has encoded no clips.
        preset: or(&scenario.preset, if scenario.clip.is_some() { "" } else { "veryfast" }),
        clip: written(&scenario.clip),
        setting: written(&scenario.setting),
        ..names
    }
}

/// Difference to the baseline, by the host's power where both are known, else by the scenarios' own.
fn net(found: &Found, baseline: &Found, duration: Duration) -> Option<Net> {
    let (with, without) = compared(found, baseline)?;
    let power = with.0 - without.0;
    let containers = |found: &Found| found.energy?.containers;
    Some(Net {
        power: Watts(power),
        increase: quotient(power, without.0).map(Ratio),
        energy_watt_hours: power * duration.as_secs_f64() / HOUR.as_secs_f64(),
        containers: containers(found)
            .zip(containers(baseline))
            .map(|(with, without)| Ratio(with.0 - without.0)),
    })
}

/// Power of a scenario and of the baseline, both the host's or both from the file. A scenario's charges and the host's power
/// are not compared, because only one of them contains the idle power.
fn compared(found: &Found, baseline: &Found) -> Option<(Watts, Watts)> {
    let own = |found: &Found| found.energy.filter(|energy| energy.basis == EnergyBasis::File)?.mean;
    found.host.zip(baseline.host).or_else(|| own(found).zip(own(baseline)))
}

fn drop_rate(scenario: &Scenario) -> Option<Ratio> {
    quotient(scenario.dropped? as f64, scenario.frames? as f64).map(Ratio)
}

fn efficiency_of(scenario: &Scenario, energy: Option<ScenarioEnergy>) -> Efficiency {
    let Some(energy) = energy else { return Efficiency::default() };
    let power = energy.mean.map(|mean| Watts(mean.0 + energy.gpu.unwrap_or_default().0));
    let (pixels, vmaf) = (scenario_defaults::pixels(scenario), scenario.quality.vmaf);
    let joules = energy.energy.joules();
    let results_bitrate = scenario.bitrate.as_deref().and_then(|text| bitrate::parse(text, Dialect::Results));
    let bitrate = scenario.bitrate.as_deref().and_then(|text| bitrate::parse(text, Dialect::Advisor));
    Efficiency {
        megabits_per_watt: bitrate.zip(power).and_then(|(bitrate, power)| {
            efficiency::throughput_per_watt(bitrate, scenario_defaults::streams(scenario), power)
        }),
        pixels_per_joule: pixels.and_then(|pixels| efficiency::pixels_per_joule(pixels, energy.energy)),
        vmaf_per_watt: vmaf.zip(power).and_then(|(vmaf, power)| efficiency::quality_per_watt(vmaf, power)),
        quality_weighted_pixels_per_joule: pixels.zip(vmaf).and_then(|(pixels, vmaf)| {
            efficiency::quality_weighted_pixels_per_joule(pixels, vmaf, energy.energy)
        }),
        joules_per_frame: scenario_defaults::frames(scenario).and_then(|frames| quotient(joules, frames)),
        joules_per_megapixel: pixels.and_then(|pixels| quotient(joules, pixels.0 / 1e6)),
        joules_per_vmaf_point: vmaf.and_then(|vmaf| quotient(joules, vmaf.0)),
        watt_hours_per_megabit: results_bitrate
            .and_then(|bitrate| quotient(energy.energy.kilowatt_hours() * 1000.0, bitrate.0)),
    }
}

fn costs(
    scenario: &Scenario,
    energy: Option<ScenarioEnergy>,
    compared: Option<(Watts, Watts)>,
    prices: &Prices,
) -> Costs {
    let tariff = &prices.tariff;
    // A baseline has no viewers.
    let is_encode = !scenario_defaults::is_baseline(scenario);
    let duration = scenario.duration();
    let spent = energy.map(|energy| tariff.energy(energy.energy));
    // Upstream's own costs include graphics cards.
    let gpu = energy.and_then(|energy| Some(tariff.energy(energy.gpu?.during(duration?))));
    let spent = spent.map(|spent| Money(spent.0 + gpu.unwrap_or_default().0));
    let compute = duration.map(|duration| tariff.machine(duration));
    let by_load = energy.and_then(|energy| energy.cpu).map(|cpu| tariff.cores(cpu));
    let total = cost::total(spent, compute);
    let total_by_load = by_load.and_then(|by_load| cost::total(spent, Some(by_load)));
    let mean = energy.and_then(|energy| energy.mean);
    let an_hour = mean.map(|mean| tariff.energy_an_hour(mean));
    let viewers = scenario.viewers.unwrap_or(prices.viewers);
    let hours = duration.map(|duration| duration.as_secs_f64() / HOUR.as_secs_f64());
    Costs {
        currency: prices.currency.clone(),
        energy: spent,
        compute,
        total,
        compute_by_load: by_load,
        total_by_load,
        per_pixel: total
            .zip(scenario_defaults::pixels(scenario).filter(|_| is_encode))
            .and_then(|(total, pixels)| cost::per_pixel(total, pixels)),
        per_watch_hour: total
            .zip(duration.filter(|_| is_encode))
            .and_then(|(total, duration)| cost::per_watch_hour(total, duration, viewers)),
        energy_an_hour: an_hour,
        energy_saved_an_hour: compared
            .map(|(with, without)| Money(tariff.energy_an_hour(without).0 - tariff.energy_an_hour(with).0)),
        per_output_hour: total_by_load
            .zip(hours.filter(|_| is_encode))
            .and_then(|(total, hours)| quotient(total.0, hours))
            .map(Money),
    }
}

impl Costs {
    fn in_currency(&self, rate: &Rate) -> Self {
        let of = |amount: Option<Money>| amount.map(|amount| rate.of(amount));
        Self {
            currency: rate.currency.clone(),
            energy: of(self.energy),
            compute: of(self.compute),
            total: of(self.total),
            compute_by_load: of(self.compute_by_load),
            total_by_load: of(self.total_by_load),
            per_pixel: of(self.per_pixel),
            per_watch_hour: of(self.per_watch_hour),
            energy_an_hour: of(self.energy_an_hour),
            energy_saved_an_hour: of(self.energy_saved_an_hour),
            per_output_hour: of(self.per_output_hour),
        }
    }
}

/// Sample standard deviation; `None` for fewer than two.
fn deviation(values: &[f64]) -> Option<f64> {
    let freedom = values.len().checked_sub(1).filter(|freedom| *freedom > 0)?;
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    finite((values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / freedom as f64).sqrt())
}

/// The mean of the known values.
fn mean(values: impl Iterator<Item = Option<Ratio>>) -> Option<Ratio> {
    let values: Vec<f64> = values.flatten().map(|value| value.0).collect();
    quotient(values.iter().sum(), values.len() as f64).map(Ratio)
}

fn between(from: WallTime, to: WallTime) -> Duration {
    Duration::try_from_secs_f64(to.0 - from.0).unwrap_or_default()
}

#[cfg(test)]
mod tests;
