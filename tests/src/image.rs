//! Builds a container image with ffmpeg from this host's own files: nothing is pulled.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Context;
use tempfile::TempDir;

use crate::command::{find, output};
use crate::engine::Engine;

/// Makes an image with ffmpeg, busybox and the libraries they need.
pub fn make(engine: &Engine, name: &str) -> anyhow::Result<()> {
    import(engine, name, encoder_root()?.path())
}

/// The files of an image with ffmpeg, busybox and the libraries they need.
pub fn encoder_root() -> anyhow::Result<TempDir> {
    let folder = shell_root()?;
    let ffmpeg = find("ffmpeg").context("there is no ffmpeg here (package ffmpeg)")?;
    fs::copy(&ffmpeg, folder.path().join("bin/ffmpeg"))?;
    copy_libraries(&ffmpeg, folder.path())?;
    Ok(folder)
}

/// The files of an image with busybox.
pub fn shell_root() -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    let root = folder.path();
    for directory in ["bin", "usr", "tmp", "proc", "sys", "dev"] {
        fs::create_dir_all(root.join(directory))?;
    }
    let busybox = find("busybox").context("there is no busybox here (package busybox-static)")?;
    fs::copy(busybox, root.join("bin/busybox"))?;
    for applet in ["sh", "sleep", "true", "timeout", "cat", "mkfifo"] {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    Ok(folder)
}

/// The files of an image with only this program, as `packaging/Dockerfile` makes it, and the libraries of a program that is not static.
pub fn agent_root(program: &Path) -> anyhow::Result<TempDir> {
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    let place = folder.path().join("usr/bin");
    fs::create_dir_all(&place)?;
    fs::copy(program, place.join("ffwatt")).with_context(|| format!("cannot copy {}", program.display()))?;
    copy_libraries(program, folder.path())?;
    Ok(folder)
}

/// A program that writes a folder as an archive to its standard output. All files are root's.
pub fn archive(root: &Path) -> Command {
    let mut tar = Command::new("tar");
    tar.args(["--owner=0", "--group=0", "-C"]).arg(root).args(["-c", "."]);
    tar
}

/// Makes an image with only the libraries that a program needs: the base of a dynamic program, as an empty one is for a static program.
pub fn make_base(engine: &Engine, name: &str, program: &Path) -> anyhow::Result<()> {
    let folder = tempfile::tempdir().context("cannot make a folder")?;
    let root = folder.path();
    // Folders in which the host is mounted, and in which the agent keeps its state.
    for directory in ["tmp", "host/proc", "host/sys", "results", "var/lib/ffwatt", "var/run"] {
        fs::create_dir_all(root.join(directory))?;
    }
    copy_libraries(program, root)?;
    import(engine, name, root)
}

fn copy_libraries(program: &Path, root: &Path) -> anyhow::Result<()> {
    for library in libraries(program)? {
        let to = root.join(library.strip_prefix("/").unwrap_or(&library));
        fs::create_dir_all(to.parent().context("a library is in a folder")?)?;
        fs::copy(&library, &to).with_context(|| format!("cannot copy {}", library.display()))?;
    }
    Ok(())
}

fn import(engine: &Engine, name: &str, root: &Path) -> anyhow::Result<()> {
    let mut tar = archive(root).stdout(Stdio::piped()).spawn()?;
    let archive = tar.stdout.take().context("tar writes to a pipe")?;
    let mut import = engine.docker();
    import.args(["import", "-", name]).stdin(archive).stdout(Stdio::null());
    let status = import.status().context("cannot run docker import")?;
    anyhow::ensure!(tar.wait()?.success() && status.success(), "cannot make the image {name}");
    Ok(())
}

/// The libraries a program is linked with, the loader included.
fn libraries(program: &Path) -> anyhow::Result<BTreeSet<PathBuf>> {
    let text = output(Command::new("ldd").arg(program))?;
    let paths = text.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from);
    Ok(paths.filter(|path| path.exists()).collect())
}
