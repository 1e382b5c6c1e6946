//! Gets packages of another suite of Debian, without a change of this host's apt.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Context;
use xtask::process::{output, run};

/// A suite of Debian, from the mirror of this host's apt, without changing its lists.
pub(crate) struct Suite {
    /// Lists, archives and unpacked packages.
    pub(crate) folder: PathBuf,
    pub(crate) name: &'static str,
}

/// What the lists of a suite contain, as sources.list(5) names it.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Lists {
    Packages,
    Sources,
}

impl Suite {
    /// A program of apt with the folders of this suite.
    pub(crate) fn apt(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.folder.join("cache"));
        for (option, value) in [
            ("Dir::Etc::sourcelist", self.folder.join("sources.list")),
            ("Dir::Etc::sourceparts", PathBuf::from("-")),
            ("Dir::State::lists", self.folder.join("lists")),
            ("Dir::Cache", self.folder.join("cache")),
        ] {
            command.arg("-o").arg(format!("{option}={}", value.display()));
        }
        command
    }

    /// Gets the lists.
    pub(crate) fn update(&self, lists: Lists) -> anyhow::Result<()> {
        for part in ["lists/partial", "cache/archives/partial", "unpacked"] {
            fs::create_dir_all(self.folder.join(part))?;
        }
        let uris = output(Command::new("apt-get").args([
            "indextargets",
            "--format",
            "$(REPO_URI)",
            "Created-By: Packages",
        ]))?;
        let is_debian = |uri: &&str| uri.trim_end_matches('/').ends_with("/debian");
        let mirror = uris.lines().find(is_debian).context("apt knows no Debian mirror")?;
        let keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
        let kind = match lists {
            Lists::Packages => "deb",
            Lists::Sources => "deb-src",
        };
        let list = format!("{kind} [signed-by={keyring}] {mirror} {} main\n", self.name);
        fs::write(self.folder.join("sources.list"), list)?;
        run(self.apt("apt-get").args(["-q", "-o", "Acquire::Check-Valid-Until=false", "update"]))
    }

    /// Downloads packages, and unpacks them into `unpacked`.
    pub(crate) fn unpack(&self, packages: &[&str]) -> anyhow::Result<()> {
        run(self.apt("apt-get").args(["-q", "download"]).args(packages))?;
        for entry in fs::read_dir(self.folder.join("cache"))?.flatten() {
            if entry.path().extension().is_some_and(|extension| extension == "deb") {
                run(Command::new("dpkg").arg("-x").arg(entry.path()).arg(self.folder.join("unpacked")))?;
            }
        }
        Ok(())
    }
}
