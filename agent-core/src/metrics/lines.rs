//! Hands each line of a text to a function while the text is being written, so that the whole text is never in memory twice.

use std::fmt;

/// A writer that hands on each line, without its line break, once it is complete.
pub(super) struct Lines<F> {
    open: String,
    each: F,
}

impl<F: FnMut(&str)> Lines<F> {
    pub(super) fn new(each: F) -> Self {
        Self { open: String::new(), each }
    }
}

impl<F: FnMut(&str)> fmt::Write for Lines<F> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let mut rest = text;
        while let Some((line, after)) = rest.split_once('\n') {
            self.open.push_str(line);
            (self.each)(&self.open);
            self.open.clear();
            rest = after;
        }
        self.open.push_str(rest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn lines_are_handed_on_whole_however_they_are_written() {
        let mut seen = Vec::new();
        let mut lines = Lines::new(|line: &str| seen.push(line.to_owned()));
        for part in ["a", "b\nc\n", "", "\nd", "e\n", "not complete"] {
            lines.write_str(part).unwrap();
        }
        assert_eq!(seen, ["ab", "c", "", "de"]);
    }
}
