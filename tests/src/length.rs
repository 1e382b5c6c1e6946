//! Selects the short form of a test, or the long one that `FFWATT_LONG=1` asks for.

/// The first value in the short form, the second in the long one.
pub fn short_or_long<T>(short: T, long: T) -> T {
    if std::env::var_os("FFWATT_LONG").is_some() { long } else { short }
}
