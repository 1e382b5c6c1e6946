//! Makes the name of a workload from its cgroup path, as users know the workload.

use crate::identity::cgroup_path::rules::{Holds, Rule};
use crate::text;

/// Longest name, in characters. Names are labels; a cgroup's own name may have 255 bytes, its path thousands.
const MAX_CHARACTERS: usize = 128;

/// Digits of a short container id, as engines print them.
const SHORT_ID_DIGITS: usize = 12;

/// The name of a workload: `captured` is the text that matches the rule's `{}`, `unit` the whole last segment of its path.
pub(super) fn of(rule: &Rule, captured: &str, unit: &str) -> String {
    let name = match rule.holds {
        Holds::ContainerId => short(captured),
        Holds::PodUid => format!("pod/{}", pod_uid(captured)),
        Holds::Name => captured.to_owned(),
        Holds::Machine => unescaped(captured),
        Holds::Guest => guest(captured),
        Holds::Build | Holds::Handle | Holds::Job | Holds::SlurmJob | Holds::NomadTask => {
            format!("{}/{captured}", rule.runtime)
        }
        Holds::UnitName | Holds::SliceName => unescaped(unit),
    };
    bounded(&name)
}

/// The short form of a container id.
pub(super) fn short(container: &str) -> String {
    container.chars().take(SHORT_ID_DIGITS).collect()
}

/// A pod's uid in Kubernetes' notation. In the name of a slice the kubelet writes `_` for `-`, which separates levels there.
pub(super) fn pod_uid(text: &str) -> String {
    text.replace('_', "-")
}

/// The text, bounded for a label.
pub(in crate::identity) fn bounded(text: &str) -> String {
    text::bounded(text, MAX_CHARACTERS)
}

/// A libvirt guest's own name: `2-web` is the second start of `web`, older versions write `web`, and hosts without systemd have the driver
/// before it.
fn guest(captured: &str) -> String {
    let text = unescaped(captured);
    let text = text.strip_prefix("qemu-").or_else(|| text.strip_prefix("lxc-")).unwrap_or(&text);
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match text.split_once('-') {
        Some((start, name)) if is_number(start) && !name.is_empty() => name.to_owned(),
        _ => text.to_owned(),
    }
}

/// Decodes systemd's escapes, `\x2d` for `-` and so on. See "String escaping for inclusion in unit names" in systemd.unit(5).
/// There `-` means `/` as well, but only in units that are named by a path.
fn unescaped(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escape = after.split_first_chunk().and_then(|([x, high, low], after)| {
            let byte = hex_digit(*high)? * 16 + hex_digit(*low)?;
            (*first == b'\\' && *x == b'x').then_some((byte, after))
        });
        let (byte, after) = escape.unwrap_or((*first, after));
        bytes.push(byte);
        rest = after;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}
