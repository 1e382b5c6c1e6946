//! Builds prices from the configuration and the price file.

use agent_core::join::cost::Tariff;
use agent_core::join::figures::Prices;
use agent_core::join::pricing::Rate;
use agent_core::model::prices::OwnPrices;
use agent_core::units::{Grams, Money};

use crate::config::Config;
use crate::source::{SourceError, results};

/// The reason why there are no prices.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PriceError {
    /// The price file cannot be used.
    #[error("price.file")]
    File(#[source] SourceError),
    /// A currency has an invalid rate.
    #[error("price.also: {0:?} is no currency with a rate such as \"EUR=0.92\"")]
    Rate(String),
    /// The region has no prices.
    #[error("price.region: {region:?} is in neither the table of regions nor price.file; set price.per_kwh")]
    Region {
        /// The region.
        region: String,
    },
}

/// Prices by the configuration.
pub(crate) fn prices(config: &Config) -> Result<Prices, PriceError> {
    let price = &config.price;
    let own = match &price.file {
        Some(path) => results::read_prices(path).map_err(PriceError::File)?,
        None => OwnPrices::default(),
    };
    let per_kwh = price.per_kwh.filter(|amount| *amount > 0.0).map(Money);
    if per_kwh.is_none() && !own.knows(&price.region) {
        return Err(PriceError::Region { region: price.region.clone() });
    }
    let also = price.also.iter().map(|text| Rate::parse(text).ok_or_else(|| PriceError::Rate(text.clone())));
    Ok(Prices {
        tariff: Tariff::new(
            per_kwh.unwrap_or_else(|| own.kilowatt_hour(&price.region)),
            Money(price.per_cpu_hour),
            Money(price.per_gpu_hour),
            price.per_core_second.map(Money),
            price.per_joule.map(Money),
        ),
        currency: price.currency.as_str().into(),
        also: also.collect::<Result<_, _>>()?,
        carbon: Grams(own.grams(&price.region).0),
        viewers: price.viewers,
    })
}
