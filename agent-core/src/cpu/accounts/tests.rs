//! Tests that every nanosecond is charged: a small simulated kernel against [`Accounts`].

mod kernel;

use agent_common::CLASS_TASK;
use kernel::Kernel;
use proptest::prelude::*;

use super::*;
use crate::model::cpu::CoreId;

const CPUS: usize = 3;

fn key(cgroup: u64, tracked: u32) -> ConsumerKey {
    ConsumerKey { cgroup, legacy: 0, tracked, class: CLASS_TASK }
}

fn topology() -> CpuTopology {
    let place = |package| CpuPlace::on_die(package, 0);
    [place(0), place(0), place(1)].map(Some).into_iter().collect()
}

#[test]
fn a_cpu_that_was_off_line_was_not_there() {
    let mut kernel = Kernel::new(100);
    let mut accounts = Accounts::new(topology(), CPUS);
    let mut read = |kernel: &mut Kernel, at: u64, last: CpuState| {
        for cpu in 0..CPUS - usize::from(last == CpuState::Offline) {
            kernel.flush(cpu, at);
        }
        let mut states = vec![CpuState::Flushed; CPUS];
        states[2] = last;
        let window = accounts.close(&kernel.reading(states, at));
        (window.places[1].cpus, window.places[1].elapsed.0, window.places[1].idle.0)
    };
    for cpu in 0..CPUS {
        kernel.switch(cpu, 1000, Some(key(7, 0)));
    }
    read(&mut kernel, 2000, CpuState::Flushed);
    kernel.switch(2, 2500, None);
    for at in [3000, 4000, 5000] {
        assert_eq!(read(&mut kernel, at, CpuState::Offline), (0, 0, 0));
    }
    // On line again at some time after its last reading; the kernel counts it as idle since it went off line.
    kernel.switch(2, 5600, Some(key(8, 0)));
    let (cpus, elapsed, idle) = read(&mut kernel, 6000, CpuState::Flushed);
    assert_eq!((cpus, elapsed, idle), (1, 4000 - 2000, 3100 - 2000));
    kernel.switch(2, 6500, None);
    assert_eq!(read(&mut kernel, 7000, CpuState::Flushed), (1, 1000, 500));
}

#[test]
fn what_runs_after_the_flush_belongs_to_the_next_window() {
    let mut kernel = Kernel::new(100);
    let mut accounts = Accounts::new(topology(), CPUS);
    for cpu in 0..CPUS {
        kernel.switch(cpu, 1000, Some(key(7, 0)));
        kernel.flush(cpu, 2000);
    }
    accounts.close(&kernel.reading(vec![CpuState::Flushed; CPUS], 2000));
    for cpu in 0..CPUS {
        kernel.flush(cpu, 3000);
    }
    // The map is read late: one CPU has continued and switched twice.
    kernel.switch(0, 3400, Some(key(8, 0)));
    kernel.switch(0, 3700, None);
    kernel.spill(0);
    let window = accounts.close(&kernel.reading(vec![CpuState::Flushed; CPUS], 3000));
    let consumer = Consumer::Tasks { cgroup: CgroupId(7), process: None };
    assert_eq!(
        window.usage,
        [
            // The first two CPUs are one core.
            Usage { consumer, place: 0, busy: BusyTime { all: CpuTime(2000), shared: CpuTime(2000) } },
            Usage { consumer, place: 1, busy: CpuTime(1000).into() }
        ]
    );
    for cpu in 0..CPUS {
        kernel.flush(cpu, 4000);
    }
    let window = accounts.close(&kernel.reading(vec![CpuState::Flushed; CPUS], 4000));
    assert_eq!(window.usage[0].busy.all, CpuTime(1400), "400 on the first CPU, all of it on the second");
    assert_eq!(window.places[0].idle, CpuTime(300));
}

#[test]
fn a_cpu_that_sleeps_on_is_not_woken() {
    let mut kernel = Kernel::new(100);
    let mut accounts = Accounts::new(topology(), CPUS);
    let all = |state| vec![state; CPUS];
    for cpu in 0..CPUS {
        kernel.flush(cpu, 1000);
        kernel.flush(cpu, 2000);
    }
    accounts.close(&kernel.reading(all(CpuState::Flushed), 2000));
    let window = accounts.close(&kernel.reading(all(CpuState::StillIdle), 5000));
    assert_eq!((window.places[0].elapsed, window.places[0].idle), (CpuTime(6000), CpuTime(6000)));
    for cpu in 0..CPUS {
        kernel.switch(cpu, 5500, Some(key(7, 0)));
        kernel.flush(cpu, 6000);
    }
    let window = accounts.close(&kernel.reading(all(CpuState::Flushed), 6000));
    assert_eq!((window.places[1].elapsed, window.places[1].idle), (CpuTime(1000), CpuTime(500)));
    assert_eq!(window.places[1].busy(), CpuTime(500));
}

#[test]
fn a_torn_reading_is_noticed_and_its_time_is_not_dropped() {
    let mut kernel = Kernel::new(100);
    let mut accounts = Accounts::new(topology(), CPUS);
    for cpu in 0..CPUS {
        kernel.switch(cpu, 1000, Some(key(7, 0)));
        kernel.flush(cpu, 2000);
    }
    accounts.close(&kernel.reading(vec![CpuState::Flushed; CPUS], 2000));
    for cpu in 0..CPUS {
        kernel.flush(cpu, 3000);
    }
    let whole = kernel.reading(vec![CpuState::Flushed; CPUS], 3000);
    assert!(accounts.adds_up(&whole));
    let mut torn = whole.clone();
    torn.entries[0].1[0].total.all -= 600;
    assert!(!accounts.adds_up(&torn));
    let window = accounts.close(&torn);
    let unknown = window.usage.iter().find(|usage| usage.consumer == Consumer::Unknown).unwrap();
    assert_eq!(unknown.busy, CpuTime(600).into());
}

#[test]
fn forgetting_an_entry_does_not_look_like_a_torn_reading() {
    let mut kernel = Kernel::new(100);
    let mut accounts = Accounts::new(topology(), CPUS);
    for cpu in 0..CPUS {
        kernel.switch(cpu, 1000, Some(key(7, 0)));
        kernel.switch(cpu, 1500, None);
        kernel.flush(cpu, 2000);
    }
    accounts.close(&kernel.reading(vec![CpuState::Flushed; CPUS], 2000));
    accounts.forget(&key(7, 0));
    kernel.map.remove(&key(7, 0));
    for cpu in 0..CPUS {
        kernel.flush(cpu, 3000);
    }
    assert!(accounts.adds_up(&kernel.reading(vec![CpuState::Flushed; CPUS], 3000)));
}

#[test]
fn a_cpu_off_line_has_no_time() {
    let mut kernel = Kernel::new(100);
    let mut accounts = Accounts::new(topology(), CPUS);
    for cpu in 0..CPUS {
        kernel.flush(cpu, 1000);
    }
    accounts.close(&kernel.reading(vec![CpuState::Flushed; CPUS], 1000));
    let window = accounts
        .close(&kernel.reading(vec![CpuState::StillIdle, CpuState::StillIdle, CpuState::Offline], 2000));
    assert_eq!(window.places.iter().map(|place| place.cpus).collect::<Vec<_>>(), [2, 0]);
    assert_eq!(window.places[1].elapsed, CpuTime::ZERO);
}

#[test]
fn cores_are_places_of_their_own_while_they_are_asked_for() {
    let core = |core| Some(CpuPlace { core: Some(CoreId(core)), ..CpuPlace::on_die(0, 0) });
    let mut kernel = Kernel::new(100);
    let mut accounts = Accounts::new([core(0), core(1), core(0)].into_iter().collect(), CPUS);
    for cpu in 0..CPUS {
        kernel.switch(cpu, 1000, Some(key(7, 0)));
    }
    let mut close = |by_core: bool, at: u64| {
        for cpu in 0..CPUS {
            kernel.flush(cpu, at);
        }
        accounts.separate_cores(by_core);
        let window = accounts.close(&kernel.reading(vec![CpuState::Flushed; CPUS], at));
        let place = |usage: &Usage| (window.places[usage.place].place.core, usage.busy.all.0);
        window.usage.iter().map(place).collect::<Vec<_>>()
    };
    close(false, 2000);
    assert_eq!(close(false, 3000), [(None, 3000)]);
    assert_eq!(close(true, 4000), [(Some(CoreId(0)), 2000), (Some(CoreId(1)), 1000)]);
    assert_eq!(close(false, 5000), [(None, 3000)]);
}

#[test]
fn idle_time_that_was_guessed_too_long_is_made_up_for() {
    let mut kernel = Kernel::new(100);
    let mut accounts = Accounts::new(topology(), CPUS);
    let mut close = |kernel: &mut Kernel, at: u64| {
        for cpu in 0..CPUS {
            kernel.flush(cpu, at);
        }
        let window = accounts.close(&kernel.reading(vec![CpuState::Flushed; CPUS], at));
        let busy: u64 = window.usage.iter().map(|usage| usage.busy.all.0).sum();
        (window.places[1].elapsed.0, window.places[1].idle.0, busy)
    };
    for cpu in 0..CPUS {
        kernel.switch(cpu, 500, None);
    }
    close(&mut kernel, 1000);
    kernel.switch(2, 1000, None);
    assert_eq!(close(&mut kernel, 2000), (1000, 1000, 0));
    // 400 of those 1000 went to interrupts, which shows only now.
    kernel.behind[2] = 400;
    kernel.switch(2, 2100, Some(key(7, 0)));
    assert_eq!(close(&mut kernel, 3000), (900, 0, 900), "300 ns of idle time too many have been told");
    kernel.switch(2, 3000, None);
    assert_eq!(close(&mut kernel, 3200), (0, 0, 0));
    assert_eq!(close(&mut kernel, 4000), (700, 700, 0));
}

proptest! {
    /// Over random schedules and ticks, both CPUs of a core have shared time, and as much as both were busy.
    #[test]
    fn shared_time_is_that_in_which_both_cpus_of_a_core_were_busy(
        steps in prop::collection::vec(
            (0..CPUS, 1..5000u64, prop::option::of(2..8u64), any::<bool>()),
            1..if cfg!(miri) { 6 } else { 200 },
        ),
    ) {
        let mut kernel = Kernel::new(100);
        let mut accounts = Accounts::new(topology(), CPUS);
        let mut now = 1_000_000;
        for cpu in 0..CPUS {
            kernel.switch(cpu, now, None);
        }
        let mut tick = |kernel: &mut Kernel, now: u64| {
            let flush = |cpu: usize| {
                if kernel.clocks[cpu].is_asleep() {
                    return CpuState::StillIdle;
                }
                kernel.flush(cpu, now);
                CpuState::Flushed
            };
            let states = (0..CPUS).map(flush).collect();
            accounts.close(&kernel.reading(states, now)).usage
        };
        tick(&mut kernel, now);
        // Workloads of the first CPU have even numbers, those of the others odd ones.
        let (mut both, mut shared) = (0, [0; 2]);
        let last = steps.len() - 1;
        for (index, (cpu, step, next, is_tick)) in steps.into_iter().enumerate() {
            now += step;
            both += if kernel.running[..2].iter().all(Option::is_some) { step } else { 0 };
            kernel.switch(cpu, now, next.map(|cgroup| key(2 * cgroup + u64::from(cpu > 0), 0)));
            if is_tick || index == last {
                for usage in tick(&mut kernel, now) {
                    let Consumer::Tasks { cgroup, .. } = usage.consumer else { continue };
                    prop_assert!(usage.busy.shared <= usage.busy.all);
                    shared[(cgroup.0 % 2) as usize] += usage.busy.shared.0;
                }
            }
        }
        prop_assert_eq!(shared, [both; 2]);
    }

    /// Over random schedules, ticks, clocks that keep step or stand still at times, a map that is too small and entries that are
    /// dropped: the windows' times add up, to the nanosecond, per place and over all windows, and each consumer has its run time by
    /// the scheduler's clock.
    #[test]
    fn elapsed_is_idle_plus_usage(
        room in 1..6usize,
        keep_step in any::<bool>(),
        ticks in prop::collection::vec(
            (
                prop::collection::vec(
                    (0..CPUS, 1..5000u64, 0..4000u64, prop::option::of((2..8u64, 0..3u32))),
                    0..if cfg!(miri) { 6 } else { 30 },
                ),
                0..3000u64,
                any::<bool>(),
            ),
            1..if cfg!(miri) { 5 } else { 20 },
        ),
    ) {
        let mut kernel = Kernel { keep_step, ..Kernel::new(room) };
        let mut accounts = Accounts::new(topology(), CPUS);
        let mut now = 1_000_000;
        for cpu in 0..CPUS {
            kernel.flush(cpu, now);
            kernel.switch(cpu, now, None);
            kernel.flush(cpu, now);
        }
        accounts.close(&kernel.reading(vec![CpuState::Flushed; CPUS], now));
        let first = now;
        let mut since = [first; CPUS];
        let mut ran: HashMap<ConsumerKey, u64> = HashMap::new();
        let (mut sum, mut used_by, mut unknown) = (0, HashMap::<Consumer, u64>::new(), 0);
        let last = ticks.len() - 1;
        for (index, (switches, unticked, forget)) in ticks.into_iter().enumerate() {
            let mut still = |kernel: &mut Kernel, cpu: usize, at: u64, next: Option<ConsumerKey>| {
                let clock = at - kernel.behind[cpu];
                if let Some(key) = kernel.running[cpu] {
                    *ran.entry(key).or_default() += clock - since[cpu];
                }
                since[cpu] = clock;
                kernel.switch(cpu, at, next);
            };
            for (cpu, step, stolen, next) in switches {
                now += step;
                if !keep_step {
                    // A clock never goes back.
                    let clock = now - kernel.behind[cpu];
                    kernel.behind[cpu] += stolen.min(clock - kernel.clocks[cpu].accounted_to).min(step);
                }
                still(&mut kernel, cpu, now, next.map(|(cgroup, tracked)| key(cgroup, tracked)));
            }
            if index == last {
                for cpu in 0..CPUS {
                    still(&mut kernel, cpu, now, None);
                }
            }
            now += 10;
            let states: Vec<CpuState> = (0..CPUS)
                .map(|cpu| {
                    if kernel.clocks[cpu].is_asleep() {
                        return CpuState::StillIdle;
                    }
                    let charged_to = (now - kernel.behind[cpu]).saturating_sub(unticked);
                    kernel.flush_ticked(cpu, now, charged_to);
                    CpuState::Flushed
                })
                .collect();
            let reading = kernel.reading(states, now);
            prop_assert!(accounts.adds_up(&reading));
            let window = accounts.close(&reading);
            for (index, place) in window.places.iter().enumerate() {
                let used: CpuTime =
                    window.usage.iter().filter(|usage| usage.place == index).map(|usage| usage.busy.all).sum();
                prop_assert_eq!(place.elapsed, place.idle + used);
            }
            for usage in &window.usage {
                match usage.consumer {
                    Consumer::Unknown => unknown += usage.busy.all.0,
                    consumer => *used_by.entry(consumer).or_default() += usage.busy.all.0,
                }
            }
            sum += window.places.iter().map(|place| place.elapsed.0).sum::<u64>();
            if forget && let Some(gone) = kernel.map.keys().next().copied() {
                kernel.map.remove(&gone);
                accounts.forget(&gone);
            }
        }
        let clocks: u64 = kernel.behind.iter().map(|behind| now - behind - first).sum();
        let wall = (now - first) * CPUS as u64;
        // Idle time that was counted in advance may be left over at the end.
        prop_assert!((clocks..=wall).contains(&sum), "{} of {}, {} by the wall", sum, clocks, wall);
        if keep_step {
            prop_assert_eq!(sum, wall);
        }
        let all: u64 = ran.values().sum();
        prop_assert_eq!(used_by.values().sum::<u64>() + unknown, all);
        if unknown == 0 {
            for (key, ran) in ran.iter().filter(|(_, ran)| **ran > 0) {
                prop_assert_eq!(used_by.get(&consumer(*key)), Some(ran));
            }
        }
    }
}
