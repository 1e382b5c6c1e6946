//! Detects a start with more rights than the caller has (file capabilities, set-uid), and takes away what the caller could misuse.
//!
//! The kernel calls such a start secure execution (`AT_SECURE`) and decides by the comparisons that are made here
//! (`cap_bprm_creds_from_file()`, `security/commoncap.c`): user or group numbers that differ, or, for a user other than root,
//! capabilities beyond the ambient ones. No safe function of a library reads the flag itself. Capabilities that a supervisor hands
//! down (`AmbientCapabilities=`) are the caller's own and no elevation.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{getegid, geteuid, getgid, getuid};
use rustix::thread::{
    CapabilitiesSecureBits, CapabilitySet, CapabilitySets, capabilities, capabilities_secure_bits,
    capability_is_in_ambient_set, set_capabilities,
};

/// Folders in which programs are searched when the caller's `PATH` does not count.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The reason why the program does not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// The binary is set-uid or set-gid.
    #[error(
        "this ffwatt is set-uid or set-gid, and cannot protect these rights from its callers: run `chmod \
         ug-s` on the binary, and use the systemd unit or a binary with file capabilities instead \
         (docs/DEPLOY.md)"
    )]
    SetUserId,
    /// The kernel did not show or change the capabilities.
    #[error("cannot limit this process's capabilities")]
    Capabilities(#[source] io::Error),
    /// The program cannot be started again without the caller's environment.
    #[error("cannot start again without the caller's environment")]
    Environment(#[source] io::Error),
}

/// Whether this process has more rights than the user who started it. Must be called before rights are given up.
pub(crate) fn is_elevated() -> io::Result<bool> {
    Ok(has_ids_of_another() || (!is_root()? && !beyond_ambient(&capabilities(None)?)?.is_empty()))
}

fn has_ids_of_another() -> bool {
    getuid() != geteuid() || getgid() != getegid()
}

/// Whether capabilities come with the user number, as they do for root.
fn is_root() -> io::Result<bool> {
    let bits = capabilities_secure_bits()?;
    Ok(getuid().is_root() && !bits.contains(CapabilitiesSecureBits::NO_ROOT))
}

/// Capabilities of the process that its caller could not have handed down.
fn beyond_ambient(sets: &CapabilitySets) -> io::Result<CapabilitySet> {
    let mut beyond = CapabilitySet::empty();
    for (_, capability) in sets.permitted.iter_names() {
        if !capability_is_in_ambient_set(capability)? {
            beyond |= capability;
        }
    }
    Ok(beyond)
}

/// Takes the right to read every file out of force. Must be called first, while there is one thread: then only code that opens a
/// counter uses that right. Returns whether the process has more rights than its caller.
pub(crate) fn start() -> Result<bool, StartError> {
    if has_ids_of_another() {
        return Err(StartError::SetUserId);
    }
    let is_elevated = is_elevated().map_err(StartError::Capabilities)?;
    let before = capabilities(None).map_err(|error| StartError::Capabilities(error.into()))?;
    let after = CapabilitySets {
        effective: before.effective - CapabilitySet::DAC_READ_SEARCH,
        // The ambient set loses it too: started programs do not get it.
        inheritable: before.inheritable - CapabilitySet::DAC_READ_SEARCH,
        ..before
    };
    set_capabilities(None, after).map_err(|error| StartError::Capabilities(error.into()))?;
    Ok(is_elevated)
}

/// Gives every capability up: from here on the process has its caller's rights.
pub(crate) fn act_as_caller() -> Result<(), StartError> {
    let none = CapabilitySet::empty();
    let sets = CapabilitySets { effective: none, permitted: none, inheritable: none };
    set_capabilities(None, sets).map_err(|error| StartError::Capabilities(error.into()))
}

/// Starts this program again with an environment of only a fixed `PATH`, so that no library reads the caller's
/// environment. Returns when the environment is so already.
#[expect(clippy::disallowed_methods, reason = "the program replaces itself")]
pub(crate) fn shed_environment(environment: &BTreeMap<OsString, OsString>) -> Result<(), StartError> {
    if is_plain(environment) {
        return Ok(());
    }
    let program = std::env::current_exe().map_err(StartError::Environment)?;
    let mut again = Command::new(program);
    again.args(std::env::args_os().skip(1)).env_clear().env("PATH", PATH);
    Err(StartError::Environment(again.exec()))
}

fn is_plain(environment: &BTreeMap<OsString, OsString>) -> bool {
    environment
        .iter()
        .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
        .eq([(OsStr::new("PATH"), OsStr::new(PATH))])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_with_anything_else_in_it_is_left_behind() {
        let of = |pairs: &[(&str, &str)]| -> BTreeMap<OsString, OsString> {
            pairs.iter().map(|(name, value)| (name.into(), value.into())).collect()
        };
        assert!(is_plain(&of(&[("PATH", PATH)])));
        for other in
            [&[][..], &[("PATH", "/home/me/bin")], &[("PATH", PATH), ("HOME", "/home/me")], &[("HOME", PATH)]]
        {
            assert!(!is_plain(&of(other)), "{other:?}");
        }
    }

    #[test]
    fn what_a_supervisor_hands_down_is_no_elevation() {
        // Tests run with their caller's own rights, whatever user that is.
        assert!(!is_elevated().unwrap());
    }
}
