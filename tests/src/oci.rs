//! Writes an image in the layout of the Open Container Initiative, as an archive that a runtime imports without a registry.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde_json::{Value, json};

use crate::command::output;
use crate::image;

/// The configuration of an image with a shell. A container of the image waits.
pub fn shell() -> Value {
    json!({"Cmd": ["/bin/sleep", "86400"], "Env": ["PATH=/bin"]})
}

/// Writes the archive of an image with the files of `root`. `name` has a registry and a tag, as `localhost/encoder:1`; `config` is the
/// field of this name of the specification of images.
pub fn write_image(root: &Path, name: &str, config: &Value, archive: &Path) -> anyhow::Result<()> {
    let layout = tempfile::tempdir().context("cannot make a folder")?;
    let blobs = layout.path().join("blobs/sha256");
    fs::create_dir_all(&blobs)?;

    let layer = layout.path().join("layer");
    let status = image::archive(root).stdout(File::create(&layer)?).status()?;
    anyhow::ensure!(status.success(), "cannot make the layer of {name}");
    let layer = add(&blobs, &layer)?;

    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": [layer.digest]},
    });
    let config = add_json(layout.path(), &blobs, &config)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": config.reference("application/vnd.oci.image.config.v1+json"),
        "layers": [layer.reference("application/vnd.oci.image.layer.v1.tar")],
    });
    let manifest = add_json(layout.path(), &blobs, &manifest)?;
    let mut reference = manifest.reference("application/vnd.oci.image.manifest.v1+json");
    reference["annotations"] =
        json!({"io.containerd.image.name": name, "org.opencontainers.image.ref.name": name});
    let index = json!({"schemaVersion": 2, "manifests": [reference]});
    fs::write(layout.path().join("index.json"), index.to_string())?;
    fs::write(layout.path().join("oci-layout"), json!({"imageLayoutVersion": "1.0.0"}).to_string())?;

    let status = image::archive(layout.path()).stdout(File::create(archive)?).status()?;
    anyhow::ensure!(status.success(), "cannot make {}", archive.display());
    Ok(())
}

/// A file of the layout, by its content.
struct Blob {
    digest: String,
    size: u64,
}

impl Blob {
    fn reference(&self, media_type: &str) -> Value {
        json!({"mediaType": media_type, "digest": self.digest, "size": self.size})
    }
}

fn add_json(layout: &Path, blobs: &Path, value: &Value) -> anyhow::Result<Blob> {
    let file = layout.join("json");
    fs::write(&file, value.to_string())?;
    add(blobs, &file)
}

/// Moves a file to its place.
fn add(blobs: &Path, file: &Path) -> anyhow::Result<Blob> {
    let sum = output(Command::new("sha256sum").arg(file))?;
    let sum = sum.split_whitespace().next().context("sha256sum prints no sum")?;
    let size = fs::metadata(file)?.len();
    fs::rename(file, blobs.join(sum))?;
    Ok(Blob { digest: format!("sha256:{sum}"), size })
}
