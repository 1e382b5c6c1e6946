//! Opens the ledger read-only: without write access to the file or its folder, without a migration, and without leaving a file.
//!
//! `SQLite` in WAL mode has three cases (<https://www.sqlite.org/wal.html#read_only_databases>). While an agent runs, or after one
//! was killed, the log and its index exist: both are read, and `readonly_shm` prevents making or writing the index. After a
//! clean end neither exists and the file is complete: `immutable` prevents making them.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, OpenFlags};

use crate::ledger::{BUSY_TIMEOUT, FILE, Ledger, LedgerError, beside, identity, schema};

impl Ledger {
    /// Opens the ledger of the first of these state folders that has one.
    pub fn open_first_for_reading(folders: &[PathBuf]) -> Result<Self, LedgerError> {
        let mut first = None;
        for folder in folders {
            match Self::open_for_reading(folder) {
                Ok(ledger) => return Ok(ledger),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or(LedgerError::Missing { path: PathBuf::new() }))
    }

    /// Opens the ledger of a state folder for reading.
    pub fn open_for_reading(folder: &Path) -> Result<Self, LedgerError> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Err(LedgerError::Missing { path });
        }
        let failed = |cause| LedgerError::Database { path: path.clone(), cause };
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
        // A log without its index contains data that the file lacks, and cannot be read without writing: an error says so.
        let is_in_use = fs::metadata(beside(&path, "-wal"))
            .is_ok_and(|log| log.len() > 0 || beside(&path, "-shm").exists());
        let how = if is_in_use { "mode=ro&readonly_shm=1" } else { "mode=ro&immutable=1" };
        let connection = Connection::open_with_flags(uri(&path, how), flags).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        let version = schema::readable_version(&connection, &path)?;
        let file = identity(&path);
        Ok(Self { path, connection, version, file, _lock: None })
    }
}

/// A path as a URI; every byte with a meaning in URIs is escaped.
fn uri(path: &Path, options: &str) -> String {
    let escaped = |byte: &u8| match byte {
        b'/' | b'.' | b'-' | b'_' | b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' => char::from(*byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    let path: String = path.as_os_str().as_bytes().iter().map(escaped).collect();
    format!("file:{path}?{options}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_signs_of_its_own_is_one_path() {
        assert_eq!(uri(Path::new("/a b/?#%.db"), "mode=ro"), "file:/a%20b/%3F%23%25.db?mode=ro");
    }
}
