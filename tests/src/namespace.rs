//! A private network namespace: every port is free in it, and a test defines its host names.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};

use crate::command::{Owned, output};
use crate::variables;

/// A network and mount namespace with a loopback and a hosts file; removed when dropped.
#[derive(Debug)]
pub struct Namespace {
    holder: Owned,
    _folder: tempfile::TempDir,
}

impl Namespace {
    /// A namespace in which these names are 127.0.0.1.
    pub fn start(names: &[&str]) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let hosts = folder.path().join("hosts");
        fs::write(&hosts, format!("127.0.0.1 localhost {}\n", names.join(" ")))
            .context("cannot write hosts")?;
        // It ends with its standard input: also when this process is killed, however long it has run.
        let script = r#"ip link set lo up && mount --bind "$1" /etc/hosts && echo ready && exec cat"#;
        let mut command = Command::new("unshare");
        command.args(["--net", "--mount", "sh", "-c", script, "sh"]).arg(&hosts);
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut holder = Owned(child.context("cannot run unshare")?);
        let out = holder.0.stdout.take().context("a child's output is a pipe")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).context("cannot read from unshare")?;
        if line.trim() != "ready" {
            bail!("cannot make a network namespace: this needs root, iproute2 and util-linux");
        }
        Ok(Self { holder, _folder: folder })
    }

    /// The process that holds it.
    pub fn process(&self) -> u32 {
        self.holder.0.id()
    }

    /// A program that runs in it.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        let target = self.process().to_string();
        command.args(["--target", &target, "--net", "--mount", "--"]).arg(program).stdin(Stdio::null());
        variables::hide(&mut command);
        command
    }

    /// The answer of an address in it to a form.
    pub fn post(&self, url: &str, fields: &[(&str, &str)]) -> anyhow::Result<String> {
        let mut command = self.command("curl");
        command.args(["--silent", "--show-error", "--max-time", "20"]);
        for (name, value) in fields {
            command.arg("--data-urlencode").arg(format!("{name}={value}"));
        }
        output(command.arg(url))
    }
}
