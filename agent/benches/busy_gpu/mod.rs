//! A host with any number of encodes on its integrated GPU, on which the cost of engine time in a tick is measured.
//!
//! Its device and its processes are files of a temporary folder. All else is as in a tick.

use std::fmt::Write;
use std::fs::{self, File};
use std::os::unix::fs::{FileExt, symlink};
use std::time::Duration;

use agent_core::attribution::demand::{Claimant, Demand};
use agent_core::attribution::engines::{EngineDemand, GpuAccount, PartWindow, divide};
use agent_core::attribution::siblings::SharedCoreWeight;
use agent_core::attribution::totals::Totals;
use agent_core::attribution::weights::Weights;
use agent_core::attribution::{IdlePolicy, ZoneWindow, attribute};
use agent_core::model::cpu::{CpuPlace, ProcessId};
use agent_core::model::energy::{Domain, Zone};
use agent_core::model::reservation::Reservations;
use agent_core::model::transcode::TranscodeId;
use agent_core::model::workload::WorkloadId;
use agent_core::time::MonoTime;
use agent_core::units::{CpuTime, MicroJoules, Watts};
use ffwatt::inside::{DeviceFile, GpuCandidate, GpuMeter, HostRoots};
use tempfile::TempDir;

use crate::busy_host::{self, FIRST, ZONE};

const ADDRESS: &str = "0000:00:02.0";
const UNCORE: Zone = Zone { domain: Domain::Uncore, ..ZONE };
const SECOND: Duration = Duration::from_secs(1);

/// Number of the first encoder's process, and of the first other process.
const FIRST_ENCODER: u32 = 10_000;
const FIRST_OTHER: u32 = 100;

/// Other processes of the host.
const OTHERS: u32 = 100;

/// Files that each process has open, beside the GPU.
const FILES: u32 = 12;

/// Number of the file by which an encoder has the GPU open.
const DEVICE: u32 = FILES;

/// Ticks in which each new encoder is looked through.
const YOUNG: u32 = 5;

/// The files of the host.
pub(crate) struct GpuFiles {
    _folder: TempDir,
    roots: HostRoots,
    encoders: u32,
    seconds: u64,
    /// The `fdinfo` of each encoder. The agent has them open, too.
    fdinfo: Vec<File>,
}

impl GpuFiles {
    /// A host with this many encoders.
    pub(crate) fn new(encoders: u32) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (proc, sys) = (folder.path().join("proc"), folder.path().join("sys"));
        let roots = HostRoots { proc, sys, ..HostRoots::default() };
        let mut files = Self { _folder: folder, roots, encoders, seconds: 0, fdinfo: Vec::new() };
        let device = files.roots.sys.join("devices").join(ADDRESS);
        let card = files.roots.sys.join("class/drm/renderD128");
        for path in [&device, &card] {
            fs::create_dir_all(path).unwrap();
        }
        symlink("i915", device.join("driver")).unwrap();
        symlink(&device, card.join("device")).unwrap();
        for process in (FIRST_OTHER..FIRST_OTHER + OTHERS).chain(files.processes()) {
            for name in ["fd", "fdinfo"] {
                fs::create_dir_all(files.roots.process(process, name)).unwrap();
            }
            for number in 0..FILES {
                symlink("/dev/null", files.roots.process(process, &format!("fd/{number}"))).unwrap();
            }
        }
        for process in files.processes() {
            let descriptor = files.roots.process(process, &format!("fd/{DEVICE}"));
            symlink("/dev/dri/renderD128", descriptor).unwrap();
            let fdinfo = files.roots.process(process, &format!("fdinfo/{DEVICE}"));
            files.fdinfo.push(File::create(fdinfo).unwrap());
        }
        files
    }

    /// Adds the engine time of a second. Returns its end.
    pub(crate) fn advance(&mut self) -> MonoTime {
        self.seconds += 1;
        for (process, file) in self.processes().zip(&self.fdinfo) {
            let text = fdinfo(process, self.seconds * u64::from(process));
            file.write_all_at(text.as_bytes(), 0).unwrap();
        }
        MonoTime(self.seconds * 1_000_000_000)
    }

    fn processes(&self) -> impl Iterator<Item = u32> + use<> {
        FIRST_ENCODER..FIRST_ENCODER + self.encoders
    }
}

/// What i915 shows for a client (Linux 6.12), of constant length.
fn fdinfo(client: u32, microseconds: u64) -> String {
    let mut text = format!(
        "pos:\t0\nflags:\t02100002\nmnt_id:\t26\nino:\t565\ndrm-driver:\ti915\ndrm-client-id:\t{client}\n\
         drm-pdev:\t{ADDRESS}\n"
    );
    for memory in ["total", "shared", "active", "resident", "purgeable"] {
        for region in ["system0", "stolen-system0"] {
            let _ = writeln!(text, "drm-{memory}-{region}:\t23992 KiB");
        }
    }
    for engine in ["render", "copy", "video-enhance"] {
        let _ = writeln!(text, "drm-engine-{engine}:\t0 ns");
    }
    let _ = write!(text, "drm-engine-video:\t{microseconds:015}000 ns\ndrm-engine-capacity-video:\t2\n");
    text
}

/// The part of a tick that engine time is in.
pub(crate) struct GpuTick {
    meter: Option<GpuMeter>,
    candidates: Vec<GpuCandidate>,
    /// Whether the kernel lists the open files of the device.
    has_list: bool,
    totals: Totals,
    demand: Demand,
    account: GpuAccount,
}

impl GpuTick {
    /// A tick after the ones in which encoders are new.
    pub(crate) fn new(files: &mut GpuFiles, has_list: bool) -> Self {
        let meter = GpuMeter::open_with(&files.roots, MonoTime(0), || Ok(()));
        assert!(meter.is_some(), "the GPU is found");
        let candidate = |process| GpuCandidate { id: ProcessId(process), is_new: false };
        let mut demand = Demand::default();
        for process in files.processes() {
            demand.add(claimant(ProcessId(process)), CpuPlace::on_die(0, 0), CpuTime(10_000_000));
        }
        let candidates = files.processes().map(candidate).collect();
        let totals = busy_host::totals(files.encoders);
        let account = GpuAccount::default();
        let mut tick = Self { meter, candidates, has_list, totals, demand, account };
        for _ in 0..YOUNG {
            tick.run(files.advance());
        }
        assert!(files.encoders == 0 || tick.has_charged(), "the encodes have engine time");
        tick
    }

    /// The same on a host without a GPU.
    pub(crate) fn without_gpu() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let roots = HostRoots { sys: folder.path().to_path_buf(), ..HostRoots::default() };
        let meter = GpuMeter::open_with(&roots, MonoTime(0), || Ok(()));
        assert!(meter.is_none());
        let (totals, demand, account) = (busy_host::totals(0), Demand::default(), GpuAccount::default());
        Self { meter, candidates: Vec::new(), has_list: false, totals, demand, account }
    }

    fn has_charged(&self) -> bool {
        self.totals.workloads().any(|(_, entry)| !entry.account.engines.is_zero())
    }

    /// Reads the engine time, and adds it to its users; `None` without a GPU.
    pub(crate) fn read(&mut self, now: MonoTime) -> Option<EngineDemand> {
        let meter = self.meter.as_mut()?;
        let file = |of: &GpuCandidate| DeviceFile { process: of.id, descriptor: DEVICE };
        let list = || self.has_list.then(|| self.candidates.iter().map(file).collect());
        let times = meter.read(&self.candidates, now, list).unwrap();
        let used: Vec<_> = times.into_iter().map(|(process, times)| (claimant(process), times)).collect();
        self.totals.add_engine_time(&used);
        let mut demand = EngineDemand::default();
        for (claimant, times) in &used {
            demand.add(*claimant, times);
        }
        Some(demand)
    }

    /// Reads the engine time of a window, and splits the energy of the GPU and of its package.
    pub(crate) fn run(&mut self, now: MonoTime) {
        self.totals.begin_window(&self.demand.totals());
        let engines = self.read(now).unwrap();
        self.account.add(&engines);
        let (gpu, package) = (window(UNCORE, 12_345_678), window(ZONE, 43_210_987));
        let of_gpu = self.account.close_gpu(gpu.energy);
        let idle = Some(Watts(0.2));
        self.charge(UNCORE, gpu.energy, [((gpu, idle), self.by_engine_time(&of_gpu))]);
        let part = self.account.close_package().unwrap();
        let [gpu, rest] = divide((package, Some(Watts(4.0))), part.energy, idle);
        let by_time = Weights::by_time(&self.demand, ZONE.scope, SharedCoreWeight::EQUAL);
        self.charge(ZONE, package.energy, [(gpu, self.by_engine_time(&part.engines)), (rest, by_time)]);
        self.totals.end_window(now);
    }

    fn by_engine_time(&self, engines: &EngineDemand) -> Weights {
        Weights::by_engine_time(&self.demand, ZONE.scope, engines)
    }

    fn charge<const PARTS: usize>(
        &mut self,
        zone: Zone,
        energy: MicroJoules,
        parts: [(PartWindow, Weights); PARTS],
    ) {
        let split = parts.into_iter().flat_map(|((window, idle), weights)| {
            attribute(window, &weights, idle, IdlePolicy::Own, &Reservations::default())
        });
        let bounded: Vec<_> = split.map(|charge| (charge, MicroJoules(61))).collect();
        self.totals.charge(zone, energy, &bounded);
    }
}

/// The encode of a process, in a container of its own.
fn claimant(process: ProcessId) -> Claimant {
    let number = process.0 - FIRST_ENCODER;
    Claimant { workload: WorkloadId(FIRST + number), transcode: Some(TranscodeId(number)) }
}

fn window(zone: Zone, energy: u64) -> ZoneWindow {
    ZoneWindow { zone, energy: MicroJoules(energy), duration: SECOND }
}
