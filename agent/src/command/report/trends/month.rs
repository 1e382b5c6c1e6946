//! Energy of the host in this month so far, and its forecast for the end of the month.

use agent_core::comparison::estimate::Estimate;
use agent_core::comparison::forecast::forecast;
use agent_core::join::cost;
use agent_core::join::figures::Prices;
use agent_core::time::WallTime;
use agent_core::units::MicroJoules;
use jiff::civil::Date;

use crate::command::report::trends::{Wanted, begin_of, day_of};
use crate::ledger::{Ledger, LedgerError};

const DAY_SECONDS: f64 = 86_400.0;

/// Part of a day that must be known for the day to count in the forecast.
const LEAST_KNOWN: f64 = 0.5;

/// The host's energy in a month. Costs are those of energy, as in budgets.
#[derive(Clone, Copy, Debug)]
pub(super) struct Month {
    /// First day.
    pub(super) first: Date,
    /// Energy so far, in kilowatt hours.
    pub(super) so_far: f64,
    /// Part of the elapsed time in which an agent ran.
    pub(super) known: f64,
    /// Energy at the end of the month, in kilowatt hours; `None` before a day is complete.
    pub(super) forecast: Option<Estimate>,
    /// Days that the forecast is based on.
    pub(super) days: usize,
    /// Money and grams of a kilowatt hour.
    pub(super) cost: f64,
    pub(super) carbon: f64,
}

/// The month of now; `None` when the ledger has nothing of it.
pub(super) fn month(
    ledger: &Ledger,
    wanted: &Wanted,
    since: WallTime,
    prices: &Prices,
) -> Result<Option<Month>, LedgerError> {
    let today = day_of(wanted.now, &wanted.zone).date();
    let first = today.first_of_month();
    let (Some(begin), Some(end)) = (
        begin_of(first, &wanted.zone),
        today.last_of_month().tomorrow().ok().and_then(|next| begin_of(next, &wanted.zone)),
    ) else {
        return Ok(None);
    };
    let (charge, known) = ledger.host_between(begin, wanted.now)?;
    if known <= 0.0 {
        return Ok(None);
    }
    let kilowatt_hour = MicroJoules(3_600_000_000_000);
    let days = days(ledger, wanted, since)?;
    Ok(Some(Month {
        first,
        so_far: charge.energy.kilowatt_hours(),
        known: (known / (wanted.now.0 - begin.0)).min(1.0),
        forecast: forecast(charge.energy.kilowatt_hours(), &days, (end.0 - wanted.now.0) / DAY_SECONDS),
        days: days.len(),
        cost: prices.tariff.energy(kilowatt_hour).0,
        carbon: cost::carbon(kilowatt_hour, prices.carbon).0,
    }))
}

/// Kilowatt hours of 24 hours, by the mean power of each complete day of which half or more is known.
fn days(ledger: &Ledger, wanted: &Wanted, since: WallTime) -> Result<Vec<f64>, LedgerError> {
    let mut days = Vec::new();
    let today = day_of(wanted.now, &wanted.zone).date();
    let mut date = day_of(since, &wanted.zone).date();
    while date < today {
        let Ok(next) = date.tomorrow() else { break };
        let (from, to) = (begin_of(date, &wanted.zone), begin_of(next, &wanted.zone));
        if let (Some(from), Some(to)) = (from, to)
            && from.0 >= since.0
        {
            let (charge, known) = ledger.host_between(from, to)?;
            if known >= LEAST_KNOWN * (to.0 - from.0) {
                days.push(charge.energy.kilowatt_hours() / known * DAY_SECONDS);
            }
        }
        date = next;
    }
    Ok(days)
}
