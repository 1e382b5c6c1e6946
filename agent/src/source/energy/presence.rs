//! Lists the host's energy hardware cheaply, by names in a few folders. When the list changes, the sources are probed again.

use std::fs;

use crate::host::HostRoots;

/// Names of powercap zones, hardware monitors, energy PMUs and msr devices, and the CPUs on line.
pub(super) fn presence(roots: &HostRoots) -> Vec<String> {
    let mut seen = Vec::new();
    let folders = [
        (roots.sys.join("class/powercap"), "intel-rapl"),
        (roots.sys.join("class/hwmon"), "hwmon"),
        (roots.sys.join("bus/event_source/devices"), "power"),
        (roots.dev.join("cpu"), ""),
    ];
    for (folder, prefix) in folders {
        // A missing folder adds nothing.
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        seen.extend(
            entries
                .filter_map(|entry| entry.file_name().into_string().ok())
                .filter(|name| name.starts_with(prefix)),
        );
    }
    seen.sort_unstable();
    seen.extend(fs::read_to_string(roots.sys.join("devices/system/cpu/online")).ok());
    seen
}
