//! Tests files with odd values: good values are kept, and each bad one is named.

use std::fs;
use std::time::Duration;

use super::Stage;

/// Content of an odd file, the VMAF of its scenarios (`None`: absent), and the fields that are named.
type OddFile = (Vec<u8>, &'static [(&'static str, Option<f64>)], &'static [&'static str]);

fn odd_files() -> Vec<OddFile> {
    let text = |text: &str| text.as_bytes().to_vec();
    let wide = |text: &str| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
    vec![
        (
            text(
                r#"{"scenarios":[{"name":"a","vmaf_score":NaN,"fps":Infinity},{"name":"b","vmaf_score":91}]}"#,
            ),
            &[("a", None), ("b", Some(91.0))],
            &["a: fps", "a: vmaf_score"],
        ),
        (
            text(r#"{"scenarios":[{"name":"same","vmaf_score":100.00000000000001,"psnr_score":Infinity}]}"#),
            &[("same", Some(100.0))],
            &[],
        ),
        (
            text("\u{feff}{\"scenarios\":[{\"name\":\"marked\",\"vmaf_score\":\"93.5\"}]}"),
            &[("marked", Some(93.5))],
            &[],
        ),
        (wide(r#"{"scenarios":[{"name":"größer","vmaf_score":80}]}"#), &[("größer", Some(80.0))], &[]),
        (text(r#"{"scenarios":[{"name":"comma","vmaf_score":90,},]}"#), &[("comma", Some(90.0))], &[]),
        (
            text(r#"{"scenarios":[{"name":"large","vmaf_score":1e400},{"name":"fine","vmaf_score":70}]}"#),
            &[("large", None), ("fine", Some(70.0))],
            &["large: vmaf_score"],
        ),
        (text(r#"[{"name":"on top","vmaf_score":60},7]"#), &[("on top", Some(60.0))], &["scenario 1"]),
        (
            text(r#"{"scenarios":{"named":{"vmaf_score":65,"outputs":{"resolution":"720p","fps":30}}}}"#),
            &[("named", Some(65.0))],
            &[],
        ),
        (
            text(r#"{"scenarios":[{"name":"share","vmaf_score":0.935}]}"#),
            &[("share", None)],
            &["share: vmaf_score"],
        ),
        (
            text(r#"{"scenarios":[{"name":"zeros","vmaf_score":0.0,"psnr_score":0.0,"ssim_score":0.0}]}"#),
            &[("zeros", None)],
            &[],
        ),
        (
            text(r#"{"scenarios":[{"name":"twin","vmaf_score":50},{"name":"twin","vmaf_score":55}]}"#),
            &[("twin", Some(50.0)), ("twin (2)", Some(55.0))],
            &["twin (2): name"],
        ),
    ]
}

#[test]
fn odd_files_keep_their_good_values_and_name_their_bad_ones() {
    let stage = Stage::set(&[]);
    for (number, (bytes, scores, named)) in odd_files().into_iter().enumerate() {
        let name = format!("test_results_{number:02}.json");
        let path = stage.results.path().join(&name);
        fs::write(stage.results.path().join("new"), &bytes).unwrap();
        fs::rename(stage.results.path().join("new"), &path).unwrap();
        let expected: Vec<String> = named.iter().map(|field| format!("{name}: {field}")).collect();
        let expected_scores: Vec<(String, Option<f64>)> =
            scores.iter().map(|(scenario, score)| ((*scenario).to_owned(), *score)).collect();
        let mut last = None;
        let found = tests::command::eventually("the odd file", Duration::from_secs(10), || {
            let now = odd_answer(&stage);
            let is_whole = now == (expected_scores.clone(), expected.clone());
            last = Some(now);
            is_whole.then_some(())
        });
        found.unwrap_or_else(|error| panic!("{error}: {name}: {last:?}: {}", stage.agent.log()));
        for field in named {
            let field = field.rsplit(": ").next().unwrap();
            assert!(stage.agent.log().contains(field), "{field}: {}", stage.agent.log());
        }
        let check = tests::agent::command().unwrap().args(["results", "check"]).arg(&path).output();
        let check = check.unwrap();
        let shown = String::from_utf8(check.stdout).unwrap();
        assert_eq!(check.status.code(), Some(i32::from(!named.is_empty())), "{shown}");
        for words in scores.iter().map(|(scenario, _)| *scenario).chain(named.iter().copied()) {
            let words = words.rsplit(": ").next().unwrap();
            assert!(shown.contains(words), "{words:?} is not in {shown}");
        }
    }
}

/// Scores of the scenarios and subjects of the findings about result files, of one answer.
fn odd_answer(stage: &Stage) -> (Vec<(String, Option<f64>)>, Vec<String>) {
    let answer = stage.agent.get(stage.agent.ports.main, "/api/v1/snapshot?include=scenarios").unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
    let list = |name: &str| answer[name].as_array().cloned().unwrap_or_default();
    let score = |scenario: serde_json::Value| {
        (scenario["scenario"].as_str().unwrap_or_default().to_owned(), scenario["vmaf_score"].as_f64())
    };
    let of_results = |finding: &serde_json::Value| {
        finding["finding"].as_str().is_some_and(|code| code.starts_with("result_"))
    };
    let subject = |finding: serde_json::Value| finding["subject"].as_str().unwrap_or_default().to_owned();
    let findings = list("findings").into_iter().filter(of_results).map(subject).collect();
    (list("scenarios").into_iter().map(score).collect(), findings)
}

#[test]
fn the_next_bad_file_is_told_too() {
    let stage = Stage::set(&[]);
    for number in 1..=3 {
        let name = format!("test_results_{number}.json");
        stage.write(&name, r#"{"scenarios":[{"name":"half"#);
        let found = tests::command::eventually("the bad file", Duration::from_secs(10), || {
            let (_, subjects) = odd_answer(&stage);
            (subjects.len() == 1 && subjects[0].ends_with(&name)).then_some(())
        });
        found.unwrap_or_else(|error| panic!("{error}: {name}: {}", stage.agent.log()));
        let log = stage.agent.log();
        let told = |line: &&str| line.contains(&name) && line.contains("is refused");
        assert_eq!(log.lines().filter(told).count(), 1, "once: {log}");
    }
}
