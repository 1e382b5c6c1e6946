//! Takes figures of a running agent from its API, in place of result files and the ledger.
//!
//! The API has the scenarios of the newest run, the transcodes that the agent remembers, and the agent's prices.

use std::time::Duration;

use agent_core::join::cost::Tariff;
use agent_core::join::figures::Prices;
use agent_core::model::joined::{
    Costs, Efficiency, EnergyBasis, Matched, Names, ScenarioEnergy, ScenarioFigures,
};
use agent_core::model::vmaf_model::VmafModel;
use agent_core::time::WallTime;
use agent_core::units::{Bytes, CpuTime, Decibels, Grams, MicroJoules, Money, Ratio, Vmaf, Watts};

use crate::api::{Answer, Conditions, Scenario, Transcode};
use crate::command::address::AgentAddress;
use crate::command::report::{FiguredRun, ReportError};
use crate::command::top::Client;
use crate::config::{Config, Price};
use crate::ledger::{Group, GroupScore, Grouping};

/// Asks an agent for its newest run, and for what to compute costs with.
pub(crate) fn run_of_agent(
    address: &AgentAddress,
    config: &Config,
    prices: &Prices,
) -> Result<(FiguredRun, Prices), ReportError> {
    let (url, answer) = ask(address)?;
    let all = answer.scenarios.as_deref().unwrap_or_default();
    let Some(first) = all.first() else { return Err(ReportError::NoAgentResults { url }) };
    let run = FiguredRun {
        id: first.run.clone(),
        conditions: answer.conditions.as_ref().map(Conditions::of_run).unwrap_or_default(),
        figures: all.iter().map(figures).collect(),
    };
    Ok((run, self::prices(&answer, config, prices)))
}

/// The address without a password, and the agent's answer.
pub(super) fn ask(address: &AgentAddress) -> Result<(String, Answer), ReportError> {
    let client = Client::new(&address.url, address.ca.as_deref())?;
    let answer = client.ask()?;
    Ok((client.shown().to_owned(), answer))
}

/// Prices of this command, where one is set; else those of the agent.
pub(super) fn prices(answer: &Answer, config: &Config, own: &Prices) -> Prices {
    if config.price != Price::default() {
        return own.clone();
    }
    let of_agent = &answer.prices;
    let [kilowatt_hour, cpu_hour] = [of_agent.per_kilowatt_hour, of_agent.per_cpu_hour].map(Money);
    Prices {
        tariff: Tariff::new(kilowatt_hour, cpu_hour, Money(0.0), None, None),
        currency: of_agent.currency.as_str().into(),
        also: Vec::new(),
        carbon: Grams(of_agent.carbon_grams_per_kilowatt_hour),
        viewers: own.viewers,
    }
}

fn figures(of: &Scenario) -> ScenarioFigures {
    let energy = of.energy_joules.and_then(MicroJoules::from_joules).map(|energy| ScenarioEnergy {
        energy,
        cpu: of.cpu_seconds.and_then(CpuTime::from_seconds),
        mean: of.power_watts.map(Watts),
        deviation: None,
        gpu: None,
        containers: None,
        engine: None,
        basis: match of.energy_basis.as_deref() {
            Some("measured") => EnergyBasis::Measured,
            Some("file") => EnergyBasis::File,
            _ => EnergyBasis::Modelled,
        },
        matched: Matched::ALL
            .into_iter()
            .find(|known| of.matched_by.as_deref() == Some(known.name()))
            .unwrap_or(Matched::Overlap),
    });
    let cost = Costs {
        currency: of.currency.clone().unwrap_or_default().into(),
        total: of.cost.map(Money),
        ..Costs::default()
    };
    ScenarioFigures {
        names: Names {
            is_baseline: of.is_baseline,
            run: of.run.clone(),
            scenario: of.scenario.clone(),
            label: of.scenario.clone(),
            bitrate: of.bitrate.clone(),
            resolution: of.resolution.clone(),
            encoder: of.encoder.clone(),
            preset: of.preset.clone(),
            frame_rate: of.frame_rate.clone(),
            streams: of.streams.clone(),
            ladder: of.ladder.clone(),
            clip: of.clip.clone(),
            setting: of.setting.clone(),
            ..Names::default()
        },
        duration: of.duration_seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
        energy,
        net: None,
        predicted: None,
        vmaf: of.vmaf_score.and_then(Vmaf::new),
        vmaf_model: of.vmaf_model.as_deref().and_then(VmafModel::of),
        psnr: of.psnr_decibels.map(Decibels),
        ssim: of.ssim_score.map(Ratio),
        quality_took: None,
        covered: of.quality_covered_ratio.map(Ratio),
        drop_rate: None,
        dropped: None,
        reached_rate: None,
        frames: of.frames,
        pixels: None,
        output_size: of.output_bytes.map(Bytes),
        efficiency: Efficiency {
            vmaf_per_watt: of.vmaf_per_watt,
            joules_per_frame: of.joules_per_frame,
            joules_per_megapixel: of.joules_per_megapixel,
            ..Efficiency::default()
        },
        costs: vec![cost],
        carbon: of.carbon_grams.map(Grams),
        carbon_an_hour: None,
        carbon_avoided_an_hour: None,
    }
}

/// Finished transcodes since a time, in groups, the most energy first; then the number and the energy of those that run.
pub(super) fn groups(answer: &Answer, since: WallTime, by: Grouping) -> (Vec<Group>, (u64, MicroJoules)) {
    let all = answer.transcodes.as_deref().unwrap_or_default();
    let mut groups: Vec<Group> = Vec::new();
    let mut running = (0, MicroJoules::ZERO);
    for transcode in all {
        let energy = transcode.figures.energy_joules.and_then(MicroJoules::from_joules).unwrap_or_default();
        let ended = transcode.asked.ended_unix_seconds.filter(|_| !transcode.is_running);
        match ended {
            None => running = (running.0 + 1, sum(running.1, energy)),
            Some(ended) if ended >= since.0 => add(&mut groups, transcode, (ended, energy), by),
            Some(_) => {}
        }
    }
    groups.sort_by_key(|group| std::cmp::Reverse(group.energy));
    (groups, running)
}

fn add(groups: &mut Vec<Group>, transcode: &Transcode, (ended, energy): (f64, MicroJoules), by: Grouping) {
    let name = match by {
        Grouping::Scenario => transcode.asked.scenario.clone().unwrap_or_default(),
        Grouping::Codec => transcode.asked.codec.clone().unwrap_or_default(),
        Grouping::Workload => transcode.workload.clone(),
    };
    let place = groups.iter().position(|group| group.name == name).unwrap_or_else(|| {
        groups.push(Group {
            name,
            transcodes: 0,
            partly_observed: 0,
            seconds: 0.0,
            observed_seconds: 0.0,
            energy: MicroJoules::ZERO,
            cpu: CpuTime(0),
            scored: Vec::new(),
        });
        groups.len() - 1
    });
    let Some(group) = groups.get_mut(place) else { return };
    let unobserved = transcode.unobserved_seconds.unwrap_or(0.0);
    let seconds = (ended - transcode.started_unix_seconds).max(0.0);
    let is_partial = unobserved > 0.0 || transcode.observed_from_unix_seconds.is_some();
    group.transcodes += 1;
    group.partly_observed += u64::from(is_partial);
    group.seconds += seconds;
    group.observed_seconds += (seconds - unobserved).max(0.0);
    group.energy = sum(group.energy, energy);
    let cpu = CpuTime::from_seconds(transcode.cpu_seconds).unwrap_or_default();
    group.cpu = CpuTime(group.cpu.0.saturating_add(cpu.0));
    let Some(score) = transcode.figures.vmaf_score else { return };
    let model = transcode.figures.vmaf_model.as_deref().and_then(VmafModel::of);
    match group.scored.iter_mut().find(|known| known.model == model) {
        Some(known) => {
            let count = known.transcodes as f64;
            known.mean = (known.mean * count + score) / (count + 1.0);
            known.transcodes += 1;
        }
        None => group.scored.push(GroupScore { model, transcodes: 1, mean: score }),
    }
}

/// The figures come from another program: they may be of any size.
fn sum(one: MicroJoules, other: MicroJoules) -> MicroJoules {
    MicroJoules(one.0.saturating_add(other.0))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::api::transcode::{EncodeSettings, Figures};

    fn ended(codec: &str, (started, ended): (f64, f64), joules: f64, vmaf: Option<f64>) -> Transcode {
        Transcode {
            started_unix_seconds: started,
            cpu_seconds: 2.0,
            asked: EncodeSettings {
                codec: Some(codec.to_owned()),
                ended_unix_seconds: Some(ended),
                ..EncodeSettings::default()
            },
            figures: Figures { energy_joules: Some(joules), vmaf_score: vmaf, ..Figures::default() },
            ..Transcode::default()
        }
    }

    #[test]
    fn finished_transcodes_are_added_up_and_running_ones_counted() {
        let partly =
            Transcode { unobserved_seconds: Some(4.0), ..ended("libx264", (0.0, 10.0), 5.0, Some(90.0)) };
        let running = Transcode { is_running: true, ..ended("libx264", (0.0, 100.0), 7.0, None) };
        let answer = Answer {
            transcodes: Some(vec![
                partly,
                ended("libx264", (20.0, 30.0), 6.5, Some(94.0)),
                ended("libx265", (20.0, 30.0), 50.0, None),
                ended("libx265", (0.0, 4.0), 50.0, None),
                running,
            ]),
            ..Answer::default()
        };
        let (groups, running) = groups(&answer, WallTime(5.0), Grouping::Codec);
        assert_eq!(running, (1, MicroJoules(7_000_000)));
        let expected = Group {
            name: "libx264".into(),
            transcodes: 2,
            partly_observed: 1,
            seconds: 20.0,
            observed_seconds: 16.0,
            energy: MicroJoules(11_500_000),
            cpu: CpuTime(4_000_000_000),
            scored: vec![GroupScore { model: None, transcodes: 2, mean: 92.0 }],
        };
        assert_eq!((groups.len(), &groups[0].name[..], groups[0].transcodes), (2, "libx265", 1));
        assert_eq!(groups[1], expected);
    }

    #[test]
    fn scenarios_have_the_figures_of_the_api() {
        let scenario: Scenario = serde_json::from_value(json!({
            "scenario": "x264", "run": "test_results_1", "encoder": "libx264", "energy_joules": 100.5, "energy_basis": "measured",
            "matched_by": "transcode", "power_watts": 10.0, "vmaf_score": 93.0, "vmaf_model": "vmaf_v0.6.1", "cost": 0.5,
            "currency": "USD", "joules_per_frame": 0.4, "duration_seconds": 10.0,
        }))
        .unwrap();
        let only = figures(&scenario);
        assert_eq!((&only.names.run[..], &only.names.encoder[..]), ("test_results_1", "libx264"));
        let energy = only.energy.unwrap();
        assert_eq!(
            (energy.energy, energy.basis, energy.matched),
            (MicroJoules(100_500_000), EnergyBasis::Measured, Matched::Transcode)
        );
        assert_eq!(only.costs[0].shown(), Some(Money(0.5)));
        assert_eq!(only.vmaf_model.map(VmafModel::name), Some("vmaf_v0.6.1"));
    }
}
