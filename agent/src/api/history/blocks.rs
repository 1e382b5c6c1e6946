//! A queue of numbers in blocks of one size: a thousand vectors that grow side by side leave the heap full of holes of all sizes.

use std::collections::VecDeque;

/// Numbers of a block.
const LENGTH: usize = 60;

/// Numbers in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    blocks: VecDeque<Box<[f32; LENGTH]>>,
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
            self.blocks.push_back(Box::new([0.0; LENGTH]));
        }
        if let Some(free) = self.blocks.back_mut().and_then(|block| block.get_mut(place)) {
            *free = number;
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
        self.blocks.iter().flat_map(|block| block.iter().copied()).skip(self.dropped).take(self.length)
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
                blocks.push((round * 10 + number) as f32);
                expected.push_back((round * 10 + number) as f32);
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
        blocks.push(1.0);
        assert_eq!(blocks.iter().collect::<Vec<_>>(), [1.0]);
    }
}
