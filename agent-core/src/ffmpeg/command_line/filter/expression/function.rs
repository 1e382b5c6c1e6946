//! Table of the functions of ffmpeg's expressions, as `eval_expr()` in libavutil/eval.c computes them.

use crate::ffmpeg::command_line::filter::expression::Value;

/// `None` for a function that does not exist with one argument.
pub(super) fn of_one(name: &str, argument: Value) -> Option<Value> {
    let function: fn(f64) -> f64 = match name {
        "sinh" => f64::sinh,
        "cosh" => f64::cosh,
        "tanh" => f64::tanh,
        "sin" => f64::sin,
        "cos" => f64::cos,
        "tan" => f64::tan,
        "atan" => f64::atan,
        "asin" => f64::asin,
        "acos" => f64::acos,
        "exp" => f64::exp,
        "log" => f64::ln,
        "abs" => f64::abs,
        "isnan" => |value| truth(value.is_nan()),
        "isinf" => |value| truth(value.is_infinite()),
        "floor" => f64::floor,
        "ceil" => f64::ceil,
        "trunc" => f64::trunc,
        "round" => f64::round,
        "sqrt" => f64::sqrt,
        "not" => |value| truth(is_zero(value)),
        "sgn" => |value| truth(value > 0.0) - truth(value < 0.0),
        "squish" | "gauss" | "ld" | "print" | "random" => return Some(Value::Unknown),
        _ => return None,
    };
    Some(argument.map(function))
}

/// `None` for a function that does not exist with two arguments.
pub(super) fn of_two(name: &str, first: Value, second: Value) -> Option<Value> {
    let function: fn(f64, f64) -> f64 = match name {
        "mod" => |value, divisor| value - (value / divisor).floor() * divisor,
        "max" => |first, second| if first > second { first } else { second },
        "min" => |first, second| if first < second { first } else { second },
        "eq" => |first, second| truth(is_zero(first - second)),
        "gt" => |first, second| truth(first > second),
        "gte" => |first, second| truth(first >= second),
        "lt" => |first, second| truth(first < second),
        "lte" => |first, second| truth(first <= second),
        "pow" => f64::powf,
        "hypot" => f64::hypot,
        "atan2" => f64::atan2,
        "bitand" => |first, second| bits(first, second, |first, second| first & second),
        "bitor" => |first, second| bits(first, second, |first, second| first | second),
        "if" => return Some(choose(first, second, Value::Known(0.0))),
        "ifnot" => return Some(choose(first, Value::Known(0.0), second)),
        "gcd" | "st" | "while" | "taylor" | "root" | "print" | "randomi" => return Some(Value::Unknown),
        _ => return None,
    };
    Some(first.with(second, function))
}

/// `None` for a function that does not exist with three arguments.
pub(super) fn of_three(name: &str, first: Value, second: Value, third: Value) -> Option<Value> {
    match name {
        "if" => Some(choose(first, second, third)),
        "ifnot" => Some(choose(first, third, second)),
        "clip" => Some(match (first, second, third) {
            (Value::Known(value), Value::Known(least), Value::Known(most)) => {
                let is_range = least <= most && !value.is_nan();
                Value::Known(if is_range { value.max(least).min(most) } else { f64::NAN })
            }
            _ => Value::Unknown,
        }),
        "between" => Some(match (first, second, third) {
            (Value::Known(value), Value::Known(least), Value::Known(most)) => {
                Value::Known(truth(value >= least && value <= most))
            }
            _ => Value::Unknown,
        }),
        "lerp" | "taylor" | "randomi" => Some(Value::Unknown),
        _ => None,
    }
}

/// The branch that is not taken may be unknown.
fn choose(condition: Value, yes: Value, no: Value) -> Value {
    match condition {
        Value::Known(condition) if is_zero(condition) => no,
        Value::Known(_) => yes,
        Value::Unknown => Value::Unknown,
    }
}

fn bits(first: f64, second: f64, of: impl FnOnce(i64, i64) -> i64) -> f64 {
    if first.is_nan() || second.is_nan() {
        return f64::NAN;
    }
    of(first as i64, second as i64) as f64
}

fn truth(is_true: bool) -> f64 {
    f64::from(u8::from(is_true))
}

/// Exactly zero: conditions are compared, not measured.
fn is_zero(value: f64) -> bool {
    value.abs().to_bits() == 0
}
