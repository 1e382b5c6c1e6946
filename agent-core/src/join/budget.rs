//! Forecasts the spending of a budget at the end of its period.

use std::time::Duration;

use crate::join::quotient;

/// A budget and what has gone of it. The unit is whoever's budget it is: an amount of money, kilowatt hours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// What may be spent in the period.
    pub limit: f64,
    /// What has been spent since it began.
    pub spent: f64,
    /// How much of the period is over.
    pub elapsed: Duration,
    /// How long it is.
    pub period: Duration,
    /// For how much of what is over the spending is known.
    pub known: Duration,
}

impl Budget {
    /// The share that has been spent.
    pub fn used(&self) -> Option<f64> {
        quotient(self.spent, self.limit)
    }

    /// What will have been spent at the end of the period, should it go on as in the time that is known.
    pub fn forecast(&self) -> Option<f64> {
        let rate = quotient(self.spent, self.known.as_secs_f64())?;
        let left = self.period.saturating_sub(self.elapsed).as_secs_f64();
        Some(self.spent + rate * left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halfway_with_half_of_it_gone_comes_out_even() {
        let day = Duration::from_hours(24);
        let budget = Budget { limit: 10.0, spent: 5.0, elapsed: day / 2, period: day, known: day / 2 };
        assert_eq!(budget.used(), Some(0.5));
        assert_eq!(budget.forecast(), Some(10.0));
        let just_begun = Budget { known: Duration::ZERO, ..budget };
        assert_eq!(just_begun.forecast(), None);
        assert_eq!(Budget { limit: 0.0, ..budget }.used(), None);
    }
}
