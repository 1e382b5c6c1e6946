//! Builds the programs of Kubernetes from Debian's source package, once.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, ensure};
use xtask::process::{output, run, say};

use crate::suite::{Lists, Suite};

/// Suite that has the source package: the last one with all that a build needs in the package itself.
const SUITE: &str = "bookworm";

/// Debian's Go. The source is too old for newer ones.
const GO: &str = "/usr/lib/go-1.19/bin/go";

/// What the build needs.
pub(super) const PACKAGES: [&str; 2] = ["golang-1.19-go", "dpkg-dev"];

const PROGRAMS: [&str; 4] = ["kubelet", "kube-apiserver", "kube-controller-manager", "kube-scheduler"];

/// Tag of packages: the API server describes the types of a package with this tag.
const DESCRIBED: &str = "+k8s:openapi-gen=";

/// File with the names of the calls from kubelet to container runtime (CRI).
const CALLS: &str = "staging/src/k8s.io/cri-api/pkg/apis/runtime/v1alpha2/api.pb.go";

/// The programs of one version of the source package, which is the key of the cache.
#[derive(Debug)]
pub(super) struct Kubernetes {
    root: PathBuf,
    /// Version of the source package.
    source: String,
}

impl Kubernetes {
    /// Finds the programs below `target/kube`, or gets the source and builds them.
    pub(super) fn build(root: &Path) -> anyhow::Result<Self> {
        let root = root.join("target/kube/programs");
        if let Some(built) = Self::built(&root) {
            return Ok(built);
        }
        let suite = Suite { folder: root.join("apt"), name: SUITE };
        suite.update(Lists::Sources)?;
        let text = output(suite.apt("apt-cache").args(["showsrc", "--only-source", "kubernetes"]))?;
        let version = text.lines().find_map(|line| line.strip_prefix("Version: "));
        let source = version.with_context(|| format!("{SUITE} has no source of kubernetes"))?.to_owned();
        let kubernetes = Self { root, source };
        say("building Kubernetes into target/kube (once, about ten minutes)");
        kubernetes.unpack_source(&suite)?;
        kubernetes.describe_types()?;
        for program in PROGRAMS {
            kubernetes.compile(program, &kubernetes.bin())?;
        }
        Ok(kubernetes)
    }

    fn built(root: &Path) -> Option<Self> {
        let mut folders = fs::read_dir(root).ok()?.flatten();
        folders.find_map(|folder| {
            let source = folder.file_name().into_string().ok()?;
            let kubernetes = Self { root: root.to_path_buf(), source };
            PROGRAMS.iter().all(|program| kubernetes.bin().join(program).is_file()).then_some(kubernetes)
        })
    }

    /// Builds a kubelet that calls `runtime.v1` instead of `runtime.v1alpha2`; returns its folder.
    ///
    /// containerd 2 has only `runtime.v1`. The messages are the same: containerd 1.7 decodes those of both by the same code.
    pub(super) fn kubelet_of_runtime_v1(&self) -> anyhow::Result<PathBuf> {
        let bin = self.folder().join("bin-runtime-v1");
        if bin.join("kubelet").is_file() {
            return Ok(bin);
        }
        say("building the kubelet again, for containerd 2 (once, some minutes)");
        let file = self.tree().join(CALLS);
        let original =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let renamed = original.replace("runtime.v1alpha2.RuntimeService", "runtime.v1.RuntimeService");
        let renamed = renamed.replace("runtime.v1alpha2.ImageService", "runtime.v1.ImageService");
        ensure!(renamed != original, "{CALLS} has no names of calls");
        fs::write(&file, renamed)?;
        let compiled = self.compile("kubelet", &bin);
        fs::write(&file, original)?;
        compiled.map(|()| bin)
    }

    /// Folder of the programs.
    pub(super) fn bin(&self) -> PathBuf {
        self.folder().join("bin")
    }

    /// Version of Kubernetes, which the programs report: the chart refuses a server of an unknown version.
    pub(super) fn version(&self) -> String {
        release_of(&self.source)
    }

    fn folder(&self) -> PathBuf {
        self.root.join(&self.source)
    }

    /// The source, at its path within `GOPATH`.
    fn tree(&self) -> PathBuf {
        self.folder().join("go/src/k8s.io/kubernetes")
    }

    fn unpack_source(&self, suite: &Suite) -> anyhow::Result<()> {
        if self.tree().is_dir() {
            return Ok(());
        }
        let source = format!("kubernetes={}", self.source);
        run(suite.apt("apt-get").args(["-q", "source", "--download-only", &source]))?;
        let partial = self.folder().join("unpacked");
        // A build that was interrupted.
        let _ = fs::remove_dir_all(&partial);
        fs::create_dir_all(self.tree().parent().context("the source is in a folder")?)?;
        let mut unpack = Command::new("dpkg-source");
        unpack.args(["--no-check", "--extract"]);
        unpack.arg(suite.folder.join(format!("cache/kubernetes_{}.dsc", self.source))).arg(&partial);
        run(&mut unpack)?;
        fs::rename(&partial, self.tree()).context("cannot move the source of Kubernetes")
    }

    fn go(&self) -> Command {
        let mut command = Command::new(GO);
        command.current_dir(self.tree());
        command.envs([("GO111MODULE", "off"), ("CGO_ENABLED", "0"), ("GOTOOLCHAIN", "local")]);
        command.env("GOPATH", self.folder().join("go")).env("GOCACHE", self.folder().join("cache"));
        command
    }

    /// Writes the descriptions of the types of the API, without which the API server does not compile.
    fn describe_types(&self) -> anyhow::Result<()> {
        if self.tree().join("pkg/generated/openapi/zz_generated.openapi.go").is_file() {
            return Ok(());
        }
        let generator = self.folder().join("openapi-gen");
        let package = "k8s.io/kubernetes/vendor/k8s.io/kube-openapi/cmd/openapi-gen";
        run(self.go().arg("build").arg("-o").arg(&generator).arg(package))?;
        let packages = self.described()?;
        ensure!(packages.len() > 60, "only {} packages have {DESCRIBED}", packages.len());
        let mut generate = Command::new(&generator);
        for (name, value) in self.go().get_envs() {
            generate.env(name, value.unwrap_or_default());
        }
        // The generator calls go.
        let path = std::env::var("PATH").unwrap_or_default();
        generate.env("PATH", format!("{}:{path}", Path::new(GO).parent().context("a folder")?.display()));
        generate.current_dir(self.tree()).args([
            "--output-file-base=zz_generated.openapi",
            "--go-header-file=hack/boilerplate/boilerplate.generatego.txt",
            "--output-package=k8s.io/kubernetes/pkg/generated/openapi",
            "--report-filename=/dev/null",
        ]);
        generate.arg(format!("--output-base={}", self.folder().join("go/src").display()));
        generate.arg(format!("--input-dirs={}", Vec::from_iter(packages).join(",")));
        run(&mut generate)
    }

    /// Packages with the tag.
    fn described(&self) -> anyhow::Result<BTreeSet<String>> {
        let mut search = Command::new("grep");
        search.current_dir(self.tree()).args(["-R", "-l", "--include=*.go", "--fixed-strings", DESCRIBED]);
        let files = output(search.args(["vendor/k8s.io", "pkg"]))?;
        let is_other = |folder: &&Path| {
            let text = folder.to_string_lossy();
            ["kube-openapi", "code-generator", "example", "sample-apiserver"]
                .iter()
                .any(|name| text.contains(name))
        };
        let folders = files.lines().filter_map(|file| Path::new(file).parent());
        let folders = folders.filter(|folder| !is_other(folder));
        Ok(folders.map(|folder| format!("k8s.io/kubernetes/{}", folder.display())).collect())
    }

    /// Compiles a program into a folder.
    fn compile(&self, program: &str, bin: &Path) -> anyhow::Result<()> {
        fs::create_dir_all(bin).with_context(|| format!("cannot make {}", bin.display()))?;
        let mut flags = vec!["-s -w".to_owned()];
        let version = self.version();
        for library in ["component-base/version", "client-go/pkg/version"] {
            for (name, value) in [
                ("gitVersion", version.as_str()),
                ("gitMajor", "1"),
                ("gitMinor", "20"),
                ("gitTreeState", "clean"),
            ] {
                flags.push(format!("-X k8s.io/kubernetes/vendor/k8s.io/{library}.{name}={value}"));
            }
        }
        let partial = self.folder().join(program);
        let mut build = self.go();
        // Without the clients of clouds, which are most of the code.
        build.args(["build", "-tags", "providerless", "-ldflags", &flags.join(" "), "-o"]).arg(&partial);
        run(build.arg(format!("k8s.io/kubernetes/cmd/{program}")))?;
        fs::rename(&partial, bin.join(program)).with_context(|| format!("cannot move {program}"))
    }
}

/// `v1.20.2` of `1.20.5+really1.20.2-1.1`.
fn release_of(source: &str) -> String {
    let upstream = source.split('-').next().unwrap_or_default();
    format!("v{}", upstream.rsplit("+really").next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::release_of;

    #[test]
    fn the_release_is_in_the_version_of_the_package() {
        assert_eq!(release_of("1.20.5+really1.20.2-1.1+deb12u1"), "v1.20.2");
        assert_eq!(release_of("1.20.2-1"), "v1.20.2");
    }
}
