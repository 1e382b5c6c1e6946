//! Prices and carbon intensities of energy by region, and currencies.

use std::sync::Arc;

use crate::model::prices::OwnPrices;
use crate::units::{Grams, Money};

/// The region for all regions without an entry.
const DEFAULT_REGION: &str = "default";

/// Upstream's table: region, USD per kWh, grams of CO2 per kWh.
const REGIONS: [(&str, f64, f64); 10] = [
    ("us-east-1", 0.12, 390.0),
    ("us-east-2", 0.11, 450.0),
    ("us-west-1", 0.19, 220.0),
    ("us-west-2", 0.10, 180.0),
    ("eu-west-1", 0.22, 250.0),
    ("eu-central-1", 0.28, 380.0),
    ("ap-northeast-1", 0.24, 480.0),
    ("ap-southeast-1", 0.18, 520.0),
    ("ap-southeast-2", 0.21, 650.0),
    (DEFAULT_REGION, 0.12, 400.0),
];

impl OwnPrices {
    /// Price of a kilowatt hour in a region: the file's, the file's default, the table's, the table's default.
    pub fn kilowatt_hour(&self, region: &str) -> Money {
        let own = self.prices.get(region).or_else(|| self.prices.get(DEFAULT_REGION)).copied();
        own.unwrap_or_else(|| Money(in_table(region).1))
    }

    /// Carbon of a kilowatt hour in a region.
    pub fn grams(&self, region: &str) -> Grams {
        let own = self.carbon.get(region).or_else(|| self.carbon.get(DEFAULT_REGION)).copied();
        own.unwrap_or_else(|| Grams(in_table(region).2))
    }

    /// Whether the region has an entry, or the default applies.
    pub fn knows(&self, region: &str) -> bool {
        self.prices.contains_key(region) || REGIONS.iter().any(|(name, ..)| *name == region)
    }
}

fn in_table(region: &str) -> (&'static str, f64, f64) {
    let found = REGIONS.iter().find(|(name, ..)| *name == region);
    let [.., default] = REGIONS;
    found.copied().unwrap_or(default)
}

/// A currency in which costs are shown in addition.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// Its name.
    pub currency: Arc<str>,
    /// Amount of this currency for one unit of the prices' currency.
    pub factor: f64,
}

impl Rate {
    /// Parses `EUR=0.92`.
    pub fn parse(text: &str) -> Option<Self> {
        let (currency, factor) = text.split_once('=')?;
        let (currency, factor) = (currency.trim(), factor.trim().parse().ok()?);
        let is_named = !currency.is_empty() && currency.chars().all(char::is_alphanumeric);
        (is_named && f64::is_normal(factor) && factor > 0.0)
            .then(|| Self { currency: currency.into(), factor })
    }

    /// Converts an amount to this currency.
    pub fn of(&self, amount: Money) -> Money {
        Money(amount.0 * self.factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_prices_go_first_then_the_table() {
        let mut own = OwnPrices::default();
        assert_eq!(own.kilowatt_hour("eu-central-1"), Money(0.28));
        assert_eq!(own.grams("eu-central-1"), Grams(380.0));
        assert_eq!(own.kilowatt_hour("mars"), Money(0.12));
        assert!(own.knows("us-west-2") && !own.knows("mars"));
        own.prices.insert("mars".into(), Money(9.0));
        assert_eq!(own.kilowatt_hour("mars"), Money(9.0));
        own.prices.insert("default".into(), Money(1.0));
        assert_eq!(own.kilowatt_hour("venus"), Money(1.0));
    }

    #[test]
    fn rates() {
        assert_eq!(Rate::parse("EUR=0.92").unwrap().of(Money(100.0)), Money(92.0));
        for bad in ["EUR", "=1", "EUR=", "EUR=0", "EUR=-1", "EUR=inf", "E U=1"] {
            assert_eq!(Rate::parse(bad), None, "{bad}");
        }
    }
}
