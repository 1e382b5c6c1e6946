//! Prices and carbon intensities of energy by region, as the user's price file has them.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::units::{Grams, Money};

/// Prices and carbon intensities by region, from the user's price file. They take precedence over the built-in table.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OwnPrices {
    /// Price of a kilowatt hour.
    pub prices: BTreeMap<String, Money>,
    /// Grams of CO2 per kilowatt hour.
    pub carbon: BTreeMap<String, Grams>,
}

/// Price and carbon of energy.
#[derive(Clone, Debug, PartialEq)]
pub struct EnergyPrice {
    /// Price of a kilowatt hour.
    pub kilowatt_hour: Money,
    /// Currency of the price.
    pub currency: Arc<str>,
    /// Carbon dioxide of a kilowatt hour.
    pub carbon: Grams,
}
