//! Reads result files.
//!
//! Files of either schema of upstream, read leniently: a field that is missing or has another type is
//! unknown; all other fields count. The last readable run stays until a newer one can be read.

mod folder;
mod prices;
mod schema;
mod watch;

pub use folder::Folder;
pub(crate) use prices::read as read_prices;
pub use schema::parse;
pub(crate) use watch::{FolderWatch, Seen};
