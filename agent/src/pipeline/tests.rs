//! Tests the whole pipeline, with a scripted clock, CPU meter and energy counters.

mod cores;
mod examples;
pub(crate) mod graphics;
mod kubernetes;
mod posts;
mod properties;
mod replay;
mod transcodes;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::BorrowedFd;
use std::os::unix::fs::symlink;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use agent_core::join::cost::Tariff;
use agent_core::model::account::ZoneCharges;
use agent_core::model::cpu::{
    BusyTime, CgroupId, Consumer, CoreId, CpuPlace, CpuWindow, PlaceWindow, ProcessId, Usage,
};
use agent_core::model::energy::{Domain, Scope, Zone};
use agent_core::model::health::MeterHealth;
use agent_core::model::joined::Joined;
use agent_core::model::snapshot::{SharedSnapshot, Snapshot, WorkloadSnapshot, ZoneSnapshot};
use agent_core::model::transcode::ExitStatus;
use agent_core::model::workload::Pseudo;
use agent_core::units::{CpuTime, Grams, MicroJoules, Money, Watts};
use tempfile::TempDir;
use tokio::sync::watch;

use super::earlier::EarlierTranscodes;
use super::energy::EnergySource;
use super::state_dir::StateDir;
use super::*;
use crate::clock::manual::TestClock;
use crate::host::HostRoots;
use crate::progress::ProgressRegistry;
use crate::source::SourceError;
use crate::source::cpu::{CpuMeter, LifecycleEvent, Tracking};
use crate::source::energy::scripted::ScriptedHardware;
use crate::source::identity::process_numbers::ProcessNumbers;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
const AGENT: ProcessId = ProcessId(40);
const SOCKETS: [CpuPlace; 2] = [CpuPlace::on_die(0, 0), CpuPlace::on_die(1, 0)];
/// A core of a socket. Each CPU is one.
const fn core_of(socket: usize, core: u32) -> CpuPlace {
    CpuPlace { core: Some(CoreId(core_number(socket, core))), ..SOCKETS[socket] }
}

/// The CPU of a core.
const fn core_number(socket: usize, core: u32) -> u32 {
    16 * socket as u32 + core
}

/// 2³² counts of 2⁻¹⁴ J, as the kernel truncates them.
const RANGE: u64 = 262_143_328_850;

pub(crate) const fn zone(domain: Domain, package: u32) -> Zone {
    Zone { domain, scope: Scope::Package(package) }
}

/// A CPU meter that gives the CPU times of a test.
#[derive(Clone, Debug, Default)]
struct ScriptedCpu(Arc<Mutex<Script>>);

#[derive(Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a trait of the host or a fault of its own")]
struct Script {
    last: MonoTime,
    cpus: [u32; 2],
    /// Consumers with their sockets, and the cores of these: each CPU is one.
    used: Vec<(Consumer, usize, u32, Duration)>,
    by_core: bool,
    knows_no_cores: bool,
    /// Whether cores have two threads: then the time of each consumer on an odd core is beside another busy thread.
    has_siblings: bool,
    /// Cgroups that used CPU time in the last window, with their sockets.
    told: Vec<(CgroupId, usize)>,
    events: Vec<LifecycleEvent>,
    is_broken: bool,
    lost_events: u64,
    /// The clock, and the time for which the agent does not run after each reading.
    late: Option<(TestClock, Duration)>,
}

impl ScriptedCpu {
    fn script<T>(&self, change: impl FnOnce(&mut Script) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl CpuMeter for ScriptedCpu {
    fn kind(&self) -> CpuSourceKind {
        CpuSourceKind::Bpf
    }
    fn separate_cores(&mut self, by_core: bool) {
        self.script(|script| script.by_core = by_core && !script.knows_no_cores);
    }
    fn counts_shared_cores(&self) -> bool {
        self.script(|script| script.has_siblings)
    }
    /// No more CPU time is used than exists: the excess in a place is left out.
    fn read(&mut self, clock: &dyn Clock) -> Result<CpuWindow, SourceError> {
        self.script(|script| {
            let start = std::mem::replace(&mut script.last, clock.now());
            let used = std::mem::take(&mut script.used);
            script.told.clear();
            if script.is_broken {
                return Err(SourceError::broken("the accounting map answers nonsense"));
            }
            let elapsed = script.last.since(start);
            let window = |place, cpus| {
                let elapsed = CpuTime((elapsed * cpus).as_nanos() as u64);
                PlaceWindow { place, cpus, elapsed, idle: elapsed }
            };
            let mut places = Vec::new();
            for (socket, cpus) in (0..).zip(script.cpus) {
                if script.by_core {
                    places.extend((0..cpus).map(|core| window(core_of(socket, core), 1)));
                } else {
                    places.push(window(SOCKETS[socket], cpus));
                }
            }
            let mut usage = Vec::new();
            for (consumer, socket, core, busy) in used {
                let wanted = if script.by_core { core_of(socket, core) } else { SOCKETS[socket] };
                let Some(place) = places.iter().position(|of| of.place == wanted) else { continue };
                let idle = &mut places[place].idle;
                let busy = CpuTime(busy.as_nanos() as u64).min(*idle);
                *idle = idle.saturating_sub(busy);
                if busy > CpuTime::ZERO {
                    script.told.extend(consumer.cgroups().map(|cgroup| (cgroup, socket)));
                    let is_shared = script.has_siblings && core % 2 == 1;
                    let shared = if is_shared { busy } else { CpuTime::ZERO };
                    usage.push(Usage { consumer, place, busy: BusyTime { all: busy, shared } });
                }
            }
            Ok(CpuWindow { start, end: script.last, places, usage })
        })
    }
    fn events_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
    fn events(&mut self, _clock: &dyn Clock) -> Vec<LifecycleEvent> {
        self.script(|script| {
            if let Some((clock, time)) = &script.late {
                clock.advance(*time);
            }
            std::mem::take(&mut script.events)
        })
    }
    fn track(&mut self, _process: ProcessId) -> Result<(), SourceError> {
        Ok(())
    }
    fn untrack(&mut self, _process: ProcessId) -> Result<(), SourceError> {
        Ok(())
    }
    fn forget(&mut self, _consumer: Consumer) {}
    fn tracking(&self, _process: ProcessId) -> Option<Tracking> {
        None
    }
    fn own_process(&self) -> Option<ProcessId> {
        Some(AGENT)
    }
    fn health(&self) -> MeterHealth {
        MeterHealth { lost_events: self.script(|script| script.lost_events), ..MeterHealth::default() }
    }
}

/// A pipeline on a host of two sockets with two CPUs each.
pub(crate) struct Scene {
    pub(crate) clock: TestClock,
    cpu: ScriptedCpu,
    hardware: ScriptedHardware,
    pipeline: Pipeline,
    pub(crate) mailbox: Mailbox,
    pub(crate) snapshots: watch::Receiver<Option<SharedSnapshot>>,
    registry: Arc<ProgressRegistry>,
    _joined: watch::Sender<Arc<Joined>>,
    folder: TempDir,
}

impl Scene {
    /// A scene with these energy counters.
    fn new(config: &Config, hardware: ScriptedHardware) -> Self {
        Self::on(config, hardware, ScriptedCpu::default())
    }

    fn on(config: &Config, hardware: ScriptedHardware, cpu: ScriptedCpu) -> Self {
        let folder = TempDir::new().unwrap();
        let roots = HostRoots {
            proc: folder.path().join("proc"),
            sys: folder.path().join("sys"),
            dev: folder.path().join("dev"),
            cgroup: folder.path().join("cgroup"),
        };
        fs::create_dir(&roots.proc).unwrap();
        symlink(AGENT.0.to_string(), roots.proc.join("self")).unwrap();
        let clock = TestClock::default();
        clock.advance(SECOND * 100);
        cpu.script(|script| (script.last, script.cpus) = (clock.now(), [2, 2]));
        let mut health = HealthTracker::default();
        let energy = EnergySource::open(&config.energy, Box::new(hardware.clone()), &clock, &mut health);
        let parts = Parts {
            clock: Box::new(clock.clone()),
            cpu: Box::new(cpu.clone()),
            gpu: None,
            tree: None,
            numbers: ProcessNumbers::find(&roots, Some(AGENT)),
            earlier: EarlierTranscodes::default(),
            state: StateDir::open(&[], &roots, &energy.zones()),
            prices: prices_of_nothing(),
            roots,
            energy,
            health,
        };
        let (mailbox, inbox) = mailbox().unwrap();
        let (publisher, snapshots) = watch::channel(None);
        let (joined_sender, joined) = watch::channel(Arc::new(Joined::default()));
        let registry = Arc::new(ProgressRegistry::new(|| {}));
        let links = Links {
            inbox,
            publisher,
            joined,
            registry: Arc::clone(&registry),
            requests: Requests::default(),
        };
        let pipeline = Pipeline::new(config, parts, links);
        Self { clock, cpu, hardware, pipeline, mailbox, snapshots, registry, _joined: joined_sender, folder }
    }

    /// Two packages with memory, far from the end of their range.
    pub(crate) fn server(config: &Config) -> Self {
        let hardware = ScriptedHardware::default();
        for package in 0..2 {
            hardware.add(zone(Domain::Package, package), 1_000_000_000 * u64::from(1 + 7 * package), RANGE);
            hardware.add(zone(Domain::Dram, package), 50_000_000_000 * u64::from(1 + package), RANGE);
        }
        Self::new(config, hardware)
    }

    /// Advances the clock, and takes a tick as the pipeline's loop does.
    pub(crate) fn tick(&mut self, after: Duration) -> SharedSnapshot {
        self.clock.advance(after);
        let now = self.clock.now();
        self.pipeline.inbox.wait(&self.clock, now, None);
        self.pipeline.take_events();
        self.pipeline.tick();
        self.snapshots.borrow().clone().unwrap()
    }

    pub(crate) fn make_cgroup(&self, id: u64, path: &str) {
        let (at, id, path) = (self.clock.now(), Some(CgroupId(id)), Some(path.to_owned()));
        self.cpu.script(|script| script.events.push(LifecycleEvent::CgroupMade { at, id, path }));
    }

    fn remove_cgroup(&self, id: u64) {
        let (at, id) = (self.clock.now(), Some(CgroupId(id)));
        self.cpu.script(|script| script.events.push(LifecycleEvent::CgroupRemoved { at, id }));
    }

    /// Starts an encoder in a cgroup.
    pub(crate) fn exec(&self, process: u32, cgroup: u64) {
        let (at, process, cgroup) = (self.clock.now(), ProcessId(process), CgroupId(cgroup));
        let event =
            LifecycleEvent::Exec { at, process, local: None, was_tracked: false, cgroup, legacy: None };
        self.cpu.script(|script| script.events.push(event));
    }

    /// Ends an encoder.
    fn exit(&self, process: u32) {
        let (at, exit) = (self.clock.now(), Some(ExitStatus::Code(0).into()));
        let event = LifecycleEvent::Exit { at, process: ProcessId(process), exit };
        self.cpu.script(|script| script.events.push(event));
    }

    /// Shows the command line of a process in procfs.
    pub(crate) fn write_command_line(&self, process: u64, words: &[&str]) {
        let folder = self.folder.path().join("proc").join(process.to_string());
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("cmdline"), words.join("\0") + "\0").unwrap();
    }

    /// Adds CPU time of a cgroup's tasks on a socket.
    pub(crate) fn run(&self, cgroup: u64, process: Option<u32>, socket: usize, busy: Duration) {
        self.run_on_core(cgroup, process, (socket, 0), busy);
    }

    /// Adds CPU time of a cgroup's tasks on a core of a socket.
    fn run_on_core(&self, cgroup: u64, process: Option<u32>, (socket, core): (usize, u32), busy: Duration) {
        let (cgroup, process) = (CgroupId(cgroup), process.map(ProcessId));
        let consumer = Consumer::Tasks { cgroup, process };
        self.cpu.script(|script| script.used.push((consumer, socket, core, busy)));
    }

    pub(crate) fn draw(&self, zone: Zone, watts: f64, during: Duration) {
        self.hardware.draw(zone, Watts(watts).during(during));
    }
}

pub(crate) fn prices_of_nothing() -> Prices {
    Prices {
        tariff: Tariff::new(Money(0.0), Money(0.0), Money(0.0), None, None),
        currency: "USD".into(),
        also: Vec::new(),
        carbon: Grams(0.0),
        viewers: 1,
    }
}

/// The container's cgroup path, as Docker's systemd driver names it.
pub(crate) fn container_path(number: u64) -> String {
    format!("/system.slice/docker-{}.scope", container_id(number))
}

pub(crate) fn container_id(number: u64) -> String {
    format!("{number:064x}")
}

/// Energy of a workload in a zone, both shares.
fn energy_of(workload: &WorkloadSnapshot, index: usize) -> MicroJoules {
    workload.account.zones.get(index).map_or(MicroJoules::ZERO, ZoneCharges::energy)
}

/// The workload whose cgroup is at this path.
pub(crate) fn at_path<'a>(snapshot: &'a Snapshot, path: &str) -> Option<&'a WorkloadSnapshot> {
    let has_path = |one: &&WorkloadSnapshot| one.identity.details.cgroup.as_deref() == Some(path);
    snapshot.workloads.iter().find(has_path)
}

/// Totals of all zones, by zone.
fn host_totals(snapshot: &Snapshot) -> BTreeMap<Zone, MicroJoules> {
    snapshot.zones.iter().map(|of| (of.zone, of.total)).collect()
}
