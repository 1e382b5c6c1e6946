//! Podman as root, with a storage of its own and without a socket.

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Context;

use crate::cgroup::ContainerParents;
use crate::command::{find, output};
use crate::image;

/// Image of all containers: busybox.
const IMAGE: &str = "localhost/shell:1";

/// A folder with images and containers; when dropped, its containers end.
#[derive(Debug)]
pub struct Podman {
    folder: tempfile::TempDir,
    _parents: ContainerParents<'static>,
}

impl Podman {
    /// Makes a storage with an image of busybox. Nothing is pulled.
    pub fn new() -> anyhow::Result<Self> {
        find("podman").context("there is no podman here (package podman)")?;
        let folder =
            tempfile::Builder::new().prefix("ffwatt-podman-").tempdir().context("cannot make a folder")?;
        let podman = Self { folder, _parents: ContainerParents(&["libpod_parent/conmon", "libpod_parent"]) };
        let archive = podman.folder.path().join("image.tar");
        let root = image::shell_root()?;
        let status = image::archive(root.path()).stdout(File::create(&archive)?).status()?;
        anyhow::ensure!(status.success(), "cannot make {}", archive.display());
        output(podman.podman().arg("import").arg(&archive).arg(IMAGE))?;
        Ok(podman)
    }

    /// Starts a container on the host's network; returns its full id.
    pub fn run(&self, name: &str, command: &[&str]) -> anyhow::Result<String> {
        let mut run = self.podman();
        // The defaults of Podman need rights that a container of a test machine lacks: higher limits, a network of its own.
        run.args(["run", "--detach", "--network=host", "--ulimit=nofile=1024:1024"]);
        run.args(["--ulimit=nproc=4096:4096", "--name", name, IMAGE]).args(command);
        Ok(output(&mut run)?.trim().to_owned())
    }

    /// Waits until a container has ended.
    pub fn wait(&self, name: &str) -> anyhow::Result<()> {
        output(self.podman().args(["wait", name])).map(drop)
    }

    /// `podman` on this storage. runc and the manager `cgroupfs` work with every version of cgroups, and without systemd.
    fn podman(&self) -> Command {
        let mut command = Command::new("podman");
        let folder = |name: &str| self.folder.path().join(name);
        let option = |name: &str, folder: &Path| format!("--{name}={}", folder.display());
        command
            .arg(option("root", &folder("root")))
            .arg(option("runroot", &folder("run")))
            .arg(option("tmpdir", &folder("tmp")))
            .args(["--storage-driver=vfs", "--cgroup-manager=cgroupfs", "--events-backend=file"])
            .args(["--runtime", "/usr/sbin/runc"])
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Podman {
    fn drop(&mut self) {
        // A test that failed reports its own failure.
        let _ = output(self.podman().args(["rm", "--all", "--force", "--time=0"]));
    }
}
