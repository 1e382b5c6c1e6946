//! What do result files say?
//!
//! Files of either schema that upstream wrote, read leniently: what is missing, or of another type than it should be, is not
//! known; what can be read counts. The last run that could be read stays until a newer one can.

mod folder;
mod prices;
mod schema;
mod watch;

pub use folder::Folder;
pub(crate) use prices::read as read_prices;
pub use schema::parse;
pub(crate) use watch::{FolderWatch, Seen};
