//! Formats findings for the API: each finding by itself, and one notice for all findings of one kind.

use agent_core::model::finding::FindingCode;
use agent_core::model::snapshot::{Snapshot, TranscodeSnapshot};
use serde::{Deserialize, Serialize};

/// Most subjects that a notice names.
const NAMED: usize = 5;

/// A finding, or a live encode that falls behind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Finding {
    pub finding: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub subject: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_unix_seconds: Option<f64>,
    pub text: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fix: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcode: Option<String>,
}

/// All findings of one kind, as a screen shows them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Notice {
    pub finding: String,
    pub count: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since_unix_seconds: Option<f64>,
    pub text: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fix: String,
}

/// Findings of the snapshot, and one for each live encode that falls behind.
pub(super) fn findings(snapshot: &Snapshot) -> Vec<Finding> {
    let found = snapshot.findings.iter().map(|finding| Finding {
        finding: finding.code.name().to_owned(),
        subject: finding.subject.clone(),
        since_unix_seconds: Some(finding.since.0),
        text: finding.sentence.clone(),
        fix: finding.fix.clone(),
        transcode: None,
    });
    found.chain(snapshot.transcodes.iter().filter_map(stalled)).collect()
}

fn stalled(transcode: &TranscodeSnapshot) -> Option<Finding> {
    let progress = transcode.progress.as_ref().filter(|progress| progress.is_stalled == Some(true))?;
    let speed =
        progress.speed.map_or_else(String::new, |speed| format!(": {:.2} of its input's speed", speed.0));
    let encode = &transcode.identity.encode;
    let name = encode.codec.as_deref().unwrap_or(&encode.program);
    let key = transcode.identity.key.to_string();
    Some(Finding {
        finding: FindingCode::Stalled.name().to_owned(),
        subject: key.clone(),
        text: format!("{name} in {} falls behind its live input{speed}", transcode.workload.name),
        transcode: Some(key),
        ..Finding::default()
    })
}

/// One notice for each kind of finding, live encodes that fall behind first. `live`: number of running live encodes.
pub(super) fn notices(findings: &[Finding], live: usize) -> Vec<Notice> {
    let mut kinds: Vec<Vec<&Finding>> = Vec::new();
    for finding in findings {
        match kinds.iter_mut().find(|kind| kind[0].finding == finding.finding) {
            Some(kind) => kind.push(finding),
            None => kinds.push(vec![finding]),
        }
    }
    kinds.sort_by_key(|kind| !is_stalled(kind[0]));
    kinds.iter().map(|kind| notice(kind, live)).collect()
}

fn is_stalled(finding: &Finding) -> bool {
    finding.finding == FindingCode::Stalled.name()
}

fn notice(kind: &[&Finding], live: usize) -> Notice {
    let (first, others) = (kind[0], &kind[1..]);
    let text = match others {
        [] => first.text.clone(),
        _ if is_stalled(first) => {
            format!("{} of {live} live encodes are slower than real time.", kind.len())
        }
        _ => format!("{} The same holds for {}.", first.text, named(others)),
    };
    let since = kind.iter().filter_map(|finding| finding.since_unix_seconds).reduce(f64::min);
    Notice {
        finding: first.finding.clone(),
        count: kind.len(),
        since_unix_seconds: since,
        text,
        fix: first.fix.clone(),
    }
}

fn named(findings: &[&Finding]) -> String {
    let names: Vec<&str> = findings.iter().take(NAMED).map(|finding| finding.subject.as_str()).collect();
    let names = names.join(", ");
    match findings.len().saturating_sub(NAMED) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(code: FindingCode, subject: &str, since: Option<f64>) -> Finding {
        Finding {
            finding: code.name().to_owned(),
            subject: subject.to_owned(),
            since_unix_seconds: since,
            text: format!("About {subject}."),
            ..Finding::default()
        }
    }

    fn texts(findings: &[Finding]) -> Vec<String> {
        notices(findings, 64).into_iter().map(|notice| notice.text).collect()
    }

    #[test]
    fn findings_of_one_kind_are_one_notice() {
        let mut all: Vec<Finding> = (0..8)
            .map(|package| {
                let since = Some(9.0 - f64::from(package));
                finding(FindingCode::CounterUnreadable, &format!("core-{package}"), since)
            })
            .collect();
        all.extend((0..4).map(|key| finding(FindingCode::Stalled, &key.to_string(), None)));
        all.push(finding(FindingCode::EnergyIsEstimated, "host", Some(1.0)));
        let notices = notices(&all, 64);
        assert_eq!(
            notices.iter().map(|notice| (notice.count, notice.since_unix_seconds)).collect::<Vec<_>>(),
            [(4, None), (8, Some(2.0)), (1, Some(1.0))]
        );
        assert_eq!(notices[0].text, "4 of 64 live encodes are slower than real time.");
        assert_eq!(
            notices[1].text,
            "About core-0. The same holds for core-1, core-2, core-3, core-4, core-5 and 2 more."
        );
        assert_eq!(notices[2].text, "About host.");
    }

    #[test]
    fn one_finding_is_told_in_its_own_words() {
        assert_eq!(texts(&[finding(FindingCode::Stalled, "a", None)]), ["About a."]);
        assert!(texts(&[]).is_empty());
    }
}
