//! Reads the use of the integrated GPU by process, from the `fdinfo` of DRM devices in procfs.
//!
//! Encoders are looked through at each tick while they are young, because they open the device some time after their start. Later devices
//! of encoders, and those of all other processes, are in the kernel's list of open files, which an eBPF program reads in one pass. Without
//! it, procfs is searched: encoders seldom, and all other processes in turn, some at each tick. The `fdinfo` of a device that was found
//! stays open, so that reading it is one system call. What a client did after the last tick of its life is lost with it.
//!
//! Reading the `fdinfo` of another user's process takes `CAP_SYS_PTRACE` (`proc_fdinfo_permission()`, Linux `fs/proc/fd.c`), and listing
//! its descriptions `CAP_DAC_READ_SEARCH`.

mod device;
#[cfg(test)]
pub(crate) mod fixture;

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::time::Duration;

use agent_core::gpu::clients::EngineClients;
use agent_core::gpu::engine::EngineTimes;
use agent_core::gpu::fdinfo;
use agent_core::model::cpu::ProcessId;
use agent_core::time::MonoTime;
use rustix::thread::{CapabilitySet, capabilities};

use crate::host::{DRM_DEVICES, HostRoots};
use crate::source::SourceError;
use crate::source::cpu::DeviceFile;
use crate::source::identity::processes;
use crate::source::read_search::with_read_search;

pub(crate) use device::{IntegratedGpu, integrated_gpu};

/// Name as a source.
pub(crate) const SOURCE: &str = "gpu";

const FIX: &str = "give the agent CAP_SYS_PTRACE: AmbientCapabilities of the unit, cap_add of the container, capabilities.add of the \
                   chart";

/// Ticks at which a new encoder is looked through each time.
const YOUNG: u32 = 5;

/// Time between two lists of the kernel: one takes some 0.2 µs for each open file of the host (`ffwatt_bpf_run_seconds_total`).
const LIST_INTERVAL: Duration = Duration::from_secs(10);

/// Without such lists: ticks between two looks through an encoder that has no device open, and through one that has.
const WITHOUT_DEVICE: u32 = 10;
const WITH_DEVICE: u32 = 60;

/// Without such lists: other processes that are looked through at each tick, some 20 µs each.
const SWEEP: usize = 16;

/// Most file descriptions of one process that are looked at, and most of them that are devices.
const MOST_DESCRIPTORS: usize = 4096;
const MOST_DEVICES: usize = 32;

/// Most processes that are followed beside encoders: the `fdinfo` of each takes a file descriptor of the agent.
const MOST_OTHERS: usize = 256;

/// Largest `fdinfo` that is read.
const LONGEST: usize = 16 * 1024;

/// An encoder that may use the GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GpuCandidate {
    /// Its number in procfs.
    pub id: ProcessId,
    /// Whether it has started since the last reading.
    pub is_new: bool,
}

/// A process that is followed.
#[derive(Debug, Default)]
struct Followed {
    /// Open `fdinfo` of its DRM devices, by number of the description.
    devices: BTreeMap<u32, File>,
    ticks: u32,
    is_encoder: bool,
    /// Whether a client that appears has begun since the last reading.
    is_known: bool,
}

impl Followed {
    /// Whether a search of procfs is due.
    fn is_due(&self, id: ProcessId, has_list: bool) -> bool {
        let period = if self.devices.is_empty() { WITHOUT_DEVICE } else { WITH_DEVICE };
        // Encoders that have started together are looked through at different ticks.
        self.ticks < YOUNG || !has_list && self.ticks.wrapping_add(id.0).is_multiple_of(period)
    }
}

/// The use of the integrated GPU.
#[derive(Debug)]
pub struct GpuMeter {
    roots: HostRoots,
    /// Address of the device.
    device: String,
    processes: BTreeMap<ProcessId, Followed>,
    clients: EngineClients,
    /// Time of the last list of the kernel, and whether there was one.
    listed: Option<(MonoTime, bool)>,
    /// Processes that are still to be looked through in this turn.
    turn: Vec<ProcessId>,
    /// The last `fdinfo` that was read.
    text: Vec<u8>,
    last: MonoTime,
    /// Whether the `fdinfo` of other processes may be read.
    may_read: fn() -> Result<(), SourceError>,
}

impl GpuMeter {
    /// `None` where the host has no integrated GPU with a driver that shows its use.
    pub(crate) fn open(roots: &HostRoots, now: MonoTime) -> Option<Self> {
        Self::open_with(roots, now, may_read)
    }

    /// The same, with another check of the rights: the files of a fixture need no capability.
    pub fn open_with(
        roots: &HostRoots,
        now: MonoTime,
        may_read: fn() -> Result<(), SourceError>,
    ) -> Option<Self> {
        let IntegratedGpu { address: device, .. } = integrated_gpu(roots)?;
        Some(Self {
            roots: roots.clone(),
            device,
            processes: BTreeMap::new(),
            clients: EngineClients::default(),
            listed: None,
            turn: Vec::new(),
            text: vec![0; LONGEST],
            last: now,
            may_read,
        })
    }

    /// Engine time of each process since the last call. `list` asks the kernel for the open files of the device, by their numbers in
    /// procfs; `None` where the kernel has no such list.
    pub fn read(
        &mut self,
        encoders: &[GpuCandidate],
        now: MonoTime,
        list: impl FnOnce() -> Option<Vec<DeviceFile>>,
    ) -> Result<Vec<(ProcessId, EngineTimes)>, SourceError> {
        (self.may_read)()?;
        let window = now.since(self.last);
        self.last = now;
        self.look(encoders, now, list);
        self.clients.begin_window();
        let mut times = Vec::new();
        for (id, process) in &mut self.processes {
            let mut of_process = EngineTimes::default();
            process.devices.retain(|_, file| {
                let Some(text) = text_of(file, &mut self.text) else { return false };
                // The number may be another file's by now.
                let Some(client) = fdinfo::parse(text) else { return false };
                if client.id.device == self.device {
                    of_process += self.clients.observe(&client, window, process.is_known);
                }
                true
            });
            process.is_known = true;
            if !of_process.is_zero() {
                times.push((*id, of_process));
            }
        }
        self.processes.retain(|_, process| process.is_encoder || !process.devices.is_empty());
        Ok(times)
    }

    /// Finds devices of encoders and of other processes.
    fn look(
        &mut self,
        encoders: &[GpuCandidate],
        now: MonoTime,
        list: impl FnOnce() -> Option<Vec<DeviceFile>>,
    ) {
        for process in self.processes.values_mut() {
            process.is_encoder = false;
        }
        for encoder in encoders {
            let process = self.processes.entry(encoder.id).or_default();
            process.is_encoder = true;
            process.is_known |= encoder.is_new;
        }
        let has_list = match self.listed {
            Some((at, has_list)) if now.since(at) < LIST_INTERVAL => has_list,
            _ => {
                let files = list();
                let has_list = files.is_some();
                self.open_listed(files.unwrap_or_default());
                self.listed = Some((now, has_list));
                has_list
            }
        };
        for (id, process) in &mut self.processes {
            if process.is_due(*id, has_list) {
                find_devices(&self.roots, *id, &mut process.devices);
            }
            process.ticks = process.ticks.saturating_add(1);
        }
        if !has_list {
            self.sweep();
        }
    }

    /// Opens the `fdinfo` of the listed files that are not open yet.
    fn open_listed(&mut self, files: Vec<DeviceFile>) {
        for DeviceFile { process: id, descriptor } in files {
            if !self.processes.contains_key(&id) && !self.has_room() {
                continue;
            }
            // A process without an open device is forgotten at the end of the reading.
            let devices = &mut self.processes.entry(id).or_default().devices;
            let open = || open_device(&self.roots, id, descriptor, devices);
            with_right(&self.roots, open);
        }
    }

    /// Searches procfs for devices of some of the processes that are not followed.
    fn sweep(&mut self) {
        if self.turn.is_empty() {
            self.turn = processes::numbers(&self.roots);
        }
        let rest = self.turn.len().saturating_sub(SWEEP);
        for id in self.turn.split_off(rest) {
            if self.processes.contains_key(&id) {
                continue;
            }
            let mut found = Followed::default();
            find_devices(&self.roots, id, &mut found.devices);
            if !found.devices.is_empty() && self.has_room() {
                self.processes.insert(id, found);
            }
        }
    }

    /// Whether another process may be followed that is no encoder.
    fn has_room(&self) -> bool {
        self.processes.values().filter(|process| !process.is_encoder).count() < MOST_OTHERS
    }
}

/// Whether this process may read the `fdinfo` of others.
pub(crate) fn may_read() -> Result<(), SourceError> {
    let sets =
        capabilities(None).map_err(|error| SourceError::transient("ask for capabilities", error.into()))?;
    if sets.effective.contains(CapabilitySet::SYS_PTRACE) {
        return Ok(());
    }
    let what = "the use of the integrated GPU cannot be read without CAP_SYS_PTRACE";
    Err(SourceError::unavailable(what, FIX))
}

/// Opens the `fdinfo` of the DRM devices of a process that are not open yet. A process that is gone has none.
fn find_devices(roots: &HostRoots, id: ProcessId, devices: &mut BTreeMap<u32, File>) {
    with_right(roots, || add_devices(roots, id, devices));
}

/// Opens files of procfs, with `CAP_DAC_READ_SEARCH` where the user of the process has closed the folder. Without it, the process stays
/// unknown.
fn with_right(roots: &HostRoots, mut open: impl FnMut() -> io::Result<()>) {
    match open() {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && roots.has_own_procfs() => {
            let _ = with_read_search(open);
        }
        _ => {}
    }
}

fn add_devices(roots: &HostRoots, id: ProcessId, devices: &mut BTreeMap<u32, File>) -> io::Result<()> {
    let entries = fs::read_dir(roots.process(id.0, "fd"))?;
    for entry in entries.flatten().take(MOST_DESCRIPTORS) {
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if devices.len() >= MOST_DEVICES {
            break;
        }
        if fs::read_link(entry.path()).is_ok_and(|target| target.starts_with(DRM_DEVICES)) {
            // The file may be closed by now.
            let _ = open_device(roots, id, number, devices);
        }
    }
    Ok(())
}

/// Opens the `fdinfo` of a file, unless it is open or the process has too many.
fn open_device(
    roots: &HostRoots,
    id: ProcessId,
    number: u32,
    devices: &mut BTreeMap<u32, File>,
) -> io::Result<()> {
    if devices.len() < MOST_DEVICES && !devices.contains_key(&number) {
        devices.insert(number, File::open(roots.process(id.0, &format!("fdinfo/{number}")))?);
    }
    Ok(())
}

/// The text of an `fdinfo`, read again from its beginning into `buffer`; `None` when the process or the description is gone. The kernel
/// shows all of it at once (`seq_read()` of one record, Linux `fs/seq_file.c`).
fn text_of<'a>(file: &File, buffer: &'a mut [u8]) -> Option<&'a str> {
    let length = loop {
        match file.read_at(buffer, 0) {
            Ok(length) => break length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    };
    str::from_utf8(buffer.get(..length)?).ok()
}

#[cfg(test)]
mod tests;
