//! A Docker engine: the host's own, or a private one that leaves nothing behind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};

use crate::command::{eventually, find, output};

/// Time limit for an engine's answer.
const START_PATIENCE: Duration = Duration::from_mins(1);

/// An engine that answers.
#[derive(Debug)]
pub struct Engine {
    socket: PathBuf,
    private: Option<Private>,
}

/// Parts of a private engine.
#[derive(Debug)]
struct Private {
    daemon: Option<Child>,
    folder: tempfile::TempDir,
}

impl Engine {
    /// The engine that serves the host, if one answers.
    pub fn of_host() -> Option<Self> {
        let engine = Self { socket: PathBuf::from("/var/run/docker.sock"), private: None };
        find("docker")?;
        (engine.socket.exists() && engine.answers()).then_some(engine)
    }

    /// Whether a private engine could be started here.
    pub fn can_be_private() -> bool {
        rustix::process::geteuid().is_root() && find("dockerd").is_some() && find("docker").is_some()
    }

    /// Starts an engine in a separate folder. Containers get no network, and nothing of the host's is changed.
    pub fn start_private() -> anyhow::Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("ffwatt-docker-").tempdir().context("cannot make a folder")?;
        let socket = folder.path().join("docker.sock");
        let mut engine = Self { socket, private: Some(Private { daemon: None, folder }) };
        engine.start_daemon()?;
        Ok(engine)
    }

    /// Its socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// `docker build`, by BuildKit. Newer clients need a plugin for it that may be missing; Debian's own contains it.
    pub fn build(&self) -> Command {
        let debians = Path::new("/usr/bin/docker");
        let mut command = self.client(if debians.is_file() { debians } else { Path::new("docker") });
        command.env("DOCKER_BUILDKIT", "1").arg("build");
        command
    }

    /// `docker` for this engine.
    pub fn docker(&self) -> Command {
        self.client(Path::new("docker"))
    }

    fn client(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.arg("--host").arg(format!("unix://{}", self.socket.display())).stdin(Stdio::null());
        command
    }

    /// Runs `docker` with these arguments; returns its standard output, trimmed.
    pub fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        Ok(output(self.docker().args(arguments))?.trim().to_owned())
    }

    /// Ends a private engine's daemon and its containers.
    pub fn stop_daemon(&mut self) -> anyhow::Result<()> {
        self.signal(rustix::process::Signal::TERM)?;
        let Some(daemon) = self.private.as_mut().and_then(|private| private.daemon.as_mut()) else {
            bail!("only a private engine can be stopped");
        };
        eventually("dockerd ends", START_PATIENCE, || daemon.try_wait().ok().flatten())?;
        if let Some(private) = &mut self.private {
            private.daemon = None;
        }
        Ok(())
    }

    /// Sends a signal to a private engine's daemon.
    pub fn signal(&self, signal: rustix::process::Signal) -> anyhow::Result<()> {
        let daemon = self.private.as_ref().and_then(|private| private.daemon.as_ref());
        let daemon = daemon.context("only a private engine that runs can be signalled")?;
        let pid = i32::try_from(daemon.id()).ok().and_then(rustix::process::Pid::from_raw);
        let pid = pid.context("a child has a process id")?;
        rustix::process::kill_process(pid, signal).context("cannot signal dockerd")
    }

    /// Starts a private engine's daemon, for the first time or again.
    pub fn start_daemon(&mut self) -> anyhow::Result<()> {
        let Some(private) = &mut self.private else { bail!("only a private engine can be started") };
        let folder = private.folder.path();
        let log = fs::File::create(folder.join("log")).context("cannot make a log")?;
        let program = find("dockerd").context("there is no dockerd here")?;
        let mut command = Command::new(program);
        command
            .arg("--data-root")
            .arg(folder.join("data"))
            .arg("--exec-root")
            .arg(folder.join("exec"))
            .arg("--pidfile")
            .arg(folder.join("pid"))
            .arg("--host")
            .arg(format!("unix://{}", self.socket.display()))
            .args(["--bridge=none", "--iptables=false", "--ip6tables=false"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        // It searches runc and containerd there.
        command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
        private.daemon = Some(command.spawn().context("cannot start dockerd")?);
        eventually("dockerd answers", START_PATIENCE, || self.answers().then_some(())).with_context(|| {
            let log = self.private.as_ref().map(|private| private.folder.path().join("log"));
            log.and_then(|log| fs::read_to_string(log).ok()).unwrap_or_default()
        })
    }

    fn answers(&self) -> bool {
        let mut command = self.docker();
        command
            .args(["version", "--format", "{{.Server.Version}}"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.private.as_ref().is_none_or(|private| private.daemon.is_none()) {
            return;
        }
        // A test that failed may have left the daemon stopped, and it would never answer.
        let _ = self.signal(rustix::process::Signal::CONT);
        // Containers first: their processes would outlive a daemon that is killed.
        if let Ok(containers) = self.run(&["ps", "--all", "--quiet"]) {
            for container in containers.lines() {
                let _ = self.run(&["rm", "--force", container]);
            }
        }
        if self.stop_daemon().is_err()
            && let Some(daemon) = self.private.as_mut().and_then(|private| private.daemon.as_mut())
        {
            let _ = daemon.kill();
            let _ = daemon.wait();
        }
    }
}
