//! Tests storms of cgroups, and cgroups of which events were lost.

use super::*;

/// A cgroup whose event was missed appears right after a walk.
#[test]
fn a_stranger_is_looked_for_though_it_came_too_soon_after_a_walk() {
    let mut agent = Agent::new();
    agent.identities.last_walk = Some(agent.clock.now().plus(Duration::from_millis(900)));
    agent.tick(&[(77, None)], &[(77, "/late")]);
    assert_eq!(agent.workloads(), [shown("cgroup 77", true)], "charged under its number meanwhile");
    agent.tick(&[(77, None)], &[(77, "/late")]);
    assert_eq!(agent.workloads(), [shown("/late", true), shown("cgroup 77", false)]);
}

#[test]
fn cgroups_that_are_removed_unused_leave_nothing_behind() {
    let mut agent = Agent::new();
    let permanent = agent.totals.kept().0;
    let path = "d".repeat(1000);
    let mut most = 0;
    for tick in 0..20 {
        for number in 0..11_000 {
            let id = 1000 + tick * 11_000 + number;
            agent.made(id, &format!("/user/{path}-{id}"));
            agent.removed(id);
            most = most.max(agent.cgroups_kept());
        }
        agent.tick(&[], &[]);
    }
    assert!(most <= 1025, "{most} cgroups are kept");
    assert_eq!(agent.workloads(), []);
    agent.ticks(2);
    assert_eq!(agent.cgroups_kept(), 0);
    assert_eq!(agent.totals.kept().0, permanent);
}

#[test]
fn a_job_that_ran_in_a_storm_of_cgroups_keeps_its_name() {
    let mut agent = Agent::new();
    agent.made(5, "/job");
    agent.removed(5);
    agent.meter.used.insert(CgroupId(5));
    for id in 1000..20_000 {
        agent.made(id, &format!("/user/{id}"));
        agent.removed(id);
    }
    agent.tick(&[(5, None)], &[]);
    assert_eq!(agent.workloads(), [shown("/job", false)]);
}

#[test]
fn a_cgroup_is_shown_once_it_has_used_cpu_time() {
    let mut agent = Agent::new();
    agent.made(5, "/idle");
    agent.made(6, "/busy");
    agent.tick(&[(6, None)], &[(5, "/idle"), (6, "/busy")]);
    assert_eq!(agent.workloads(), [shown("/busy", true)]);
    agent.removed(5);
    agent.removed(6);
    agent.ticks(3);
    assert_eq!(agent.workloads(), [shown("/busy", false)]);
    assert_eq!(agent.identities.cgroups.directory.len(), 1);
}

#[test]
fn more_cgroups_than_there_is_room_for_do_not_take_the_names_of_those_that_run() {
    let mut agent = Agent::new();
    for id in 1000..40_000 {
        agent.made(id, &format!("/user/{id}"));
    }
    agent.ticks(5);
    assert!(agent.cgroups_kept() <= 8192 + 16_384, "{}", agent.cgroups_kept());
    agent.made(50_000, "/job");
    agent.tick(&[(50_000, None)], &[]);
    assert!(agent.workloads().contains(&shown("/job", true)));
    let evicted: u64 = agent.identities.kept().iter().filter_map(|(_, kept)| kept.evicted).sum();
    assert!(evicted > 0);
}

/// It was made first, so later newcomers have displaced it.
#[test]
fn one_that_runs_is_found_again_in_the_crowd() {
    let mut agent = Agent::new();
    let paths: Vec<(u64, String)> = (1000..21_000).map(|id| (id, format!("/user/{id}"))).collect();
    for (id, path) in &paths {
        agent.made(*id, path);
    }
    let there: Vec<(u64, &str)> = paths.iter().map(|(id, path)| (*id, path.as_str())).collect();
    agent.tick(&[(1000, None)], &there);
    assert!(agent.workloads().contains(&shown("/user/1000", true)));
    // The same right after a walk: its number is its name until the next.
    agent.identities.last_walk = Some(agent.clock.now().plus(Duration::from_millis(500)));
    let late = [there.as_slice(), &[(500, "/late")]].concat();
    agent.tick(&[(500, None)], &late);
    assert!(agent.workloads().contains(&shown("cgroup 500", true)));
    agent.tick(&[(500, None)], &late);
    assert!(agent.workloads().contains(&shown("/late", true)));
    agent.tick(&[(500, None), (1000, None)], &late);
    assert!(agent.workloads().contains(&shown("/user/1000", true)));
}

#[test]
fn of_ended_workloads_no_more_than_are_shown_are_kept() {
    let mut agent = Agent::new();
    let permanent = agent.totals.kept().0;
    for id in 0..6000 {
        agent.made(1000 + id, &format!("/job-{id}"));
        agent.removed(1000 + id);
        agent.meter.used.insert(CgroupId(1000 + id));
        if id % 1000 == 999 {
            let used: Vec<_> = (id - 999..=id).map(|id| (1000 + id, None)).collect();
            agent.tick(&used, &[]);
        }
    }
    agent.ticks(3);
    let (workloads, _) = agent.totals.kept();
    assert_eq!(workloads, permanent + 1000);
    assert!(agent.cgroups_kept() <= 4096, "{}", agent.cgroups_kept());
    assert!(agent.workloads().contains(&shown("/job-0", false)), "a name stays for as long as its series");
    assert_eq!(agent.totals.residual(), []);
}

#[test]
fn a_cgroup_of_which_all_events_were_lost_ends_when_it_is_heard_no_more() {
    let mut agent = Agent::new();
    agent.lost = 3;
    agent.tick(&[(77, None)], &[]);
    assert_eq!(agent.workloads(), [shown("cgroup 77", true)]);
    agent.ticks(3);
    assert_eq!(agent.workloads(), [shown("cgroup 77", false)]);
    assert_eq!(agent.meter.forgotten, [tasks(77, None)]);
    // It runs again after all: its account continues, and its entry is freed again.
    agent.tick(&[(77, None)], &[]);
    assert_eq!(agent.workloads(), [shown("cgroup 77", true)]);
    agent.ticks(3);
    assert_eq!(agent.workloads(), [shown("cgroup 77", false)]);
    assert_eq!(agent.meter.forgotten, [tasks(77, None), tasks(77, None)]);
}

#[test]
fn cgroups_of_which_the_removals_were_lost_open_no_accounts() {
    let mut agent = Agent::new();
    agent.tick(&[], &[]);
    for id in 1000..3000 {
        agent.made(id, &format!("/user/{id}"));
    }
    // The next walk is a second after the last.
    agent.identities.last_walk = Some(agent.clock.now().plus(Duration::from_millis(500)));
    agent.lost = 2000;
    agent.tick(&[], &[]);
    assert_eq!(agent.workloads(), []);
    agent.ticks(3);
    assert_eq!((agent.workloads(), agent.cgroups_kept()), (Vec::new(), 0));
}

#[test]
fn a_cgroup_of_which_the_removal_was_lost_ends_with_the_next_walk() {
    let mut agent = Agent::new();
    agent.made(5, "/job");
    agent.made(6, "/kept");
    agent.tick(&[(5, None), (6, None)], &[(5, "/job"), (6, "/kept")]);
    agent.lost = 1;
    agent.tick(&[], &[(6, "/kept")]);
    agent.ticks(2);
    assert_eq!(agent.workloads(), [shown("/job", false), shown("/kept", true)]);
    assert_eq!(agent.meter.forgotten, [tasks(5, None)]);
    // Its last task leaves the CPU late: the time is charged to it, and the entry is freed again.
    agent.tick(&[(5, None)], &[(6, "/kept")]);
    agent.ticks(2);
    assert_eq!(agent.workloads(), [shown("/job", false), shown("/kept", true)]);
    assert_eq!(agent.meter.forgotten, [tasks(5, None), tasks(5, None)]);
}

#[test]
fn entries_of_which_nothing_is_known_are_freed() {
    let mut agent = Agent::new();
    agent.made(5, "/kept");
    agent.meter.tracked.insert(ProcessId(8));
    // A removed cgroup and an existing one; a process that is no longer tracked and one that is.
    let gone = [tasks(77, None), tasks(1, Some(7))];
    let kept = [tasks(5, None), tasks(1, Some(8)), tasks(1, None), Consumer::Kernel];
    agent.meter.entries = [&gone[..], &kept].concat();
    agent.lost = 1;
    for _ in 0..4 {
        agent.tick(&[], &[(1, "/"), (5, "/kept")]);
    }
    assert_eq!(agent.meter.entries, kept);
    assert_eq!(agent.workloads(), []);
}
