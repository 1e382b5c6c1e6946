//! Units of money: a currency unit of Grafana for each known currency, chosen by the label `currency`.

use serde_json::{Value, json};

/// The unit of panels and columns with money. The generic sign is shown where Grafana has no unit for the currency.
pub(crate) const MONEY: &str = "currency:¤";

/// Currencies for which Grafana has a unit: `currencyUSD`, ….
const KNOWN: [&str; 18] = [
    "USD", "EUR", "GBP", "JPY", "INR", "BRL", "CHF", "CZK", "DKK", "ISK", "KRW", "NOK", "PLN", "RUB", "SEK",
    "UAH", "ZAR", "BTC",
];

/// Overrides that give a series the unit of the currency in its legend. Grafana replaces no variable in a unit.
pub(super) fn overrides() -> impl Iterator<Item = Value> {
    KNOWN.iter().map(|currency| {
        json!({
            "matcher": {"id": "byRegexp", "options": format!("/\\b{currency}\\b/")},
            "properties": [{"id": "unit", "value": format!("currency{currency}")}],
        })
    })
}
