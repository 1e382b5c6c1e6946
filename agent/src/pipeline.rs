//! The only module that depends on every stage: sources → attribution → (join) → snapshot.
//!
//! One thread owns the state. It sleeps until the next tick, a life-cycle event from the kernel or a message, and publishes an
//! immutable snapshot after each tick. Everything that reads — listeners, pages — sees snapshots only.

mod calibrate;
mod cpu;
mod earlier;
mod energy;
mod figures;
mod findings;
mod gpu;
mod groups;
mod identity;
mod labels;
mod parts;
mod progress;
mod publish;
mod schedule;
mod sources;
mod state_dir;
mod wait;
mod zones;

use std::sync::Arc;

use agent_core::attribution::siblings::SharedCoreWeight;
use agent_core::attribution::totals::{Totals, TotalsLimits};
use agent_core::join::figures::Prices;
use agent_core::model::cpu::CpuSourceKind;
use agent_core::model::energy::EnergySourceKind;
use agent_core::time::{Moment, MonoTime};
use cpu::CpuAccounting;
use energy::{Charging, Claims, EnergyAccounting};
use figures::SlowFigures;
use gpu::GpuAccounting;
use identity::Identities;
use labels::SeriesLabels;
use parts::Parts;
use progress::ProgressTracker;
use publish::{Publisher, Shown, ShownTranscodes};
use schedule::Schedule;
use sources::HealthTracker;
use wait::{Inbox, Wake};

use crate::clock::Clock;
use crate::config::{Config, ProgressSenders};

pub(crate) use calibrate::{Calibrating, CalibrationError, ZoneCalibration, forget_calibration};
pub(crate) use energy::known_idle;
pub(crate) use findings::FindingTracker;
pub(crate) use parts::{Links, Requests};
pub(crate) use sources::{OpenError, bpf_options, energy_hardware};
pub(crate) use state_dir::{could_be_written, is_writable};
pub(crate) use wait::{Mailbox, Message, mailbox};

/// The state of the agent.
pub(crate) struct Pipeline {
    clock: Box<dyn Clock>,
    inbox: Inbox,
    schedule: Schedule,
    cpu: CpuAccounting,
    energy: EnergyAccounting,
    gpu: GpuAccounting,
    totals: Totals,
    labels: SeriesLabels,
    progress: ProgressTracker,
    figures: SlowFigures,
    health: HealthTracker,
    findings: FindingTracker,
    publisher: Publisher,
    requests: Requests,
    max_classes: u32,
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
        let Parts { clock, roots, cpu, energy, gpu, tree, numbers, earlier, state, prices, health } = parts;
        let Links { inbox, publisher, joined, registry, requests } = links;
        let limits = TotalsLimits {
            keep_ended: config.attribution.keep_ended.0,
            shown: config.attribution.max_workloads as usize,
            classes: config.attribution.max_classes as usize,
        };
        let identities = Identities::new(cpu.own_process(), config.cpu.tracked.clone(), numbers, earlier);
        let allow_remote = config.progress.accept_from == ProgressSenders::Anywhere;
        let shared_core = cpu.counts_shared_cores().then(|| config.attribution.shared_core()).flatten();
        let mut pipeline = Self {
            inbox,
            schedule: Schedule::new(config.interval.0, &*clock),
            cpu: CpuAccounting::new(cpu, tree, roots, identities),
            energy: EnergyAccounting::new(
                config,
                energy,
                state,
                shared_core.unwrap_or(SharedCoreWeight::EQUAL),
            ),
            gpu: GpuAccounting::new(gpu, clock.now()),
            totals: Totals::new(limits, clock.moment()),
            labels: SeriesLabels::default(),
            progress: ProgressTracker::new(registry, allow_remote),
            figures: SlowFigures::default(),
            health,
            findings: FindingTracker::default(),
            publisher: Publisher { sender: publisher, joined, prices },
            requests,
            max_classes: config.attribution.max_classes,
            clock,
        };
        pipeline.cpu.begin(&*pipeline.clock, &mut pipeline.totals, &mut pipeline.health);
        pipeline.energy.begin(&*pipeline.clock);
        pipeline
    }

    /// Sources of CPU times and energy in use.
    pub(crate) fn sources(&self) -> (CpuSourceKind, Option<EnergySourceKind>) {
        (self.cpu.kind(), self.energy.kind())
    }

    /// Runs until a stop message. Dropping the pipeline afterwards detaches the programs.
    pub(crate) fn run(mut self) {
        let mut due = self.schedule.first_due(self.clock.now());
        loop {
            let time_of_tick = self.cpu.identities().time_of_tick(due);
            let wake = self.inbox.wait(&*self.clock, self.next_wake(time_of_tick), self.cpu.events_fd());
            if matches!(wake, Wake::Stop) {
                break;
            }
            self.take_events();
            let now = self.clock.now();
            if self.progress.wake().is_some_and(|wake| wake <= now) {
                self.progress.find(self.cpu.identities(), self.cpu.roots(), &*self.clock);
            }
            if now >= self.cpu.identities().time_of_tick(due) {
                self.tick();
                due = self.schedule.next_due(due, self.clock.now());
            } else {
                self.energy.keep_up(&*self.clock);
            }
        }
        self.energy.keep_idle();
    }

    /// Next time to wake before the tick: counters of a small range must be read more often than in a long tick, and the socket of a short
    /// encode exists only briefly.
    fn next_wake(&self, tick: MonoTime) -> MonoTime {
        let counters = self.energy.next_reading(self.schedule.last());
        [counters, self.progress.wake()].into_iter().flatten().fold(tick, MonoTime::min)
    }

    /// Handles life-cycle events of the kernel, then messages of other tasks: an engine names containers that the kernel has reported.
    fn take_events(&mut self) {
        self.cpu.take_events(&*self.clock, &mut self.totals);
        self.cpu.ask_names(&self.requests);
        for message in self.inbox.take() {
            match message {
                Message::Engine { name, event } => self.cpu.engine_event(name, event, &mut self.health),
                Message::Names { source, event } => self.cpu.names_event(source, event, &mut self.health),
                Message::Child(process) => {
                    self.cpu.child_started(process, &*self.clock, &mut self.totals);
                }
                Message::Progress => self.progress.ring(),
                Message::Prices(prices) => self.publisher.prices = prices,
                Message::Stop => {}
            }
        }
    }

    /// One tick: reads, identifies, charges, retires, publishes. Each step needs the ones before it.
    fn tick(&mut self) {
        let Self {
            clock,
            schedule,
            cpu,
            energy,
            gpu,
            totals,
            labels,
            progress,
            figures,
            health,
            findings,
            requests,
            publisher,
            max_classes,
            ..
        } = self;
        let clock = &**clock;
        let span = schedule.begin(clock.now());
        let now = span.to;

        // A suspend may reset the counters, and no task ran meanwhile.
        if schedule.has_slept(clock) {
            energy.resume();
        }
        // Energy and CPU time are read as close together as possible: the time between them is in the stated uncertainty.
        let reading = energy.read(clock);
        let mut window = cpu.read(energy.counts_cores(), clock, health);
        // All figures have this time: on a busy host the agent may not run for a while before it publishes them.
        let read = Moment { mono: window.end, wall: clock.moment().wall_of(window.end) };
        progress.hear();

        // Events and walks name the cgroups and encoders that the window contains, so they come before its claimants.
        cpu.take_events(clock, totals);
        if cpu.needs_walk(&window, now) {
            cpu.walk(clock, totals, health);
        }
        let demand = Arc::new(cpu.demand(&mut window, now, clock, totals));
        cpu.name_containers(clock, totals);
        let busy = demand.totals();

        // A changed label begins a new series, and the charges of this tick belong to the new one.
        labels.compare(cpu.identities(), totals);
        groups::assign(cpu.identities(), totals);
        totals.begin_window(&busy);
        let engines = gpu.charge_time(cpu, clock, totals, health);
        figures.count_containers(&busy, cpu.identities());
        cpu.demand_names(health, requests);

        energy.follow_calibration(now);
        let reservations = figures.reservations(energy.policy(), cpu.identities());
        let claims = Claims { window: &window, demand: &demand, engines: engines.as_ref() };
        energy.charge(reading, claims, &mut Charging { clock, reservations: &reservations, totals, health });

        // A workload that has ended is retired only after the charge of its last CPU time.
        cpu.settle(&window, now, clock, totals);
        let (workloads, transcodes) = totals.end_window(now);
        cpu.close(&workloads, &transcodes);

        // Progress compares output with the energy of this tick.
        progress.find(cpu.identities(), cpu.roots(), clock);
        progress.settle(cpu.identities(), totals, span);

        figures.refresh(now, &window, cpu);
        labels.take(cpu.identities(), totals);
        energy.report(&window, clock.now(), totals, findings);
        groups::report(*max_classes, totals, findings);
        findings.settle(read.wall);
        let transcodes = publisher.transcodes(ShownTranscodes { read, cpu, energy, totals, progress });
        groups::count(cpu.identities(), &transcodes, totals);

        // The snapshot has the duration of its own tick, except for the time of its publication.
        schedule.end(now, clock.now());
        let shown = Shown { read, schedule, cpu, energy, totals, progress, figures, health, findings };
        publisher.publish(shown, transcodes, &window, span);
        self.totals.published(self.clock.moment());
    }
}

#[cfg(test)]
pub(crate) mod tests;
