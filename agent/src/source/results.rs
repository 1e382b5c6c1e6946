//! Reads result files.
//!
//! Files of either schema of upstream, read leniently: a bad value is left out and named with its scenario and field; all other
//! values count. The last readable run stays until a newer one can be read.

mod folder;
mod json;
mod prices;
mod schema;
mod watch;

pub use folder::Folder;
pub(crate) use folder::read_file;
pub(crate) use json::{GARBLED, read as read_json};
pub(crate) use prices::read as read_prices;
pub use schema::parse;
pub(crate) use schema::{Problem, Problems, Review, pointer};
pub(crate) use watch::{FolderWatch, Seen};
