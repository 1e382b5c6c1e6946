//! Restricts writing to the agent's own folders with landlock (Linux 5.13); the agent opens no more ports and no connections.
//!
//! Reading is not restricted: results, prices, encodes to score and certificates may be anywhere, and change while the agent runs.

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, RestrictionStatus, Ruleset, RulesetAttr,
    RulesetCreatedAttr, RulesetError, RulesetStatus,
};

use super::{Outcome, Plan};

/// Rights of the rules: those of Linux 6.7 include TCP ports. Later ones are about devices, which ffmpeg may use.
const KNOWN: ABI = ABI::V4;

pub(super) fn restrict(plan: &Plan) -> Outcome {
    // A process in a landlock domain may trace no process outside.
    let why = match plan {
        Plan { hidden_processes: true, .. } => {
            "procfs hides processes, and landlock would hide them from the agent too"
        }
        Plan { reads_gpu: true, .. } => "landlock would hide from the agent who uses the integrated GPU",
        _ => "",
    };
    if !why.is_empty() {
        return Outcome::Off(format!("not used: {why}"));
    }
    match enforce(plan) {
        Ok((status, folders)) => {
            let detail = format!("writes below {}; opens no port and no connection", folders.join(", "));
            match status.ruleset {
                RulesetStatus::FullyEnforced => Outcome::Done(detail),
                RulesetStatus::PartiallyEnforced => Outcome::Partly(format!(
                    "in part, because this kernel does not have all of landlock \
                        (Linux 6.7 has): {detail}"
                )),
                RulesetStatus::NotEnforced => Outcome::Partly(
                    "this kernel does not have landlock (Linux 5.13, CONFIG_SECURITY_LANDLOCK)".to_owned(),
                ),
            }
        }
        Err(error) => Outcome::Failed(format!("{error}")),
    }
}

fn enforce(plan: &Plan) -> Result<(RestrictionStatus, Vec<String>), RulesetError> {
    let mut handled: BitFlags<AccessFs> = AccessFs::from_write(KNOWN);
    if !plan.starts_programs {
        handled |= AccessFs::Execute;
    }
    let mut ruleset =
        Ruleset::default().handle_access(handled)?.handle_access(AccessNet::from_all(KNOWN))?.create()?;
    let mut folders = Vec::new();
    for path in &plan.writes {
        // A path that does not exist will not be written to.
        let Ok(opened) = PathFd::new(path) else { continue };
        let access = if path.is_dir() {
            AccessFs::from_write(KNOWN)
        } else {
            AccessFs::from_write(KNOWN) & AccessFs::from_file(KNOWN)
        };
        ruleset = ruleset.add_rule(PathBeneath::new(opened, access))?;
        if path.is_dir() {
            folders.push(path.display().to_string());
        }
    }
    Ok((ruleset.restrict_self()?, folders))
}
