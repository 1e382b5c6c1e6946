//! Lists the packages and tools that the demo needs and the host lacks.

use std::path::Path;

use tests::engine::Engine;

use xtask::build_ebpf;
use xtask::missing::Missing;
use xtask::process::find;

/// Packages of a private Docker engine and of the demo's image.
pub(super) const ENGINE_PACKAGES: [&str; 3] = ["docker.io", "iptables", "busybox-static"];

/// Tools and packages that the demo needs and the host lacks.
pub(super) fn missing(root: &Path) -> Missing {
    let mut packages = Vec::new();
    if find("ffmpeg").is_none() {
        packages.push("ffmpeg");
    }
    if Engine::of_host().is_none() && lacks_private_engine() {
        packages.extend(ENGINE_PACKAGES);
    } else if find("busybox").is_none() {
        packages.push("busybox-static");
    }
    build_ebpf::missing(root).with_packages(&packages)
}

/// Whether packages of a private engine are missing.
pub(super) fn lacks_private_engine() -> bool {
    !Engine::can_be_private() || find("busybox").is_none()
}
