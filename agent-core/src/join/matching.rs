//! Matches a scenario to the workloads or transcodes whose energy is its energy.
//!
//! The first rule that finds any wins: the workload or transcode that the file names; the workloads whose container has
//! the scenario's name as `ffwatt.scenario`; all transcodes that ran in its window. The energy of a baseline is that of the whole host.

use crate::join::scenario_defaults;
use crate::join::subject::{Candidate, Subject};
use crate::model::joined::Matched;
use crate::model::scenario::Scenario;

/// The subjects whose charges are a scenario's energy; `None` when there are none.
pub fn find<'a>(
    scenario: &Scenario,
    candidates: &(impl Iterator<Item = &'a Candidate> + Clone),
) -> Option<(Matched, Vec<Subject>)> {
    if scenario_defaults::is_baseline(scenario) {
        return Some((Matched::Host, vec![Subject::Host]));
    }
    let named = |wanted: Option<&str>, is_named: &dyn Fn(&Subject, &str) -> bool| -> Vec<Subject> {
        let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) else { return Vec::new() };
        let all = candidates.clone().map(|candidate| &candidate.subject);
        all.filter(|subject| is_named(subject, wanted)).cloned().collect()
    };
    let by_transcode = named(
        scenario.transcode.as_deref(),
        &|subject, wanted| matches!(subject, Subject::Transcode(key) if &**key == wanted),
    );
    let by_container = named(scenario.container.as_deref(), &|subject, wanted| {
        let Subject::Workload { name, id } = subject else { return false };
        // Engines accept any prefix of an id; users usually have twelve digits of it.
        &**name == wanted
            || (!id.is_empty() && (&**id == wanted || (wanted.len() >= 12 && wanted.starts_with(&**id))))
    });
    let is_labelled = |candidate: &&Candidate| {
        matches!(candidate.subject, Subject::Workload { .. })
            && candidate.scenario.as_deref() == Some(scenario.name.as_str())
    };
    let by_label: Vec<Subject> =
        candidates.clone().filter(is_labelled).map(|candidate| candidate.subject.clone()).collect();
    let by_overlap = overlapping(scenario, candidates.clone());
    [
        (Matched::Transcode, by_transcode),
        (Matched::Container, by_container),
        (Matched::Label, by_label),
        (Matched::Overlap, by_overlap),
    ]
    .into_iter()
    .find(|(_, subjects)| !subjects.is_empty())
}

/// The best rule that could match: a name in the file. Where the file gives none, a container with the scenario's label may
/// become known late.
pub fn best_rule(scenario: &Scenario) -> Matched {
    let has = |name: &Option<String>| name.as_ref().is_some_and(|name| !name.is_empty());
    match () {
        () if scenario_defaults::is_baseline(scenario) => Matched::Host,
        () if has(&scenario.transcode) => Matched::Transcode,
        () if has(&scenario.container) => Matched::Container,
        () => Matched::Label,
    }
}

fn overlapping<'a>(scenario: &Scenario, candidates: impl Iterator<Item = &'a Candidate>) -> Vec<Subject> {
    let Some((start, end)) = scenario.window else { return Vec::new() };
    let runs = |candidate: &&Candidate| {
        let is_transcode = matches!(candidate.subject, Subject::Transcode(_));
        is_transcode && candidate.life.is_some_and(|(began, ended)| began.0 < end.0 && start.0 < ended.0)
    };
    candidates.filter(runs).map(|candidate| candidate.subject.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::WallTime;

    fn workload(name: &str, id: &str, scenario: Option<&str>) -> Candidate {
        let subject = Subject::Workload { name: name.into(), id: id.into() };
        Candidate { subject, scenario: scenario.map(str::to_owned), life: None }
    }

    fn transcode(key: &str, began: f64, ended: f64) -> Candidate {
        let life = Some((WallTime(began), WallTime(ended)));
        Candidate { subject: Subject::Transcode(key.into()), scenario: None, life }
    }

    fn all() -> Vec<Candidate> {
        vec![
            workload("live", "4f1c0a7be95d", Some("ladder a")),
            workload("idle", "", None),
            transcode("7-100", 100.0, 200.0),
            transcode("8-190", 190.0, 300.0),
        ]
    }

    fn found(scenario: &Scenario) -> Option<(Matched, usize)> {
        find(scenario, &all().iter()).map(|(matched, subjects)| (matched, subjects.len()))
    }

    #[test]
    fn the_first_rule_that_finds_somebody_wins() {
        let window = Some((WallTime(150.0), WallTime(195.0)));
        let plain = Scenario { name: "ladder a".into(), window, ..Scenario::default() };
        assert_eq!(found(&plain), Some((Matched::Label, 1)));
        let named = Scenario { container: Some("live".into()), ..plain.clone() };
        assert_eq!(found(&named), Some((Matched::Container, 1)));
        let by_id = Scenario { container: Some("4f1c0a7be95d26b8c3d9".into()), ..plain.clone() };
        assert_eq!(found(&by_id), Some((Matched::Container, 1)));
        let by_key = Scenario { transcode: Some("8-190".into()), ..named };
        assert_eq!(found(&by_key), Some((Matched::Transcode, 1)));
        let other = Scenario { name: "other".into(), ..plain.clone() };
        assert_eq!(found(&other), Some((Matched::Overlap, 2)));
        let later = Scenario { window: Some((WallTime(300.0), WallTime(400.0))), ..other };
        assert_eq!(found(&later), None);
        let baseline = Scenario { name: "Baseline (Idle)".into(), ..plain };
        assert_eq!(found(&baseline), Some((Matched::Host, 1)));
    }

    #[test]
    fn a_name_that_nobody_has_goes_on_to_the_next_rule() {
        let scenario = Scenario { container: Some(String::new()), ..Scenario::default() };
        assert_eq!(found(&scenario), None);
    }
}
