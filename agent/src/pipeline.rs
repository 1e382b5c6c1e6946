//! The only module that depends on every stage: sources → attribution → (join) → snapshot.
//!
//! One thread owns the state. It sleeps until the next tick, a life-cycle event from the kernel or a message, and publishes an
//! immutable snapshot after each tick. Everything that reads — listeners, pages — sees snapshots only.

mod calibrate;
mod earlier;
mod energy;
mod findings;
mod idle;
mod identity;
mod labels;
mod parts;
mod progress;
mod publish;
mod sources;
mod state_dir;
mod wait;
mod zones;

use std::sync::Arc;
use std::time::Duration;

use agent_core::attribution::IdlePolicy;
use agent_core::attribution::demand::{Claimant, Demand};
use agent_core::attribution::idle::IdleLearner;
use agent_core::attribution::totals::{Totals, TotalsLimits};
use agent_core::join::figures::Prices;
use agent_core::model::cpu::{Consumer, CpuSourceKind, CpuWindow};
use agent_core::model::energy::EnergySourceKind;
use agent_core::model::health::DurationHistogram;
use agent_core::model::joined::Joined;
use agent_core::model::snapshot::SharedSnapshot;
use agent_core::model::workload::{Pseudo, WorkloadKind};
use agent_core::time::MonoTime;
use agent_core::units::Watts;
use energy::EnergySource;
use findings::FindingTracker;
use identity::{Context, Identities};
use idle::IdleTracker;
use labels::SeriesLabels;
use parts::Parts;
use progress::ProgressTracker;
use sources::HealthTracker;
use state_dir::StateDir;
use tokio::sync::watch;
use wait::{Inbox, Wake};
use zones::ZoneTracker;

use crate::clock::Clock;
use crate::config::{Config, ProgressSenders};
use crate::host::HostRoots;
use crate::progress::ProgressRegistry;
use crate::source::cgroup_tree::CgroupTree;
use crate::source::cpu::CpuMeter;

pub(crate) use calibrate::{Calibrating, CalibrationError, ZoneCalibration, forget_calibration};
pub(crate) use idle::known_idle;
pub(crate) use parts::Links;
pub(crate) use sources::OpenError;
pub(crate) use sources::energy_hardware;
pub(crate) use state_dir::{could_be_written, is_writable};
pub(crate) use wait::{Mailbox, Message, mailbox};

/// Bounds of the tick histogram in seconds: from a tick of a small host to one of an overloaded host.
const TICK_BOUNDS: [f64; 10] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0];

/// The state of the agent.
pub(crate) struct Pipeline {
    clock: Box<dyn Clock>,
    roots: HostRoots,
    interval: Duration,
    policy: IdlePolicy,
    cpu: Box<dyn CpuMeter>,
    energy: EnergySource,
    tree: Option<CgroupTree>,
    identities: Identities,
    zones: ZoneTracker,
    idle: IdleTracker,
    totals: Totals,
    labels: SeriesLabels,
    registry: Arc<ProgressRegistry>,
    progress: ProgressTracker,
    health: HealthTracker,
    findings: FindingTracker,
    slow: publish::SlowFigures,
    state: StateDir,
    inbox: Inbox,
    publisher: watch::Sender<Option<SharedSnapshot>>,
    joined: watch::Receiver<Arc<Joined>>,
    prices: Prices,
    tick: u64,
    last_tick: MonoTime,
    missed_ticks: u64,
    asleep: Duration,
    ticks: DurationHistogram,
}

impl Pipeline {
    /// Opens every source of the host, and begins. A missing source is noted and not used; a source that the configuration requires and
    /// the host does not have is an error.
    pub(crate) fn open(
        config: &Config,
        clock: Box<dyn Clock>,
        prices: Prices,
        links: Links,
    ) -> Result<Self, OpenError> {
        Ok(Self::new(config, Parts::open(config, clock, prices)?, links))
    }

    /// Begins with the given parts.
    fn new(config: &Config, parts: Parts, links: Links) -> Self {
        let Parts { clock, roots, cpu, energy, tree, numbers, earlier, state, prices, health } = parts;
        let Links { inbox, publisher, joined, registry } = links;
        let configured_idle = config.attribution.idle_watts.map(Watts);
        let limits = TotalsLimits {
            keep_ended: config.attribution.keep_ended.0,
            shown: config.attribution.max_workloads as usize,
        };
        let mut pipeline = Self {
            interval: config.interval.0,
            policy: config.attribution.idle_policy.into(),
            tick: 0,
            last_tick: clock.now(),
            missed_ticks: 0,
            asleep: clock.suspended(),
            identities: Identities::new(cpu.own_process(), config.cpu.tracked.clone(), numbers, earlier),
            zones: ZoneTracker::default(),
            totals: Totals::new(limits, clock.moment()),
            labels: SeriesLabels::default(),
            progress: ProgressTracker::new(config.progress.accept_from == ProgressSenders::Anywhere),
            registry,
            findings: FindingTracker::default(),
            slow: publish::SlowFigures::default(),
            ticks: DurationHistogram::new(&TICK_BOUNDS),
            idle: IdleTracker::new(configured_idle, IdleLearner::new(state.load_idle())),
            clock,
            roots,
            cpu,
            energy,
            tree,
            health,
            state,
            inbox,
            publisher,
            joined,
            prices,
        };
        pipeline.begin();
        pipeline
    }

    /// Sources of CPU times and energy in use.
    pub(crate) fn sources(&self) -> (CpuSourceKind, Option<EnergySourceKind>) {
        (self.cpu.kind(), self.energy.kind())
    }

    /// Runs until a stop message. Dropping the pipeline afterwards detaches the programs.
    pub(crate) fn run(mut self) {
        let mut due = self.clock.now().plus(self.interval);
        loop {
            let wake = self.inbox.wait(&*self.clock, self.next_wake(due), self.cpu.events_fd());
            if matches!(wake, Wake::Stop) {
                break;
            }
            self.take_events();
            self.take_messages();
            let now = self.clock.now();
            if self.progress.wake().is_some_and(|wake| wake <= now) {
                self.find_progress();
            }
            if now >= due {
                self.tick();
                due = self.next_due(due);
            } else {
                self.energy.keep_up(&*self.clock, &mut self.zones);
            }
        }
        self.keep_idle();
    }

    /// Next time to wake before the tick: counters of a small range must be read more often than in a long tick, and the socket of a short
    /// encode exists only briefly.
    fn next_wake(&self, due: MonoTime) -> MonoTime {
        let last_read = self.zones.last_read().unwrap_or(self.last_tick);
        let counters = self.energy.longest_gap().map(|gap| last_read.plus(gap));
        [counters, self.progress.wake()].into_iter().flatten().fold(due, MonoTime::min)
    }

    /// The next due time of the regular ticks; missed ticks are counted and not repeated.
    fn next_due(&mut self, due: MonoTime) -> MonoTime {
        let mut next = due.plus(self.interval);
        let now = self.clock.now();
        while next <= now {
            next = next.plus(self.interval);
            self.missed_ticks += 1;
        }
        next
    }

    /// Finds everything that exists at the start: cgroups, and encoders that already run.
    fn begin(&mut self) {
        self.walk();
        let (identities, mut context) = self.identities();
        identities.begin(&mut context);
        self.baseline_energy();
    }

    /// The identities, and the context of their methods.
    fn identities(&mut self) -> (&mut Identities, Context<'_>) {
        let context = Context {
            roots: &self.roots,
            clock: &*self.clock,
            cpu: &mut *self.cpu,
            tree: self.tree.as_ref(),
            totals: &mut self.totals,
        };
        (&mut self.identities, context)
    }

    fn take_events(&mut self) {
        let events = self.cpu.events(&*self.clock);
        let (identities, mut context) = self.identities();
        for event in events {
            identities.event(event, &mut context);
        }
    }

    fn take_messages(&mut self) {
        for message in self.inbox.take() {
            match message {
                Message::Engine { name, event } => {
                    self.identities.engine_event(name, event, &mut self.health);
                }
                Message::Child(process) => {
                    let (identities, mut context) = self.identities();
                    identities.child_started(process, &mut context);
                }
                Message::Progress => self.progress.ring(),
                Message::Prices(prices) => self.prices = prices,
                Message::Stop => {}
            }
        }
    }

    fn find_progress(&mut self) {
        self.progress.find(&self.registry, &self.identities, &self.roots, &*self.clock);
    }

    /// Marks engines that have containers as needed: without the engine, its containers have no names.
    fn demand_engines(&mut self) {
        for kind in WorkloadKind::ENGINES {
            if self.identities.living().any(|(_, identity)| identity.kind == kind) {
                self.health.demand(kind.name());
            }
        }
    }

    fn walk(&mut self) {
        match self.tree.as_ref().map(CgroupTree::walk).transpose() {
            Ok(walk) => {
                let (identities, mut context) = self.identities();
                identities.walked(walk.as_ref(), &mut context);
            }
            Err(error) => {
                self.health.failed("cgroup_tree", &error);
                self.health.demand("cgroup_tree");
            }
        }
    }

    fn tick(&mut self) {
        let began = self.clock.now();
        self.notice_sleep();
        // Energy and CPU time are read as close together as possible: the time between them is in the stated uncertainty.
        let energy = self.energy.read(&*self.clock);
        let mut window = self.read_cpu();
        self.progress.hear(&self.registry);
        self.take_events();
        let last_tick = std::mem::replace(&mut self.last_tick, began);
        let duration = began.since(last_tick);
        self.tick += 1;
        let health = self.cpu.health();
        // While the programs were detached, events were missed as well.
        if self.identities.needs_walk(&window, health.lost_events + health.reattached, began) {
            self.walk();
        }
        self.identities.resolve(&mut window);
        self.identities.admit(began, &mut self.totals);
        let demand = Arc::new(self.demand(&window));
        let busy = demand.totals();
        self.labels.compare(&self.identities, &mut self.totals);
        self.totals.begin_window(&busy);
        self.slow.count_containers(&busy, &self.identities);
        self.demand_engines();
        self.follow_calibration(began);
        self.charge_energy(energy, &window, &demand);
        let (identities, mut context) = self.identities();
        identities.settle(&window, began, &mut context);
        let (workloads, transcodes) = self.totals.end_window(began);
        self.identities.close(&workloads, &transcodes, &mut *self.cpu);
        self.find_progress();
        self.progress.settle(&self.identities, &self.totals, (last_tick, began));
        self.slow.refresh(began, &window, &self.identities, self.tree.as_ref(), &self.roots);
        self.labels.take(&self.identities, &self.totals);
        self.find_about_energy(&window);
        self.find_about_idle(&window);
        self.findings.settle(self.clock.wall());
        self.ticks.observe(self.clock.now().since(began));
        let snapshot = self.snapshot(&window, duration);
        self.publisher.send_replace(Some(Arc::new(snapshot)));
        self.totals.published(self.clock.moment());
    }

    /// A suspend may reset the counters, and no task ran meanwhile.
    fn notice_sleep(&mut self) {
        let asleep = self.clock.suspended();
        // The two clocks are read one after the other, so a small difference is no suspend.
        if asleep > self.asleep + Duration::from_millis(100) {
            tracing::info!(slept = ?asleep.saturating_sub(self.asleep), "the host was suspended: the energy counters restart");
            self.energy.rebaseline();
            self.zones.disturb();
        }
        self.asleep = asleep;
    }

    fn read_cpu(&mut self) -> CpuWindow {
        let name = self.cpu.kind().name();
        match self.cpu.read(&*self.clock) {
            Ok(window) => {
                self.health.works(name);
                window
            }
            Err(error) => {
                self.health.failed(name, &error);
                let now = self.clock.now();
                CpuWindow { start: now, end: now, ..CpuWindow::default() }
            }
        }
    }

    fn demand(&mut self, window: &CpuWindow) -> Demand {
        let mut demand = Demand::default();
        let (identities, mut context) = self.identities();
        for place in &window.places {
            demand.add_capacity(place.place, place.elapsed);
        }
        for usage in &window.usage {
            let claimant = match usage.consumer {
                Consumer::Kernel => Claimant::workload(Pseudo::Kernel.id()),
                // All other cases are resolved.
                Consumer::Unknown | Consumer::InBoth { .. } => Claimant::workload(Pseudo::Unattributed.id()),
                Consumer::Tasks { cgroup, process } => identities.claimant(cgroup, process, &mut context),
            };
            demand.add(claimant, window.places[usage.place].place, usage.busy);
        }
        demand
    }
}

#[cfg(test)]
pub(crate) mod tests;
