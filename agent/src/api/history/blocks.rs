//! A queue of watts in half precision, in blocks of one size.
//!
//! Half precision is exact to 0.05 % up to 65 kW, which is more than a chart shows, and takes half the memory. A thousand vectors that
//! grow side by side leave the heap full of holes of all sizes; blocks of one size do not.

use std::collections::VecDeque;

use half::f16;

/// Numbers of a block.
const LENGTH: usize = 60;

/// Numbers in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: VecDeque<Box<[f16; LENGTH]>>,
    /// Dropped numbers of the first block.
    dropped: usize,
    length: usize,
}

impl Blocks {
    pub(super) fn len(&self) -> usize {
        self.length
    }

    pub(super) fn push(&mut self, number: f32) {
        let place = (self.dropped + self.length) % LENGTH;
        if place == 0 {
            self.blocks.push_back(Box::new([f16::ZERO; LENGTH]));
        }
        if let Some(free) = self.blocks.back_mut().and_then(|block| block.get_mut(place)) {
            *free = f16::from_f32(number);
            self.length += 1;
        }
    }

    /// Drops the oldest numbers, until no more than this many are left.
    pub(super) fn keep_last(&mut self, most: usize) {
        self.dropped += self.length.saturating_sub(most);
        self.length = self.length.min(most);
        self.blocks.drain(..self.dropped / LENGTH);
        self.dropped %= LENGTH;
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = f32> {
        self.blocks
            .iter()
            .flat_map(|block| block.iter())
            .map(|number| number.to_f32())
            .skip(self.dropped)
            .take(self.length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_queue_and_frees_its_blocks() {
        let (mut blocks, mut expected, mut longest) = (Blocks::default(), VecDeque::new(), 0);
        for round in 0..500 {
            for number in 0..round % 7 {
                let number = ((round * 7 + number) % 2000) as f32;
                blocks.push(number);
                expected.push_back(number);
            }
            let kept = [200, 1000, 1000, 1000, 150, 59, 60, 61, 1000, 0, 1000][round / 8 % 11];
            blocks.keep_last(kept);
            expected.drain(..expected.len().saturating_sub(kept));
            assert_eq!((blocks.len(), blocks.iter().collect()), (expected.len(), expected.clone()));
            assert!(blocks.blocks.len() <= blocks.len() / LENGTH + 2);
            longest = longest.max(blocks.len());
        }
        assert!(longest > 2 * LENGTH, "several blocks are tried");
        blocks.keep_last(0);
        for watts in [1.0, f32::NAN, 123.456, 59_999.0, 0.003] {
            blocks.push(watts);
        }
        let kept: Vec<f32> = blocks.iter().collect();
        assert!(kept[1].is_nan());
        for (kept, watts) in [(kept[2], 123.456_f32), (kept[3], 59_999.0), (kept[4], 0.003)] {
            assert!((kept / watts - 1.0).abs() < 5e-4, "{kept} W of {watts} W");
        }
    }
}
