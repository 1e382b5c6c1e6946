//! Prices and carbon intensities of energy by region, as the user's price file has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::units::{Grams, Money};

/// Prices and carbon intensities by region, as a file of one's own has them. They go before the table's.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnPrices {
    /// Price of a kilowatt hour.
    pub prices: BTreeMap<String, Money>,
    /// Grams of CO2 a kilowatt hour.
    pub carbon: BTreeMap<String, Grams>,
}

/// What energy costs.
#[derive(Clone, Debug, PartialEq)]
pub struct EnergyPrice {
    /// A kilowatt hour.
    pub kilowatt_hour: Money,
    /// In this currency.
    pub currency: Arc<str>,
    /// Carbon dioxide of a kilowatt hour.
    pub carbon: Grams,
}
