//! Evaluates ffmpeg's expressions for sizes, such as `trunc(oh*a/2)*2`.
//!
//! The part of ffmpeg's expressions (ffmpeg-utils(1), "Expression Evaluation") that people write into sizes: numbers, the
//! input's and the other side, the four operations, and a few functions.

use crate::ffmpeg::command_line::frame::Frame;

/// Deeper nesting is not evaluated.
const MAX_DEPTH: u32 = 16;

/// Values of names.
#[derive(Clone, Copy, Debug)]
pub(super) struct Values {
    pub(super) from: Frame,
    /// The output's sides, as far as they are already known.
    pub(super) width: Option<f64>,
    pub(super) height: Option<f64>,
}

/// Evaluates an expression; `None` for unknown names and other syntax.
pub(super) fn evaluate(text: &str, values: Values) -> Option<f64> {
    let mut parser = Parser { rest: text.trim(), values, depth: 0 };
    let value = parser.sum()?;
    (parser.rest.is_empty() && value.is_finite()).then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
    values: Values,
    depth: u32,
}

impl Parser<'_> {
    fn sum(&mut self) -> Option<f64> {
        let mut value = self.product()?;
        loop {
            if self.takes('+') {
                value += self.product()?;
            } else if self.takes('-') {
                value -= self.product()?;
            } else {
                return Some(value);
            }
        }
    }

    fn product(&mut self) -> Option<f64> {
        let mut value = self.factor()?;
        loop {
            if self.takes('*') {
                value *= self.factor()?;
            } else if self.takes('/') {
                value /= self.factor()?;
            } else {
                return Some(value);
            }
        }
    }

    fn factor(&mut self) -> Option<f64> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let value = if self.takes('-') {
            -self.factor()?
        } else if self.takes('(') {
            let value = self.sum()?;
            self.takes(')').then_some(value)?
        } else {
            self.word()?
        };
        self.depth -= 1;
        Some(value)
    }

    /// A number, a name, or a function of one or two values.
    fn word(&mut self) -> Option<f64> {
        let is_part = |character: char| character.is_ascii_alphanumeric() || matches!(character, '.' | '_');
        let end = self.rest.find(|character| !is_part(character)).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(end);
        self.rest = rest.trim_start();
        if word.starts_with(|character: char| character.is_ascii_digit() || character == '.') {
            return word.parse().ok();
        }
        if !self.takes('(') {
            return self.named(word);
        }
        let first = self.sum()?;
        let second = if self.takes(',') { Some(self.sum()?) } else { None };
        if !self.takes(')') {
            return None;
        }
        match (word, second) {
            ("trunc", None) => Some(first.trunc()),
            ("floor", None) => Some(first.floor()),
            ("ceil", None) => Some(first.ceil()),
            ("round", None) => Some(first.round()),
            ("min", Some(second)) => Some(first.min(second)),
            ("max", Some(second)) => Some(first.max(second)),
            _ => None,
        }
    }

    fn named(&self, name: &str) -> Option<f64> {
        let Values { from, width, height } = self.values;
        match name {
            "iw" | "in_w" => from.width.map(f64::from),
            "ih" | "in_h" => from.height.map(f64::from),
            "ow" | "out_w" => width,
            "oh" | "out_h" => height,
            // Pixels of encoded video are square, except in old television formats.
            "a" | "dar" => from.both().map(|(width, height)| f64::from(width) / f64::from(height)),
            "sar" => Some(1.0),
            _ => None,
        }
    }

    fn takes(&mut self, wanted: char) -> bool {
        let rest = self.rest.trim_start();
        let after = rest.strip_prefix(wanted);
        self.rest = after.map_or(rest, str::trim_start);
        after.is_some()
    }
}
