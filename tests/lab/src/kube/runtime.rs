//! Finds containerd of a series: this host's, or the package of another suite of Debian below `target/kube`.

use std::path::{Path, PathBuf};
use std::process::Command;

use ::tests::command::find;
use anyhow::{Context, ensure};
use xtask::process::output;

use crate::suite::{Lists, Suite};

/// Suites that have the series of [`xtask::lab::RUNTIMES`].
const SUITES: [(&str, &str); 3] = [("1.6", "bookworm"), ("1.7", "trixie"), ("2.1", "sid")];

/// A containerd, with its client and its shim in the same folder.
#[derive(Debug)]
pub(super) struct ContainerRuntime {
    pub(super) folder: PathBuf,
    pub(super) version: String,
}

/// Finds one of this series.
pub(super) fn find_runtime(root: &Path, series: &str) -> anyhow::Result<ContainerRuntime> {
    if let Some(program) = find("containerd") {
        let found = at(program.parent().context("a program is in a folder")?)?;
        if found.is_of(series) {
            return Ok(found);
        }
    }
    let (_, name) = SUITES.into_iter().find(|(known, _)| *known == series).context("a known series")?;
    let suite = Suite { folder: root.join("target/kube/containerd").join(series), name };
    let folder = suite.folder.join("unpacked/usr/bin");
    if !folder.join("containerd").is_file() {
        let unpacked = suite.update(Lists::Packages).and_then(|()| suite.unpack(&["containerd"]));
        unpacked.with_context(|| {
            format!("containerd {series} is a package of Debian {name}, which cannot be had here")
        })?;
    }
    let found = at(&folder)?;
    ensure!(found.is_of(series), "Debian {name} has containerd {}, not {series}", found.version);
    Ok(found)
}

/// The one in this folder. It prints its name, the path of its source, its version and a revision.
fn at(folder: &Path) -> anyhow::Result<ContainerRuntime> {
    let text = output(Command::new(folder.join("containerd")).arg("--version"))?;
    let version = text.split_whitespace().nth(2).context("containerd prints no version")?;
    let version = version.trim_start_matches('v').split(['~', '+']).next().unwrap_or_default().to_owned();
    Ok(ContainerRuntime { folder: folder.to_path_buf(), version })
}

impl ContainerRuntime {
    /// Whether a kubelet of Kubernetes 1.20 cannot call it: containerd 2 has removed `runtime.v1alpha2`.
    pub(super) fn has_only_runtime_v1(&self) -> bool {
        self.version.starts_with("2.")
    }

    fn is_of(&self, series: &str) -> bool {
        self.version.strip_prefix(series).is_some_and(|rest| rest.starts_with('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::SUITES;

    #[test]
    fn every_series_of_the_command_line_has_a_suite() {
        assert_eq!(SUITES.map(|(series, _)| series), xtask::lab::RUNTIMES);
    }
}
