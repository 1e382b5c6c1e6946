//! Parses the JSON of result files as Python, pandas, Go, spreadsheets and people write it.
//!
//! Beyond JSON, these are read: UTF-8 and UTF-16 with or without a byte order mark, bare words (`NaN`, `Infinity`, `None`), numbers
//! that no double can hold, and commas after the last item. A bare word or such a number becomes text; the field that it stands in
//! then decides.

mod decode;
mod loosen;

use std::borrow::Cow;
use std::collections::{BTreeSet, HashSet};
use std::fmt;

use crate::text::bounded;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, SeqAccess, Visitor};

/// Keys in messages are no longer than this many characters.
pub(super) const MAX_KEY: usize = 64;

/// The problem of a file of which [`read`] says that some bytes are no text.
pub const GARBLED: &str = "has bytes that are no characters; write it as UTF-8";

/// A JSON value. Objects keep their order and their repeated keys.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

/// The reason why bytes are no JSON. It quotes nothing of the file.
#[derive(Debug, thiserror::Error)]
pub enum JsonError {
    /// The encoding is not read.
    #[error("is UTF-32; write it as UTF-8")]
    Encoding,
    /// The text is half written, or something else.
    #[error("is not (yet) whole JSON: {0}")]
    Syntax(#[from] serde_json::Error),
}

/// A value, and whether some bytes are no text in the encoding of the file.
pub fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, bool), JsonError> {
    let text = decode::text(bytes).ok_or(JsonError::Encoding)?;
    let value = match serde_json::from_str(&text) {
        Ok(value) => value,
        // The first error is the one of the text as it was written.
        Err(error) => serde_json::from_str(&loosen::loosened(&text)).or(Err(error))?,
    };
    Ok((value, text.contains(char::REPLACEMENT_CHARACTER)))
}

impl Json {
    /// The last value of a key, as all parsers of upstream have it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(entries) = self else { return None };
        entries.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Keys that an object has more than once, fit for a message.
    pub(super) fn repeated(&self) -> BTreeSet<String> {
        let Self::Object(entries) = self else { return BTreeSet::new() };
        let mut seen = HashSet::new();
        let repeated = entries.iter().map(|(name, _)| name).filter(|name| !seen.insert(*name));
        repeated.map(|name| bounded(name, MAX_KEY)).collect()
    }

    /// What the value is, for messages, which quote no value.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "text",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The items of a list, with their names where an object stands for the list: the values of an object of objects, or one object.
    pub(super) fn items(&self) -> Option<Vec<(Cow<'_, str>, &Self)>> {
        let numbered = |(index, item): (usize, _)| (Cow::Owned(index.to_string()), item);
        match self {
            Self::List(items) => Some(items.iter().enumerate().map(numbered).collect()),
            Self::Object(entries) if entries.is_empty() => None,
            Self::Object(entries) if entries.iter().all(|(_, value)| matches!(value, Self::Object(_))) => {
                Some(entries.iter().map(|(name, value)| (Cow::Borrowed(name.as_str()), value)).collect())
            }
            Self::Object(_) => Some(vec![(Cow::Borrowed("0"), self)]),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, is: bool) -> Result<Json, E> {
        Ok(Json::Bool(is))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = items.next_entry()? {
            entries.push(entry);
        }
        Ok(Json::Object(entries))
    }
}
