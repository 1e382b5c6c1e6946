//! Evaluates ffmpeg's expressions, such as `trunc(oh*a/2)*2`.
//!
//! The grammar is that of `av_expr_parse()` in libavutil/eval.c; ffmpeg-utils(1), "Expression Evaluation". Functions that store, loop or
//! draw random numbers have no value here. One pass over the text, nested at most [`MAX_DEPTH`] deep.

mod function;

/// As in ffmpeg, deeper nesting is an error.
const MAX_DEPTH: u32 = 100;

/// Value of an expression: unknown where it depends on something that the command line does not say.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::ffmpeg::command_line) enum Value {
    Known(f64),
    Unknown,
}

/// The names that a filter defines.
pub(in crate::ffmpeg::command_line) trait Scope {
    /// `None` when the filter has no such name.
    fn value(&self, name: &str) -> Option<Value>;

    /// A function of one number that only this filter has.
    fn function(&self, _name: &str, _argument: Value) -> Option<Value> {
        None
    }
}

/// `None` for what ffmpeg refuses.
pub(in crate::ffmpeg::command_line) fn evaluate(text: &str, scope: &dyn Scope) -> Option<Value> {
    let text: String = text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    let mut parser = Parser { rest: &text, scope, depth: 0 };
    let value = parser.expression()?;
    parser.rest.is_empty().then_some(value)
}

impl Value {
    fn map(self, of: impl FnOnce(f64) -> f64) -> Self {
        match self {
            Self::Known(value) => Self::Known(of(value)),
            Self::Unknown => Self::Unknown,
        }
    }

    fn with(self, other: Self, of: impl FnOnce(f64, f64) -> f64) -> Self {
        match (self, other) {
            (Self::Known(first), Self::Known(second)) => Self::Known(of(first, second)),
            _ => Self::Unknown,
        }
    }
}

impl From<Option<f64>> for Value {
    fn from(value: Option<f64>) -> Self {
        value.map_or(Self::Unknown, Self::Known)
    }
}

struct Parser<'a> {
    rest: &'a str,
    scope: &'a dyn Scope,
    depth: u32,
}

impl<'a> Parser<'a> {
    /// Several expressions, of which the last is the value.
    fn expression(&mut self) -> Option<Value> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return None;
        }
        let mut value = self.sum()?;
        while self.takes(';') {
            value = self.sum()?;
        }
        self.depth -= 1;
        Some(value)
    }

    fn sum(&mut self) -> Option<Value> {
        let mut value = self.product()?;
        // The sign belongs to the next term.
        while self.rest.starts_with(['+', '-']) {
            value = value.with(self.product()?, |sum, term| sum + term);
        }
        Some(value)
    }

    fn product(&mut self) -> Option<Value> {
        let mut value = self.power()?;
        loop {
            if self.takes('*') {
                value = value.with(self.power()?, |product, factor| product * factor);
            } else if self.takes('/') {
                value = value.with(self.power()?, |product, divisor| product / divisor);
            } else {
                return Some(value);
            }
        }
    }

    /// The sign applies to the whole power: `-2^2` is -4.
    fn power(&mut self) -> Option<Value> {
        let sign = self.sign();
        let mut value = self.primary()?;
        while self.takes('^') {
            let sign = self.sign();
            value = value.with(self.primary()?, |base, exponent| base.powf(exponent * sign));
        }
        Some(value.map(|value| value * sign))
    }

    fn sign(&mut self) -> f64 {
        if self.takes('-') {
            return -1.0;
        }
        self.takes('+');
        1.0
    }

    fn primary(&mut self) -> Option<Value> {
        if let Some((number, rest)) = number(self.rest) {
            self.rest = rest;
            return Some(Value::Known(number));
        }
        if self.takes('(') {
            let value = self.expression()?;
            return self.takes(')').then_some(value);
        }
        let is_part = |character: char| character.is_ascii_alphanumeric() || character == '_';
        let end = self.rest.find(|character| !is_part(character)).unwrap_or(self.rest.len());
        let (name, rest): (&'a str, &'a str) = self.rest.split_at(end);
        self.rest = rest;
        let constant = || match name {
            "PI" => Some(Value::Known(std::f64::consts::PI)),
            "E" => Some(Value::Known(std::f64::consts::E)),
            "PHI" => Some(Value::Known(1.618_033_988_749_895)),
            "QP2LAMBDA" => Some(Value::Known(118.0)),
            _ => None,
        };
        if let Some(value) = self.scope.value(name).or_else(constant) {
            return Some(value);
        }
        self.call(name)
    }

    /// A function with one to three arguments.
    fn call(&mut self, name: &str) -> Option<Value> {
        if !self.takes('(') {
            return None;
        }
        let first = self.expression()?;
        let second = if self.takes(',') { Some(self.expression()?) } else { None };
        let third = if second.is_some() && self.takes(',') { Some(self.expression()?) } else { None };
        if !self.takes(')') {
            return None;
        }
        match (second, third) {
            (None, None) => function::of_one(name, first).or_else(|| self.scope.function(name, first)),
            (Some(second), None) => function::of_two(name, first, second),
            (Some(second), Some(third)) => function::of_three(name, first, second, third),
            (None, Some(_)) => None,
        }
    }

    fn takes(&mut self, wanted: char) -> bool {
        let after = self.rest.strip_prefix(wanted);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }
}

/// A number with its suffix and the text after it, as `av_strtod()`: `1.5k`, `2Mi`, `0x10`, `1e3`.
fn number(text: &str) -> Option<(f64, &str)> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let is_number =
        unsigned.trim_start_matches('.').starts_with(|character: char| character.is_ascii_digit());
    if !is_number || unsigned.starts_with("..") {
        return None;
    }
    let hexadecimal = unsigned.strip_prefix("0x").or_else(|| unsigned.strip_prefix("0X"));
    let (value, rest) = if let Some(digits) = hexadecimal {
        let end = digits.find(|character: char| !character.is_ascii_hexdigit()).unwrap_or(digits.len());
        (f64::from(u32::from_str_radix(digits.get(..end)?, 16).ok()?), digits.get(end..)?)
    } else {
        let end = decimal(unsigned);
        (unsigned.get(..end)?.parse().ok()?, unsigned.get(end..)?)
    };
    let (value, rest) = suffixed(value, rest);
    Some((value * sign, rest))
}

/// Length of a decimal number with its exponent.
fn decimal(text: &str) -> usize {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        from + rest.find(|character: char| !character.is_ascii_digit()).unwrap_or(rest.len())
    };
    let mut end = digits(0);
    if text.get(end..).is_some_and(|rest| rest.starts_with('.')) {
        end = digits(end + 1);
    }
    let exponent = text.get(end..).unwrap_or_default();
    if let Some(after) = exponent.strip_prefix(['e', 'E']) {
        let sign = usize::from(after.starts_with(['+', '-']));
        let start = end + 1 + sign;
        if digits(start) > start {
            return digits(start);
        }
    }
    end
}

/// Applies the SI prefix after a number: `i` after it makes it binary, `B` makes bits of bytes.
fn suffixed(value: f64, text: &str) -> (f64, &str) {
    const PREFIXES: [(char, f64, i32); 20] = [
        ('y', 1e-24, -80),
        ('z', 1e-21, -70),
        ('a', 1e-18, -60),
        ('f', 1e-15, -50),
        ('p', 1e-12, -40),
        ('n', 1e-9, -30),
        ('u', 1e-6, -20),
        ('m', 1e-3, -10),
        ('c', 1e-2, 0),
        ('d', 1e-1, 0),
        ('h', 1e2, 0),
        ('k', 1e3, 10),
        ('K', 1e3, 10),
        ('M', 1e6, 20),
        ('G', 1e9, 30),
        ('T', 1e12, 40),
        ('P', 1e15, 50),
        ('E', 1e18, 60),
        ('Z', 1e21, 70),
        ('Y', 1e24, 80),
    ];
    if let Some(rest) = text.strip_prefix("dB") {
        return (10.0_f64.powf(value / 20.0), rest);
    }
    let (mut value, mut rest) = (value, text);
    if let Some((prefix, ten, two)) = PREFIXES.iter().find(|(prefix, ..)| text.starts_with(*prefix)) {
        let after = text.strip_prefix(*prefix).unwrap_or(text);
        (value, rest) = match after.strip_prefix('i') {
            Some(binary) if *two != 0 => (value * power_of_two(*two), binary),
            _ => (value * ten, after),
        };
    }
    match rest.strip_prefix('B') {
        Some(rest) => (value * 8.0, rest),
        None => (value, rest),
    }
}

/// Exact, which `powi` is not promised to be: the exponent of a 64-bit float (IEEE 754), between -1022 and 1023.
fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(u64::from((exponent + 1023).unsigned_abs()) << 52)
}

#[cfg(test)]
mod tests;
