//! Fixture hosts: trees of files that look like the `/proc`, `/sys` and `/dev` of other hosts.
//!
//! They replace energy hardware only; the agent on them is the real binary. CPU time comes from fixture cgroups, by polling.
//! A test changes the files and waits for the next tick: see [`Host::step`].

use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{FileExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context;

use crate::command::pause;
use crate::registers::{AMD_CORE, AMD_PACKAGE, AMD_UNIT, Registers};

/// A container's id, for the fixture's cgroups.
pub const CONTAINER: &str = "4f1c0a7be95d26b8c3d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5";

/// Cgroups of every fixture host.
pub const CGROUPS: [&str; 4] = [
    "system.slice/docker-4f1c0a7be95d26b8c3d9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b3c4d5.scope",
    "system.slice/nginx.service",
    "ffrtmp/job-7",
    "kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1b2c3d4e_5f60_7182_93a4_b5c6d7e8f901.slice/\
     cri-containerd-aa11bb22cc33dd44ee55ff6600112233445566778899aabbccddeeff00112233.scope",
];

/// A RAPL zone of the powercap interface.
#[derive(Clone, Copy, Debug)]
pub struct PowercapZone {
    /// Folder of the zone: `intel-rapl:0`, `intel-rapl:0:1`, `intel-rapl-mmio:0`.
    pub folder: &'static str,
    /// Content of its `name` file.
    pub name: &'static str,
    /// First position of its counter, in microjoules.
    pub energy: u64,
    /// `max_energy_range_uj`.
    pub range: u64,
}

/// The range of a client's package: (2^32 − 1) steps of 61 µJ, truncated as the kernel does.
pub const CLIENT_RANGE: u64 = 262_143_328_850;

/// The range of newer packages: (2^32 − 1) steps of 15.258 µJ.
pub const SERVER_RANGE: u64 = 65_532_610_987;

/// The range of server DRAM: steps of 15.3 µJ.
pub const DRAM_RANGE: u64 = 65_712_999_613;

/// Idle clock ticks of one step: more than can have elapsed.
const IDLE_STEP: u64 = 1_000_000;

/// Pause between two steps of an idle host.
const IDLE_PAUSE: Duration = Duration::from_millis(5);

/// A fixture host.
#[derive(Debug)]
pub struct Host {
    /// Unmounted before the folder is removed.
    registers: Option<Registers>,
    folder: tempfile::TempDir,
    packages: u32,
    used: BTreeMap<String, u64>,
    idle: Arc<AtomicU64>,
}

const fn zone(folder: &'static str, name: &'static str, energy: u64, range: u64) -> PowercapZone {
    PowercapZone { folder, name, energy, range }
}

impl Host {
    /// A laptop: one package with cores and graphics, the platform, and the memory-mapped duplicate.
    pub fn client() -> anyhow::Result<Self> {
        let host = Self::bare(&[(0, 0); 4], "GenuineIntel")?;
        host.powercap(&[
            zone("intel-rapl:0", "package-0", 1_000_000, CLIENT_RANGE),
            zone("intel-rapl:0:0", "core", 500_000, CLIENT_RANGE),
            zone("intel-rapl:0:1", "uncore", 20_000, CLIENT_RANGE),
            zone("intel-rapl:1", "psys", 3_000_000, CLIENT_RANGE),
            zone("intel-rapl-mmio:0", "package-0", 900_000, CLIENT_RANGE),
        ])?;
        Ok(host)
    }

    /// A server with two sockets, each with memory of its own.
    pub fn two_socket() -> anyhow::Result<Self> {
        let host = Self::bare(&[(0, 0), (0, 0), (1, 0), (1, 0)], "GenuineIntel")?;
        host.powercap(&[
            zone("intel-rapl:0", "package-0", 5_000_000, SERVER_RANGE),
            zone("intel-rapl:0:0", "dram", 700_000, DRAM_RANGE),
            zone("intel-rapl:1", "package-1", 6_000_000, SERVER_RANGE),
            zone("intel-rapl:1:0", "dram", 800_000, DRAM_RANGE),
        ])?;
        Ok(host)
    }

    /// A socket of two dies that are counted separately.
    pub fn multi_die() -> anyhow::Result<Self> {
        let host = Self::bare(&[(0, 0), (0, 0), (0, 1), (0, 1)], "GenuineIntel")?;
        host.powercap(&[
            zone("intel-rapl:0", "package-0-die-0", 100, SERVER_RANGE),
            zone("intel-rapl:0:0", "dram", 100, DRAM_RANGE),
            zone("intel-rapl:1", "package-0-die-1", 100, SERVER_RANGE),
            zone("intel-rapl:1:0", "dram", 100, DRAM_RANGE),
        ])?;
        Ok(host)
    }

    /// An AMD machine, as powercap shows it.
    pub fn amd() -> anyhow::Result<Self> {
        let host = Self::bare(&[(0, 0); 4], "AuthenticAMD")?;
        host.powercap(&[
            zone("intel-rapl:0", "package-0", 1, SERVER_RANGE),
            zone("intel-rapl:0:0", "core", 1, SERVER_RANGE),
        ])?;
        Ok(host)
    }

    /// An Intel machine without powercap, with its registers.
    pub fn intel_registers() -> anyhow::Result<Self> {
        let host = Self::bare(&[(0, 0), (0, 0)], "GenuineIntel")?.with_registers()?;
        for cpu in 0..2 {
            // Energy unit 2^-14 J in bits 12:8; package, cores, graphics; no platform register.
            host.set_register(cpu, 0x606, 14 << 8)?;
            for (address, value) in [(0x611, 1000), (0x639, 500), (0x641, 10), (0x619, 70)] {
                host.set_register(cpu, address, value)?;
            }
        }
        Ok(host)
    }

    /// An AMD machine without powercap, with its registers: each core has a counter.
    pub fn amd_registers() -> anyhow::Result<Self> {
        let host = Self::bare(&[(0, 0), (0, 0)], "AuthenticAMD")?.with_registers()?;
        for cpu in 0..2 {
            // Energy unit 2^-16 J in bits 12:8.
            host.set_register(cpu, AMD_UNIT, 16 << 8)?;
            host.set_register(cpu, AMD_PACKAGE, 1000)?;
            // The first core's counter wraps soon.
            host.set_register(cpu, AMD_CORE, [u64::from(u32::MAX) - 100, 500][cpu])?;
        }
        Ok(host)
    }

    /// A machine with CPUs in these packages and dies, and these zones.
    pub fn of(cpus: &[(u32, u32)], zones: &[PowercapZone]) -> anyhow::Result<Self> {
        let host = Self::bare(cpus, "GenuineIntel")?;
        host.powercap(zones)?;
        Ok(host)
    }

    /// A virtual machine: it has no energy counter.
    pub fn without_energy() -> anyhow::Result<Self> {
        Self::bare(&[(0, 0), (0, 0)], "GenuineIntel")
    }

    /// CPUs by package and die, cgroups, and no energy counter.
    fn bare(cpus: &[(u32, u32)], vendor: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("cannot make a folder")?;
        let packages = cpus.iter().map(|(package, _)| package + 1).max().unwrap_or(1);
        let (used, idle) = (BTreeMap::new(), Arc::default());
        let mut host = Self { registers: None, folder, packages, used, idle };
        let mut cpuinfo = String::new();
        for (cpu, (package, die)) in cpus.iter().enumerate() {
            let topology = format!("sys/devices/system/cpu/cpu{cpu}/topology");
            host.write(&format!("{topology}/physical_package_id"), &format!("{package}\n"))?;
            host.write(&format!("{topology}/die_id"), &format!("{die}\n"))?;
            host.write(&format!("{topology}/core_id"), &format!("{cpu}\n"))?;
            host.write(&format!("{topology}/thread_siblings_list"), &format!("{cpu}\n"))?;
            let family = if vendor == "AuthenticAMD" { 25 } else { 6 };
            writeln!(cpuinfo, "processor\t: {cpu}\nvendor_id\t: {vendor}\ncpu family\t: {family}")?;
            writeln!(cpuinfo, "model\t\t: 158\nmodel name\t: Fixture\n")?;
        }
        host.write("proc/cpuinfo", &cpuinfo)?;
        host.write("proc/meminfo", "MemTotal:       16777216 kB\n")?;
        host.write("proc/sys/kernel/osrelease", "6.1.0-fixture\n")?;
        host.write("proc/sys/kernel/random/boot_id", "00000000-0000-4000-8000-000000000001\n")?;
        host.write("cgroup/cgroup.controllers", "cpu memory\n")?;
        host.used.insert(String::new(), 0);
        for cgroup in CGROUPS {
            // A cgroup's time includes that of its children.
            let mut path = String::new();
            for part in cgroup.split('/') {
                path = if path.is_empty() { part.to_owned() } else { format!("{path}/{part}") };
                host.used.insert(path.clone(), 0);
            }
        }
        host.write(&format!("cgroup/{}/memory.current", CGROUPS[0]), "104857600\n")?;
        host.write(&format!("cgroup/{}/memory.stat", CGROUPS[0]), "anon 1\ninactive_file 20971520\n")?;
        host.write(&format!("cgroup/{}/memory.max", CGROUPS[0]), "max\n")?;
        host.write_cpu_times(cpus.len())?;
        Ok(host)
    }

    /// Flags by which the agent uses this host, and nothing of the real one.
    pub fn flags(&self) -> Vec<String> {
        let at = |name: &str| self.folder.path().join(name).display().to_string();
        let flags = [
            ("path.procfs", at("proc")),
            ("path.sysfs", at("sys")),
            ("path.devfs", at("dev")),
            ("path.cgroupfs", at("cgroup")),
            ("path.podlogs", String::new()),
            ("path.containerlogs", String::new()),
            ("cpu.source", "cgroupfs".to_owned()),
            ("containers.docker-socket", String::new()),
            ("containers.podman-socket", String::new()),
        ];
        flags.into_iter().map(|(flag, value)| format!("--{flag}={value}")).collect()
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) -> anyhow::Result<()> {
        let path = self.path(path);
        fs::create_dir_all(path.parent().context("a file is in a folder")?)?;
        // In one step: the agent sees the old text or the new one, as with a file of sysfs.
        let new = path.with_extension("new");
        fs::write(&new, text).with_context(|| format!("cannot write {}", new.display()))?;
        fs::rename(&new, &path).with_context(|| format!("cannot write {}", path.display()))
    }

    /// Path of a file of the host.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// A file of a powercap zone.
    pub fn zone_file(&self, folder: &str, name: &str) -> String {
        format!("{}/{name}", zone_folder(folder))
    }

    /// Sets a powercap counter.
    pub fn set_energy(&self, folder: &str, microjoules: u64) -> anyhow::Result<()> {
        let path = self.path(&self.zone_file(folder, "energy_uj"));
        // In place: the agent keeps the file open, as it would in sysfs. Padded, so that a shorter number leaves no digits behind.
        let file =
            OpenOptions::new().write(true).open(&path).with_context(|| format!("no {}", path.display()))?;
        file.write_all_at(format!("{microjoules:<20}\n").as_bytes(), 0).context("cannot set a counter")
    }

    fn with_registers(mut self) -> anyhow::Result<Self> {
        self.registers = Some(Registers::mount(&self.path("dev"))?);
        Ok(self)
    }

    /// Sets a register of a CPU, on a host that has registers.
    pub fn set_register(&self, cpu: usize, address: u64, value: u64) -> anyhow::Result<()> {
        self.registers()?.set(cpu, address, value);
        Ok(())
    }

    /// Takes the registers of a CPU off line.
    pub fn take_offline(&self, cpu: usize) -> anyhow::Result<()> {
        self.registers()?.take_offline(cpu);
        Ok(())
    }

    fn registers(&self) -> anyhow::Result<&Registers> {
        self.registers.as_ref().context("this host has no registers")
    }

    /// One step of the host: CPU time of cgroups in milliseconds, everything else idle.
    pub fn step(&mut self, used: &[(&str, u64)]) -> anyhow::Result<()> {
        for (cgroup, milliseconds) in used {
            for (path, total) in &mut self.used {
                if path.is_empty() || *path == *cgroup || cgroup.starts_with(&format!("{path}/")) {
                    *total += milliseconds;
                }
            }
        }
        // More idle time than can have elapsed: all other time was idle.
        self.idle.fetch_add(IDLE_STEP, Ordering::Relaxed);
        let cpus = fs::read_dir(self.path("sys/devices/system/cpu"))?.count();
        self.write_cpu_times(cpus)
    }

    /// An encoder in a cgroup, with its CPU time so far. A second call raises its CPU time; `since_boot` distinguishes runs with
    /// the same process number.
    pub fn encoder(
        &self,
        pid: u32,
        cgroup: &str,
        since_boot: Duration,
        used: Duration,
    ) -> anyhow::Result<()> {
        let ticks = |time: Duration| time.as_millis() / 10;
        // proc(5): number, name, state, then fields 4 to 52; user time is the 14th, the start the 22nd.
        let mut fields = ["0"; 49].map(str::to_owned);
        fields[14 - 4] = ticks(used).to_string();
        fields[22 - 4] = ticks(since_boot).to_string();
        self.write(&format!("proc/{pid}/stat"), &format!("{pid} (ffmpeg) R {}\n", fields.join(" ")))?;
        self.write(&format!("proc/{pid}/cgroup"), &format!("0::/{cgroup}\n"))?;
        self.write(
            &format!("proc/{pid}/cmdline"),
            &["ffmpeg", "-i", "in.mp4", "-c:v", "libx264", "-preset", "fast", "-s", "640x360", "out.mp4", ""]
                .join("\0"),
        )
    }

    /// Ends the encoder.
    pub fn end_encoder(&self, pid: u32) -> anyhow::Result<()> {
        fs::remove_dir_all(self.path(&format!("proc/{pid}"))).context("no such encoder")
    }

    /// Number of packages.
    pub fn packages(&self) -> u32 {
        self.packages
    }

    /// Keeps the CPUs idle between steps, until the guard is dropped. Without it they are idle in a step only: the agent
    /// counts them as busy in the ticks between, and that time shares the counters' next energy.
    pub fn idling(&self) -> anyhow::Result<Idling> {
        let cpus = fs::read_dir(self.path("sys/devices/system/cpu"))?.count();
        let (stat, new) = (self.path("proc/stat"), self.path("proc/stat.idling"));
        let (idle, stop) = (Arc::clone(&self.idle), Arc::new(AtomicBool::new(false)));
        let told = Arc::clone(&stop);
        let run = move || {
            while !told.load(Ordering::Relaxed) {
                let text = cpu_times(cpus, idle.fetch_add(IDLE_STEP, Ordering::Relaxed) + IDLE_STEP);
                fs::write(&new, text)
                    .and_then(|()| fs::rename(&new, &stat))
                    .context("cannot write proc/stat")?;
                pause(IDLE_PAUSE);
            }
            Ok(())
        };
        Ok(Idling { stop, thread: Some(std::thread::spawn(run)) })
    }

    fn write_cpu_times(&self, cpus: usize) -> anyhow::Result<()> {
        for (cgroup, milliseconds) in &self.used {
            self.write(
                &format!("cgroup/{cgroup}/cpu.stat"),
                &format!("usage_usec {}\n", milliseconds * 1000),
            )?;
        }
        self.write("proc/stat", &cpu_times(cpus, self.idle.load(Ordering::Relaxed)))
    }

    /// Makes zones in the layout of sysfs: nested folders below `devices`, and a flat list of links below `class`.
    pub fn powercap(&self, zones: &[PowercapZone]) -> anyhow::Result<()> {
        let class = self.path("sys/class/powercap");
        fs::create_dir_all(&class)?;
        for zone in zones {
            let folder = zone_folder(zone.folder);
            let range = zone.range.to_string();
            let energy = format!("{:<20}", zone.energy);
            for (file, text) in [
                ("name", zone.name),
                ("energy_uj", &energy),
                ("max_energy_range_uj", &range),
                ("enabled", "1"),
            ] {
                self.write(&format!("{folder}/{file}"), &format!("{text}\n"))?;
            }
            symlink(self.path(&folder), class.join(zone.folder)).context("cannot link a zone")?;
        }
        for control in ["intel-rapl", "intel-rapl-mmio"] {
            let folder = self.path(&format!("sys/devices/virtual/powercap/{control}"));
            let link = class.join(control);
            if folder.exists() && !link.exists() {
                symlink(folder, link).context("cannot link a control type")?;
            }
        }
        Ok(())
    }
}

/// `/proc/stat` of CPUs that were idle for this many clock ticks.
fn cpu_times(cpus: usize, idle: u64) -> String {
    let lines = (0..cpus).map(|cpu| format!("cpu{cpu} 0 0 0 {idle} 0 0 0 0 0 0\n"));
    std::iter::once("cpu  0 0 0 0 0 0 0 0 0 0\n".to_owned()).chain(lines).collect()
}

/// Keeps a host's CPUs idle until it is dropped.
#[derive(Debug)]
pub struct Idling {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<anyhow::Result<()>>>,
}

impl Drop for Idling {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(Ok(())))), "{ended:?}");
    }
}

fn zone_folder(folder: &str) -> String {
    let control = folder.split(':').next().unwrap_or(folder);
    let mut path = format!("sys/devices/virtual/powercap/{control}");
    let mut name = control.to_owned();
    for number in folder.split(':').skip(1) {
        name = format!("{name}:{number}");
        path = format!("{path}/{name}");
    }
    path
}
