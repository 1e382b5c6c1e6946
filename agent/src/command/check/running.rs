//! Reports the sources of an agent that already runs on this host, from its API.

use agent_core::duration;
use agent_core::model::cpu::CpuSourceKind;
use agent_core::model::energy::EnergySourceKind;
use serde::Deserialize;

use super::{Report, State, ready};
use crate::api::Answer;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;

/// The program behind the main listener's address.
pub(crate) enum Running {
    /// An agent that answers without authentication.
    Open(Box<Answer>),
    /// An agent of this configuration, which requires authentication.
    Guarded,
    /// No agent.
    Nobody,
}

/// Fields that an answer of another program does not have.
#[derive(Deserialize)]
struct Known {
    api_version: u32,
    agent_version: String,
}

pub(crate) fn find(config: &Config) -> Running {
    let Ok((status, body)) = ready::get(config, "/api/v1/snapshot") else { return Running::Nobody };
    match status.as_str() {
        "200" => match (serde_json::from_slice::<Known>(&body), serde_json::from_slice(&body)) {
            (Ok(known), Ok(answer)) if known.api_version > 0 && !known.agent_version.is_empty() => {
                Running::Open(Box::new(answer))
            }
            _ => Running::Nobody,
        },
        "401" | ready::REFUSED if config.web.config_file.is_some() => Running::Guarded,
        _ => Running::Nobody,
    }
}

impl Report {
    /// Reports the running agent's own sources instead of opening them a second time. Returns whether there is an agent.
    pub(super) fn check_running(&mut self, config: &Config) -> bool {
        match find(config) {
            Running::Nobody => false,
            Running::Guarded => {
                let detail =
                    "ffwatt runs here; its API requires a password, so the state of its sources is unknown";
                self.add("agent", "ffwatt", State::Ok, detail, "");
                self.is_running = true;
                true
            }
            Running::Open(answer) => {
                self.add_agent(&answer);
                true
            }
        }
    }

    fn add_agent(&mut self, answer: &Answer) {
        self.is_running = true;
        let process = answer.process;
        let up = SystemClock.wall().0 - process.started_unix_seconds;
        let detail = format!(
            "ffwatt {} runs here, pid {}, up {}",
            answer.agent_version,
            process.pid,
            duration::in_words(up)
        );
        self.add("agent", "ffwatt", State::Ok, detail, "");
        let in_use = [Some(&answer.method.cpu_source), answer.method.energy_source.as_ref()];
        for source in &answer.sources {
            let state = match source.state.as_str() {
                "up" if in_use.contains(&Some(&source.source)) => State::Used,
                "up" => State::Ok,
                "absent" => State::Absent,
                _ => State::Problem,
            };
            self.add("source", &source.source, state, source.problem.clone(), &source.fix);
        }
        for notice in &answer.notices {
            self.add("finding", &notice.finding, State::Note, notice.text.clone(), &notice.fix);
        }
        let cpu = [CpuSourceKind::Bpf, CpuSourceKind::Cgroupfs].map(CpuSourceKind::name);
        self.cpu_source = cpu.into_iter().find(|name| *name == answer.method.cpu_source);
        let used = answer.method.energy_source.as_deref().and_then(EnergySourceKind::named);
        self.energy_source = used.map(EnergySourceKind::name);
    }
}
