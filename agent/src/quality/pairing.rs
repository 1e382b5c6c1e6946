//! Decodes both videos to small grey pictures, and pairs their frames by these.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::process::Command;

use crate::quality::QualityError;
use crate::quality::alignment::{self, Alignment, ROW, Times, align, at_offset};
use crate::quality::compare::Task;
use crate::quality::plan::{Plan, THUMBNAIL};
use crate::quality::process::run;
use crate::quality::temporary_folder::TemporaryFolder;

/// Unit of the times of decoded frames. ffmpeg's default is one frame of the mean rate, which is too coarse for variable rates.
const TIME_BASE: &str = "1/90000";

/// Bytes of a small picture.
const BYTES: usize = THUMBNAIL.0 * THUMBNAIL.1;

/// The decoded frames of both videos, and how they are paired.
#[derive(Clone, Debug)]
pub(super) struct Pairing {
    pub(super) times: Times,
    pub(super) alignment: Alignment,
}

impl Pairing {
    /// The first pairs only.
    pub(super) fn first(&self, count: usize) -> Self {
        let mut first = self.clone();
        first.alignment.pairs.truncate(count);
        first
    }
}

/// Pairs the frames of two files: by number where they are known to be in step, else by content.
pub(super) fn pair(task: &Task<'_>, plan: &Plan, is_in_step: bool) -> Result<Pairing, QualityError> {
    let folder = &task.folder;
    let mut command = Command::new(&task.tools.ffmpeg);
    command.args(["-hide_banner", "-nostdin", "-nostats", "-y", "-loglevel", "level+error", "-i"]);
    command.arg(&task.distorted).arg("-i").arg(&task.reference).args(["-filter_complex", &plan.thumbnails()]);
    for (label, format, name) in [
        ("[d]", "rawvideo", "distorted.grey"),
        ("[r]", "rawvideo", "reference.grey"),
        ("[dt]", "framecrc", "distorted.times"),
        ("[rt]", "framecrc", "reference.times"),
    ] {
        command.args(["-map", label, task.tools.frame_mode, "passthrough", "-enc_time_base", TIME_BASE]);
        command.args(["-f", format, name]);
    }
    run(command.current_dir(folder.path()), &task.distorted, &task.attempt, |_| {})?;
    let times = Times {
        reference: times(&folder.read("reference.times")?),
        distorted: times(&folder.read("distorted.times")?),
    };
    if is_in_step && times.reference.len() == times.distorted.len() && !times.reference.is_empty() {
        let alignment = Alignment::in_step(times.reference.len() as u64);
        return Ok(Pairing { times, alignment });
    }
    let failed = |cause| QualityError::io("read the decoded pictures", cause);
    let mut best: Option<Alignment> = None;
    for guess in times.guesses() {
        let found = by_content(&times, guess, folder).map_err(failed)?;
        if best.as_ref().is_none_or(|best| found.difference < best.difference) {
            best = Some(found);
        }
    }
    let alignment = best.filter(|best| !best.pairs.is_empty());
    let alignment = alignment.ok_or_else(|| task.refused("not a frame in common".to_owned()))?;
    Ok(Pairing { times, alignment })
}

fn by_content(times: &Times, guess: alignment::Guess, folder: &TemporaryFolder) -> io::Result<Alignment> {
    let mut distorted = BufReader::new(File::open(folder.file("distorted.grey"))?);
    let mut around = Window::open(&folder.file("reference.grey"))?;
    let mut failure = None;
    let alignment = align(times, guess, |_, guessed| {
        let row = next(&mut distorted).and_then(|picture| around.differences(guessed, picture.as_deref()));
        row.unwrap_or_else(|error| {
            failure = Some(error);
            [None; ROW]
        })
    });
    failure.map_or(Ok(alignment), Err)
}

/// The next picture; `None` at the end.
fn next(pictures: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut picture = Vec::with_capacity(BYTES);
    pictures.take(BYTES as u64).read_to_end(&mut picture)?;
    Ok((picture.len() == BYTES).then_some(picture))
}

/// The source's pictures around a guess, which does not go back.
struct Window {
    pictures: BufReader<File>,
    kept: VecDeque<Vec<u8>>,
    /// Number of the first kept picture.
    first: usize,
}

impl Window {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(Self { pictures: BufReader::new(File::open(path)?), kept: VecDeque::new(), first: 0 })
    }

    /// Mean differences of a picture to those of the source at all offsets of a guess.
    fn differences(&mut self, guessed: usize, picture: Option<&[u8]>) -> io::Result<[Option<f32>; ROW]> {
        let end = at_offset(guessed, ROW).unwrap_or(0);
        while self.first + self.kept.len() < end {
            let Some(picture) = next(&mut self.pictures)? else { break };
            self.kept.push_back(picture);
        }
        while self.first < at_offset(guessed, 0).unwrap_or(0) && self.kept.pop_front().is_some() {
            self.first += 1;
        }
        Ok(std::array::from_fn(|offset| {
            let place = at_offset(guessed, offset)?.checked_sub(self.first)?;
            Some(difference(self.kept.get(place)?, picture?))
        }))
    }
}

fn difference(one: &[u8], other: &[u8]) -> f32 {
    let sum: u32 = one.iter().zip(other).map(|(one, other)| u32::from(one.abs_diff(*other))).sum();
    sum as f32 / BYTES as f32
}

/// Reads the times of a framecrc list in seconds: `#tb 0: 1/25`, then `0, dts, pts, duration, size, checksum`.
fn times(list: &str) -> Vec<f64> {
    let unit = list.lines().find_map(|line| {
        let (upper, lower) = line.strip_prefix("#tb 0:")?.trim().split_once('/')?;
        Some(upper.parse::<f64>().ok()? / lower.parse::<f64>().ok()?)
    });
    let unit = unit.filter(|unit| unit.is_finite()).unwrap_or(1.0);
    let stamps = list.lines().filter(|line| !line.starts_with('#'));
    stamps.filter_map(|line| Some(line.split(',').nth(2)?.trim().parse::<f64>().ok()? * unit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_a_list() {
        let list = "#software: Lavf59\n#tb 0: 1/50\n#media_type 0: video\n0,          0,          0,        1,      576, 0x1\n\
            0,          2,          2,        1,      576, 0x2\n";
        assert_eq!(times(list), [0.0, 0.04]);
        assert_eq!(times(""), Vec::<f64>::new());
    }

    #[test]
    fn differences_are_means_of_samples() {
        let (black, grey) = (vec![0; BYTES], vec![8; BYTES]);
        assert!((difference(&black, &grey) - 8.0).abs() < f32::EPSILON);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r");
        std::fs::write(&path, [black, grey.clone(), vec![9; BYTES], vec![1; 3]].concat()).unwrap();
        let row = Window::open(&path).unwrap().differences(1, Some(&grey)).unwrap();
        let known: Vec<f32> = row.iter().flatten().copied().collect();
        assert_eq!(known, [8.0, 0.0, 1.0], "a part of a picture is none");
    }
}
