//! Parses the progress that ffmpeg posts.
//!
//! Lines `key=value`, in blocks that end with `progress=continue` or `progress=end` (`print_report` in ffmpeg's `fftools/ffmpeg.c`).
//! An unknown value is `N/A`; numbers are padded with spaces.

use std::time::Duration;

use crate::model::progress::Block;

/// Longest accepted line; ffmpeg's own are under 50 bytes.
const MAX_LINE: usize = 512;

/// A line is longer than any of ffmpeg's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a line of more than {MAX_LINE} bytes: this is no output of ffmpeg -progress")]
pub struct TooLong;

/// Parses bytes in pieces of any length into blocks.
#[derive(Debug, Default)]
pub struct Lines {
    line: Vec<u8>,
    block: Block,
}

impl Lines {
    /// Parses more bytes; returns the last block that they complete, if any.
    pub fn push(&mut self, mut bytes: &[u8]) -> Result<Option<Block>, TooLong> {
        let mut last = None;
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.extend(&bytes[..end])?;
            bytes = &bytes[end + 1..];
            let line = std::mem::take(&mut self.line);
            if let Some(block) = self.line(&String::from_utf8_lossy(&line)) {
                last = Some(block);
            }
        }
        self.extend(bytes)?;
        Ok(last)
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), TooLong> {
        if self.line.len() + bytes.len() > MAX_LINE {
            return Err(TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    /// Parses a whole line; returns the block that it completes, if any.
    pub fn line(&mut self, line: &str) -> Option<Block> {
        let (key, value) = line.split_once('=')?;
        let value = value.trim();
        let block = &mut self.block;
        match key.trim() {
            "frame" => block.frames = value.parse().ok(),
            "fps" => block.frame_rate = number(value),
            "bitrate" => {
                block.bitrate = value.strip_suffix("kbits/s").and_then(number).map(|kilobits| kilobits * 1e3);
            }
            // Negative before the first packet of a stream that begins late.
            "out_time_us" => block.output_time = value.parse().ok().map(Duration::from_micros),
            "dup_frames" => block.duplicated = value.parse().ok(),
            "drop_frames" => block.dropped = value.parse().ok(),
            "speed" => block.speed = value.strip_suffix('x').and_then(number),
            "progress" => {
                block.is_end = value == "end";
                return Some(std::mem::take(block));
            }
            _ => {}
        }
        None
    }
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite() && *number >= 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As ffmpeg 5.1 sends it, to a file that is being written.
    const BLOCK: &str = "frame=46\nfps=30.22\nstream_0_0_q=29.0\nbitrate= 413.5kbits/s\ntotal_size=46620\nout_time_us=900000\n\
                         out_time_ms=900000\nout_time=00:00:00.900000\ndup_frames=2\ndrop_frames=1\nspeed=0.591x\nprogress=continue\n";

    #[test]
    fn a_block_however_it_is_cut() {
        let expected = Block {
            frames: Some(46),
            frame_rate: Some(30.22),
            bitrate: Some(413_500.0),
            output_time: Some(Duration::from_millis(900)),
            duplicated: Some(2),
            dropped: Some(1),
            speed: Some(0.591),
            is_end: false,
        };
        for size in 1..BLOCK.len() {
            let mut lines = Lines::default();
            let blocks: Vec<Block> =
                BLOCK.as_bytes().chunks(size).filter_map(|chunk| lines.push(chunk).unwrap()).collect();
            assert_eq!(blocks, std::slice::from_ref(&expected), "cut into pieces of {size}");
        }
    }

    #[test]
    fn what_ffmpeg_does_not_know_is_absent() {
        let text =
            "frame=1\nfps=0.00\nbitrate=N/A\ntotal_size=N/A\nout_time_us=N/A\nspeed=N/A\nprogress=end\n";
        let block = Lines::default().push(text.as_bytes()).unwrap().unwrap();
        let expected = Block { frames: Some(1), frame_rate: Some(0.0), is_end: true, ..Block::default() };
        assert_eq!(block, expected);
        let early =
            Lines::default().push(b"out_time_us=-9223372036854775807\nspeed=   0x\nprogress=continue\n");
        assert_eq!(early.unwrap().unwrap(), Block { speed: Some(0.0), ..Block::default() });
    }

    #[test]
    fn of_several_blocks_the_last_counts_and_nothing_of_one_is_in_the_next() {
        let text = "frame=1\ndrop_frames=5\nprogress=continue\nframe=2\nprogress=continue\nframe=3\n";
        let block = Lines::default().push(text.as_bytes()).unwrap().unwrap();
        assert_eq!(block, Block { frames: Some(2), ..Block::default() });
    }

    #[test]
    fn lines_are_bounded_and_rubbish_is_nothing() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(&[b'x'; MAX_LINE]), Ok(None));
        assert_eq!(lines.push(b"x"), Err(TooLong));
        assert_eq!(Lines::default().push(&[0xff, b'\n', b'=', b'\n', b'\n']), Ok(None));
        let absurd = Lines::default().push(b"frame=-1\nfps=nan\nspeed=1e999x\nprogress=end\n").unwrap();
        assert_eq!(absurd, Some(Block { is_end: true, ..Block::default() }));
    }
}
