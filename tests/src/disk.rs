//! A small file system that a test can fill, without effect on other file systems.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

use crate::command::output;

/// A separate file system; unmounted when dropped. Needs root.
#[derive(Debug)]
pub struct Disk {
    folder: tempfile::TempDir,
}

impl Disk {
    /// A disk of this size, in the syntax of `mount`: `256k`.
    pub fn mount(size: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let options = format!("size={size}");
        output(Command::new("mount").args(["-t", "tmpfs", "-o", &options, "none"]).arg(folder.path()))?;
        Ok(Self { folder })
    }

    /// Path of the disk.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it with a file of this name.
    pub fn fill(&self, name: &str) -> anyhow::Result<()> {
        let mut file = File::create(self.path().join(name)).context("cannot make the filler")?;
        loop {
            match file.write(&[0; 1024]) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => return Ok(()),
                Err(error) => bail!("the disk is not full but broken: {error}"),
            }
        }
    }

    /// Makes it read-only.
    pub fn make_read_only(&self) -> anyhow::Result<()> {
        output(Command::new("mount").args(["-o", "remount,ro"]).arg(self.path())).map(drop)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Also while a process still has a file open on it.
        let _ = Command::new("umount").arg("--lazy").arg(self.folder.path()).status();
        let _ = fs::remove_dir(self.folder.path());
    }
}
