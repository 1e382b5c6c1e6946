//! Parses the text of filter graphs and the options of filters.
//!
//! "Filtergraph syntax" and "Notes on filtergraph escaping" in ffmpeg-filters(1): one level of quotes and backslashes belongs to the
//! graph, a second one to the options of each filter.

/// Characters that ffmpeg skips around words.
const WHITESPACE: [char; 4] = [' ', '\n', '\t', '\r'];

/// Most filters of a graph that are evaluated. Real graphs have dozens.
const MAX_FILTERS: usize = 1024;

/// One filter with its labels.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) name: String,
    pub(super) options: Options,
    pub(super) inputs: Vec<String>,
    pub(super) outputs: Vec<String>,
    /// Whether the next filter does not continue this one's chain.
    pub(super) ends_chain: bool,
}

/// Options of a filter, in the order of the text.
#[derive(Debug, Default)]
pub(super) struct Options {
    positional: Vec<String>,
    named: Vec<(String, String)>,
    /// Whether an option without a name follows one with a name, which ffmpeg refuses.
    pub(super) are_refused: bool,
}

/// `None` for text that ffmpeg refuses, and for graphs of more than [`MAX_FILTERS`].
pub(super) fn parse(text: &str) -> Option<Vec<Filter>> {
    let mut rest = text.trim_start_matches(WHITESPACE);
    if rest.starts_with("sws_flags=") {
        rest = rest.split_once(';')?.1;
    }
    let mut filters = Vec::new();
    loop {
        if filters.len() == MAX_FILTERS {
            return None;
        }
        let inputs;
        (inputs, rest) = labels(rest)?;
        let name;
        (name, rest) = token(rest, "=,;[");
        let mut options = Options::default();
        if let Some(after) = rest.strip_prefix('=') {
            let text;
            (text, rest) = token(after, "[],;");
            options = Options::parse(&text);
        }
        let outputs;
        (outputs, rest) = labels(rest)?;
        // `scale@small` is a scale with a name of its own.
        let name = name.split('@').next().unwrap_or_default().to_owned();
        let mut after = rest.chars();
        let separator = after.next();
        filters.push(Filter { name, options, inputs, outputs, ends_chain: separator != Some(',') });
        rest = after.as_str();
        match separator {
            None => return Some(filters),
            // A last separator may end the graph.
            Some(';') if rest.trim_start_matches(WHITESPACE).is_empty() => return Some(filters),
            Some(',' | ';') => {}
            Some(_) => return None,
        }
    }
}

/// `[a][b]` and the text after it.
fn labels(text: &str) -> Option<(Vec<String>, &str)> {
    let mut labels = Vec::new();
    let mut rest = text.trim_start_matches(WHITESPACE);
    while let Some(after) = rest.strip_prefix('[') {
        let (label, after) = token(after, "]");
        labels.push(label);
        rest = after.strip_prefix(']')?.trim_start_matches(WHITESPACE);
    }
    Some((labels, rest))
}

/// A word up to an end character, without its quotes and backslashes, and the text from the end character; as `av_get_token()`.
fn token<'a>(text: &'a str, ends: &str) -> (String, &'a str) {
    let text = text.trim_start_matches(WHITESPACE);
    let (mut word, mut quoted) = (String::new(), 0);
    let mut characters = text.char_indices();
    let mut rest = "";
    while let Some((index, character)) = characters.next() {
        match character {
            other if ends.contains(other) => {
                rest = text.get(index..).unwrap_or_default();
                break;
            }
            '\\' => {
                word.push(characters.next().map_or('\\', |(_, escaped)| escaped));
                quoted = word.len();
            }
            '\'' => {
                word.extend(characters.by_ref().map(|(_, inner)| inner).take_while(|inner| *inner != '\''));
                quoted = word.len();
            }
            other => word.push(other),
        }
    }
    // Whitespace at the end is kept where it was quoted.
    let kept = word.trim_end_matches(WHITESPACE).len().max(quoted);
    word.truncate(kept);
    (word, rest)
}

impl Options {
    fn parse(text: &str) -> Self {
        let mut options = Self::default();
        let mut rest = text;
        while !rest.is_empty() {
            let key = key(rest);
            let (value, after) = token(key.map_or(rest, |(_, after)| after), ":");
            match key {
                Some((key, _)) => options.named.push((key.to_owned(), value)),
                None if options.named.is_empty() => options.positional.push(value),
                None => options.are_refused = true,
            }
            rest = after.strip_prefix(':').unwrap_or_default();
        }
        options
    }

    /// The value of the option with one of these names, which stands at this position where it has no name.
    pub(super) fn get(&self, names: &[&str], position: usize) -> Option<&str> {
        self.named(names).or_else(|| self.positional.get(position).map(String::as_str))
    }

    /// The last value of an option by name.
    pub(super) fn named(&self, names: &[&str]) -> Option<&str> {
        let mut values = self.named.iter().rev().filter(|(name, _)| names.contains(&name.as_str()));
        values.next().map(|(_, value)| value.as_str())
    }

    /// A number; `None` where it is written but no number.
    pub(super) fn number(&self, names: &[&str], position: usize, otherwise: u32) -> Option<u32> {
        self.get(names, position).map_or(Some(otherwise), |text| text.trim().parse().ok())
    }

    pub(super) fn are_empty(&self) -> bool {
        self.named.is_empty() && self.positional.is_empty()
    }
}

/// The name in `name=value`, and the text of the value.
fn key(text: &str) -> Option<(&str, &str)> {
    let text = text.trim_start_matches(WHITESPACE);
    let is_part = |character: char| character.is_ascii_alphanumeric() || "-_/.".contains(character);
    let end = text.find(|character| !is_part(character))?;
    let (key, rest) = text.split_at(end);
    let value = rest.trim_start_matches(WHITESPACE).strip_prefix('=')?;
    Some((key, value))
}

#[cfg(test)]
mod tests;
