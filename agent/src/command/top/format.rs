//! Formats figures as the page does: three significant digits, and the unit.

use agent_core::duration;

const PREFIXES: [(f64, &str); 7] =
    [(1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")];

/// Smaller amounts of money or `CO2e` are shown as less than this.
const SMALLEST_AMOUNT: f64 = 0.0001;

/// An unknown figure.
pub(super) const UNKNOWN: &str = "–";

/// Three significant digits: 0.42, 4.23, 42.3, 423.
pub(super) fn digits(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// 4.23 W, 12.3 kJ, 3.63 mJ.
pub(super) fn with_unit(value: Option<f64>, unit: &str) -> String {
    let Some(value) = value else { return UNKNOWN.to_owned() };
    if value == 0.0 {
        return format!("0 {unit}");
    }
    let fits = |(factor, _): &&(f64, &str)| value.abs() >= factor * 0.9995;
    let (factor, prefix) = PREFIXES.iter().find(fits).unwrap_or(&PREFIXES[PREFIXES.len() - 1]);
    format!("{} {prefix}{unit}", digits(value / factor))
}

/// Money: 12.30 USD, 0.0015 USD, <0.0001 USD.
pub(super) fn money(value: Option<f64>, currency: &str) -> String {
    amount(value, currency, |value| format!("{value:.2} {currency}"))
}

/// Mass of `CO2e`: 1.23 kg, 12.3 g, 0.0033 g, <0.0001 g.
pub(super) fn grams(value: Option<f64>) -> String {
    amount(value, "g", |value| with_unit(Some(value), "g"))
}

/// An amount in the unit of a budget, without the prefixes milli, micro and nano. `large` formats 1 and more.
fn amount(value: Option<f64>, unit: &str, large: impl Fn(f64) -> String) -> String {
    shown(value, |value| match value.abs() {
        0.0 => format!("0 {unit}"),
        size if size < SMALLEST_AMOUNT => format!("<{SMALLEST_AMOUNT} {unit}"),
        size if size < 0.01 => format!("{value:.4} {unit}"),
        size if size < 1.0 => format!("{value:.2} {unit}"),
        _ => large(value),
    })
}

/// Watts are compared with each other, so all have one unit.
pub(super) fn watts(value: Option<f64>) -> String {
    shown(value, |value| format!("{} W", digits(value)))
}

/// Share of a whole: 42 %, <1 %.
pub(super) fn percent(ratio: Option<f64>) -> String {
    shown(ratio, |ratio| match ratio * 100.0 {
        small if small > 0.0 && small < 0.5 => "<1 %".to_owned(),
        percent => format!("{percent:.0} %"),
    })
}

/// A point in time, and how long before `now` it was: 2026-02-03 10:10:00 UTC, 10 min ago.
pub(super) fn moment(unix_seconds: f64, now: f64) -> String {
    let ago = duration::in_words(now - unix_seconds);
    match jiff::Timestamp::from_second(unix_seconds.round() as i64) {
        Ok(time) => format!("{} UTC, {ago} ago", time.strftime("%F %T")),
        Err(_) => format!("{ago} ago"),
    }
}

/// The value formatted by `how`, or unknown.
pub(super) fn shown<T>(value: Option<T>, how: impl Fn(T) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), how)
}

/// 53.1 MiB.
pub(super) fn bytes(value: Option<u64>) -> String {
    shown(value, |value| match value as f64 / f64::from(1 << 20) {
        mebibytes if mebibytes >= 1024.0 => format!("{} GiB", digits(mebibytes / 1024.0)),
        mebibytes => format!("{} MiB", digits(mebibytes)),
    })
}

/// Text of the host for a terminal: without control characters, and bounded.
pub(super) fn text(text: &str, most: usize) -> String {
    let printable = |character: char| if character.is_control() { '?' } else { character };
    let is_cut = text.chars().nth(most).is_some();
    let kept = text.chars().take(if is_cut { most - 1 } else { most }).map(printable);
    kept.chain(is_cut.then_some('…')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_digits_that_tell() {
        let table = [
            (Some(0.0), "0 J"),
            (Some(0.003_63), "3.63 mJ"),
            (Some(0.9999), "1.00 J"),
            (Some(12_345.0), "12.3 kJ"),
            (Some(451e-9), "451 nJ"),
            (None, UNKNOWN),
        ];
        for (value, expected) in table {
            assert_eq!(with_unit(value, "J"), expected);
        }
        assert_eq!(watts(Some(0.004)), "0.00 W");
        assert_eq!(bytes(Some(53_100_000)), "50.6 MiB");
    }

    #[test]
    fn money_and_co2e_have_the_unit_of_a_budget() {
        let table = [
            (Some(0.0), "0 USD", "0 g"),
            (Some(999e-9), "<0.0001 USD", "<0.0001 g"),
            (Some(0.001_51), "0.0015 USD", "0.0015 g"),
            (Some(0.012), "0.01 USD", "0.01 g"),
            (Some(12.3), "12.30 USD", "12.3 g"),
            (Some(1234.0), "1234.00 USD", "1.23 kg"),
            (None, UNKNOWN, UNKNOWN),
        ];
        for (value, expected, mass) in table {
            assert_eq!((money(value, "USD"), grams(value)), (expected.to_owned(), mass.to_owned()));
        }
    }

    #[test]
    fn a_small_share_is_not_zero_and_an_unknown_share_is_no_number() {
        let table = [
            (Some(0.424), "42 %"),
            (Some(1.0), "100 %"),
            (Some(0.0049), "<1 %"),
            (Some(0.0), "0 %"),
            (None, UNKNOWN),
        ];
        for (ratio, expected) in table {
            assert_eq!(percent(ratio), expected);
        }
        assert_eq!(moment(1_770_113_400.0, 1_770_114_000.0), "2026-02-03 10:10:00 UTC, 10 min ago");
    }

    #[test]
    fn nothing_of_the_host_moves_the_cursor() {
        assert_eq!(text("a\u{1b}[2Jb\n", 64), "a?[2Jb?");
        assert_eq!(text("abcdef", 4), "abc…");
    }
}
