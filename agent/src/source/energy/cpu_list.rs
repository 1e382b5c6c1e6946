//! Parses CPU lists such as `0-3,8`.

/// The kernel's list format (`Documentation/admin-guide/cputopology.rst`); `None` for anything else.
pub(super) fn parse(text: &str) -> Option<Vec<usize>> {
    let mut cpus = Vec::new();
    for range in text.trim().split(',').filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last): (usize, usize) = (first.parse().ok()?, last.parse().ok()?);
        if last >= MAX_CPUS {
            return None;
        }
        cpus.extend(first..=last);
    }
    Some(cpus)
}

/// `CONFIG_NR_CPUS` is at most 8192 on x86-64 and arm64; more would be a damaged file.
const MAX_CPUS: usize = 8192;

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn lists() {
        assert_eq!(parse("0\n"), Some(vec![0]));
        assert_eq!(parse("0-2,8,10-11\n"), Some(vec![0, 1, 2, 8, 10, 11]));
        assert_eq!(parse("\n"), Some(vec![]));
        for nonsense in ["a", "0-", "-1", "1 2", "0-4000000000"] {
            assert_eq!(parse(nonsense), None, "{nonsense}");
        }
    }
}
