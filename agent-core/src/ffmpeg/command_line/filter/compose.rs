//! Computes the size of a picture that is made of several.

use crate::ffmpeg::command_line::filter::sides::pixels;
use crate::ffmpeg::command_line::filter::syntax::Options;
use crate::ffmpeg::command_line::frame::Frame;

/// `hstack`: pictures of one height beside each other.
pub(super) fn beside(inputs: &[Frame]) -> Option<Frame> {
    let first = inputs.first()?;
    // ffmpeg refuses different heights.
    let height =
        inputs.iter().map(|input| input.height).reduce(|all, one| all.filter(|_| all == one)).flatten();
    let width = height.and_then(|_| sum(inputs.iter().map(|input| input.width)));
    Some(Frame { chroma: None, ..first.with_sides(width, height) })
}

/// `vstack`: pictures of one width below each other.
pub(super) fn below(inputs: &[Frame]) -> Option<Frame> {
    let turned: Vec<Frame> = inputs.iter().map(|input| input.turned()).collect();
    beside(&turned).map(Frame::turned)
}

/// `xstack`: pictures at the places of a layout `0_0|w0_0|w0+w1_h0`, or in a grid `2x2`.
pub(super) fn placed(options: &Options, inputs: &[Frame]) -> Option<Frame> {
    if let Some(grid) = options.named(&["grid"]) {
        let columns = Frame::parse(grid)?.width?;
        let rows: Option<Vec<Frame>> = inputs.chunks(usize::try_from(columns).ok()?).map(beside).collect();
        return below(&rows?);
    }
    let layout = match options.get(&["layout"], 1) {
        Some(layout) => layout,
        None if inputs.len() == 2 => "0_0|w0_0",
        None => return None,
    };
    let (mut width, mut height, mut count) = (0, 0, 0);
    for (place, input) in layout.split('|').zip(inputs) {
        let (x, y) = place.split_once('_')?;
        width = width.max(offset(x, inputs)? + i128::from(input.width?));
        height = height.max(offset(y, inputs)? + i128::from(input.height?));
        count += 1;
    }
    let first = inputs.first()?;
    let frame = Frame { chroma: None, ..first.with_sides(pixels(width), pixels(height)) };
    Some(frame).filter(|_| count == inputs.len())
}

/// `w0+h1+10`.
fn offset(text: &str, inputs: &[Frame]) -> Option<i128> {
    let mut sum = 0;
    for term in text.split('+') {
        let term = term.trim();
        let side = |number: &str, of: fn(&Frame) -> Option<u32>| {
            inputs.get(number.parse::<usize>().ok()?).and_then(of)
        };
        let pixels: u32 = if let Some(number) = term.strip_prefix('w') {
            side(number, |input| input.width)?
        } else if let Some(number) = term.strip_prefix('h') {
            side(number, |input| input.height)?
        } else {
            term.parse().ok()?
        };
        sum += i128::from(pixels);
    }
    Some(sum)
}

/// `tile`: successive pictures in a grid, as `config_props()` in `libavfilter/vf_tile.c`.
pub(super) fn tiled(options: &Options, from: Frame) -> Option<Frame> {
    let layout = options.get(&["layout"], 0).unwrap_or("6x5");
    let (columns, rows) = Frame::parse(layout)?.both()?;
    let margin = i128::from(options.number(&["margin"], 2, 0)?);
    let padding = i128::from(options.number(&["padding"], 3, 0)?);
    let all = |side: Option<u32>, count: u32| {
        let count = i128::from(count);
        pixels(i128::from(side?) * count + (count - 1) * padding + 2 * margin)
    };
    Some(Frame { chroma: None, ..from.with_sides(all(from.width, columns), all(from.height, rows)) })
}

/// `untile`: each picture of a grid alone.
pub(super) fn untiled(options: &Options, from: Frame) -> Option<Frame> {
    let (columns, rows) = Frame::parse(options.get(&["layout"], 0).unwrap_or("6x5"))?.both()?;
    let one = |side: Option<u32>, count: u32| side.filter(|side| side % count == 0).map(|side| side / count);
    Some(Frame { chroma: None, ..from.with_sides(one(from.width, columns), one(from.height, rows)) })
}

/// `framepack`: two views in one picture.
pub(super) fn packed(options: &Options, from: Frame) -> Option<Frame> {
    let doubled = |side: Option<u32>| side.and_then(|side| side.checked_mul(2));
    let (width, height) = match options.get(&["format"], 0).unwrap_or("sbs") {
        "sbs" | "columns" => (doubled(from.width), from.height),
        "tab" | "lines" => (from.width, doubled(from.height)),
        "frameseq" => (from.width, from.height),
        _ => return None,
    };
    Some(Frame { pixel: None, chroma: None, ..from.with_sides(width, height) })
}

fn sum(sides: impl Iterator<Item = Option<u32>>) -> Option<u32> {
    let total: Option<i128> = sides.map(|side| side.map(i128::from)).sum();
    total.and_then(pixels)
}
