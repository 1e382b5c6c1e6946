//! Lists the program's components as a `CycloneDX` 1.5 document (SBOM).
//!
//! Made from `cargo tree`, which lists what is compiled. cargo-cyclonedx 0.5.7 was tried: it lists optional dependencies that are
//! not compiled (crates that `deny.toml` bans among them), leaves out the kernel side, and writes paths of the building host.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::Context;
use serde_json::{Value, json};

use crate::supply::{self, NameAndVersion, Package};
use xtask::dist::TARGET;
use xtask::process::output;

/// Members of the workspace whose code is in the program: the agent, and its eBPF object.
const MEMBERS: [&str; 2] = ["ffwatt", "agent-ebpf"];

/// The document; `time` is in the format of RFC 3339.
pub(super) fn document(root: &Path, time: &str) -> anyhow::Result<Value> {
    let metadata = supply::metadata()?;
    let used = supply::used(&MEMBERS.map(|name| format!("--package={name}")), "normal")?;
    let packages: Vec<Package> = supply::packages_of(&metadata, &used)?;
    let checksums =
        checksums(&fs::read_to_string(root.join("Cargo.lock")).context("cannot read Cargo.lock")?)?;
    let commit = output(Command::new("git").current_dir(root).args(["rev-parse", "HEAD"]))?;
    let (program, others): (Vec<&Package>, Vec<&Package>) =
        packages.iter().partition(|package| package.name == MEMBERS[0]);
    let program = program.first().context("the agent is not among its own packages")?;
    let mut top = component(program, &checksums);
    top["type"] = json!("application");
    top["properties"] = json!([
        {"name": "ffwatt:target", "value": TARGET},
        {"name": "ffwatt:commit", "value": commit.trim()},
    ]);
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"timestamp": time, "component": top},
        "components": others.iter().map(|package| component(package, &checksums)).collect::<Vec<_>>(),
        "dependencies": dependencies(&metadata, &used)?,
    }))
}

fn component(package: &Package, checksums: &BTreeMap<NameAndVersion, String>) -> Value {
    let Package { name, version, license, .. } = package;
    let key = (name.clone(), version.clone());
    let mut component = json!({
        "type": "library",
        "bom-ref": reference(&key),
        "name": name,
        "version": version,
        // Older manifests write a slash, which is not SPDX.
        "licenses": [{"expression": license.replace('/', " OR ")}],
    });
    // Members of the workspace are on no registry.
    if let Some(checksum) = checksums.get(&key) {
        component["purl"] = json!(reference(&key));
        component["hashes"] = json!([{"alg": "SHA-256", "content": checksum}]);
    }
    component
}

fn reference((name, version): &NameAndVersion) -> String {
    format!("pkg:cargo/{name}@{version}")
}

/// Dependencies among the compiled packages.
fn dependencies(metadata: &Value, used: &BTreeSet<NameAndVersion>) -> anyhow::Result<Vec<Value>> {
    let packages = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let nodes = metadata["resolve"]["nodes"].as_array().context("cargo metadata has no graph")?;
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let names: BTreeMap<String, NameAndVersion> = packages
        .iter()
        .map(|package| (text(&package["id"]), (text(&package["name"]), text(&package["version"]))))
        .filter(|(_, key)| used.contains(key))
        .collect();
    let is_normal = |need: &&Value| {
        need["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
    };
    let mut graph = Vec::new();
    for node in nodes {
        let Some(key) = names.get(&text(&node["id"])) else { continue };
        let needs = node["deps"].as_array().into_iter().flatten().filter(is_normal);
        let needs: BTreeSet<String> =
            needs.filter_map(|need| Some(reference(names.get(&text(&need["pkg"]))?))).collect();
        graph.push(json!({"ref": reference(key), "dependsOn": needs}));
    }
    Ok(graph)
}

/// Checksums of the crates, from the lock file.
fn checksums(lock: &str) -> anyhow::Result<BTreeMap<NameAndVersion, String>> {
    let table: toml::Table = lock.parse().context("Cargo.lock")?;
    let packages = table["package"].as_array().context("Cargo.lock has no packages")?;
    let of = |package: &toml::Value, key: &str| Some(package.get(key)?.as_str()?.to_owned());
    let entry = |package| Some(((of(package, "name")?, of(package, "version")?), of(package, "checksum")?));
    Ok(packages.iter().filter_map(entry).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_what_is_compiled() {
        let root = xtask::root().unwrap();
        let document = document(&root, "2026-01-02T03:04:05Z").unwrap();
        let components = document["components"].as_array().unwrap();
        let find = |name: &str| components.iter().find(|component| component["name"] == name);
        // The agent's TLS, the C code of its database, and the kernel side.
        for name in ["rustls", "libsqlite3-sys", "aya-ebpf", "agent-common"] {
            assert!(find(name).is_some(), "{name}");
        }
        // Optional and disabled; only of tests; only of the tasks.
        for name in ["time", "proptest", "tests", "xtask"] {
            assert!(find(name).is_none(), "{name}");
        }
        let rustls = find("rustls").unwrap();
        assert_eq!(rustls["hashes"][0]["content"].as_str().unwrap().len(), 64);
        assert!(rustls["purl"].as_str().unwrap().starts_with("pkg:cargo/rustls@0."));
        assert!(find("agent-common").unwrap().get("purl").is_none(), "it is on no registry");
        assert_eq!(document["metadata"]["component"]["name"], "ffwatt");
        let text = document.to_string();
        assert!(!text.contains(root.to_str().unwrap()), "no path of this host");
    }

    #[test]
    fn every_dependency_is_a_component() {
        let document = document(&xtask::root().unwrap(), "2026-01-02T03:04:05Z").unwrap();
        let mut known: BTreeSet<&str> = document["components"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|part| part["bom-ref"].as_str())
            .collect();
        known.extend(document["metadata"]["component"]["bom-ref"].as_str());
        let graph = document["dependencies"].as_array().unwrap();
        assert_eq!(graph.len(), known.len());
        for part in graph {
            for name in std::iter::once(&part["ref"]).chain(part["dependsOn"].as_array().unwrap()) {
                assert!(known.contains(name.as_str().unwrap()), "{name}");
            }
        }
    }
}
