//! Writes scores into a result file.

use std::fs;
use std::path::Path;

use agent_core::results::{self, json};
use serde_json::Value;

use crate::files;
use crate::quality::QualityError;
use crate::quality::scores::{COVERED, Scores};

/// Writes scores into the scenario of this name. All other values stay; words that JSON does not have, such as `NaN`, become text, and
/// the encoding becomes UTF-8. A reader sees the old file or the new one.
pub(super) fn write(path: &Path, scenario: &str, scores: &Scores) -> Result<(), QualityError> {
    let wrong = |problem: String| QualityError::ResultFile { path: path.to_path_buf(), problem };
    let failed = |doing: &str, cause| QualityError::io(format!("{doing} {}", path.display()), cause);
    let text = fs::read(path).map_err(|cause| failed("read", cause))?;
    let (mut document, is_garbled): (Value, _) =
        json::read(&text).map_err(|error| wrong(error.to_string()))?;
    if is_garbled {
        return Err(wrong(json::GARBLED.to_owned()));
    }
    let pointer = results::pointer(&text, scenario).map_err(|error| wrong(error.to_string()))?;
    let entry = pointer.and_then(|pointer| document.pointer_mut(&pointer)?.as_object_mut());
    let entry = entry.ok_or_else(|| wrong(format!("has no scenario {scenario:?}")))?;
    for (name, value) in scores.fields() {
        entry.insert(name.to_owned(), value);
    }
    if scores.covered.is_none() {
        // The share of an earlier encode does not hold for this one.
        entry.remove(COVERED);
    }
    let text = serde_json::to_vec_pretty(&document).map_err(|error| failed("write", error.into()))?;
    Ok(files::replace(path, &text, None)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use agent_core::units::{Decibels, Ratio};

    #[test]
    fn only_the_scenarios_scores_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test_results_1.json");
        fs::write(&path, r#"{"own":{"z":1,"a":[2]},"scenarios":[{"name":"a"},{"name":"b","x":"y"}]}"#)
            .unwrap();
        let scores = Scores {
            psnr: Some(Decibels(f64::INFINITY)),
            ssim: Some(Ratio(1.0)),
            frames: 3,
            ..Scores::default()
        };
        write(&path, "b", &scores).unwrap();
        let after: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        assert_eq!(after["own"], serde_json::json!({"z": 1, "a": [2]}));
        assert_eq!(after["scenarios"][0], serde_json::json!({"name": "a"}));
        assert_eq!(
            (&after["scenarios"][1]["psnr_score"], &after["scenarios"][1]["x"]),
            (&"inf".into(), &"y".into())
        );
        assert!(after["scenarios"][1].get("vmaf_score").is_none(), "unknown is absent");
        let before = fs::read(&path).unwrap();
        assert!(write(&path, "c", &scores).unwrap_err().to_string().contains("no scenario \"c\""));
        fs::write(&path, &before[..20]).unwrap();
        assert!(write(&path, "b", &scores).unwrap_err().to_string().contains("whole JSON"));
        assert_eq!(fs::read(&path).unwrap(), &before[..20], "a file that is no JSON is left alone");
    }

    #[test]
    fn a_file_with_values_that_json_does_not_have_keeps_them() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test_results_1.json");
        let scores = Scores { ssim: Some(Ratio(0.5)), ..Scores::default() };
        let text = r#"{"scenarios":[{"name":"a","duration":NaN,"fps":-Infinity,},{"name":"b"}]}"#;
        let wide: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        for bytes in [text.as_bytes(), format!("\u{feff}{text}").as_bytes(), &wide] {
            fs::write(&path, bytes).unwrap();
            write(&path, "b", &scores).unwrap();
            let after: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            let [first, second] = [0, 1].map(|index| after["scenarios"][index].clone());
            assert_eq!(first, serde_json::json!({"name": "a", "duration": "NaN", "fps": "-Infinity"}));
            assert_eq!((&second["name"], &second["ssim_score"]), (&"b".into(), &0.5.into()));
        }
        let garbled = b"{\"scenarios\":[{\"name\":\"b\",\"note\":\"caf\xe9\"}]}";
        fs::write(&path, garbled).unwrap();
        assert!(write(&path, "b", &scores).unwrap_err().to_string().contains("UTF-8"));
        assert_eq!(fs::read(&path).unwrap(), garbled);
    }

    #[test]
    fn scenarios_in_other_shapes_are_found() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("test_results_1.json");
        let scores = Scores { ssim: Some(Ratio(0.5)), ..Scores::default() };
        for text in [
            r#"[{"name":"a"},{"name":"b"}]"#,
            r#"{"scenarios":{"a":{"x":1},"b":{"x":2}}}"#,
            r#"{"scenarios":{"1":{"name":"a"},"2":{"name":"b"}}}"#,
            r#"{"scenarios":{"name":"b","x":1}}"#,
            r#"{"scenarios":[{"x":1},{"name":"a"},{"name":"b"}]}"#,
        ] {
            fs::write(&path, text).unwrap();
            write(&path, "b", &scores).unwrap();
            let after = fs::read_to_string(&path).unwrap();
            assert_eq!(after.matches("ssim_score").count(), 1, "{after}");
        }
        // Names are those that the figures have.
        for (text, name, pointer) in [
            (r#"[{"name":"b"},{"name":"b"}]"#, "b (2)", "/1"),
            (r#"[{"name":"b"},{}]"#, "scenario 1", "/1"),
            (r#"{"scenarios":{"a/b~c":{"x":1}}}"#, "a/b~c", "/scenarios/a~1b~0c"),
        ] {
            fs::write(&path, text).unwrap();
            write(&path, name, &scores).unwrap();
            let after: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
            assert_eq!(after.pointer(pointer).unwrap()["ssim_score"], 0.5, "{after}");
        }
        fs::write(&path, r#"{"scenarios":3}"#).unwrap();
        assert!(write(&path, "b", &scores).is_err());
    }
}
