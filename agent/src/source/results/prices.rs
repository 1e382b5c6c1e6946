//! Reads a price file in upstream's format: `{"electricity_prices": {"region": 0.12}, "co2_intensity": {"region": 400}}`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use agent_core::model::prices::OwnPrices;
use agent_core::units::{Grams, Money};
use serde_json::Value;

use crate::source::SourceError;

/// Reads a price file. Unlike a result file it is configuration: every mistake in it is an error.
pub(crate) fn read(path: &Path) -> Result<OwnPrices, SourceError> {
    let shown = path.display();
    let text = fs::read(path)
        .map_err(|cause| SourceError::transient(format!("read the price file {shown}"), cause))?;
    let value: Value = serde_json::from_slice(&text)
        .map_err(|error| SourceError::broken(format!("the price file {shown} is no JSON: {error}")))?;
    let numbers = |section: &str| -> Result<BTreeMap<String, f64>, SourceError> {
        let Some(given) = value.get(section) else { return Ok(BTreeMap::new()) };
        let wrong = |what: &str| SourceError::broken(format!("the price file {shown}: {section}{what}"));
        let given = given.as_object().ok_or_else(|| wrong(" is no object"))?;
        let number = |(region, value): (&String, &Value)| {
            let number = value.as_f64().filter(|number| *number >= 0.0);
            // In such a section a region is a key, so naming it quotes no value.
            let number = number.ok_or_else(|| wrong(&format!(": {region:?} is no number of 0 or more")))?;
            Ok((region.clone(), number))
        };
        given.iter().map(number).collect()
    };
    Ok(OwnPrices {
        prices: numbers("electricity_prices")?
            .into_iter()
            .map(|(region, price)| (region, Money(price)))
            .collect(),
        carbon: numbers("co2_intensity")?.into_iter().map(|(region, grams)| (region, Grams(grams))).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(text: &str) -> Result<OwnPrices, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prices.json");
        fs::write(&path, text).unwrap();
        read(&path).map_err(|error| error.chain())
    }

    #[test]
    fn upstreams_format() {
        let own =
            written(r#"{"electricity_prices":{"default":0.3},"co2_intensity":{"home":20},"x":1}"#).unwrap();
        assert_eq!(own.kilowatt_hour("home"), Money(0.3));
        assert_eq!(own.grams("home"), Grams(20.0));
    }

    #[test]
    fn mistakes_name_file_and_region() {
        for (text, words) in [
            ("{", "no JSON"),
            (r#"{"electricity_prices":[]}"#, "electricity_prices is no object"),
            (r#"{"co2_intensity":{"home":"much"}}"#, "\"home\" is no number"),
            (r#"{"electricity_prices":{"home":-1}}"#, "\"home\" is no number"),
        ] {
            let error = written(text).unwrap_err();
            assert!(error.contains(words) && error.contains("prices.json"), "{error}");
        }
    }
}
