//! Tests that defaults and allowed values of the table are those of the configuration.

use std::collections::BTreeMap;

use super::*;
use crate::config::{HumanDuration, Layers};

fn accepts(key: &Key, value: &str) -> bool {
    let flags: BTreeMap<&'static str, String> = [(key.path, value.to_owned())].into();
    Layers { flags, ..Layers::default() }.resolve().is_ok()
}

/// A value outside of a bound, by `step` (-1 or 1); a time is halved or doubled.
fn beyond(key: &Key, bound: &str, step: i8) -> String {
    if key.kind != Kind::Time {
        return (bound.parse::<f64>().unwrap() + f64::from(step)).to_string();
    }
    let bound = HumanDuration::parse(bound).unwrap().0;
    match step {
        1 => HumanDuration(bound * 2).to_string(),
        _ if bound.is_zero() => "-1".to_owned(),
        _ => HumanDuration(bound / 2).to_string(),
    }
}

#[test]
fn allowed_values_are_accepted_and_others_are_not() {
    for key in KEYS {
        match key.allowed {
            Allowed::Words(words) => {
                for word in words {
                    assert!(accepts(key, word), "{} {word}", key.path);
                }
                assert!(!accepts(key, "another"), "{}", key.path);
            }
            Allowed::Range(from, to) => {
                for value in [from, to] {
                    assert!(accepts(key, value), "{} {value}", key.path);
                }
                for value in [beyond(key, from, -1), beyond(key, to, 1)] {
                    assert!(!accepts(key, &value), "{} {value}", key.path);
                }
            }
            Allowed::AtLeast(least) => {
                assert!(accepts(key, least), "{} {least}", key.path);
                let value = beyond(key, least, -1);
                assert!(!accepts(key, &value), "{} {value}", key.path);
            }
            Allowed::Form(form) => assert!(!form.is_empty(), "{}", key.path),
        }
    }
}

/// All words of the configuration are in the table: its error message lists them.
#[test]
fn no_allowed_word_is_left_out() {
    for key in KEYS {
        let Allowed::Words(words) = key.allowed else { continue };
        let flags = [(key.path, "another".to_owned())].into();
        let error = Layers { flags, ..Layers::default() }.resolve().unwrap_err().to_string();
        let known: Vec<&str> = error.split('`').skip(1).step_by(2).collect();
        assert!(!known.is_empty(), "{}: {error}", key.path);
        for word in known {
            assert!(words.contains(&word), "{}: {word} is not in the table", key.path);
        }
    }
}

#[test]
fn every_default_is_told_and_can_be_set() {
    for key in KEYS {
        let default = key.default();
        assert!(!default.is_empty(), "{} has no default", key.path);
        if default != key.unset {
            assert!(accepts(key, &default), "{} {default}", key.path);
            assert_eq!(key.unset, "", "{} has a default of its own", key.path);
        }
    }
}

#[test]
fn every_description_is_a_sentence() {
    for key in KEYS {
        assert!(key.doc.ends_with('.') && !key.doc.contains('\n'), "{}", key.doc);
        assert!(key.more.is_empty() || key.more.ends_with('.'), "{}", key.more);
        // Defaults and allowed values are shown separately.
        let text = format!("{} {}", key.doc, key.more).to_lowercase();
        assert!(!text.contains("default:"), "{}", key.path);
    }
}
