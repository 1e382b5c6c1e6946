//! Writes a snapshot as text: the energy and CPU time of each zone, workload and transcode, and the findings.

use std::fmt::Write;

use agent_core::model::account::Account;
use agent_core::model::snapshot::TranscodeSnapshot;
use agent_core::model::transcode::ExitStatus;
use agent_core::model::workload::Identity;

use super::super::*;

/// One line for each zone, account and finding. Accounts that have used nothing are left out.
pub(super) fn text(snapshot: &Snapshot) -> String {
    let power = snapshot.host_power().map_or("unknown".to_owned(), |power| power.to_string());
    let source = snapshot.method.energy_source.map_or("none", EnergySourceKind::name);
    let mut lines = vec![format!("tick {}: {:?}, {source}, host {power}", snapshot.tick, snapshot.window)];
    lines.extend(snapshot.zones.iter().map(zone));
    for workload in &snapshot.workloads {
        let state = if workload.running { "" } else { " (ended)" };
        let name = format!("{}{state}", named(&workload.identity));
        lines.extend(account(&name, &workload.account, snapshot));
        lines.extend(account(&format!("{name}, former labels"), &workload.series.earlier, snapshot));
    }
    lines.extend(
        snapshot.transcodes.iter().filter_map(|one| account(&transcode(one), &one.account, snapshot)),
    );
    lines.extend(account("ended workloads", &snapshot.ended.workloads, snapshot));
    lines.extend(account("ended transcodes", &snapshot.ended.transcodes, snapshot));
    lines.extend(snapshot.findings.iter().map(|one| format!("finding {} {}", one.code.name(), one.subject)));
    lines.join("\n  ") + "\n"
}

fn zone(of: &ZoneSnapshot) -> String {
    let power = of.power.map_or("unknown".to_owned(), |power| power.to_string());
    let mut line = format!("zone {}: {}, {power}, residual {}", of.zone, of.total, of.residual);
    if let Some(idle) = of.idle_power {
        write!(line, ", idle {} ({})", idle.power, idle.origin.name()).unwrap();
    }
    for (count, name) in [(of.wraps, "wraps"), (of.resets, "resets")] {
        if count > 0 {
            write!(line, ", {name} {count}").unwrap();
        }
    }
    line
}

/// `None` for an account without CPU time and energy.
fn account(name: &str, account: &Account, snapshot: &Snapshot) -> Option<String> {
    let mut parts = Vec::new();
    if account.cpu > CpuTime::ZERO {
        parts.push(format!("CPU {:.3} s", account.cpu.seconds()));
    }
    for (of, charges) in snapshot.zones.iter().zip(&account.zones) {
        for (energy, share) in [(charges.dynamic, ""), (charges.idle, "idle ")] {
            if energy > MicroJoules::ZERO {
                parts.push(format!("{} {share}{energy}", of.zone));
            }
        }
    }
    (!parts.is_empty()).then(|| format!("{name}: {}", parts.join(", ")))
}

fn named(identity: &Identity) -> String {
    format!("{} {}", identity.kind, identity.name)
}

fn transcode(of: &TranscodeSnapshot) -> String {
    let state = match (of.ended, of.exit.map(|exit| exit.status)) {
        (None, _) => "runs".to_owned(),
        (Some(_), Some(ExitStatus::Code(code))) => format!("ended with code {code}"),
        (Some(_), status) => format!("ended with {status:?}"),
    };
    let encode = &of.identity.encode;
    let settings = [&encode.codec, &encode.preset, &encode.resolution];
    let settings: Vec<&str> = settings.into_iter().flatten().map(String::as_str).collect();
    format!("transcode {} in {} ({state})", settings.join(" "), named(&of.workload))
}
