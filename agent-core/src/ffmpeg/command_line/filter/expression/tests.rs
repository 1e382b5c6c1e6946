//! Tests expressions against the values of ffmpeg.

use proptest::prelude::*;

use super::*;
use crate::few;

/// `iw` is 1920; `n` exists, without a value.
struct Wide;

impl Scope for Wide {
    fn value(&self, name: &str) -> Option<Value> {
        match name {
            "iw" => Some(Value::Known(1920.0)),
            "n" => Some(Value::Unknown),
            _ => None,
        }
    }
}

fn known(text: &str) -> f64 {
    match evaluate(text, &Wide) {
        Some(Value::Known(value)) => value,
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn values() {
    for (text, value) in [
        ("1 + 2 * 3", 7.0),
        ("-2^2", -4.0),
        ("2^-1", 0.5),
        ("--3", 3.0),
        ("7-2-1", 4.0),
        ("12/3/2", 2.0),
        ("1;2", 2.0),
        ("1k", 1000.0),
        ("1Ki", 1024.0),
        ("2KiB", 16_384.0),
        ("0x10", 16.0),
        (".5", 0.5),
        ("1e2", 100.0),
        ("20dB", 10.0),
        ("trunc(-1.5)", -1.0),
        ("round(2.5)", 3.0),
        ("mod(7,4)", 3.0),
        ("bitand(12,10)+bitor(1,2)", 11.0),
        ("clip(9,1,5)", 5.0),
        ("between(2,1,3)", 1.0),
        ("if(gt(iw,1280),1280,iw)", 1280.0),
        ("ifnot(1,3)", 0.0),
        ("if(0,n,4)", 4.0),
        ("not(0)+eq(iw,1920)", 2.0),
    ] {
        // The last digit of a power differs by platform.
        let most = 1e-12 * f64::max(1.0, f64::abs(value));
        assert!((known(text) - value).abs() < most, "{text}: {}", known(text));
    }
}

#[test]
#[expect(clippy::float_cmp, reason = "a prefix is exact")]
fn prefixes_are_exact() {
    for (text, value) in [
        ("1y", 1e-24),
        ("3u", 3.0 * 1e-6),
        ("7h", 700.0),
        ("1Y", 1e24),
        ("1Mi", 1_048_576.0),
        ("1Yi", (1_u128 << 80) as f64),
        ("1yi", 1.0 / (1_u128 << 80) as f64),
        ("4miB", 4.0 / 1024.0 * 8.0),
    ] {
        assert_eq!(known(text), value, "{text}");
    }
}

#[test]
fn unknown_and_refused() {
    for text in ["n", "n*0", "min(1,n)", "if(n,1,1)", "random(0)", "while(1,2)", "ld(0)"] {
        assert_eq!(evaluate(text, &Wide), Some(Value::Unknown), "{text}");
    }
    for text in ["", "iw+", "(1", "1)", "foo", "foo(1)", "trunc(1,2)", "max(1)", "ih", "1,2"] {
        assert_eq!(evaluate(text, &Wide), None, "{text}");
    }
    assert_eq!(evaluate(&"(".repeat(few(100_000)), &Wide), None);
}

proptest! {
    #[test]
    fn anything_is_evaluated_or_refused(text in r"[-+*/^();,.0-9a-zA-Z_ \\']{0,80}|\PC{0,40}") {
        let _ = evaluate(&text, &Wide);
    }

    #[test]
    fn a_sum_is_the_sum(first in -1e6..1e6_f64, second in 0.0..1e6_f64) {
        let text = format!("{first}+{second}");
        prop_assert!((known(&text) - (first + second)).abs() < 1e-9);
    }
}
