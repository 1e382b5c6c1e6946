//! Checks dependencies against the lists of `deny.toml`, which cargo-deny reads as well.
//!
//! cargo-deny takes minutes to build and, for vulnerabilities, a database from the network. The checks that need neither are here,
//! in every run: licences, sources, duplicate versions, and banned crates.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use anyhow::{Context, bail};
use serde_json::Value;
use toml::Table;

use xtask::dist::TARGET;
use xtask::process::{output, run, say, succeeds};
use xtask::{install, root};

/// A package's name and version.
pub(crate) type NameAndVersion = (String, String);

/// One package of those that are built.
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) license: String,
    source: Option<String>,
}

/// Runs the checks that need no network.
pub(crate) fn check() -> anyhow::Result<()> {
    let lists = Lists::read()?;
    let metadata = metadata()?;
    let packages = packages_of(&metadata, &used(&["--workspace".to_owned()], "normal,build,dev")?)?;
    let findings: Vec<String> = packages
        .iter()
        .flat_map(|package| lists.findings(package))
        .chain(lists.duplicates(&packages))
        .chain(lists.outsiders(&dependencies(&metadata)))
        .collect();
    if !findings.is_empty() {
        bail!("{} findings (deny.toml has the lists):\n{}", findings.len(), findings.join("\n"));
    }
    // The fuzz targets' crate is not a member of the workspace: nothing else detects that its lock file is out of date.
    let mut fuzz = Command::new(env!("CARGO"));
    fuzz.current_dir(root()?).args(["tree", "--locked", "--manifest-path=tests/fuzz/Cargo.toml"]);
    output(&mut fuzz)
        .context("is tests/fuzz/Cargo.lock out of date? `cargo update --workspace` in tests/fuzz mends it")?;
    say(&format!(
        "{} packages: licences, sources, versions and bans are as deny.toml has them",
        packages.len()
    ));
    Ok(())
}

/// Runs cargo-deny's checks.
pub(crate) fn cargo_deny() -> anyhow::Result<()> {
    let root = root()?;
    let tool = install::cargo_tool(&root, "cargo-deny")?;
    let check = |what: &[&str]| {
        let mut command = Command::new(&tool);
        command.current_dir(&root).args(["--workspace", "check"]).args(what);
        command
    };
    run(&mut check(&["licenses", "bans", "sources"]))?;
    if !succeeds(&mut check(&["advisories"])) {
        bail!(
            "known vulnerabilities, or no way to their database: `{} check advisories` says which",
            tool.display()
        );
    }
    Ok(())
}

struct Lists {
    licenses: BTreeSet<String>,
    /// Additional licences by crate.
    exceptions: BTreeMap<String, BTreeSet<String>>,
    banned: BTreeSet<String>,
    /// Crates that only these others may depend on.
    wrapped: BTreeMap<String, BTreeSet<String>>,
    /// Crates of which a version with this prefix may be a duplicate.
    skipped: Vec<(String, String)>,
}

impl Lists {
    fn read() -> anyhow::Result<Self> {
        let text = fs::read_to_string(root()?.join("deny.toml")).context("cannot read deny.toml")?;
        let table: Table = text.parse().context("deny.toml")?;
        let list = |section: &str, key: &str| -> anyhow::Result<Vec<toml::Value>> {
            let list = table.get(section).and_then(|section| section.get(key)?.as_array());
            list.cloned().with_context(|| format!("deny.toml has no {section}.{key}"))
        };
        let texts =
            |list: &[toml::Value]| list.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
        let skipped = list("bans", "skip")?.into_iter().filter_map(|entry| {
            let (name, version) = entry.get("crate")?.as_str()?.split_once('@')?;
            Some((name.to_owned(), format!("{version}.")))
        });
        let exceptions = list("licenses", "exceptions")?.into_iter().filter_map(|entry| {
            Some((entry.get("crate")?.as_str()?.to_owned(), texts(entry.get("allow")?.as_array()?)))
        });
        let wrapped = list("bans", "deny")?.into_iter().filter_map(|entry| {
            Some((entry.get("crate")?.as_str()?.to_owned(), texts(entry.get("wrappers")?.as_array()?)))
        });
        Ok(Self {
            wrapped: wrapped.collect(),
            licenses: texts(&list("licenses", "allow")?),
            exceptions: exceptions.collect(),
            banned: texts(&list("bans", "deny")?),
            skipped: skipped.collect(),
        })
    }

    fn findings(&self, package: &Package) -> Vec<String> {
        let Package { name, version, license, source } = package;
        let more = self.exceptions.get(name);
        let allowed = |license: &str| {
            self.licenses.contains(license) || more.is_some_and(|more| more.contains(license))
        };
        let mut findings = Vec::new();
        if !is_allowed(license, &allowed) {
            findings.push(format!("{name} {version}: licence {license:?} is not on the list"));
        }
        if self.banned.contains(name) {
            findings.push(format!("{name} {version}: banned"));
        }
        if source
            .as_ref()
            .is_some_and(|source| !source.starts_with("registry+") || !source.contains("crates.io"))
        {
            findings.push(format!("{name} {version}: from {source:?}, which is not crates.io"));
        }
        findings
    }

    /// Dependents of wrapped crates that are not on the list. `dependencies`: pairs of a crate and one that it depends on.
    fn outsiders(&self, dependencies: &[(String, String)]) -> Vec<String> {
        let is_outsider = |(dependent, crate_name): &&(String, String)| {
            self.wrapped.get(crate_name).is_some_and(|wrappers| !wrappers.contains(dependent))
        };
        let outsiders = dependencies.iter().filter(is_outsider);
        outsiders.map(|(dependent, banned)| format!("{dependent} depends on {banned}: banned")).collect()
    }

    fn duplicates(&self, packages: &[Package]) -> Vec<String> {
        let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let is_skipped = |package: &Package| {
            self.skipped
                .iter()
                .any(|(name, version)| package.name == *name && package.version.starts_with(version))
        };
        for package in packages.iter().filter(|package| !is_skipped(package)) {
            versions.entry(&package.name).or_default().insert(&package.version);
        }
        let twice = versions.into_iter().filter(|(_, versions)| versions.len() > 1);
        twice.map(|(name, versions)| format!("{name} is there as {versions:?}")).collect()
    }
}

/// Whether an SPDX expression leaves an allowed choice.
fn is_allowed(expression: &str, allowed: &impl Fn(&str) -> bool) -> bool {
    // Older manifests write a slash.
    let expression = expression.replace('/', " OR ");
    let text = expression.trim();
    let split = |operator: &str| -> Option<(String, String)> {
        let mut depth = 0;
        for (at, character) in text.char_indices() {
            match character {
                '(' => depth += 1,
                ')' => depth -= 1,
                _ if depth == 0 && text[at..].starts_with(operator) => {
                    return Some((text[..at].to_owned(), text[at + operator.len()..].to_owned()));
                }
                _ => {}
            }
        }
        None
    };
    if let Some((one, other)) = split(" OR ") {
        return is_allowed(&one, allowed) || is_allowed(&other, allowed);
    }
    if let Some((one, other)) = split(" AND ") {
        return is_allowed(&one, allowed) && is_allowed(&other, allowed);
    }
    match text.strip_prefix('(').and_then(|text| text.strip_suffix(')')) {
        Some(inner) => is_allowed(inner, allowed),
        None => allowed(text),
    }
}

/// Names of crates with each crate that they depend on.
fn dependencies(metadata: &Value) -> Vec<(String, String)> {
    let list = |of: &Value| of.as_array().cloned().unwrap_or_default();
    let text = |of: &Value| of.as_str().unwrap_or_default().to_owned();
    let packages = list(&metadata["packages"]).into_iter();
    let names: BTreeMap<String, String> =
        packages.map(|package| (text(&package["id"]), text(&package["name"]))).collect();
    let name = |id: &Value| names.get(&text(id)).cloned().unwrap_or_default();
    let pairs = |node: Value| {
        let dependent = name(&node["id"]);
        let pair = |other: Value| (dependent.clone(), name(&other["pkg"]));
        list(&node["deps"]).into_iter().map(pair).collect::<Vec<_>>()
    };
    list(&metadata["resolve"]["nodes"]).into_iter().flat_map(pairs).collect()
}

/// Cargo's metadata of all packages.
pub(crate) fn metadata() -> anyhow::Result<Value> {
    let mut metadata = Command::new(env!("CARGO"));
    metadata.current_dir(root()?);
    metadata.args(["metadata", "--format-version=1", "--locked", &format!("--filter-platform={TARGET}")]);
    serde_json::from_str(&output(&mut metadata)?).context("cargo metadata")
}

/// The used ones of the packages.
pub(crate) fn packages_of(metadata: &Value, used: &BTreeSet<NameAndVersion>) -> anyhow::Result<Vec<Package>> {
    let all = metadata["packages"].as_array().context("cargo metadata has no packages")?;
    let text = |package: &Value, key: &str| package[key].as_str().unwrap_or_default().to_owned();
    let package = |package: &Value| Package {
        name: text(package, "name"),
        version: text(package, "version"),
        license: text(package, "license"),
        source: package["source"].as_str().map(str::to_owned),
    };
    let is_used = |package: &Package| used.contains(&(package.name.clone(), package.version.clone()));
    Ok(all.iter().map(package).filter(is_used).collect())
}

/// Names and versions of compiled packages, for these members (options of `cargo tree`) and by these kinds of edges. `cargo metadata`
/// also lists packages of features that are not enabled.
pub(crate) fn used(members: &[String], edges: &str) -> anyhow::Result<BTreeSet<NameAndVersion>> {
    let mut tree = Command::new(env!("CARGO"));
    tree.current_dir(root()?).args(["tree", "--locked", "--prefix=none", "--format={p}"]).args(members);
    let text = output(tree.args([format!("--target={TARGET}"), format!("--edges={edges}")]))?;
    let name_and_version = |line: &str| {
        let (name, rest) = line.split_once(" v")?;
        Some((name.to_owned(), rest.split_whitespace().next()?.to_owned()))
    };
    Ok(text.lines().filter_map(name_and_version).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn licences_are_read_as_spdx_has_them() {
        let allowed = |license: &str| matches!(license, "MIT" | "ISC");
        for good in ["MIT", "GPL-3.0 OR MIT", "MIT/Apache-2.0", "MIT AND ISC", "(GPL-3.0 OR MIT) AND ISC"] {
            assert!(is_allowed(good, &allowed), "{good}");
        }
        for bad in
            ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR ISC) AND GPL-3.0", "GPL-3.0 OR (MIT AND BSL-1.0)"]
        {
            assert!(!is_allowed(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn what_is_forbidden_is_found() {
        let lists = Lists::read().unwrap();
        let package = |name: &str, version: &str, license: &str, source: &str| Package {
            name: name.to_owned(),
            version: version.to_owned(),
            license: license.to_owned(),
            source: Some(source.to_owned()),
        };
        let registry = "registry+https://github.com/rust-lang/crates.io-index";
        assert!(lists.findings(&package("good", "1.0.0", "MIT", registry)).is_empty());
        for bad in [
            package("openssl", "1.0.0", "MIT", registry),
            package("good", "1.0.0", "GPL-2.0-only", registry),
            package("good", "1.0.0", "MIT", "git+https://elsewhere/good"),
        ] {
            assert_eq!(lists.findings(&bad).len(), 1, "{}", bad.name);
        }
        let depends = |dependent: &str| [(dependent.to_owned(), "chrono".to_owned())];
        assert!(lists.outsiders(&depends("parquet")).is_empty());
        assert_eq!(lists.outsiders(&depends("good")), ["good depends on chrono: banned"]);
        let twice = [package("good", "1.0.0", "MIT", registry), package("good", "2.0.0", "MIT", registry)];
        assert_eq!(lists.duplicates(&twice).len(), 1);
    }
}
