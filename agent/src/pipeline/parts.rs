//! Opens the parts of a pipeline: clock, sources, folders. Tests supply their own.

use std::sync::Arc;

use agent_core::join::figures::Prices;
use agent_core::model::cpu::CpuSourceKind;
use agent_core::model::joined::Joined;
use agent_core::model::snapshot::SharedSnapshot;
use tokio::sync::watch;

use super::earlier::EarlierTranscodes;
use super::energy::EnergySource;
use super::sources::{self, HealthTracker, OpenError};
use super::state_dir::StateDir;
use super::wait::Inbox;
use crate::clock::Clock;
use crate::config::Config;
use crate::host::HostRoots;
use crate::progress::ProgressRegistry;
use crate::source::cgroup_tree::CgroupTree;
use crate::source::cpu::CpuMeter;
use crate::source::gpu::GpuMeter;
use crate::source::identity::cri::ContainerRequest;
use crate::source::identity::kubelet::NameRequest;
use crate::source::identity::process_numbers::ProcessNumbers;

/// The pipeline's ends of the channels to the other threads.
pub(crate) struct Links {
    /// Messages to the pipeline.
    pub inbox: Inbox,
    /// Publisher of snapshots.
    pub publisher: watch::Sender<Option<SharedSnapshot>>,
    /// Joined figures of the results thread.
    pub joined: watch::Receiver<Arc<Joined>>,
    /// Progress that encoders post.
    pub registry: Arc<ProgressRegistry>,
    /// Requests to sources of names.
    pub requests: Requests,
}

/// Requests to the sources that describe pods and their containers, where there are such sources.
#[derive(Clone, Debug, Default)]
pub(crate) struct Requests {
    /// To the kubelet's log folders.
    pub names: Option<NameRequest>,
    /// To the container runtime.
    pub containers: Option<ContainerRequest>,
}

/// Parts of a pipeline.
pub(super) struct Parts {
    pub(super) clock: Box<dyn Clock>,
    pub(super) roots: HostRoots,
    pub(super) cpu: Box<dyn CpuMeter>,
    pub(super) energy: EnergySource,
    /// `None` where the host has no integrated GPU.
    pub(super) gpu: Option<GpuMeter>,
    /// `None` where no visible hierarchy of cgroups agrees with the CPU meter's ids.
    pub(super) tree: Option<CgroupTree>,
    pub(super) numbers: ProcessNumbers,
    pub(super) earlier: EarlierTranscodes,
    pub(super) state: StateDir,
    pub(super) prices: Prices,
    pub(super) health: HealthTracker,
}

impl Parts {
    /// Opens every source of the host. A missing source is noted and not used; a source that the configuration requires and the host
    /// does not have is an error.
    pub(super) fn open(config: &Config, clock: Box<dyn Clock>, prices: Prices) -> Result<Self, OpenError> {
        let roots = config.roots();
        let mut health = HealthTracker::default();
        let topology = sources::topology(&roots)?;
        let mut cpu = sources::open_cpu(config, &roots, &topology, &*clock, &mut health)?;
        let hardware = Box::new(sources::energy_hardware(config));
        let energy = EnergySource::open(&config.energy, hardware, &*clock, &mut health);
        let gpu = GpuMeter::open(&roots, clock.now());
        let mut tree = CgroupTree::find(&roots).ok();
        let state = StateDir::open(&config.state_dirs(), &roots, &energy.zones());
        let numbers = ProcessNumbers::find(&roots, cpu.own_process());
        if let Some(problem) = numbers.problem() {
            health.failed("processes", &problem);
            health.demand("processes");
        }
        if let Some(problem) = cpu.take_problem() {
            health.failed("cgroup_v1", &problem);
            health.demand("cgroup_v1");
        }
        if let Some(problem) = tree.as_ref().and_then(CgroupTree::problem) {
            health.failed("cgroups", &problem);
            health.demand("cgroups");
            // Its paths differ from those of the kernel: a cgroup that is not in it may exist all the same.
            tree = tree.filter(|_| cpu.kind() != CpuSourceKind::Bpf);
        }
        let earlier = EarlierTranscodes::read(&config.state_dirs(), &roots);
        Ok(Self { clock, roots, cpu, energy, gpu, tree, numbers, earlier, state, prices, health })
    }
}
