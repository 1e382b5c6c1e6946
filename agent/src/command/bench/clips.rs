//! Scenarios that encode a user's own clips: each clip is decoded once, and encoded with each encoder, preset and rate control.
//!
//! An encode reads pictures without compression and writes no sound, so that its energy is that of the encoder. What reading the pictures
//! costs is measured by a scenario of its own, and subtracted by `ffwatt report --curves` and `ffwatt advise`.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use agent_core::comparison::setting::READING;
use agent_core::model::scenario::Picture;
use indicatif::ProgressBar;

use crate::command::bench::command::encoder;
use crate::command::bench::matrix::Matrix;
use crate::command::bench::plan::{Scenario, Times};
use crate::command::bench::rate_control::{RateControl, setting};
use crate::quality::{self, QualityError, Terms, Tools};

/// Suffixes of the files that a folder of clips has.
const SUFFIXES: [&str; 12] =
    ["avi", "m2ts", "m4v", "mkv", "mov", "mp4", "mpg", "mxf", "nut", "ts", "webm", "y4m"];

/// A longer name would fill the tables.
const MAX_NAME: usize = 24;

/// Clips to encode, and how.
#[derive(Clone, Debug)]
pub(super) struct Clips {
    pub(super) inputs: Vec<PathBuf>,
    pub(super) matrix: Matrix,
    /// Width and height to which each clip is scaled before; none for its own size.
    pub(super) sizes: Vec<(u32, u32)>,
    pub(super) repeats: u32,
    /// More options of ffmpeg.
    pub(super) more: Vec<String>,
}

/// A clip, in one size.
#[derive(Debug, PartialEq)]
pub(super) struct Clip {
    pub(super) name: String,
    pub(super) input: PathBuf,
    /// The pictures of the clip, without compression.
    pub(super) source: PathBuf,
    /// The pictures in the size that is encoded: the source, or another file.
    pub(super) raw: PathBuf,
    pub(super) picture: Picture,
}

/// How a scenario encodes a clip.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ClipEncode {
    pub(super) clip: Arc<Clip>,
    /// The limit of its size, as the result file has it; empty for a scenario that only reads the clip.
    pub(super) setting: String,
    /// Whether the pictures are read twice: by an encoder with two passes, or by the reading that is subtracted from it.
    pub(super) has_two_passes: bool,
}

impl ClipEncode {
    /// Whether the scenario only reads the clip.
    pub(super) fn is_reading(&self) -> bool {
        self.setting.is_empty()
    }
}

/// Folder and programs for decoding.
pub(super) struct Decoding<'a> {
    pub(super) folder: &'a Path,
    /// The ffmpeg that encodes.
    pub(super) ffmpeg: &'a str,
    pub(super) tools: &'a Tools,
    /// Longest time of decoding a clip.
    pub(super) timeout: Duration,
    pub(super) stop: &'a AtomicBool,
}

impl Clips {
    /// The scenarios: for each clip all encodes once, then their repeats, so that a slow change of the host changes all of them alike.
    pub(super) fn scenarios(
        &self,
        cooldown: Duration,
        decoding: &Decoding<'_>,
    ) -> Result<Vec<Scenario>, QualityError> {
        let mut all = Vec::new();
        let mut names = HashSet::new();
        for input in files(&self.inputs)? {
            let bar = ProgressBar::hidden();
            let video = quality::video(decoding.tools, &input, &decoding.terms(&bar))?;
            let name = unique(&input, &mut names);
            let source = decoding.folder.join(format!("clip_{}.nut", names.len()));
            let clip = |size: Option<(u32, u32)>| {
                let (width, height) = size.unwrap_or((video.picture.width, video.picture.height));
                let raw = match size {
                    None => source.clone(),
                    Some(_) => decoding.folder.join(format!("clip_{}_{width}x{height}.nut", names.len())),
                };
                let picture = Picture { width, height, ..video.picture };
                Arc::new(Clip {
                    name: name.clone(),
                    input: input.clone(),
                    source: source.clone(),
                    raw,
                    picture,
                })
            };
            let clips: Vec<Arc<Clip>> = match &self.sizes[..] {
                [] => vec![clip(None)],
                sizes => sizes.iter().map(|size| clip(Some(*size))).collect(),
            };
            let length = video.length.unwrap_or_default();
            for _ in 0..self.repeats {
                for clip in &clips {
                    all.extend(self.of_clip(clip, length, cooldown));
                }
            }
        }
        Ok(all)
    }

    fn of_clip(&self, clip: &Arc<Clip>, duration: Duration, cooldown: Duration) -> Vec<Scenario> {
        let times = Times { baseline: Duration::ZERO, duration, stabilization: Duration::ZERO, cooldown };
        let scaled = (clip.source != clip.raw).then_some(clip.picture);
        // One bench has one or two passes throughout.
        let has_two_passes =
            self.matrix.controls.iter().any(|control| matches!(control, RateControl::TwoPass(_)));
        let scenario = |name: &str, encoder: &str, preset: Option<&String>, setting: String| Scenario {
            picture: clip.picture,
            encoder: Some(encoder.to_owned()),
            preset: preset.cloned(),
            clip: Some(ClipEncode { clip: Arc::clone(clip), setting, has_two_passes }),
            ..Scenario::single(name, "", times)
        };
        let size = scaled.map(|picture| format!(" {}", picture.size_name())).unwrap_or_default();
        let reading = scenario(&format!("{}{size} reading", clip.name), READING, None, String::new());
        let (size, scenario) = (&size, &scenario);
        let encodes = self.matrix.encoders.iter().flat_map(|(codec, preset)| {
            self.matrix.controls.iter().map(move |control| {
                let setting = setting(scaled, control, &self.more);
                let preset_name = preset.as_ref().map(|preset| format!("{preset} ")).unwrap_or_default();
                let name = format!("{}{size} {codec} {preset_name}{control}", clip.name);
                scenario(&name, encoder(codec), preset.as_ref(), setting)
            })
        });
        std::iter::once(reading).chain(encodes).collect()
    }
}

impl Decoding<'_> {
    fn terms<'b>(&'b self, bar: &'b ProgressBar) -> Terms<'b> {
        Terms::new(self.timeout, self.stop, bar)
    }

    /// Writes the pictures of a clip that are not there yet, and removes those of other clips: they are large.
    pub(super) fn prepare(&self, clip: &Clip) -> Result<(), QualityError> {
        let known = fs::read_dir(self.folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let stem = clip.source.with_extension("");
        let is_other = |path: &PathBuf| {
            let is_pictures = path.extension().is_some_and(|extension| extension == "nut");
            is_pictures && !path.display().to_string().starts_with(&format!("{}_", stem.display()))
        };
        for path in known.filter(|path| *path != clip.source && is_other(path)) {
            fs::remove_file(&path)
                .map_err(|cause| QualityError::io(format!("remove {}", path.display()), cause))?;
        }
        if !clip.source.exists() {
            self.write(&clip.input, None, &clip.source)?;
        }
        if !clip.raw.exists() {
            self.write(&clip.source, Some(clip.picture), &clip.raw)?;
        }
        Ok(())
    }

    /// Writes the pictures of the first video of a file, without compression.
    #[expect(clippy::disallowed_methods, reason = "`quality::generate` runs it with a deadline")]
    fn write(&self, from: &Path, scaled: Option<Picture>, to: &Path) -> Result<(), QualityError> {
        let bar = ProgressBar::hidden();
        let mut command = Command::new(self.ffmpeg);
        command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+error", "-y", "-i"]);
        command.arg(absolute(from)?).args(["-map", "0:V:0", "-c:v", "rawvideo"]);
        if let Some(Picture { width, height, .. }) = scaled {
            command.args(["-vf", &format!("scale={width}:{height}:flags=lanczos")]);
        }
        command.args(["-f", "nut"]).arg(to);
        quality::generate(&mut command, to, &self.terms(&bar))
    }
}

fn absolute(path: &Path) -> Result<PathBuf, QualityError> {
    fs::canonicalize(path)
        .map_err(|cause| QualityError::io(format!("open the clip {}", path.display()), cause))
}

/// The named files, and the videos of named folders.
fn files(inputs: &[PathBuf]) -> Result<Vec<PathBuf>, QualityError> {
    let mut all = Vec::new();
    for input in inputs {
        if !input.is_dir() {
            all.push(input.clone());
            continue;
        }
        let failed = |cause| QualityError::io(format!("read the folder of clips {}", input.display()), cause);
        let entries = fs::read_dir(input).and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(failed)?;
        let is_video = |path: &PathBuf| {
            let suffix = path.extension().map(|suffix| suffix.to_string_lossy().to_ascii_lowercase());
            path.is_file() && suffix.is_some_and(|suffix| SUFFIXES.contains(&suffix.as_str()))
        };
        let mut videos: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).filter(is_video).collect();
        if videos.is_empty() {
            let problem = format!("no video in it (.{})", SUFFIXES.join(", ."));
            return Err(QualityError::Input { path: input.clone(), problem });
        }
        videos.sort();
        all.append(&mut videos);
    }
    Ok(all)
}

/// Name of a file without its suffix, that no other clip has.
fn unique(path: &Path, names: &mut HashSet<String>) -> String {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let stem: String = stem.chars().take(MAX_NAME).collect();
    let mut name = stem.clone();
    let mut number = 2;
    while !names.insert(name.clone()) {
        name = format!("{stem} ({number})");
        number += 1;
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clips_of_the_same_name_are_told_apart() {
        let mut names = HashSet::new();
        let of = |path: &str, names: &mut HashSet<String>| unique(Path::new(path), names);
        assert_eq!(of("a/x.mkv", &mut names), "x");
        assert_eq!(of("b/x.mkv", &mut names), "x (2)");
        assert_eq!(of("/c/a.very.long.name.of.a.clip.mp4", &mut names), "a.very.long.name.of.a.cl");
    }

    #[test]
    fn a_folder_has_its_videos_and_one_without_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.MKV", "a.mp4", "notes.txt"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let inputs = [folder.path().to_owned(), PathBuf::from("other.y4m")];
        let found = files(&inputs).unwrap();
        let names: Vec<_> = found.iter().map(|path| path.file_name().unwrap().to_string_lossy()).collect();
        assert_eq!(names, ["a.mp4", "b.MKV", "other.y4m"]);
        let empty = tempfile::tempdir().unwrap();
        let error = files(&[empty.path().to_owned()]).unwrap_err().to_string();
        assert!(error.contains(&empty.path().display().to_string()) && error.contains("mkv"), "{error}");
    }
}
