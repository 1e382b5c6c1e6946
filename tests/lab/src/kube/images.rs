//! Makes the images of the cluster from files of this host: nothing is pulled.

use std::fs;
use std::path::Path;

use ::tests::{containerd, image, oci};
use anyhow::{Context, ensure};
use serde_json::{Map, Value, json};

use super::cluster::Cluster;

/// Makes the images of pods and of the agent, and imports them.
pub(super) fn import(cluster: &Cluster, root: &Path, agent: &Path) -> anyhow::Result<()> {
    let dockerfile = fs::read_to_string(root.join("packaging/Dockerfile")).context("packaging/Dockerfile")?;
    let chart = fs::read_to_string(root.join("packaging/helm/ffwatt/Chart.yaml")).context("Chart.yaml")?;
    let version = chart.lines().find_map(|line| line.strip_prefix("appVersion: "));
    // The name that the chart has by default.
    let name = format!("localhost/ffwatt:{}", version.context("Chart.yaml has no appVersion")?.trim());
    for (name, files, config) in [
        (containerd::PAUSE, image::shell_root()?, oci::shell()),
        (containerd::ENCODER, image::encoder_root()?, oci::shell()),
        (&name, image::agent_root(agent)?, configuration(&dockerfile)?),
    ] {
        let archive = cluster.folder().join("image.tar");
        oci::write_image(files.path(), name, &config, &archive)?;
        cluster.ctr(&["images", "import", &archive.display().to_string()])?;
        fs::remove_file(&archive)?;
    }
    Ok(())
}

/// Variables, entry point and command of the last stage of a Dockerfile, as the configuration of an image.
fn configuration(dockerfile: &str) -> anyhow::Result<Value> {
    let text = dockerfile.replace("\\\n", " ");
    let (_, stage) = text.rsplit_once("\nFROM ").context("the Dockerfile has no stage")?;
    let mut config = Map::new();
    let mut variables = vec![json!("PATH=/usr/bin")];
    for line in stage.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or_default();
        match word {
            "ENV" => variables.extend(rest.split_whitespace().map(|variable| json!(variable))),
            "ENTRYPOINT" => drop(config.insert("Entrypoint".to_owned(), serde_json::from_str(rest)?)),
            "CMD" => drop(config.insert("Cmd".to_owned(), serde_json::from_str(rest)?)),
            _ => {}
        }
    }
    ensure!(config.len() == 2 && variables.len() > 1, "the Dockerfile has no ENV, ENTRYPOINT or CMD");
    config.insert("Env".to_owned(), json!(variables));
    Ok(Value::Object(config))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may panic")]

    use super::*;

    #[test]
    fn the_image_is_configured_as_by_the_dockerfile() {
        let path = xtask::root().unwrap().join("packaging/Dockerfile");
        let config = configuration(&fs::read_to_string(path).unwrap()).unwrap();
        assert_eq!(config["Entrypoint"], json!(["/usr/bin/ffwatt"]));
        assert_eq!(config["Cmd"], json!(["run"]));
        assert!(config["Env"].as_array().unwrap().contains(&json!("RESULTS_DIR=/results")), "{config}");
    }
}
