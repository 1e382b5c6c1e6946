//! Matches the last segments of a cgroup path against a rule.

use crate::identity::cgroup_path::rules::{Holds, Rule};

/// The text that matches `{}` of the rule, if the last segments match the rule.
///
/// A rule is written like the end of a path. `*` matches anything within a segment; a slash at the beginning, the root
/// of the hierarchy; `{}`, in the last segment, text of the kind [`Holds`].
pub(super) fn capture<'a>(rule: &Rule, segments: &[&'a str]) -> Option<&'a str> {
    let mut segments = segments.iter().rev();
    let mut wanted = rule.written.rsplit('/');
    let captured =
        cut_out(segments.next()?, wanted.next()?).filter(|captured| rule.holds.accepts(captured))?;
    for wanted in wanted {
        let above = segments.next();
        let fits = if wanted.is_empty() {
            above.is_none()
        } else {
            above.is_some_and(|above| is_like(above, wanted))
        };
        if !fits {
            return None;
        }
    }
    Some(captured)
}

/// The text that matches `{}`. No such text contains the characters before it in the table, so after a `*` the last occurrence is
/// the right one.
fn cut_out<'a>(segment: &'a str, wanted: &str) -> Option<&'a str> {
    let (before, after) = wanted.split_once("{}")?;
    let rest = segment.strip_suffix(after)?;
    let Some(star) = before.rfind('*') else { return rest.strip_prefix(before) };
    let (head, captured) = rest.rsplit_once(&before[star + 1..])?;
    is_like(head, &before[..=star]).then_some(captured)
}

/// Whether the text matches a pattern in which `*` matches anything.
fn is_like(text: &str, wanted: &str) -> bool {
    let Some((first, wanted)) = wanted.split_once('*') else { return text == wanted };
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let (between, last) = wanted.rsplit_once('*').unwrap_or(("", wanted));
    for literal in between.split('*') {
        let Some((_, after)) = rest.split_once(literal) else { return false };
        rest = after;
    }
    rest.ends_with(last)
}

impl Holds {
    /// Whether the text is of this kind.
    pub(super) fn accepts(self, text: &str) -> bool {
        let is_digit = |byte: u8| byte.is_ascii_digit();
        let is_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let all = |is_allowed: &dyn Fn(u8) -> bool| !text.is_empty() && text.bytes().all(is_allowed);
        match self {
            Self::ContainerId => text.len() == 64 && all(&is_hex),
            // A UUID; of pods from a file on the node, an MD5 sum. Slices cannot have dashes in a part of their name.
            Self::PodUid => {
                let digits = text.bytes().filter(|byte| is_hex(*byte)).count();
                digits == 32 && all(&|byte| is_hex(byte) || matches!(byte, b'-' | b'_'))
            }
            // A number in base 36: github.com/moby/buildkit/identity.
            Self::Build => text.len() == 25 && all(&|byte| is_digit(byte) || byte.is_ascii_lowercase()),
            // A UUID; Cloud Foundry's are cut short.
            Self::Handle => (28..=36).contains(&text.len()) && all(&|byte| is_hex(byte) || byte == b'-'),
            Self::NomadTask => {
                let allocation = text.split_once('.').filter(|(_, task)| !task.is_empty());
                allocation.is_some_and(|(uuid, _)| uuid.len() == 36 && Self::Handle.accepts(uuid))
            }
            Self::SlurmJob => match text.strip_prefix("job_") {
                Some(number) => !number.is_empty() && number.bytes().all(is_digit),
                None => text.len() == 14 && text.starts_with('s') && text.bytes().skip(1).all(is_sluid_digit),
            },
            Self::Name | Self::Machine | Self::Guest | Self::Job | Self::UnitName | Self::SliceName => {
                !text.is_empty()
            }
        }
    }
}

/// Digits of Crockford's base 32, in which Slurm writes its unique job ids.
fn is_sluid_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (byte.is_ascii_uppercase() && !matches!(byte, b'I' | b'L' | b'O' | b'U'))
}
