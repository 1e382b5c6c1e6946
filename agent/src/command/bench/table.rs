//! Writes the table at the end of a bench, and the commands that come next.

use std::io::{self, Write};
use std::path::Path;

use agent_core::units::Bytes;

use crate::command::bench::conditions::{busy_remark, throttle_remark};
use crate::command::bench::encode::Outcome;
use crate::command::bench::plan::Scenario;

/// What each scenario encoded, and whether it ended well.
pub(super) fn write(outcomes: &[(&Scenario, Outcome)], out: &mut dyn Write) -> io::Result<()> {
    writeln!(
        out,
        "{:<44}{:>9}{:>9}{:>8}{:>9}{:>11}{:>8}  ended",
        "scenario", "seconds", "frames", "fps", "dropped", "kB", "VMAF"
    )?;
    for (scenario, outcome) in outcomes {
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
        let whole = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        let of_clip = outcome.scores.as_ref().and_then(|scores| Some(scores.vmaf.as_ref()?.mean));
        writeln!(
            out,
            "{:<44}{:>9.1}{:>9}{:>8}{:>9}{:>11}{:>8}  {}",
            scenario.name,
            outcome.window.1.0 - outcome.window.0.0,
            whole(outcome.frames),
            number(outcome.frame_rate()),
            whole(outcome.dropped),
            number(outcome.size.map(|Bytes(size)| size as f64 / 1000.0)),
            number(outcome.quality.vmaf.or(of_clip).map(|vmaf| vmaf.0)),
            ended(outcome),
        )?;
    }
    Ok(())
}

fn ended(outcome: &Outcome) -> String {
    let busy = busy_remark(outcome.busy, "meanwhile");
    let remarks = [outcome.before.remark(), busy, throttle_remark(outcome.throttled, "meanwhile")];
    let problem = outcome.problem.clone().unwrap_or_else(|| "well".to_owned());
    let all: Vec<String> = std::iter::once(problem).chain(remarks.into_iter().flatten()).collect();
    all.join("; ")
}

/// The commands that use the result file.
pub(super) fn write_next(scenarios: &[Scenario], file: &Path, out: &mut dyn Write) -> io::Result<()> {
    let file = file.display();
    if !scenarios.iter().any(|scenario| scenario.clip.is_some()) {
        return writeln!(out, "Next: ffwatt report {file}");
    }
    writeln!(out, "Next: ffwatt report --curves {file}")?;
    writeln!(out, "      ffwatt advise --vmaf-min 93 {file}")
}
