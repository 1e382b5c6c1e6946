//! Forecasts the spending of a budget at the end of its period.

use std::time::Duration;

use crate::join::quotient;

/// A budget and the spent part of it. The unit is that of the budget: an amount of money, kilowatt hours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Budget {
    /// Limit for the period.
    pub limit: f64,
    /// Amount spent since the period began.
    pub spent: f64,
    /// Elapsed part of the period.
    pub elapsed: Duration,
    /// Length of the period.
    pub period: Duration,
    /// Elapsed time for which the spending is known.
    pub known: Duration,
}

impl Budget {
    /// The spent share of the limit.
    pub fn used(&self) -> Option<f64> {
        quotient(self.spent, self.limit)
    }

    /// Amount spent at the end of the period, at the mean rate of the known time.
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
