//! Tests the search of the alignment of two runs of pictures.

use super::*;

/// Times of a constant rate in units of `1/base` seconds, as containers round them.
fn times(count: usize, rate: f64, base: f64) -> Vec<f64> {
    (0..count).map(|number| (number as f64 / rate * base).round() / base).collect()
}

/// A picture that moves: frames differ more, the further they are apart.
fn picture(number: f64) -> [f64; 2] {
    [(number * 0.37).sin() * 40.0 + (number * 0.11).cos() * 60.0, (number * 0.23).cos() * 50.0]
}

fn difference(one: [f64; 2], other: [f64; 2]) -> f64 {
    one.iter().zip(other).map(|(one, other)| (one - other).abs()).sum()
}

/// Aligns an encode that shows these frames of the source.
fn aligned(times: &Times, shown: &[f64]) -> Alignment {
    let by = |guess: &Guess| {
        align(times, *guess, |frame, guessed| {
            std::array::from_fn(|offset| {
                let source = at_offset(guessed, offset).filter(|source| *source < times.reference.len())?;
                Some((difference(picture(source as f64), picture(shown[frame])) + 0.3) as f32)
            })
        })
    };
    let all = times.guesses();
    all.iter().map(by).min_by(|one, other| one.difference.total_cmp(&other.difference)).unwrap()
}

#[test]
fn equal_rates_are_paired_by_number_in_every_time_base() {
    for rate in [24000.0 / 1001.0, 24.0, 25.0, 30000.0 / 1001.0, 30.0, 50.0, 60000.0 / 1001.0, 60.0] {
        for base in [600.0, 1000.0, 90_000.0] {
            let times = Times { reference: times(200, rate, 12_800.0), distorted: times(200, rate, base) };
            let shown: Vec<f64> = (0..200).map(f64::from).collect();
            let found = aligned(&times, &shown);
            let expected: Vec<(u64, u64)> = (0..200).map(|number| (number, number)).collect();
            assert_eq!((found.guess, &found.pairs), (Guess::SameRate, &expected), "{rate} at 1/{base}");
            assert!(!found.is_doubtful());
        }
    }
}

#[test]
fn a_lost_head_is_found() {
    for lost in [1, 5, 10, 12] {
        let times = Times { reference: times(75, 25.0, 1e6), distorted: times(75 - lost, 25.0, 1e3) };
        let shown: Vec<f64> = (lost..75).map(|number| number as f64).collect();
        let found = aligned(&times, &shown);
        assert_eq!(found.pairs.first(), Some(&(lost as u64, 0)), "{lost}");
        assert_eq!((found.pairs.len(), found.is_doubtful()), (75 - lost, lost > 10), "{lost}");
    }
}

#[test]
fn frames_lost_without_a_gap_in_time_move_the_rest() {
    let times = Times { reference: times(200, 25.0, 1e6), distorted: times(198, 25.0, 1e3) };
    let shown: Vec<f64> = (0..80).chain(82..200).map(f64::from).collect();
    let pairs = aligned(&times, &shown).pairs;
    assert_eq!((pairs.first(), pairs.last()), (Some(&(0, 0)), Some(&(199, 197))));
}

#[test]
fn one_repeated_frame_is_the_fault_of_the_encode() {
    let times = Times { reference: times(100, 25.0, 1e6), distorted: times(100, 25.0, 1e3) };
    let shown: Vec<f64> =
        (0..100).map(|number| if number == 50 { 49.0 } else { f64::from(number) }).collect();
    let pairs = aligned(&times, &shown).pairs;
    assert_eq!(pairs.len(), 100);
    assert_eq!(pairs[50], (50, 50));
}

#[test]
fn other_rates_are_paired_as_the_encode_has_kept_frames() {
    for phase in [0, 1] {
        let times = Times { reference: times(120, 60.0, 1e6), distorted: times(60, 30.0, 1e3) };
        let shown: Vec<f64> = (0..60).map(|number| f64::from(number * 2 + phase)).collect();
        let expected: Vec<(u64, u64)> = (0..60).map(|number| (number * 2 + phase as u64, number)).collect();
        assert_eq!(aligned(&times, &shown).pairs, expected, "{phase}");
    }
    let times = Times { reference: times(60, 30.0, 1e6), distorted: times(120, 60.0, 1e3) };
    let shown: Vec<f64> = (0..120).map(|number| f64::from(number / 2)).collect();
    let expected: Vec<(u64, u64)> = (0..60).map(|number| (number, number * 2)).collect();
    assert_eq!(aligned(&times, &shown).pairs, expected, "a repeated frame is compared once");
}

#[test]
fn the_same_frames_at_another_rate_are_paired_by_number() {
    for (count, rate) in [(500, 25.0), (20_000, 24000.0 / 1001.0)] {
        let times = Times { reference: times(count, 24.0, 1e6), distorted: times(count, rate, 1e3) };
        let shown: Vec<f64> = (0..count).map(|number| number as f64).collect();
        let found = aligned(&times, &shown);
        assert_eq!((found.guess, found.pairs.len()), (Guess::Number, count), "{rate}");
        assert!(found.pairs.iter().all(|(source, encode)| source == encode), "{rate}");
    }
}

#[test]
fn other_content_is_doubtful() {
    let times = Times { reference: times(100, 25.0, 1e6), distorted: times(100, 25.0, 1e3) };
    let shown: Vec<f64> = (0..100).map(|number| f64::from(number) * 7.3 + 1000.0).collect();
    let found = aligned(&times, &shown);
    assert!(found.is_doubtful(), "{} of {}", found.difference, found.usual_difference);
}

#[test]
fn nothing_is_no_pairs() {
    let none = Times { reference: Vec::new(), distorted: Vec::new() };
    assert_eq!(aligned(&none, &[]).pairs, []);
    let one = Times { reference: vec![0.0], distorted: vec![7.0] };
    assert_eq!(aligned(&one, &[0.0]).pairs, [(0, 0)]);
}
