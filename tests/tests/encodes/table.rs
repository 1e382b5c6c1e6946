//! Reads the table of command lines and of the fields that each must have.

/// The table: each entry has a title, a command line after `$`, and fields.
const TABLE: &str = include_str!("lines.txt");

/// One command line.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) title: &'static str,
    /// The name of the executed file.
    pub(crate) file: String,
    /// Its words, the program's first.
    pub(crate) words: Vec<String>,
    /// Fields of the API with their values; `None` must be absent.
    pub(crate) expected: Vec<(&'static str, Option<String>)>,
}

/// Short names of fields, and those of the API.
const FIELDS: [(&str, &str); 12] = [
    ("program", "program"),
    ("codec", "codec"),
    ("standard", "codec_standard"),
    ("hardware", "hardware"),
    ("preset", "preset"),
    ("size", "resolution"),
    ("bitrate", "bitrate_bits_per_second"),
    ("outputs", "outputs"),
    ("renditions", "renditions"),
    ("encoded", "encoded_renditions"),
    ("copied", "copied_streams"),
    ("live", "is_live"),
];

/// All entries.
pub(crate) fn entries() -> Vec<Entry> {
    let text: Vec<&str> = TABLE.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    text.chunks(3).map(entry).collect()
}

fn entry(lines: &[&'static str]) -> Entry {
    let [title, line, fields] = lines else { panic!("an entry has three lines: {lines:?}") };
    let words = words(line.strip_prefix("$ ").unwrap_or_else(|| panic!("{title}: no command line")));
    let mut file = words[0].rsplit('/').next().unwrap_or_default().to_owned();
    let mut expected = Vec::new();
    for field in self::words(fields) {
        let (name, value) = field.split_once('=').unwrap_or_else(|| panic!("{title}: {field}"));
        if name == "file" {
            value.clone_into(&mut file);
            continue;
        }
        let known = FIELDS.iter().find(|(short, _)| *short == name);
        let (_, name) = known.unwrap_or_else(|| panic!("{title}: no field {name}"));
        expected.push((*name, (value != "-").then(|| value.to_owned())));
    }
    Entry { title, file, words, expected }
}

/// Splits at spaces outside of `'…'`.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (index, part) in line.split('\'').enumerate() {
        let mut pieces = part.split(if index % 2 == 0 { ' ' } else { '\'' });
        if let Some(word) = words.last_mut() {
            word.push_str(pieces.next().unwrap_or_default());
        }
        words.extend(pieces.map(str::to_owned));
    }
    words.retain(|word| !word.is_empty());
    words
}
