//! Loads and attaches the eBPF programs, and explains why they cannot be loaded.

use std::any::Any;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use agent_common::{COMM_LEN, CpuClock, Hierarchies, PidNamespace, TRACKED_PAGE, UNKNOWN_OFFSET, order};
use agent_core::model::cpu::ProcessId;
use aya::maps::{Array, HashMap, Map, MapData, PerCpuArray, RingBuf};
use aya::programs::{BtfTracePoint, ProgramError, RawTracePoint, RawTracePointRunOptions, TestRun};
use aya::util::nr_cpus;
use aya::{Ebpf, EbpfError, include_bytes_aligned};
use rustix::fs::{major, minor};
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::clock::Clock;
use crate::error::{causes, chain};
use crate::host::HostRoots;
use crate::source::cpu::CpuMeter;
use crate::source::cpu::bpf::hierarchies::MountedHierarchies;
use crate::source::cpu::bpf::kernel_types::{TypeKind, loader, only_type};
use crate::source::cpu::bpf::open_files::{self, FileList};
use crate::source::cpu::bpf::siblings::Siblings;
use crate::source::cpu::bpf::{BpfMeter, KernelClockOffset};
use crate::source::cpu::btf::{KernelTypes, Wanted};
use crate::source::identity::tracked;
use crate::source::{GRANT, SourceError};
use agent_core::cpu::accounts::Accounts;
use agent_core::cpu::topology::CpuTopology;

/// The object that `cargo xtask build-ebpf` made; empty when the agent was built without it.
static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/ffwatt-ebpf"));

/// Names and tracepoints of the programs that are attached.
const ATTACHED: [(&str, &str); 4] = [
    ("cgroup_mkdir", "cgroup_mkdir"),
    ("cgroup_rmdir", "cgroup_rmdir"),
    ("process_exec", "sched_process_exec"),
    ("process_exit", "sched_process_exit"),
];

/// The program at every switch, by the kernel's types; the next constant is the one without.
const SWITCH: (&str, &str) = ("switch", "sched_switch");
const UNTYPED_SWITCH: (&str, &str) = ("untyped_switch", "sched_switch");

/// The program at every signal. It needs the kernel's types, and only the ends of transcodes need it.
const SIGNAL: (&str, &str) = ("signal", "signal_generate");

/// Programs that run only on request.
const ON_DEMAND: [&str; 2] = ["flush", "control"];

/// Ring buffer: an exec event takes 48 bytes, a cgroup event about 150; this holds thousands.
const RING_BYTES: u32 = 1024 * 1024;

/// Options of the eBPF meter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    /// Names of further programs that are charged separately from the rest of their cgroup.
    pub tracked: Vec<String>,
    /// Entries of the accounting map: cgroups and tracked processes that have run and not been dropped.
    pub max_consumers: u32,
    /// Major number of the devices whose open files are listed.
    pub device_major: Option<u32>,
}

/// Whether this build contains the eBPF programs.
pub(crate) fn is_built_in() -> bool {
    !OBJECT.is_empty()
}

pub(super) fn load(
    roots: &HostRoots,
    topology: &CpuTopology,
    options: &Options,
    clock: &dyn Clock,
) -> Result<BpfMeter, SourceError> {
    if !is_built_in() {
        return Err(SourceError::unavailable(
            "this build contains no eBPF programs",
            "build it with `cargo xtask build-ebpf && cargo build --release`",
        ));
    }
    let kernel = roots.kernel_release().unwrap_or_else(|| "of unknown release".to_owned());
    // The types of the running kernel are in its own sysfs. Offsets from any other file would be read as addresses.
    let btf = HostRoots::default().sys.join("kernel/btf/vmlinux");
    let followed = MountedHierarchies::find(roots);
    let types = kernel_types(&btf, followed.controller());
    let (hierarchies, problem) = followed.hierarchies(&types)?;
    let host = HostShape { hierarchies, cpus: possible_cpus()?, has_siblings: topology.has_siblings() };
    let Loaded { mut ebpf, is_typed } = match load_object(&types, &host, roots, options) {
        // Before Linux 5.11 maps count as locked memory; raising the limit needs CAP_SYS_RESOURCE, so only when it must be.
        Err(error) if is_permission(&error) && raise_memlock() => load_object(&types, &host, roots, options),
        other => other,
    }
    .map_err(|error| load_error(&error, &kernel))?;
    #[cfg(feature = "debug-log")]
    start_log(&mut ebpf);
    fill_tracked_names(&mut ebpf, &options.tracked)?;
    for name in ON_DEMAND {
        program(&mut ebpf, name)?.load().map_err(|error| attach_error(name, error, &kernel))?;
    }
    let own = own_process(&mut ebpf)?;
    for (name, _) in attached(is_typed) {
        program(&mut ebpf, name)?.load().map_err(|error| attach_error(name, error, &kernel))?;
    }
    let mut links = attach(&mut ebpf, is_typed, &kernel)?;
    let signals = attach_signal(&mut ebpf, &types);
    let file_list = match options.device_major {
        Some(_) => FileList::load(&mut ebpf, &types),
        None => FileList::Unavailable,
    };
    let sees_signals = signals.is_some();
    links.extend(signals);
    let clocks: PerCpuArray<MapData, CpuClock> = take(&mut ebpf, "CPU_CLOCK")?;
    let cpus = clocks
        .get(&0, 0)
        .map_err(|error| SourceError::broken(format!("cannot read the CPU clocks: {error}")))?;
    let accounts = Accounts::new(topology.clone(), cpus.len());
    let mut meter = BpfMeter {
        clocks,
        times: take(&mut ebpf, "CPU_TIME")?,
        losses: take(&mut ebpf, "LOSSES")?,
        tracked: take(&mut ebpf, "TRACKED")?,
        ring: take::<RingBuf<MapData>>(&mut ebpf, "EVENTS")?,
        siblings: Siblings::new(take(&mut ebpf, "SIBLINGS")?, host.has_siblings),
        ebpf,
        links,
        is_typed,
        sees_signals,
        file_list,
        kernel,
        accounts,
        roots: roots.clone(),
        own,
        room: options.max_consumers as usize,
        torn_reads: 0,
        reattached: 0,
        clock_offset: KernelClockOffset::default(),
        has_legacy: hierarchies.legacy != 0,
        problem,
    };
    meter.siblings.write(topology)?;
    meter.track(own)?;
    meter.clock_offset = meter.find_clock_offset(clock)?;
    // The first reading only begins the accounts.
    meter.read(clock)?;
    Ok(meter)
}

/// Attaches the loaded programs, as long as the links live.
pub(super) fn attach(
    ebpf: &mut Ebpf,
    is_typed: bool,
    kernel: &str,
) -> Result<Vec<Box<dyn Any + Send>>, SourceError> {
    let mut links: Vec<Box<dyn Any + Send>> = Vec::new();
    for (name, tracepoint) in attached(is_typed) {
        let program = program(ebpf, name)?;
        let link = program.attach(tracepoint).and_then(|link| program.take_link(link));
        links.push(Box::new(link.map_err(|error| attach_error(name, error, kernel))?));
    }
    if is_typed {
        let (name, _) = SWITCH;
        let program = typed(ebpf, name)?;
        let link = program.attach().and_then(|link| program.take_link(link));
        links.push(Box::new(link.map_err(|error| attach_error(name, error, kernel))?));
    }
    Ok(links)
}

/// Attaches the program at every signal; `None` where the kernel does not allow it. Then a stopped encode and a failed one have one name.
fn attach_signal(ebpf: &mut Ebpf, types: &KernelTypes) -> Option<Box<dyn Any + Send>> {
    if types.offsets.task_tgid == UNKNOWN_OFFSET {
        return None;
    }
    let (name, tracepoint) = SIGNAL;
    let program = program(ebpf, name).ok()?;
    let link =
        program.load().and_then(|()| program.attach(tracepoint)).and_then(|link| program.take_link(link));
    match link {
        Ok(link) => Some(Box::new(link)),
        Err(error) => {
            tracing::debug!("signals to encoders are not seen: {}", chain(&error));
            None
        }
    }
}

/// The raw tracepoint programs that are attached.
fn attached(is_typed: bool) -> impl Iterator<Item = (&'static str, &'static str)> {
    ATTACHED.into_iter().chain((!is_typed).then_some(UNTYPED_SWITCH))
}

/// The loaded object.
struct Loaded {
    ebpf: Ebpf,
    /// Whether the program that reads switches by the kernel's types is loaded.
    is_typed: bool,
}

/// The kernel's types; unknown where they cannot be read.
fn kernel_types(path: &Path, controller: Option<&'static str>) -> KernelTypes {
    let typedef = format!("btf_trace_{}", SWITCH.1);
    let function = open_files::kernel_function();
    let wanted = Wanted { typedef: &typedef, function: &function, controller };
    File::open(path).and_then(|file| KernelTypes::read(file, wanted)).unwrap_or_else(|error| {
        tracing::debug!("{}: {error}", path.display());
        KernelTypes::UNKNOWN
    })
}

/// What the programs are loaded for.
struct HostShape {
    hierarchies: Hierarchies,
    /// Number of CPUs that may come on line.
    cpus: u32,
    /// Whether cores have two CPUs each.
    has_siblings: bool,
}

fn possible_cpus() -> Result<u32, SourceError> {
    let cpus = nr_cpus().map_err(|(file, error)| SourceError::transient(format!("read {file}"), error))?;
    Ok(u32::try_from(cpus).unwrap_or(u32::MAX))
}

/// Creates the maps, and loads the one program that needs the kernel's types.
fn load_object(
    types: &KernelTypes,
    host: &HostShape,
    roots: &HostRoots,
    options: &Options,
) -> Result<Loaded, EbpfError> {
    let namespace = pid_namespace(roots);
    let mut ebpf = loader()
        .override_global("OFFSETS", &types.offsets, true)
        .override_global("HIERARCHIES", &host.hierarchies, true)
        .override_global("HAS_SIBLINGS", &u32::from(host.has_siblings), true)
        .override_global("PID_NAMESPACE", &namespace, true)
        .override_global("DEVICE_MAJOR", &options.device_major.unwrap_or_default(), true)
        .map_max_entries("CPU_TIME", options.max_consumers)
        .map_max_entries("TRACKED", pid_max(roots).div_ceil(TRACKED_PAGE))
        .map_max_entries("EVENTS", RING_BYTES)
        .map_max_entries("SIBLINGS", host.cpus)
        .map_max_entries("PUBLISHED", host.cpus)
        .load(OBJECT)?;
    let typedef = types.typedef.filter(|_| types.offsets.can_read_switches());
    let is_typed = typedef.is_some_and(|typedef| load_typed(&mut ebpf, typedef));
    Ok(Loaded { ebpf, is_typed })
}

/// Whether the kernel accepts the program that reads its types. Where it does not, the other one is used.
fn load_typed(ebpf: &mut Ebpf, typedef: u32) -> bool {
    let (name, tracepoint) = SWITCH;
    let types = only_type(TypeKind::Typedef, &format!("btf_trace_{tracepoint}"), typedef);
    let loaded = types.map_err(ProgramError::from).and_then(|btf| {
        let program: &mut BtfTracePoint = ebpf
            .program_mut(name)
            .and_then(|program| program.try_into().ok())
            .ok_or(ProgramError::UnexpectedProgramType)?;
        program.load(tracepoint, &btf)
    });
    if let Err(error) = &loaded {
        tracing::debug!("switches are read without the kernel's types: {}", chain(error));
    }
    loaded.is_ok()
}

fn typed<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut BtfTracePoint, SourceError> {
    ebpf.program_mut(name)
        .and_then(|program| program.try_into().ok())
        .ok_or_else(|| SourceError::broken(format!("the eBPF object has no program {name:?}")))
}

/// `PID_MAX_LIMIT` of a 64-bit kernel, when the kernel does not show its own.
const PID_MAX_LIMIT: u32 = 4 * 1024 * 1024;

fn pid_max(roots: &HostRoots) -> u32 {
    let text = fs::read_to_string(roots.proc.join("sys/kernel/pid_max")).unwrap_or_default();
    text.trim().parse().unwrap_or(PID_MAX_LIMIT).clamp(1, PID_MAX_LIMIT)
}

/// The agent's own PID namespace, for process numbers in it; zeros mean none.
fn pid_namespace(roots: &HostRoots) -> PidNamespace {
    let Ok(file) = fs::metadata(roots.proc.join("self/ns/pid")) else { return PidNamespace::default() };
    // The kernel's own encoding of a device number is not that of `stat`.
    let device = u64::from(major(file.dev())) << 20 | u64::from(minor(file.dev()));
    PidNamespace { device, inode: file.ino() }
}

fn fill_tracked_names(ebpf: &mut Ebpf, names: &[String]) -> Result<(), SourceError> {
    let map = ebpf
        .map_mut("TRACKED_NAMES")
        .ok_or_else(|| SourceError::broken("the eBPF object has no TRACKED_NAMES"))?;
    let mut map: HashMap<_, [u8; COMM_LEN], u8> = HashMap::try_from(map).map_err(|error| {
        SourceError::broken(format!("TRACKED_NAMES is not a map of the right kind: {error}"))
    })?;
    for name in tracked::names(names) {
        map.insert(comm(name), 1, 0)
            .map_err(|error| SourceError::broken(format!("cannot track programs named {name:?}: {error}")))?;
    }
    Ok(())
}

/// A program's name as the kernel keeps it: 15 bytes at most.
fn comm(name: &str) -> [u8; COMM_LEN] {
    let mut comm = [0; COMM_LEN];
    for (to, from) in comm.iter_mut().zip(name.bytes().take(COMM_LEN - 1)) {
        *to = from;
    }
    comm
}

/// The agent's process number in the accounting: in a PID namespace it differs from `getpid`.
fn own_process(ebpf: &mut Ebpf) -> Result<ProcessId, SourceError> {
    let mut options = RawTracePointRunOptions::new();
    options.args[0] = order::WHO_AM_I;
    program(ebpf, "control")?.test_run(options).map_err(|error| match error {
        ProgramError::SyscallError(error) => SourceError::unavailable(
            format!("the kernel cannot run a raw tracepoint program on demand: {}", error.io_error),
            "Linux 5.10 or newer is needed",
        ),
        error => SourceError::broken(format!("cannot run the control program: {error}")),
    })?;
    let answer: Array<MapData, u32> = take(ebpf, "ANSWER")?;
    let own =
        answer.get(&0, 0).map_err(|error| SourceError::broken(format!("cannot read the answer: {error}")))?;
    Ok(ProcessId(own))
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut RawTracePoint, SourceError> {
    ebpf.program_mut(name)
        .and_then(|program| program.try_into().ok())
        .ok_or_else(|| SourceError::broken(format!("the eBPF object has no raw tracepoint program {name:?}")))
}

fn take<M: TryFrom<Map>>(ebpf: &mut Ebpf, name: &str) -> Result<M, SourceError> {
    ebpf.take_map(name)
        .and_then(|map| M::try_from(map).ok())
        .ok_or_else(|| SourceError::broken(format!("the eBPF object has no map {name} of the right kind")))
}

fn raise_memlock() -> bool {
    setrlimit(Resource::Memlock, Rlimit { current: None, maximum: None }).is_ok()
}

fn is_permission(error: &EbpfError) -> bool {
    let mut errors = causes(error).filter_map(|cause| cause.downcast_ref::<io::Error>());
    errors.any(|error| error.kind() == io::ErrorKind::PermissionDenied)
}

fn load_error(error: &EbpfError, kernel: &str) -> SourceError {
    if is_permission(error) {
        return SourceError::unavailable(
            "no permission to load eBPF programs: CAP_BPF or CAP_PERFMON is missing",
            GRANT,
        );
    }
    SourceError::unavailable(
        format!("the kernel ({kernel}) refused the eBPF maps: {}", chain(error)),
        "Linux 5.10 or newer with CONFIG_BPF_SYSCALL is needed",
    )
}

fn attach_error(name: &str, error: ProgramError, kernel: &str) -> SourceError {
    match error {
        ProgramError::LoadError { io_error, .. } if io_error.kind() == io::ErrorKind::PermissionDenied => {
            SourceError::unavailable(
                format!("no permission to load the eBPF program {name:?}: CAP_BPF or CAP_PERFMON is missing"),
                GRANT,
            )
        }
        ProgramError::LoadError { io_error, verifier_log } => {
            tracing::debug!(program = name, log = %verifier_log, "the verifier refused an eBPF program");
            SourceError::broken(format!(
                "the kernel ({kernel}) refused the eBPF program {name:?}: {io_error}"
            ))
        }
        ProgramError::SyscallError(error) if error.io_error.kind() == io::ErrorKind::PermissionDenied => {
            SourceError::unavailable(
                format!("no permission to attach the eBPF program {name:?}: CAP_PERFMON is missing"),
                GRANT,
            )
        }
        error => SourceError::unavailable(
            format!("the kernel ({kernel}) cannot attach the eBPF program {name:?}: {}", chain(&error)),
            "a kernel with CONFIG_BPF_EVENTS and CONFIG_CGROUPS is needed",
        ),
    }
}

#[cfg(feature = "debug-log")]
fn start_log(ebpf: &mut Ebpf) {
    if let Err(error) = aya_log::EbpfLogger::init(ebpf) {
        tracing::warn!(%error, "the eBPF programs do not log");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_as_the_kernel_cuts_them() {
        assert_eq!(&comm("ffmpeg"), b"ffmpeg\0\0\0\0\0\0\0\0\0\0");
        assert_eq!(&comm("gst-launch-1.0-and-more"), b"gst-launch-1.0-\0");
    }
}
