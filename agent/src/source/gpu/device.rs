//! Finds the integrated GPU of the host in sysfs.

use std::fs;

use crate::host::HostRoots;

/// Address of Intel's integrated GPU on the PCI bus ("Processor Graphics", "Bus 0, Device 2", Intel Core Processor datasheets, vol. 2).
/// Cards have other bus numbers.
const ADDRESS: &str = "0000:00:02.";

/// Drivers that show the use of each client, and the domain `uncore` shows the energy.
const DRIVERS: [&str; 2] = ["i915", "xe"];

/// The integrated GPU.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct IntegratedGpu {
    /// Address on the PCI bus.
    pub address: String,
    /// Major number of its character devices.
    pub major: Option<u32>,
}

/// The integrated GPU, where its driver shows the use of each client.
pub(crate) fn integrated_gpu(roots: &HostRoots) -> Option<IntegratedGpu> {
    let cards = fs::read_dir(roots.sys.join("class/drm")).ok()?;
    let mut devices = cards.flatten().filter_map(|card| {
        if !card.file_name().to_str()?.starts_with("renderD") {
            return None;
        }
        let device = card.path().join("device");
        let last = |link| fs::read_link(link).ok()?.file_name()?.to_str().map(str::to_owned);
        let address = last(device.clone()).filter(|address| address.starts_with(ADDRESS))?;
        let driver = last(device.join("driver"))?;
        let numbers = fs::read_to_string(card.path().join("dev")).unwrap_or_default();
        let major = numbers.split_once(':').and_then(|(major, _)| major.parse().ok());
        DRIVERS.contains(&driver.as_str()).then_some(IntegratedGpu { address, major })
    });
    devices.next()
}
