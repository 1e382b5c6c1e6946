//! Pairs the frames of two videos by time and by content.
//!
//! The frame of the source that is nearest in time is the first guess. A search over ±10 frames around this guess (Viterbi's
//! algorithm over the offset) finds a lost head, and the frames that an encode of another rate has kept. A change of the
//! offset has a price, so that differences between frames that look alike do not change the pairs.

/// Offsets that are searched, in frames of the source to each side: ten, and the drift of a change of rate.
const WINDOW: usize = 13;
const OFFSETS: usize = 2 * WINDOW + 1;

/// Most frames that one of two videos may lack at its start.
const FARTHEST_START: u64 = 10;

/// Price of a change of the offset where both have one rate, as a difference of samples (0 to 255) summed over frames. One
/// repeated frame does not pay for two changes; a second of frames that are paired one off does.
const CHANGE: f32 = 30.0;

/// The same price where the rates differ: each change is usual there.
const CHANGE_OF_RATE: f32 = 0.1;

/// Price of a frame without a counterpart, beside that of the best pair: ends must not be skipped to save changes.
const WITHOUT: f32 = 2.0;

/// Price of each frame of offset, which decides between equal pictures.
const DISTANCE: f32 = 0.002;

/// Mean difference of samples from which aligned pictures are doubtful.
const DOUBTFUL: f64 = 6.0;

/// Relative difference of rates that may be none: times in milliseconds give a rate no more exactly over a second.
const SAME_RATE: f64 = 0.0015;

/// Times of the frames of both videos, in seconds, ascending.
#[derive(Clone, Debug)]
pub(super) struct Times {
    pub(super) reference: Vec<f64>,
    pub(super) distorted: Vec<f64>,
}

/// How the first guess is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// Both have the same rate: by time.
    SameRate,
    /// Both have the same frames at another rate: by number.
    Number,
    /// The rates differ: by time.
    Rates,
}

/// Pairs of frames and their likeness.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Alignment {
    pub(super) guess: Guess,
    /// Frames of source and encode, ascending in both.
    pub(super) pairs: Vec<(u64, u64)>,
    /// Mean difference of samples of the pairs.
    pub(super) difference: f64,
    /// Mean of the median difference to the frames around.
    pub(super) usual_difference: f64,
}

impl Alignment {
    /// Each frame with that of the same number.
    pub(super) fn in_step(frames: u64) -> Self {
        let pairs = (0..frames).map(|frame| (frame, frame)).collect();
        Self { guess: Guess::SameRate, pairs, difference: 0.0, usual_difference: 0.0 }
    }

    /// Whether the pictures of the pairs do not resemble each other more than other frames do, or the start is at the end of the
    /// search, so that a better one may lie beyond.
    pub(super) fn is_doubtful(&self) -> bool {
        let is_unlike = self.difference > DOUBTFUL && self.difference > 0.6 * self.usual_difference;
        let start = self.pairs.first().map_or(0, |(source, encode)| source.abs_diff(*encode));
        is_unlike || (self.guess == Guess::SameRate && start > FARTHEST_START)
    }
}

impl Times {
    /// The ways in which frames may be paired first: the one with the least difference is right.
    pub(super) fn guesses(&self) -> Vec<Guess> {
        let (reference, distorted) = (self.reference.len(), self.distorted.len());
        let rates = rate(&self.reference).zip(rate(&self.distorted));
        let difference = rates.map_or(0.0, |(one, other)| (one / other - 1.0).abs());
        // 24 and 24000/1001 drift apart by a frame in 42 seconds.
        let drift = difference * reference.min(distorted) as f64;
        let is_same = difference < SAME_RATE && drift <= FARTHEST_START as f64;
        let is_of_equal_length = reference.abs_diff(distorted) <= 1;
        match (is_same, is_of_equal_length) {
            (true, _) => vec![Guess::SameRate],
            (false, true) => vec![Guess::Rates, Guess::Number],
            (false, false) => vec![Guess::Rates],
        }
    }

    /// For each frame of the encode, the frame of the source that is nearest in time. After the end of the source, numbers go on.
    fn nearest(&self) -> Vec<usize> {
        let interval = rate(&self.reference).map_or(1.0, |rate| 1.0 / rate);
        let start = |times: &[f64]| times.first().copied().unwrap_or(0.0);
        let (reference_start, distorted_start) = (start(&self.reference), start(&self.distorted));
        let last = self.reference.len().saturating_sub(1);
        let time = |index: usize| self.reference.get(index).map_or(0.0, |time| time - reference_start);
        let mut at = 0;
        let nearest = |time_in_encode: &f64| {
            let wanted = time_in_encode - distorted_start;
            while at < last && time(at + 1) - wanted <= wanted - time(at) {
                at += 1;
            }
            let beyond =
                if at == last { ((wanted - time(last)) / interval).round().max(0.0) as usize } else { 0 };
            at + beyond
        };
        self.distorted.iter().map(nearest).collect()
    }
}

/// Mean rate in frames a second; `None` for a single frame.
pub(super) fn rate(times: &[f64]) -> Option<f64> {
    let length = times.last()? - times.first()?;
    (length > 0.0).then(|| (times.len() - 1) as f64 / length)
}

/// Differences of one frame to the source's frames at all offsets: in 256ths, [`NONE`] where there is no such frame.
type Row = [u16; OFFSETS];

/// No difference, because the source has no such frame.
const NONE: u16 = u16::MAX;

/// Pairs frames from one guess. `rows` gives, for a frame of the encode and the frame of the source that was guessed for it, the
/// mean differences of samples to the frames of the source at all offsets; `None` where the source has no such frame.
pub(super) fn align(
    times: &Times,
    guess: Guess,
    mut rows: impl FnMut(usize, usize) -> [Option<f32>; OFFSETS],
) -> Alignment {
    let (change, guessed) = match guess {
        Guess::SameRate => (CHANGE, times.nearest()),
        Guess::Number => (CHANGE, (0..times.distorted.len()).collect()),
        Guess::Rates => (CHANGE_OF_RATE, times.nearest()),
    };
    let mut costs = [0.0_f32; OFFSETS];
    let mut origins: Vec<[u8; OFFSETS]> = Vec::with_capacity(guessed.len());
    let mut differences: Vec<Row> = Vec::with_capacity(guessed.len());
    let mut before = None;
    for (frame, guessed) in guessed.iter().enumerate() {
        let row = rows(frame, *guessed);
        let step = before.map_or(0, |before| guessed.saturating_sub(before));
        let (next, origin) = advance(&costs, &row, step, change, before.is_none());
        costs = next;
        origins.push(origin);
        differences.push(row.map(|one| one.map_or(NONE, |one| (one * 256.0) as u16)));
        before = Some(*guessed);
    }
    let offsets = trace(&costs, &origins);
    collect(guess, &guessed, &offsets, &differences)
}

/// One step of the search: the costs of all offsets after one more frame, and the offset from which each is reached best.
fn advance(
    costs: &[f32; OFFSETS],
    row: &[Option<f32>; OFFSETS],
    step: usize,
    change: f32,
    is_first: bool,
) -> ([f32; OFFSETS], [u8; OFFSETS]) {
    let best = row.iter().flatten().copied().fold(f32::INFINITY, f32::min);
    let without = WITHOUT + if best.is_finite() { best } else { 0.0 };
    let (mut next, mut origin) = ([0.0; OFFSETS], [0; OFFSETS]);
    let cost = |offset: usize| costs.get(offset).copied().unwrap_or(f32::INFINITY);
    let mut cheapest = 0;
    let mut reached = 0;
    for (offset, difference) in row.iter().enumerate() {
        // The source does not go back: an earlier offset is at most `step` frames greater.
        while reached < OFFSETS && reached <= offset + step {
            if cost(reached) < cost(cheapest) {
                cheapest = reached;
            }
            reached += 1;
        }
        let (mut total, mut from) = (cost(offset), offset);
        if cost(cheapest) + change < total && !is_first {
            (total, from) = (cost(cheapest) + change, cheapest);
        }
        let distance = DISTANCE * offset.abs_diff(WINDOW) as f32;
        if let (Some(next), Some(origin)) = (next.get_mut(offset), origin.get_mut(offset)) {
            *next = total + difference.unwrap_or(without) + distance;
            *origin = from as u8;
        }
    }
    (next, origin)
}

/// The offset of each frame on the cheapest way.
fn trace(costs: &[f32; OFFSETS], origins: &[[u8; OFFSETS]]) -> Vec<usize> {
    let cheapest = costs.iter().enumerate().min_by(|(_, one), (_, other)| one.total_cmp(other));
    let mut offset = cheapest.map_or(WINDOW, |(offset, _)| offset);
    let mut offsets: Vec<usize> = Vec::with_capacity(origins.len());
    for origin in origins.iter().rev() {
        offsets.push(offset);
        offset = origin.get(offset).map_or(offset, |from| usize::from(*from));
    }
    offsets.reverse();
    offsets
}

/// Pairs of the offsets: each frame of the source once, with the first frame of the encode that shows it.
fn collect(guess: Guess, guessed: &[usize], offsets: &[usize], rows: &[Row]) -> Alignment {
    let mut pairs: Vec<(u64, u64)> = Vec::new();
    let (mut sum, mut usual) = (0.0, 0.0);
    for (frame, ((guessed, offset), row)) in guessed.iter().zip(offsets).zip(rows).enumerate() {
        let Some(difference) = row.get(*offset).filter(|difference| **difference != NONE) else { continue };
        let source = (guessed + offset - WINDOW) as u64;
        if pairs.last().is_some_and(|(last, _)| *last >= source) {
            continue;
        }
        pairs.push((source, frame as u64));
        sum += f64::from(*difference) / 256.0;
        let mut around: Vec<u16> = row.iter().copied().filter(|one| *one != NONE).collect();
        around.sort_unstable();
        usual += f64::from(around.get(around.len() / 2).copied().unwrap_or(0)) / 256.0;
    }
    let count = pairs.len().max(1) as f64;
    Alignment { guess, pairs, difference: sum / count, usual_difference: usual / count }
}

/// Number of the source's frame at an offset of a guess; `None` before the first one.
pub(super) fn at_offset(guessed: usize, offset: usize) -> Option<usize> {
    (guessed + offset).checked_sub(WINDOW)
}

/// Offsets that a row has.
pub(super) const ROW: usize = OFFSETS;

#[cfg(test)]
mod tests;
