//! Suggests the known key for an unknown, misspelt key of a file.

/// None of our keys is longer.
const LONGEST_KEY: usize = 32;

/// Changed letters up to which a key is a known one, misspelt.
const TYPING_MISTAKES: usize = 2;

/// A key of a file that should not be there. It is named when it is one of ours, misspelt; else it may be a secret in the wrong
/// place, or the file is another one altogether.
pub(crate) fn unknown_key<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let is_misspelt = |known: &str| strsim::damerau_levenshtein(name, known) <= TYPING_MISTAKES;
    if (TYPING_MISTAKES + 2..=LONGEST_KEY).contains(&name.len()) && known.into_iter().any(is_misspelt) {
        format!("unknown key {name:?}")
    } else {
        "unknown key (not shown: it may be a secret)".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_named_and_a_secret_is_not() {
        let known = || ["port", "address", "docker_port"];
        for slip in ["prot", "ports", "adress", "docker-port"] {
            assert_eq!(unknown_key(slip, known()), format!("unknown key {slip:?}"));
        }
        for other in ["", "po", "hunter2", "root:x:0:0", &"port".repeat(100_000)] {
            assert!(!unknown_key(other, known()).contains('"'), "{other}");
        }
    }
}
