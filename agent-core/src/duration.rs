//! Formats durations for people: one number, one unit.

/// A length of time in its largest unit that leaves at least two: 119 s, 22 min, 3 h, 2 d.
pub fn in_words(seconds: f64) -> String {
    let seconds = seconds.max(0.0) as u64;
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        7200..172_800 => format!("{} h", seconds / 3600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_in_its_largest_unit() {
        let table =
            [(-5.0, "0 s"), (119.9, "119 s"), (1320.0, "22 min"), (7200.0, "2 h"), (200_000.0, "2 d")];
        for (seconds, expected) in table {
            assert_eq!(in_words(seconds), expected);
        }
    }
}
