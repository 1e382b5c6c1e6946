//! What has a transcode cost, for what it has put out?

use std::time::Duration;

use crate::join::cost;
use crate::join::figures::Prices;
use crate::join::history::Charge;
use crate::join::quotient;
use crate::model::joined::{TranscodeCost, TranscodeFigures};
use crate::model::transcode::Output;
use crate::units::{MicroJoules, Money};

const HOUR: Duration = Duration::from_hours(1);

/// Its figures, from what it was charged while it ran for so long, and what of that when its output was counted. Where its output is
/// not known, neither are the figures that need it.
pub fn figures(
    charge: Charge,
    at_output: MicroJoules,
    ran: Duration,
    output: &Output,
    prices: &Prices,
) -> TranscodeFigures {
    let joules = at_output.joules();
    let per = |divisor: f64| quotient(joules, divisor);
    let vmaf = output.quality.vmaf;
    let power = charge.energy.over(ran);
    let total = Money(prices.tariff.energy(charge.energy).0 + prices.tariff.cores(charge.cpu).0);
    let seconds = output.length.map(|length| length.as_secs_f64());
    let hours = seconds.map(|seconds| seconds / HOUR.as_secs_f64());
    let cost = |currency: &std::sync::Arc<str>, total: Money| TranscodeCost {
        currency: currency.clone(),
        total,
        per_output_hour: hours.and_then(|hours| quotient(total.0, hours)).map(Money),
    };
    let converted = prices.also.iter().map(|rate| cost(&rate.currency, rate.of(total)));
    TranscodeFigures {
        joules_per_frame: output.frames.and_then(|frames| per(frames as f64)),
        joules_per_megapixel: output.pixels.and_then(|pixels| per(pixels.0 / 1e6)),
        joules_per_output_second: seconds.and_then(per),
        joules_per_vmaf_point: vmaf.and_then(|vmaf| per(vmaf.0)),
        vmaf_per_watt: vmaf.zip(power).and_then(|(vmaf, power)| quotient(vmaf.0, power.0)),
        costs: std::iter::once(cost(&prices.currency, total)).chain(converted).collect(),
        carbon: Some(cost::carbon(charge.energy, prices.carbon)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::join::cost::Tariff;
    use crate::join::pricing::Rate;
    use crate::model::scenario::Quality;
    use crate::units::{CpuTime, Grams, Pixels, Vmaf};

    fn prices() -> Prices {
        Prices {
            tariff: Tariff::new(Money(3.6), Money(3600.0), Money(0.0), None, None),
            currency: "USD".into(),
            also: vec![Rate::parse("EUR=0.5").unwrap()],
            carbon: Grams(360.0),
            viewers: 1,
        }
    }

    #[test]
    fn every_figure_by_hand() {
        let charge = Charge { energy: MicroJoules(100_000_000), cpu: CpuTime(2_000_000_000) };
        let output = Output {
            frames: Some(250),
            pixels: Some(Pixels(50e6)),
            length: Some(Duration::from_secs(10)),
            quality: Quality { vmaf: Some(Vmaf(80.0)), ..Quality::default() },
        };
        let found = figures(charge, charge.energy, Duration::from_secs(20), &output, &prices());
        assert_eq!(found.joules_per_frame, Some(0.4));
        assert_eq!(found.joules_per_megapixel, Some(2.0));
        assert_eq!(found.joules_per_output_second, Some(10.0));
        assert_eq!(found.joules_per_vmaf_point, Some(1.25));
        assert_eq!(found.vmaf_per_watt, Some(16.0), "5 W");
        // 100 J at a millionth each, 2 core seconds at one each.
        assert!((found.costs[0].total.0 - 2.0001).abs() < 1e-12);
        assert!((found.costs[0].per_output_hour.unwrap().0 - 720.036).abs() < 1e-9);
        assert_eq!(&*found.costs[1].currency, "EUR");
        assert!((found.costs[1].total.0 - 1.000_05).abs() < 1e-12);
        assert!((found.carbon.unwrap().0 - 0.01).abs() < 1e-12);
    }

    #[test]
    fn what_was_charged_since_the_output_was_counted_is_not_its() {
        let charge = Charge { energy: MicroJoules(100_000_000), cpu: CpuTime(0) };
        let output = Output { frames: Some(100), ..Output::default() };
        let found = figures(charge, MicroJoules(50_000_000), Duration::from_secs(20), &output, &prices());
        assert_eq!(found.joules_per_frame, Some(0.5));
        assert!((found.carbon.unwrap().0 - 0.01).abs() < 1e-12, "all of it");
    }

    #[test]
    fn what_is_not_known_is_absent() {
        let found =
            figures(Charge::default(), MicroJoules::ZERO, Duration::ZERO, &Output::default(), &prices());
        let none =
            TranscodeFigures { costs: found.costs.clone(), carbon: found.carbon, ..Default::default() };
        assert_eq!(found, none);
        assert_eq!(found.costs[0].per_output_hour, None);
    }
}
