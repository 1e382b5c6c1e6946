//! `cargo xtask release`: checks tag and version, dates the changelog, builds the packages, writes an SBOM and checksums.
//!
//! It publishes nothing and makes no commit: .github/workflows/release.yml runs it again at the tag and publishes the result.

mod changelog;
mod sbom;

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use changelog::Heading;
use xtask::dist;
use xtask::process::{output, say};
use xtask::root;

/// Files that name the version, and how.
const MENTIONS: [(&str, &str); 6] = [
    ("docker-compose.yml", "ffwatt:VERSION}"),
    ("packaging/Dockerfile", "ARG VERSION=VERSION\n"),
    ("docs/DEPLOY.md", "ffwatt_VERSION-1_amd64.deb"),
    ("docs/DEPLOY.md", "ffwatt-VERSION-x86_64-linux.tar.gz"),
    ("docs/KUBERNETES.md", "ffwatt:VERSION\n"),
    ("packaging/kubernetes/ffwatt.yaml", "ffwatt:VERSION\""),
];

/// Arguments of the task.
pub(crate) struct Options {
    /// The tag of the release; without it, the tag at the checked-out commit or the one of the version.
    pub(crate) tag: Option<String>,
    /// Only check and report.
    pub(crate) dry_run: bool,
}

/// State of the checkout as git reports it.
struct Checkout {
    /// Tags of the checked-out commit.
    tags_here: Vec<String>,
    /// All tags.
    tags: Vec<String>,
    /// Changed and new files.
    changed: Vec<String>,
}

/// Makes the release in `target/dist`, or reports what it would do.
pub(crate) fn make(options: &Options) -> anyhow::Result<()> {
    let root = root()?;
    let version = env!("CARGO_PKG_VERSION");
    let checkout = Checkout::read(&root)?;
    let tag = checkout.tag(options.tag.as_deref(), version)?;
    ensure!(
        checkout.changed.is_empty(),
        "the checkout has changes that are not committed: {}",
        checkout.changed.join(", ")
    );
    check_mentions(&root, version)?;
    let path = root.join("CHANGELOG.md");
    let old = fs::read_to_string(&path).context("cannot read CHANGELOG.md")?;
    let today = output(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let new = dated(&old, version, today.trim(), checkout.tags.contains(&tag))?;
    let notes = changelog::section(&new, version)?;
    let files = [dist::tarball_name(version), dist::package_name(version), sbom_name(version)];
    if options.dry_run {
        if new != old {
            say(&format!("would date the section of {version} in CHANGELOG.md: {}", today.trim()));
        }
        say(&format!("would build {} and SHA256SUMS in target/dist, for the tag {tag}", files.join(", ")));
        return Ok(());
    }
    if new != old {
        fs::write(&path, &new).context("cannot write CHANGELOG.md")?;
    }
    dist::run_all(dist::Options { binary_only: false, debug: false })?;
    let folder = root.join("target/dist");
    write_sbom(&root, &folder.join(sbom_name(version)))?;
    fs::write(folder.join("NOTES.md"), notes).context("cannot write NOTES.md")?;
    dist::write_checksums(&folder, &["ffwatt", &files[0], &files[1], &files[2]])?;
    if new != old {
        say(&format!(
            "next: git commit -m 'release: {version}' CHANGELOG.md && git tag {tag} && git push origin HEAD {tag}"
        ));
    }
    Ok(())
}

impl Checkout {
    fn read(root: &Path) -> anyhow::Result<Self> {
        let lines = |arguments: &[&str]| -> anyhow::Result<Vec<String>> {
            let text = output(Command::new("git").current_dir(root).args(arguments))?;
            Ok(text.lines().map(str::to_owned).collect())
        };
        let changed = lines(&["status", "--porcelain"])?;
        Ok(Self {
            tags_here: lines(&["tag", "--points-at", "HEAD"])?,
            tags: lines(&["tag"])?,
            changed: changed.iter().map(|line| line.get(3..).unwrap_or(line).to_owned()).collect(),
        })
    }

    /// The tag of the release: it is `v` and the version, and no tag of another commit.
    fn tag(&self, asked: Option<&str>, version: &str) -> anyhow::Result<String> {
        let expected = format!("v{version}");
        let here = self.tags_here.iter().map(String::as_str).find(|tag| is_version_tag(tag));
        let tag = asked.or(here).unwrap_or(&expected);
        ensure!(
            tag == expected,
            "the tag is {tag}, and the version in Cargo.toml is {version}: the tag of this version is {expected}"
        );
        let is_elsewhere = self.tags.contains(&expected) && !self.tags_here.contains(&expected);
        ensure!(!is_elsewhere, "{expected} is the tag of another commit: raise the version in Cargo.toml");
        Ok(expected)
    }
}

fn is_version_tag(tag: &str) -> bool {
    tag.strip_prefix('v').is_some_and(|rest| rest.starts_with(|character: char| character.is_ascii_digit()))
}

/// The changelog with the date of the release; a tag that exists must have it already.
fn dated(text: &str, version: &str, today: &str, is_tagged: bool) -> anyhow::Result<String> {
    match changelog::newest(text)? {
        Heading::Released(newest) if newest == version => Ok(text.to_owned()),
        Heading::Released(newest) => {
            bail!(
                "the newest section of CHANGELOG.md is {newest}, and the version in Cargo.toml is {version}"
            )
        }
        Heading::Unreleased(Some(other)) if other != version => {
            bail!(
                "the unreleased section of CHANGELOG.md is {other}, and the version in Cargo.toml is {version}"
            )
        }
        Heading::Unreleased(_) if is_tagged => bail!(
            "the section of {version} in CHANGELOG.md has no date at the tag: run `cargo xtask release` before the tag is made"
        ),
        Heading::Unreleased(_) => changelog::release(text, version, today),
    }
}

fn check_mentions(root: &Path, version: &str) -> anyhow::Result<()> {
    for (file, mention) in MENTIONS {
        let text = fs::read_to_string(root.join(file)).with_context(|| format!("cannot read {file}"))?;
        // The last one: the Dockerfile's variable contains the name of the placeholder.
        let (before, after) = mention.rsplit_once("VERSION").context("a mention has a version")?;
        let mention = format!("{before}{version}{after}");
        ensure!(text.contains(&mention), "{file} does not have {:?}: set the version there", mention.trim());
    }
    Ok(())
}

fn sbom_name(version: &str) -> String {
    format!("ffwatt-{version}.cdx.json")
}

/// Writes the SBOM as it is at this time.
fn write_sbom(root: &Path, path: &Path) -> anyhow::Result<()> {
    let time = output(Command::new("date").args(["-u", "+%Y-%m-%dT%H:%M:%SZ"]))?;
    let mut text = serde_json::to_string_pretty(&sbom::document(root, time.trim())?)?;
    text.push('\n');
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout(here: &[&str], all: &[&str]) -> Checkout {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Checkout { tags_here: owned(here), tags: owned(all), changed: Vec::new() }
    }

    #[test]
    fn the_tag_is_the_version() {
        let untagged = checkout(&[], &["v0.1.0"]);
        assert_eq!(untagged.tag(None, "0.2.0").unwrap(), "v0.2.0");
        assert_eq!(untagged.tag(Some("v0.2.0"), "0.2.0").unwrap(), "v0.2.0");
        let tagged = checkout(&["reviewed", "v0.2.0"], &["reviewed", "v0.1.0", "v0.2.0"]);
        assert_eq!(tagged.tag(None, "0.2.0").unwrap(), "v0.2.0");
        for (tags, asked, version) in [
            (&untagged, Some("v0.3.0"), "0.2.0"),
            (&untagged, Some("0.2.0"), "0.2.0"),
            (&tagged, None, "0.3.0"),
            // A tag of another commit.
            (&untagged, None, "0.1.0"),
        ] {
            let error = tags.tag(asked, version).unwrap_err().to_string();
            assert!(error.contains(&format!("v{version}")), "{error}");
        }
    }

    #[test]
    fn every_file_that_names_the_version_has_this_one() {
        let root = root().unwrap();
        check_mentions(&root, env!("CARGO_PKG_VERSION")).unwrap();
        let error = check_mentions(&root, "99.0.0").unwrap_err().to_string();
        assert!(error.contains("docker-compose.yml") && error.contains("99.0.0"), "{error}");
    }

    #[test]
    fn the_changelog_has_this_version_and_a_date_at_the_tag() {
        let of = |heading: &str| format!("# Changelog\n\n{heading}\n\n- A change.\n\n## 0.1.0\n");
        let today = "2026-01-02";
        for heading in ["## 0.2.0, unreleased", "## Unreleased", "## [Unreleased]"] {
            let new = dated(&of(heading), "0.2.0", today, false).unwrap();
            assert_eq!(new, of("## 0.2.0, 2026-01-02"));
            assert!(dated(&of(heading), "0.2.0", today, true).unwrap_err().to_string().contains("date"));
            // Repeated: nothing is left to be done, before the tag and at it.
            assert_eq!(dated(&new, "0.2.0", "2027-01-01", false).unwrap(), new);
            assert_eq!(dated(&new, "0.2.0", "2027-01-01", true).unwrap(), new);
        }
        for heading in ["## 0.3.0, unreleased", "## 0.1.9, 2025-01-01"] {
            let error = dated(&of(heading), "0.2.0", today, false).unwrap_err().to_string();
            assert!(error.contains("0.2.0"), "{error}");
        }
    }
}
