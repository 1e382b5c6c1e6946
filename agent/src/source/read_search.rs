//! Makes the right to read every file effective, only while a file of the kernel is opened.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

/// Opens with `CAP_DAC_READ_SEARCH` in force, for this thread and no longer. An open file of sysfs or procfs is read without it. For paths
/// that are the kernel's own, never for configured ones.
pub(crate) fn with_read_search<T>(open: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let before = capabilities(None)?;
    if !before.permitted.contains(CapabilitySet::DAC_READ_SEARCH) {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let raised = CapabilitySets { effective: before.effective | CapabilitySet::DAC_READ_SEARCH, ..before };
    set_capabilities(None, raised)?;
    let opened = open();
    set_capabilities(None, before)?;
    opened
}
