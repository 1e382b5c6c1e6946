//! Checks that every dependency of a member comes from the list of the workspace, which has its reason.

use std::fs;
use std::path::Path;

use anyhow::Context;
use toml::{Table, Value};

/// Checks the manifests of all members.
pub(super) fn check(root: &Path, findings: &mut Vec<String>) -> anyhow::Result<()> {
    let workspace = read(root, "Cargo.toml")?;
    let members = workspace.get("workspace").and_then(|workspace| workspace.get("members")?.as_array());
    for member in members.context("Cargo.toml has no members")?.iter().filter_map(Value::as_str) {
        let file = format!("{member}/Cargo.toml");
        findings.extend(
            own(&read(root, &file)?).map(|name| format!("{file}: {name} is not from the workspace's list")),
        );
    }
    Ok(())
}

fn read(root: &Path, file: &str) -> anyhow::Result<Table> {
    let text = fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))?;
    text.parse().with_context(|| format!("cannot parse {file}"))
}

/// Dependencies that a manifest declares itself, those of one platform included.
fn own(manifest: &Table) -> impl Iterator<Item = &str> {
    let targets = manifest.get("target").and_then(Value::as_table).into_iter().flatten();
    let tables = std::iter::once(manifest).chain(targets.filter_map(|(_, target)| target.as_table()));
    let lists = tables.flat_map(|table| {
        ["dependencies", "dev-dependencies", "build-dependencies"]
            .into_iter()
            .filter_map(|kind| table.get(kind)?.as_table())
    });
    let is_listed = |value: &Value| value.get("workspace").and_then(Value::as_bool) == Some(true);
    lists.flatten().filter(move |(_, value)| !is_listed(value)).map(|(name, _)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dependency_of_its_own_is_found_in_every_form() {
        let manifest = "[dependencies]
            listed.workspace = true
            also = { workspace = true, features = [\"a\"] }
            number = \"1\"
            [dependencies.table]
            version = \"1\"
            [build-dependencies]
            build = { path = \"../build\" }
            [target.'cfg(unix)'.dev-dependencies]
            unix = \"1\"";
        let manifest: Table = manifest.parse().unwrap();
        let mut found: Vec<&str> = own(&manifest).collect();
        found.sort_unstable();
        assert_eq!(found, ["build", "number", "table", "unix"]);
    }
}
