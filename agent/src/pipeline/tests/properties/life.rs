//! Simulates a host with random events, and keeps the truth that the pipeline has to find.

use agent_core::identity::directory::ContainerFacts;
use agent_core::model::workload::WorkloadKind;

use super::super::*;
use super::books::Books;
use super::events::{Happening, PROCESSES, SLOTS, Start, Step, Work};
use super::{CORES, ZONES};
use crate::config::{EnergyChoice, HumanDuration};
use crate::source::energy::scripted::ScriptedCounter;
use crate::source::identity::docker::EngineEvent;

/// A simulated host, and the truth about it that the pipeline has to find.
pub(super) struct Life {
    scene: Scene,
    /// The present cgroup of each slot.
    slots: [Option<u64>; SLOTS],
    next_cgroup: u64,
    /// The cgroup of each running encoder.
    encoders: [Option<u64>; PROCESSES],
    drawn: BTreeMap<Zone, MicroJoules>,
    counts_cores: bool,
    /// Whether counters began shortly before the end of their range.
    is_near_end: bool,
    /// Whether energy may have been lost for good: a reset, a suspend, a missing counter.
    has_lost: bool,
    books: Books,
}

impl Life {
    pub(super) fn begin(choice: EnergyChoice, start: &Start) -> Self {
        let mut config = Config::default();
        config.energy.source = choice;
        config.attribution.idle_policy = start.policy;
        config.attribution.idle_watts = start.idle_watts.map(f64::from);
        config.attribution.max_workloads = start.max_workloads;
        config.attribution.max_classes = start.max_classes;
        let is_near_end = start.is_near_end;
        config.attribution.keep_ended = HumanDuration(Duration::from_secs(10));
        let hardware = ScriptedHardware::default();
        for (number, zone) in (1..).zip(ZONES) {
            let apart = 7_000_000_000 * number;
            hardware.add(zone, if is_near_end { RANGE - apart / 500 } else { apart }, RANGE);
        }
        let mut drawn: BTreeMap<_, _> = ZONES.into_iter().map(|zone| (zone, MicroJoules::ZERO)).collect();
        if start.counts_cores {
            for (number, (socket, core)) in (1..).zip(CORES) {
                let zone = core_zone(socket);
                drawn.insert(zone, MicroJoules::ZERO);
                hardware.add_core(zone, core_number(socket, core), 1_000_000_000 * number, RANGE);
            }
        }
        let cpu = ScriptedCpu::default();
        // Half of all hosts.
        cpu.script(|script| script.has_siblings = start.max_classes.is_multiple_of(2));
        Self {
            scene: Scene::on(&config, hardware, cpu),
            slots: [None; SLOTS],
            next_cgroup: 100,
            encoders: [None; PROCESSES],
            drawn,
            counts_cores: start.counts_cores,
            is_near_end,
            has_lost: false,
            books: Books::default(),
        }
    }

    pub(super) fn happens(&mut self, happening: &Happening) {
        let scene = &self.scene;
        let change = |zone: usize, change: &dyn Fn(&mut ScriptedCounter)| {
            scene.hardware.change(ZONES[zone], |counter| change(counter));
        };
        let change_core = |core: usize, change: &dyn Fn(&mut ScriptedCounter)| {
            if self.counts_cores {
                let (socket, core) = CORES[core];
                let number = core_number(socket, core);
                scene.hardware.change_core(core_zone(socket), number, |counter| change(counter));
            }
        };
        match *happening {
            Happening::Made { slot } if self.slots[slot].is_none() => {
                self.next_cgroup += 1;
                self.slots[slot] = Some(self.next_cgroup);
                scene.make_cgroup(self.next_cgroup, &container_path(self.next_cgroup));
            }
            // The kernel does not remove a cgroup that has a process.
            Happening::Removed { slot } if !self.encoders.contains(&self.slots[slot]) => {
                if let Some(cgroup) = self.slots[slot].take() {
                    scene.remove_cgroup(cgroup);
                }
            }
            Happening::Named { slot, name } => {
                if let Some(cgroup) = self.slots[slot] {
                    // The scenario is a label of the class.
                    let labels = BTreeMap::from([("scenario".to_owned(), format!("scenario-{name}"))]);
                    let name = format!("web-{name}");
                    let facts = ContainerFacts { name, labels, ..ContainerFacts::default() };
                    self.tell(EngineEvent::Known { id: container_id(cgroup), facts });
                }
            }
            Happening::Forgotten { slot } => {
                if let Some(cgroup) = self.slots[slot] {
                    self.tell(EngineEvent::Removed { id: container_id(cgroup) });
                }
            }
            Happening::EngineGone => self.tell(EngineEvent::Down(SourceError::broken("no answer"))),
            Happening::Started { process, slot } if self.encoders[process].is_none() => {
                if let Some(cgroup) = self.slots[slot] {
                    self.encoders[process] = Some(cgroup);
                    scene.exec(1000 + process as u32, cgroup);
                }
            }
            Happening::Ended { process } => {
                if self.encoders[process].take().is_some() {
                    scene.exit(1000 + process as u32);
                }
            }
            Happening::Moved { process, slot } => {
                if let (Some(cgroup), Some(_)) = (self.slots[slot], self.encoders[process]) {
                    self.encoders[process] = Some(cgroup);
                }
            }
            Happening::Unreadable { zone } => change(zone, &|counter| counter.is_readable = false),
            Happening::Frozen { zone } => change(zone, &|counter| counter.is_frozen = true),
            Happening::Vanished { zone } => {
                self.has_lost = true;
                change(zone, &|counter| counter.is_there = false);
            }
            Happening::Mended { zone } => change(zone, &mend),
            // A reset shortly before the end of the range looks like a wrap.
            Happening::Reset { zone } if !self.is_near_end => {
                self.has_lost = true;
                change(zone, &|counter| counter.raw = 0);
            }
            Happening::CoreUnreadable { core } => change_core(core, &|counter| counter.is_readable = false),
            Happening::CoreFrozen { core } => change_core(core, &|counter| counter.is_frozen = true),
            Happening::CoreOffline { core } => change_core(core, &|counter| counter.is_there = false),
            Happening::CoreMended { core } => change_core(core, &mend),
            Happening::Cpus { socket, count } => scene.cpu.script(|script| script.cpus[socket] = count),
            Happening::ClockSet { seconds } => scene.clock.set(seconds),
            Happening::Slept { seconds } => {
                self.has_lost = true;
                scene.clock.sleep(Duration::from_secs(seconds));
            }
            Happening::NoCpuTimes => scene.cpu.script(|script| script.is_broken = true),
            Happening::EventsLost => scene.cpu.script(|script| script.lost_events += 1),
            Happening::Made { .. }
            | Happening::Removed { .. }
            | Happening::Started { .. }
            | Happening::Reset { .. } => {}
        }
    }

    pub(super) fn tell(&self, event: EngineEvent) {
        self.scene.mailbox.tell(Message::Engine { name: WorkloadKind::Docker.name(), event });
    }

    pub(super) fn step(&mut self, step: &Step) {
        let length = Duration::from_millis(step.milliseconds);
        for work in &step.work {
            let busy = Duration::from_millis(work.milliseconds);
            let encoder = work.process.and_then(|process| Some((process, self.encoders[process]?)));
            match (encoder, self.slots[work.slot]) {
                (Some((process, cgroup)), _) => {
                    let process = Some(1000 + process as u32);
                    self.scene.run_on_core(cgroup, process, (work.socket, work.core), busy);
                }
                (None, Some(cgroup)) => {
                    self.scene.run_on_core(cgroup, None, (work.socket, work.core), busy);
                }
                (None, None) => {}
            }
        }
        for happening in &step.happenings {
            self.happens(happening);
        }
        for (zone, watts) in ZONES.into_iter().zip(step.watts) {
            let energy = Watts(f64::from(watts)).during(length);
            *self.drawn.entry(zone).or_default() += energy;
            self.scene.hardware.draw(zone, energy);
        }
        for ((socket, core), watts) in CORES.into_iter().zip(step.core_watts).filter(|_| self.counts_cores) {
            let (zone, energy) = (core_zone(socket), Watts(f64::from(watts)).during(length));
            *self.drawn.entry(zone).or_default() += energy;
            self.scene.hardware.draw_core(zone, core_number(socket, core), energy);
        }
        let snapshot = self.scene.tick(length);
        self.scene.cpu.script(|script| script.is_broken = false);
        let told = self.scene.cpu.script(|script| script.told.clone());
        self.books.has_lost = self.has_lost;
        self.books.enter(&snapshot, length, &told);
        for of in &snapshot.zones {
            let measured = of.by_source.iter().find(|(source, _)| *source == EnergySourceKind::Powercap);
            let measured = measured.map_or(MicroJoules::ZERO, |(_, energy)| *energy);
            assert!(
                measured <= self.drawn[&of.zone],
                "{}: {measured:?} of {:?}",
                of.zone,
                self.drawn[&of.zone]
            );
        }
    }

    /// Makes all counters work again; some ticks later all energy is known, except energy that was lost.
    pub(super) fn end(&mut self) {
        for zone in ZONES {
            self.scene.hardware.change(zone, mend);
        }
        for (socket, core) in CORES.into_iter().filter(|_| self.counts_cores) {
            self.scene.hardware.change_core(core_zone(socket), core_number(socket, core), mend);
        }
        let work = (0..2)
            .map(|socket| Work { slot: 0, process: None, socket, core: 0, milliseconds: 500 })
            .collect();
        let (watts, core_watts) = ([50, 10, 40, 8], [5, 6, 7, 8]);
        let step = Step { happenings: Vec::new(), work, watts, core_watts, milliseconds: 1000 };
        // Counters with equal energy are compared first, which delays their energy for some ticks.
        for _ in 0..10 {
            self.step(&step);
            let last = self.books.last.as_deref().unwrap();
            let is_measured = last.method.energy_source == Some(EnergySourceKind::Powercap);
            if self.has_lost || !is_measured || host_totals(last) == self.drawn {
                return;
            }
        }
        assert_eq!(
            host_totals(self.books.last.as_deref().unwrap()),
            self.drawn,
            "all that was drawn is known"
        );
    }
}

fn core_zone(socket: usize) -> Zone {
    zone(Domain::Core, socket as u32)
}

pub(super) fn mend(counter: &mut ScriptedCounter) {
    (counter.is_readable, counter.is_there, counter.is_frozen) = (true, true, false);
}
