//! Tests of cgroup paths of all known runtimes.
//!
//! Samples are from issues, documentation and test data of the software named in the comment; those that name none follow the
//! layout that the runtime documents. Ids are replaced:
//! `{A}` and `{B}` are container ids, `{a}` and `{b}` their short forms; `{P}` is a pod's uid, `{p}` the same in a
//! slice's name; `{M}` is the uid of a pod from a file on the node; `{step}` a `BuildKit` id; `{U}` a UUID;
//! `{L}` a container id that lacks a digit.

mod containers;
mod hostile;
mod kubernetes;
mod machines;
mod properties;
mod told_by;
mod units;

use expect_test::Expect;

use super::*;

const IDS: [(&str, &str); 10] = [
    ("{A}", "3726184226f5d3147c25fdeab5b60097e378e8a720503a5e19ecfdf29f869860"),
    ("{B}", "99f3a16ea25b7724cb56a4f0c0df1113ad9474fbf5545bead97fd5c7f61c13f4"),
    ("{P}", "90d81341-92de-11e7-8cf2-507b9d4141fa"),
    ("{p}", "90d81341_92de_11e7_8cf2_507b9d4141fa"),
    ("{M}", "b7a7ed0a0b4d4a6f3d1f8c4f3a2b1c0d"),
    ("{step}", "jvifp9a6b1lxa1kuw8bwfcovf"),
    ("{U}", "48cb34f5-cd39-4d59-9bb9-89f3c1611afd"),
    ("{a}", "3726184226f5"),
    ("{b}", "99f3a16ea25b"),
    ("{L}", "3726184226f5d3147c25fdeab5b60097e378e8a720503a5e19ecfdf29f86986"),
];

fn with_ids(text: &str) -> String {
    IDS.iter().fold(text.to_owned(), |text, (short, id)| text.replace(short, id))
}

fn without_ids(text: &str) -> String {
    IDS.iter().fold(text.to_owned(), |text, (short, id)| text.replace(id, short))
}

/// `<kind> "<name>" by <runtime>`, then container and pod where there are any, and the root where it is not the path itself:
/// in full where the path was not normalised, else only its last segment.
fn check(path: &str, expected: &Expect) {
    let path = with_ids(path);
    let found = identify(&path);
    let by = if found.runtime.is_empty() { String::new() } else { format!(" by {}", found.runtime) };
    let container = found.container.map(|container| format!(", container {container}")).unwrap_or_default();
    let pod = found.pod.map(|pod| format!(", pod {pod}")).unwrap_or_default();
    let root = match path.strip_prefix(&found.root) {
        Some("") => String::new(),
        Some(_) => format!(", root …/{}", found.root.rsplit('/').next().unwrap()),
        None => format!(", root {}", found.root),
    };
    let text = format!("{:?} {:?}{by}{container}{pod}{root}", found.kind, found.name);
    expected.assert_eq(&without_ids(&text));
}

#[test]
fn rules_are_written_as_they_are_read() {
    for rule in rules::RULES {
        let (above, last) = rule.written.rsplit_once('/').unwrap_or(("", rule.written));
        assert_eq!(last.matches("{}").count(), 1, "{rule:?}");
        assert!(!above.contains('{') && !above.contains("//"), "{rule:?}");
        assert!(!last.split_once("{}").unwrap().1.contains('*'), "{rule:?}");
    }
}

#[test]
fn no_rule_is_in_the_shadow_of_another() {
    let values = IDS.map(|(_, id)| id).into_iter().chain([
        "6f265890-5165-7fab-6b52-18d1",
        "job_1",
        "48cb34f5-cd39-4d59-9bb9-89f3c1611afd.ffmpeg",
    ]);
    for rule in rules::RULES {
        let paths = values.clone().map(|value| rule.written.replace("{}", value).replace('*', "x"));
        let firsts: Vec<_> =
            paths.filter_map(|path| Some(rules::first_match(&segments(&path))?.0.written)).collect();
        assert!(firsts.contains(&rule.written), "{rule:?} behind {firsts:?}");
    }
}

#[test]
fn short_ids_are_the_engines_own_or_a_hash_of_the_root() {
    let short = |path: &str| short_id(&identify(&with_ids(path)));
    assert_eq!(short("/docker/{A}/init.scope"), "3726184226f5");
    assert_eq!(short("/system.slice/nginx.service"), short("//system.slice/nginx.service/worker/"));
    // From a separate implementation that agrees with the published test vectors. Dashboards depend on it.
    assert_eq!(short("/"), "a24c860189fe");
    assert_eq!(short("/system.slice/nginx.service"), "b7168c9e4219");
}
