//! Parses the begin of the time that a report is about: a length of time before now, or a date.

use agent_core::time::WallTime;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// The time at the begin of `7d`, `2026-11-01`, `2026-11-01T12:00` (both local) or `2026-11-01T12:00:00Z`.
pub(super) fn parse(text: &str, now: WallTime, zone: &TimeZone) -> Result<WallTime, String> {
    let text = text.trim();
    // A date alone is its midnight.
    let local = || Some(text.parse::<DateTime>().ok()?.to_zoned(zone.clone()).ok()?.timestamp());
    let begin = if let Ok(length) = humantime::parse_duration(text) {
        Some(WallTime(now.0 - length.as_secs_f64()))
    } else {
        let found = text.parse::<Timestamp>().ok().or_else(local);
        found.map(|found| WallTime(found.as_millisecond() as f64 / 1000.0))
    };
    match begin {
        Some(begin) if begin.0 <= now.0 => Ok(begin),
        Some(_) => Err("the time is after now".to_owned()),
        None => Err("use a length of time such as 7d or 12h, or a date such as 2026-11-01".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_and_dates() {
        // 2026-11-30T00:00:00Z
        let now = WallTime(1_795_996_800.0);
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let of = |text: &str| parse(text, now, &zone).map(|time| now.0 - time.0);
        assert_eq!(of("7d"), Ok(7.0 * 86_400.0));
        assert_eq!(of(" 90min "), Ok(5400.0));
        assert_eq!(of("2026-11-29"), Ok(86_400.0 + 3600.0), "midnight one hour east");
        assert_eq!(of("2026-11-29T12:00"), Ok(43_200.0 + 3600.0));
        assert_eq!(of("2026-11-29T12:00:00Z"), Ok(43_200.0));
        for (text, words) in
            [("7", "7d"), ("", "7d"), ("yesterday", "7d"), ("2027-01-01", "after now"), ("2026-13-01", "7d")]
        {
            assert!(of(text).unwrap_err().contains(words), "{text}");
        }
    }
}
