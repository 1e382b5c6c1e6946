//! Tests whole files: encodings, shapes, names, bounds and refusals.

use super::*;
use crate::few;
use crate::results::fields::MAX_PROBLEMS;

#[test]
fn the_text_may_be_in_another_encoding() {
    let text = r#"{"scenarios":[{"name":"naïve 日本","vmaf_score":90}]}"#;
    let wide = |bytes: fn(u16) -> [u8; 2]| -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(bytes).collect()
    };
    for bytes in [format!("\u{feff}{text}").into_bytes(), wide(u16::to_le_bytes), wide(u16::to_be_bytes)] {
        let (run, review) = parse(Path::new("a.json"), &bytes).unwrap();
        assert_eq!((run.scenarios[0].name.as_str(), review.problems.total()), ("naïve 日本", 0));
        assert!(parse(Path::new("a.json"), &bytes[..bytes.len() / 2]).is_err(), "half a file");
    }
    let (run, review) =
        parse(Path::new("a.json"), b"{\"scenarios\":[{\"name\":\"caf\xe9\",\"fps\":25}]}").unwrap();
    assert_eq!((run.scenarios[0].name.as_str(), run.scenarios[0].frame_rate), ("caf\u{fffd}", Some(25.0)));
    assert!(review.problems.kept()[0].to_string().contains("bytes that are no characters"));
}

#[test]
fn scenarios_may_be_a_list_on_top_or_an_object() {
    for (text, expected, problems) in [
        (r#"[{"name":"a"},{"name":"b"}]"#, &["a", "b"][..], 0),
        (r#"[7,{"name":"b"}]"#, &["b"], 1),
        (r#"{"scenarios":{"x264":{"fps":25},"x265":{"name":"other"}}}"#, &["x264", "other"], 0),
        (r#"{"scenarios":{"name":"alone","fps":25}}"#, &["alone"], 0),
        (r#"{"scenarios":[{"name":"a"},],}"#, &["a"], 0),
        (r#"{"scenarios":[{"name":"a"}],"scenarios":[{"name":"b"}]}"#, &["b"], 1),
        ("{scenarios:[{name:\"a\"}]}", &["a"], 0),
    ] {
        let (run, findings) = read(text).unwrap();
        let names: Vec<&str> = run.scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!((names.as_slice(), findings.len()), (expected, problems), "{text}: {findings:?}");
    }
}

#[test]
fn names_are_made_fit_for_labels_and_changes_are_named() {
    let long = "x".repeat(400);
    for (name, expected, words) in [
        ("\"  spaces  \"", "  spaces  ", ""),
        (r#""new\nline \"q\" \\ back""#, "new?line \"q\" \\ back", ""),
        ("7", "7", ""),
        ("\"\"", "scenario 0", "name is empty"),
        ("null", "scenario 0", "name is missing"),
        ("false", "scenario 0", "name is true or false, not text"),
        (&format!("{long:?}"), &format!("{}…", &long[..255]), "name has more than 256 characters"),
    ] {
        let (run, findings) = read(&format!(r#"{{"scenarios":[{{"name":{name}}}]}}"#)).unwrap();
        assert_eq!(run.scenarios[0].name, expected);
        assert_eq!(findings.len(), usize::from(!words.is_empty()), "{name}: {findings:?}");
        assert!(findings.iter().all(|finding| finding.contains(words)), "{name}: {findings:?}");
    }
}

#[test]
fn problems_are_kept_up_to_a_bound_and_all_are_counted() {
    let problem = |number| format!(r#"{{"name":"{number}","vmaf_score":NaN}}"#);
    let many: Vec<String> = (0..MAX_PROBLEMS + 7).map(problem).collect();
    let text = format!("[{}]", many.join(","));
    let (run, review) = parse(Path::new("a.json"), text.as_bytes()).unwrap();
    assert_eq!(
        (run.scenarios.len(), review.problems.kept().len(), review.problems.total()),
        (many.len(), MAX_PROBLEMS, many.len())
    );
}

#[test]
fn the_review_says_which_fields_are_used() {
    let text =
        r#"[{"name":"a","vmaf_score":90,"fps":null,"preset":7,"colour":"red","vmaf":91,"power":{"x":1}}]"#;
    let (_, review) = parse(Path::new("a.json"), text.as_bytes()).unwrap();
    let scenario = &review.scenarios[0];
    assert_eq!(scenario.read, ["name", "vmaf_score", "preset", "power"]);
    assert_eq!(scenario.unused, ["colour", "vmaf"]);
}

#[test]
fn what_is_no_result_file_says_where() {
    for (text, words) in [
        (&SCHEMA_A[..200], "whole JSON"),
        ("", "whole JSON"),
        ("[]", "no list \"scenarios\""),
        ("[1,2]", "no list \"scenarios\""),
        ("{\"scenarios\":{}}", "no list"),
        ("{\"scenarios\":7}", "no list"),
        ("nul\u{0}", "whole JSON"),
    ] {
        let error = read(text).unwrap_err();
        assert!(error.contains(words) && error.contains("/r/test_results_1.json"), "{error}");
    }
    let wide: Vec<u8> =
        "\u{feff}{}".chars().flat_map(|character| u32::from(character).to_le_bytes()).collect();
    assert!(parse(Path::new("x"), &wide).unwrap_err().to_string().contains("UTF-32"));
    let deep = "[".repeat(few(100_000));
    assert!(read(&deep).is_err(), "nesting is bounded");
}
