//! Evaluates the two size expressions of a filter, each of which may contain the other's value.

use crate::ffmpeg::command_line::filter::expression::{self, Scope, Value};
use crate::ffmpeg::command_line::frame::{Frame, MAX_SIDE, Ratio};

/// How a filter evaluates its size expressions.
pub(super) struct Sides<'a> {
    pub(super) width: &'a str,
    pub(super) height: &'a str,
    pub(super) from: Frame,
    /// Whether the values that expressions see are whole numbers, with 0 for the input's side.
    pub(super) are_whole: bool,
    /// Whether `a` has the precision of a C `float`.
    pub(super) is_single: bool,
    pub(super) function: fn(&str, f64, (f64, f64)) -> Option<f64>,
}

impl<'a> Sides<'a> {
    pub(super) fn new(width: &'a str, height: &'a str, from: Frame) -> Self {
        Self { width, height, from, are_whole: false, is_single: false, function: |_, _, _| None }
    }

    /// Width and height before rounding; `None` for what ffmpeg refuses.
    ///
    /// As in ffmpeg, the width is evaluated without the height, then the height, then the width again.
    pub(super) fn evaluate(&self) -> Option<(Value, Value)> {
        let mut names = Names { sides: self, width: Value::Known(f64::NAN), height: Value::Known(f64::NAN) };
        let first = expression::evaluate(self.width, &names)?;
        // Filters and versions differ in what a height sees of a width that itself needs the height, or that is nothing.
        names.width = match first {
            Value::Known(width) if width.abs() >= 1.0 && width.is_finite() => {
                self.seen(first, self.from.width)
            }
            _ => Value::Unknown,
        };
        let height = self.seen(expression::evaluate(self.height, &names)?, self.from.height);
        (names.width, names.height) = (Value::Unknown, height);
        let width = self.seen(expression::evaluate(self.width, &names)?, self.from.width);
        let is_refused = |value| matches!(value, Value::Known(side) if f64::is_nan(side));
        (!is_refused(width) && !is_refused(height)).then_some((width, height))
    }

    fn seen(&self, value: Value, as_it_was: Option<u32>) -> Value {
        match value {
            Value::Known(side) if self.are_whole && side.abs() < 1.0 => as_it_was.map(f64::from).into(),
            Value::Known(side) if self.are_whole => Value::Known(side.trunc()),
            other => other,
        }
    }
}

/// Names in size expressions.
struct Names<'a> {
    sides: &'a Sides<'a>,
    width: Value,
    height: Value,
}

impl Scope for Names<'_> {
    fn value(&self, name: &str) -> Option<Value> {
        let from = self.sides.from;
        let shape = from.both().map(|(width, height)| {
            if self.sides.is_single {
                f64::from(width as f32 / height as f32)
            } else {
                f64::from(width) / f64::from(height)
            }
        });
        let pixel = from.pixel.map(Ratio::value);
        let subsampling = |of: Option<u32>| of.map(|log2| f64::from(1_u32 << log2));
        Some(match name {
            "iw" | "in_w" => from.width.map(f64::from).into(),
            "ih" | "in_h" => from.height.map(f64::from).into(),
            "ow" | "out_w" => self.width,
            "oh" | "out_h" => self.height,
            "a" => shape.into(),
            "sar" => pixel.into(),
            "dar" => shape.zip(pixel).map(|(shape, pixel)| shape * pixel).into(),
            "hsub" => subsampling(from.chroma.map(|chroma| chroma.horizontal)).into(),
            "vsub" => subsampling(from.chroma.map(|chroma| chroma.vertical)).into(),
            // They depend on the frame, or on the format that the next filter takes.
            "n" | "t" | "pos" | "x" | "y" | "ohsub" | "ovsub" => Value::Unknown,
            _ => return None,
        })
    }

    fn function(&self, name: &str, argument: Value) -> Option<Value> {
        // Only its existence matters where the input is unknown.
        let size = self.sides.from.both().map(|(width, height)| (f64::from(width), f64::from(height)));
        let (Value::Known(argument), Some(size)) = (argument, size) else {
            return (self.sides.function)(name, 0.0, (1.0, 1.0)).map(|_| Value::Unknown);
        };
        (self.sides.function)(name, argument, size).map(Value::Known)
    }
}

/// A whole number of pixels that a picture can have.
pub(super) fn pixels(side: i128) -> Option<u32> {
    u32::try_from(side).ok().filter(|side| (1..=MAX_SIDE).contains(side))
}
