//! Lists the zone folders of powercap, each once.
//!
//! Every zone appears flat in the class folder, as a link, and again nested in its parent: `intel-rapl:0:0` is in
//! `intel-rapl:0`, which is in `intel-rapl` (`powercap_register_zone()`, `drivers/powercap/powercap_sys.c`). The folder's name
//! is unique and contains the parent's, so it identifies a zone, wherever the zone appears.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The RAPL control types, on Intel and AMD; the better one first. The other types (`dtpm`, idle injection) count no
/// energy.
pub(super) const CONTROL_TYPES: [&str; 2] = ["intel-rapl", MMIO];

/// The same zones by another interface, on some laptops: only zones that `intel-rapl` lacks are used.
pub(super) const MMIO: &str = "intel-rapl-mmio";

/// Folder of the nested zone folders, below sysfs.
const DEVICES: &str = "devices/virtual/powercap";

/// Contents of the class folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Folders {
    /// Zone folders by name. Ascending, so parents come before their children.
    pub(super) zones: BTreeMap<String, PathBuf>,
    /// Whether there are links to zones that are not visible.
    pub(super) dangling: bool,
}

/// Reads the class folder, in any order of its entries.
pub(super) fn find(class: &Path) -> io::Result<Folders> {
    let mut folders = Folders::default();
    let mut roots = Vec::new();
    for entry in fs::read_dir(class)? {
        let path = entry?.path();
        let Some(name) = file_name(&path).filter(|name| is_rapl(name)) else { continue };
        if !path.exists() {
            folders.dangling = true;
        } else if !path.is_dir() {
            // A link that was copied as a file.
        } else if CONTROL_TYPES.contains(&name.as_str()) {
            roots.push((name, path));
        } else {
            folders.zones.insert(name, path);
        }
    }
    // Trees that were copied have the nested folders only, or the flat ones only. Where both are, flat ones are preferred.
    if roots.is_empty() && folders.zones.is_empty() {
        let devices = class.ancestors().nth(2).map(|sys| sys.join(DEVICES));
        let of = |control: &str| Some((control.to_owned(), devices.as_ref()?.join(control)));
        roots.extend(CONTROL_TYPES.into_iter().filter_map(of));
    }
    roots.extend(folders.zones.clone());
    for (name, path) in roots {
        descend(&name, &path, &mut folders.zones);
    }
    Ok(folders)
}

/// A child's name is its parent's and more, so this cannot loop through the many links of sysfs.
fn descend(parent: &str, folder: &Path, zones: &mut BTreeMap<String, PathBuf>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for path in entries.flatten().map(|entry| entry.path()) {
        let Some(name) = file_name(&path).filter(|name| is_child(name, parent)) else { continue };
        if path.is_dir() {
            descend(&name, &path, zones);
            zones.entry(name).or_insert(path);
        }
    }
}

fn is_rapl(name: &str) -> bool {
    CONTROL_TYPES.iter().any(|control_type| name == *control_type || is_child(name, control_type))
}

fn is_child(name: &str, parent: &str) -> bool {
    name.strip_prefix(parent).is_some_and(|rest| rest.starts_with(':'))
}

fn file_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_str()?.to_owned())
}
