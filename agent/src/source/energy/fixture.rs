//! Fixture hosts for unit tests of energy sources: sysfs trees.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use rustix::thread::{CapabilitySet, capabilities, set_capabilities};
use tempfile::TempDir;

use crate::host::HostRoots;

/// Writes files, with their folders. Contents get the newline that sysfs ends its files with.
pub(crate) fn write_tree(root: &Path, files: &[(&str, &str)]) {
    for (path, content) in files {
        let path = root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("{content}\n")).unwrap();
    }
}

/// An empty host: the folder, and the roots in it.
pub(crate) fn host(files: &[(&str, &str)]) -> (TempDir, HostRoots) {
    let folder = TempDir::new().unwrap();
    write_tree(folder.path(), files);
    let roots = HostRoots {
        proc: folder.path().join("proc"),
        sys: folder.path().join("sys"),
        dev: folder.path().join("dev"),
        cgroup: folder.path().join("sys/fs/cgroup"),
    };
    (folder, roots)
}

/// The nested home of powercap zones.
pub(crate) const RAPL: &str = "sys/devices/virtual/powercap/intel-rapl";

/// Links every zone flat into the class folder, as the kernel does.
pub(crate) fn link_zones(root: &Path) {
    let class = root.join("sys/class/powercap");
    fs::create_dir_all(&class).unwrap();
    let mut folders = vec![root.join("sys/devices/virtual/powercap")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                let path = entry.path();
                symlink(&path, class.join(path.file_name().unwrap())).unwrap();
                folders.push(path);
            }
        }
    }
}

/// A zone's files: folder below [`RAPL`], name, energy, range.
pub(crate) fn write_zone(root: &Path, folder: &str, name: &str, energy: &str, range: &str) {
    let folder = root.join(RAPL).join(folder);
    write_tree(
        &folder,
        &[("name", name), ("energy_uj", energy), ("max_energy_range_uj", range), ("enabled", "1")],
    );
    // sysfs is full of links back.
    symlink("..", folder.join("device")).unwrap();
}

/// 2⁻¹⁴ J, as the kernel truncates it.
pub(crate) const CLIENT_RANGE: &str = "262143328850";
/// 2⁻¹⁶ J, as the kernel truncates it.
pub(crate) const SERVER_RANGE: &str = "65532610987";
/// 15.3 µJ.
pub(crate) const DRAM_RANGE: &str = "65712999613";

/// A laptop: one package with cores, graphics and memory, and the platform.
pub(crate) fn client(root: &Path) {
    write_zone(root, "intel-rapl:0", "package-0", "1000000", CLIENT_RANGE);
    write_zone(root, "intel-rapl:0/intel-rapl:0:0", "core", "500000", CLIENT_RANGE);
    write_zone(root, "intel-rapl:0/intel-rapl:0:1", "uncore", "100000", CLIENT_RANGE);
    write_zone(root, "intel-rapl:0/intel-rapl:0:2", "dram", "200000", CLIENT_RANGE);
    write_zone(root, "intel-rapl:1", "psys", "3000000", CLIENT_RANGE);
    write_tree(
        &root.join(RAPL).join("intel-rapl:0"),
        &[
            ("constraint_0_name", "short_term"),
            ("constraint_0_power_limit_uw", "100000000"),
            ("constraint_1_name", "long_term"),
            ("constraint_1_power_limit_uw", "45000000"),
            ("constraint_1_max_power_uw", "65000000"),
        ],
    );
    link_zones(root);
}

/// A server: two packages with memory.
pub(crate) fn two_socket(root: &Path) {
    for package in ["0", "1"] {
        let folder = format!("intel-rapl:{package}");
        write_zone(root, &folder, &format!("package-{package}"), "7", SERVER_RANGE);
        write_zone(root, &format!("{folder}/{folder}:0"), "dram", "8", DRAM_RANGE);
    }
    link_zones(root);
}

/// A package of two dies that count apart (Cascade Lake-AP).
pub(crate) fn multi_die(root: &Path) {
    for die in ["0", "1"] {
        let folder = format!("intel-rapl:{die}");
        write_zone(root, &folder, &format!("package-0-die-{die}"), "7", SERVER_RANGE);
        write_zone(root, &format!("{folder}/{folder}:0"), "dram", "8", DRAM_RANGE);
    }
    link_zones(root);
}

/// `cpuinfo` of a processor.
pub(crate) fn cpuinfo(vendor: &str, family: u32, model: u32, flags: &str) -> String {
    format!(
        "processor\t: 0\nvendor_id\t: {vendor}\ncpu family\t: {family}\nmodel\t\t: {model}\nflags\t\t: {flags}\n"
    )
}

/// Removes all permissions of a file.
pub(crate) fn forbid(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
}

/// Gives its owner the permissions again.
pub(crate) fn allow(file: &Path) {
    fs::set_permissions(file, fs::Permissions::from_mode(0o400)).unwrap();
}

/// Capabilities to read and write any file.
pub(crate) const ANY_FILE: CapabilitySet = CapabilitySet::DAC_OVERRIDE.union(CapabilitySet::DAC_READ_SEARCH);

/// Runs a function without these capabilities: tests often run as root, which may read everything.
pub(crate) fn without_capabilities<T: Send>(lost: CapabilitySet, work: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let mut sets = capabilities(None).unwrap();
            sets.effective -= lost;
            set_capabilities(None, sets).unwrap();
            work()
        });
        thread.join().unwrap()
    })
}
