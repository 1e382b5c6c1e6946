//! Reads the ledger directly, without the agent.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// A ledger, as any program can open it.
pub(crate) struct Past(Connection);

impl Past {
    /// The ledger of a state folder.
    pub(crate) fn open(folder: &Path) -> Self {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let connection = Connection::open_with_flags(folder.join("ledger.db"), flags).unwrap();
        connection.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        Self(connection)
    }

    /// Microjoules of the host in all buckets.
    pub(crate) fn host(&self) -> u64 {
        self.energy("host")
    }

    /// Microjoules of all workloads in all buckets.
    pub(crate) fn workloads(&self) -> u64 {
        self.energy("workload")
    }

    /// Whether the file is what it should be, by the database's own check, and its sums close.
    #[track_caller]
    pub(crate) fn assert_sound(&self) {
        let verdict: String = self.0.query_row("PRAGMA integrity_check", (), |row| row.get(0)).unwrap();
        assert_eq!(verdict, "ok");
        assert_eq!(self.host(), self.workloads());
    }

    fn energy(&self, kind: &str) -> u64 {
        let sum = "SELECT coalesce(sum(energy), 0) FROM charge JOIN subject ON subject.id = charge.subject WHERE kind = ?1";
        self.0.query_row(sum, [kind], |row| row.get(0)).unwrap()
    }
}
