//! Fixture of an integrated GPU for tests: its device in sysfs, and its clients in procfs.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use crate::host::{DRM_DEVICES, HostRoots};

/// Address of Intel's integrated GPU on the PCI bus.
pub(crate) const ADDRESS: &str = "0000:00:02.0";

/// Adds a GPU with this address and driver.
pub(crate) fn add_device(roots: &HostRoots, address: &str, driver: &str) {
    let device = roots.sys.join("devices/pci0000:00").join(address);
    let card = roots.sys.join("class/drm/renderD128");
    let driver = roots.sys.join("bus").join(driver);
    for folder in [&device, &card, &driver] {
        fs::create_dir_all(folder).unwrap();
    }
    symlink(driver, device.join("driver")).unwrap();
    symlink(&device, card.join("device")).unwrap();
}

/// Sets the video time of a client that a process has open at this number.
pub(crate) fn set_video(roots: &HostRoots, process: u32, number: u32, client: u32, busy: Duration) {
    let text = format!(
        "pos:\t0\ndrm-driver:\ti915\ndrm-pdev:\t{ADDRESS}\ndrm-client-id:\t{client}\n\
         drm-engine-video:\t{} ns\n",
        busy.as_nanos()
    );
    set_description(roots, process, number, &format!("{DRM_DEVICES}/renderD128"), &text);
}

/// Sets the `fdinfo` of a file that a process has open at this number.
pub(crate) fn set_description(roots: &HostRoots, process: u32, number: u32, target: &str, text: &str) {
    for folder in ["fd", "fdinfo"] {
        fs::create_dir_all(roots.process(process, folder)).unwrap();
    }
    let link = roots.process(process, &format!("fd/{number}"));
    if !link.is_symlink() {
        symlink(target, link).unwrap();
    }
    fs::write(roots.process(process, &format!("fdinfo/{number}")), text).unwrap();
}
