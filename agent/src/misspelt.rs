//! Suggests the known key for an unknown, misspelt key of a file.

/// Longest length of a key.
const LONGEST_KEY: usize = 32;

/// Most changed letters of a misspelt key.
const TYPING_MISTAKES: usize = 2;

/// Describes an unknown key of a file. It is named only when it is a known key, misspelt; otherwise it may be a secret in the wrong
/// place, or the file may be no configuration at all.
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
