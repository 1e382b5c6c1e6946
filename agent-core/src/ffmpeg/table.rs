//! Reads the tables that `cargo xtask ffmpeg-tables` writes from ffmpeg itself: options, video encoders, muxers.

use std::collections::HashMap;
use std::sync::LazyLock;

const OPTIONS: &str = include_str!("table/options.txt");
const ENCODERS: &str = include_str!("table/encoders.txt");
const MUXERS: &str = include_str!("table/muxers.txt");

/// Whether an option's value is the next word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Value,
    Flag,
    /// A value in some versions of ffmpeg, none in others.
    Either,
}

/// A container format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Muxer {
    /// Standard of the video that ffmpeg encodes when the command line names no encoder.
    pub(super) video: Option<&'static str>,
    pub(super) audio: Option<&'static str>,
}

/// Names with the cells of each, without the versions: `name cell@versions cell@versions`.
pub(super) fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, Vec<&'static str>)> {
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| {
        let (name, cells) = line.split_once(' ')?;
        // Suffixes may be separated by a comma and a space: a cell ends with its versions.
        let is_cell_end = |(index, _): &(usize, &str)| {
            cells[..*index].rsplit(' ').next().is_some_and(|word| word.contains('@'))
        };
        let mut ends: Vec<usize> =
            cells.match_indices(' ').filter(is_cell_end).map(|(index, _)| index).collect();
        ends.push(cells.len());
        let mut begin = 0;
        let mut found = Vec::new();
        for end in ends {
            found.push(cells[begin..end].split('@').next().unwrap_or_default().trim());
            begin = end;
        }
        Some((name, found))
    })
}

static FORMS: LazyLock<HashMap<&'static str, Form>> = LazyLock::new(|| {
    let form = |cells: &[&str]| {
        let has = |form: &str| cells.iter().any(|cell| cell.ends_with(form));
        match (has(":value"), has(":flag")) {
            (true, true) => Form::Either,
            (false, true) => Form::Flag,
            _ => Form::Value,
        }
    };
    rows(OPTIONS).map(|(name, cells)| (name, form(&cells))).collect()
});

static STANDARDS: LazyLock<HashMap<&'static str, &'static str>> =
    LazyLock::new(|| rows(ENCODERS).filter_map(|(name, cells)| Some((name, *cells.last()?))).collect());

/// The muxers. Of several with the same name or suffix, the first counts.
#[derive(Default)]
struct Formats {
    by_name: HashMap<&'static str, Muxer>,
    /// With all names of each muxer. Suffixes are in lower case.
    by_suffix: HashMap<String, (&'static str, Muxer)>,
}

static FORMATS: LazyLock<Formats> = LazyLock::new(|| {
    let mut formats = Formats::default();
    for (names, cells) in rows(MUXERS) {
        let mut fields = cells.last().copied().unwrap_or_default().splitn(3, ':');
        let mut next = || fields.next().filter(|field| *field != "-");
        let suffixes = next().unwrap_or_default();
        let muxer = Muxer { video: next(), audio: next() };
        for name in names.split(',') {
            formats.by_name.entry(name).or_insert(muxer);
        }
        for suffix in suffixes.split(',') {
            let suffix = suffix.trim().to_ascii_lowercase();
            formats.by_suffix.entry(suffix).or_insert((names, muxer));
        }
    }
    formats
});

/// The form of an option of the ffmpeg program, without `no` before its name; `None` for options of libraries, which have a value.
pub(super) fn form(option: &str) -> Option<Form> {
    FORMS.get(option).copied()
}

/// The standard that an encoder of ffmpeg writes, in ffmpeg's spelling.
pub(super) fn standard(encoder: &str) -> Option<&'static str> {
    STANDARDS.get(encoder).copied()
}

/// The muxer of this name.
pub(super) fn muxer(name: &str) -> Option<Muxer> {
    FORMATS.by_name.get(name).copied()
}

/// Names of the muxer and the muxer that ffmpeg uses for a suffix: of several, the first that it registers, which is the first by name.
pub(super) fn muxer_of_suffix(suffix: &str) -> Option<(&'static str, Muxer)> {
    FORMATS.by_suffix.get(&suffix.to_ascii_lowercase()).copied()
}

/// Names of ffmpeg's video encoders.
pub fn encoder_names() -> impl Iterator<Item = &'static str> {
    rows(ENCODERS).map(|(name, _)| name)
}

/// Options of the ffmpeg program and what each version says of them: `scope:form@versions`.
pub fn option_rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    OPTIONS.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.split_once(' '))
}

/// Versions of ffmpeg that the tables are made from.
pub fn versions() -> &'static str {
    let head = OPTIONS.lines().next().unwrap_or_default();
    head.rsplit_once("of ffmpeg ")
        .and_then(|(_, rest)| rest.split_once(". "))
        .map_or("", |(versions, _)| versions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_changed_their_form_are_known_as_such() {
        for (option, expected) in [
            ("y", Some(Form::Flag)),
            ("copyinkf", Some(Form::Flag)),
            ("force_fps", Some(Form::Flag)),
            ("seek_timestamp", Some(Form::Value)),
            ("canvas_size", Some(Form::Value)),
            ("autorotate", Some(Form::Either)),
            ("autoscale", Some(Form::Either)),
            ("crf", None),
        ] {
            assert_eq!(form(option), expected, "{option}");
        }
    }

    #[test]
    fn formats_by_name_and_by_suffix() {
        assert_eq!(muxer("ssegment").map(|muxer| muxer.video), Some(None));
        assert_eq!(muxer("a64").and_then(|muxer| muxer.video), Some("a64_multi"), "a space between suffixes");
        let (name, muxer) = muxer_of_suffix("PNG").unwrap();
        assert_eq!((name, muxer.video), ("image2", Some("mjpeg")));
        assert_eq!(muxer_of_suffix("mpg").map(|(name, _)| name), Some("mpeg"));
        assert_eq!(muxer_of_suffix("strange"), None);
        assert_eq!(versions(), "4.1, 4.2, 5.1, 7.0, 9.0");
    }
}
