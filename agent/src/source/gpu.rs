//! Reads the use of the integrated GPU by process, from the `fdinfo` of DRM devices in procfs.
//!
//! Encoders are looked through at each tick while they are young, because they open the device some time after their start, and then
//! seldom; all other processes in turn, some at each tick. The `fdinfo` of a device that was found stays open, so that reading it is one
//! system call. What a client did after the last tick of its life is lost with it.
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

use agent_core::gpu::clients::EngineClients;
use agent_core::gpu::engine::EngineTimes;
use agent_core::gpu::fdinfo;
use agent_core::model::cpu::ProcessId;
use agent_core::time::MonoTime;
use rustix::thread::{CapabilitySet, capabilities};

use crate::host::{DRM_DEVICES, HostRoots};
use crate::source::SourceError;
use crate::source::identity::processes;
use crate::source::read_search::with_read_search;

pub(crate) use device::integrated_gpu;

/// Name as a source.
pub(crate) const SOURCE: &str = "gpu";

const FIX: &str = "give the agent CAP_SYS_PTRACE: AmbientCapabilities of the unit, cap_add of the container, capabilities.add of the \
                   chart";

/// Ticks at which a new encoder is looked through each time, and the distance of later looks.
const YOUNG: u32 = 5;
const LATER: u32 = 10;

/// Other processes that are looked through at each tick: some 50 µs each.
const SWEEP: usize = 16;

/// Most file descriptions of one process that are looked at, and most of them that are devices.
const MOST_DESCRIPTORS: usize = 4096;
const MOST_DEVICES: usize = 32;

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

/// The use of the integrated GPU.
#[derive(Debug)]
pub struct GpuMeter {
    roots: HostRoots,
    /// Address of the device.
    device: String,
    processes: BTreeMap<ProcessId, Followed>,
    clients: EngineClients,
    /// Processes that are still to be looked through in this turn.
    turn: Vec<ProcessId>,
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
        let device = integrated_gpu(roots)?;
        let (processes, clients) = (BTreeMap::new(), EngineClients::default());
        let roots = roots.clone();
        Some(Self { roots, device, processes, clients, turn: Vec::new(), last: now, may_read })
    }

    /// Engine time of each process since the last call.
    pub fn read(
        &mut self,
        encoders: &[GpuCandidate],
        now: MonoTime,
    ) -> Result<Vec<(ProcessId, EngineTimes)>, SourceError> {
        (self.may_read)()?;
        let window = now.since(self.last);
        self.last = now;
        self.look(encoders);
        self.clients.begin_window();
        let mut times = Vec::new();
        for (id, process) in &mut self.processes {
            let mut of_process = EngineTimes::default();
            process.devices.retain(|_, file| {
                let Some(text) = text_of(file) else { return false };
                // The number may be another file's by now.
                let Some(client) = fdinfo::parse(&text) else { return false };
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

    /// Finds devices of encoders, of processes that use the GPU already, and of some others.
    fn look(&mut self, encoders: &[GpuCandidate]) {
        for process in self.processes.values_mut() {
            process.is_encoder = false;
        }
        for encoder in encoders {
            let process = self.processes.entry(encoder.id).or_default();
            process.is_encoder = true;
            process.is_known |= encoder.is_new;
        }
        for (id, process) in &mut self.processes {
            if process.ticks < YOUNG || process.ticks.is_multiple_of(LATER) {
                find_devices(&self.roots, *id, &mut process.devices);
            }
            process.ticks = process.ticks.saturating_add(1);
        }
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
            if !found.devices.is_empty() {
                self.processes.insert(id, found);
            }
        }
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

/// Opens the `fdinfo` of the DRM devices of a process that are not open yet. A process that is gone has none. The folder belongs to the
/// user of the process.
fn find_devices(roots: &HostRoots, id: ProcessId, devices: &mut BTreeMap<u32, File>) {
    match add_devices(roots, id, devices) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied && roots.has_own_procfs() => {
            // Without the right, the process stays unknown.
            let _ = with_read_search(|| add_devices(roots, id, devices));
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
        let is_device = fs::read_link(entry.path()).is_ok_and(|target| target.starts_with(DRM_DEVICES));
        if is_device
            && !devices.contains_key(&number)
            && let Ok(file) = File::open(roots.process(id.0, &format!("fdinfo/{number}")))
        {
            devices.insert(number, file);
        }
    }
    Ok(())
}

/// The text of an `fdinfo`, read again from its beginning; `None` when the process or the description is gone.
fn text_of(file: &File) -> Option<String> {
    let mut bytes = vec![0; LONGEST];
    let mut length = 0;
    while let Some(rest) = bytes.get_mut(length..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, length as u64) {
            Ok(0) => break,
            Ok(read) => length += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
    bytes.truncate(length);
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests;
