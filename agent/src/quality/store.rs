//! Writes scores into a result file.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::files;
use crate::quality::QualityError;
use crate::quality::scores::{Scores, number_or_inf};

/// Key of the share of the source's frames that the scores cover.
const COVERED: &str = "quality_covered_ratio";

/// Writes scores into the scenario of this name. Everything else in the file stays as it is; a reader sees the old file
/// or the new one.
pub(super) fn write(path: &Path, scenario: &str, scores: &Scores) -> Result<(), QualityError> {
    let wrong = |problem: String| QualityError::ResultFile { path: path.to_path_buf(), problem };
    let failed = |doing: &str, cause| QualityError::io(format!("{doing} {}", path.display()), cause);
    let text = fs::read(path).map_err(|cause| failed("read", cause))?;
    let mut document: Value =
        serde_json::from_slice(&text).map_err(|error| wrong(format!("not (yet) whole JSON: {error}")))?;
    let entries = document.get_mut("scenarios").and_then(Value::as_array_mut);
    let entries = entries.ok_or_else(|| wrong("no list \"scenarios\"".to_owned()))?;
    let named = |entry: &&mut Value| entry.get("name").and_then(Value::as_str) == Some(scenario);
    let entry = entries.iter_mut().find(named).and_then(Value::as_object_mut);
    let entry = entry.ok_or_else(|| wrong(format!("no scenario {scenario:?}")))?;
    let vmaf = scores.vmaf.as_ref();
    for (name, value) in [
        ("vmaf_score", vmaf.map(|vmaf| Value::from(vmaf.mean.0))),
        ("vmaf_harmonic_mean", vmaf.and_then(|vmaf| vmaf.harmonic_mean).map(|vmaf| Value::from(vmaf.0))),
        (
            "vmaf_first_percentile",
            vmaf.and_then(|vmaf| vmaf.first_percentile).map(|vmaf| Value::from(vmaf.0)),
        ),
        ("vmaf_model", vmaf.map(|vmaf| Value::from(vmaf.model.as_str()))),
        ("psnr_score", scores.psnr.map(number_or_inf)),
        ("ssim_score", scores.ssim.map(|ssim| Value::from(ssim.0))),
        ("xpsnr_score", scores.xpsnr.map(number_or_inf)),
        ("quality_seconds", Some(Value::from(scores.took.as_secs_f64()))),
    ] {
        if let Some(value) = value {
            entry.insert(name.to_owned(), value);
        }
    }
    match scores.covered {
        Some(share) => entry.insert(COVERED.to_owned(), share.0.into()),
        // The share of an earlier encode does not hold for this one.
        None => entry.remove(COVERED),
    };
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
}
