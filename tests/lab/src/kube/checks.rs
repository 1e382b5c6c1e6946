//! The checks of a release on a cluster, in their order: each one builds on the state that the ones before have left.

mod calls;
mod crowd;
mod install;
mod jobs;
mod restarts;
mod rights;
mod rollout;

use xtask::process::say;

use super::scene::Scene;
use super::table::Row;

/// A check: what is done, what is expected, and what is seen. An error is what was seen instead.
struct Check {
    about: &'static str,
    expected: &'static str,
    run: fn(&mut Scene<'_>) -> anyhow::Result<String>,
}

const CHECKS: [Check; 22] = [
    Check {
        about: "`helm install` with the values of the chart",
        expected: "the DaemonSet is ready on the node, and its agent uses eBPF",
        run: install::install,
    },
    Check {
        about: "`/metrics` of the agent, within 30 s",
        expected: "namespace, pod and container of each container that runs, of older ones too",
        run: install::metrics,
    },
    Check { about: "the page and its data, within 30 s", expected: "the same names", run: install::page },
    Check {
        about: "capabilities of all threads of the agent",
        expected: "BPF, PERFMON and DAC_READ_SEARCH at most",
        run: rights::capabilities,
    },
    Check {
        about: "restrictions of all threads",
        expected: "no new privileges, and a seccomp filter",
        run: rights::restrictions,
    },
    Check {
        about: "the root file system of the container",
        expected: "read-only",
        run: rights::root_file_system,
    },
    Check {
        about: "service-account tokens",
        expected: "none is mounted for the agent, and one for an ordinary pod",
        run: rights::tokens,
    },
    Check { about: "sockets of container runtimes", expected: "none is mounted", run: rights::sockets },
    Check { about: "objects of the release", expected: "none of RBAC", run: rights::objects },
    Check {
        about: "a Deployment of 2 live encodes",
        expected: "a row with joules for each, and the CPU seconds of the kernel",
        run: jobs::deployment,
    },
    Check {
        about: "a Job of 3 s, after its deletion",
        expected: "namespace, pod, container and joules in `ffwatt report` (`kubectl exec`)",
        run: jobs::job,
    },
    Check {
        about: "the counters of its class",
        expected: "one job, and the joules of the report",
        run: jobs::classes,
    },
    Check {
        about: "a run of a CronJob",
        expected: "a row with joules, and a transcode that has ended",
        run: jobs::cron_job,
    },
    Check {
        about: "`kubectl rollout restart` of the Deployment",
        expected: "the new pods have their names, and the old ones keep theirs",
        run: rollout::restart,
    },
    Check {
        about: "`helm upgrade` with a changed value",
        expected: "another agent, ready, with the new value and all names",
        run: rollout::upgrade,
    },
    Check {
        about: "the ledger after the upgrade",
        expected: "the Job with the same joules",
        run: rollout::ledger,
    },
    Check {
        about: "`helm rollback`",
        expected: "another agent, ready, with the old value, all names and the ledger",
        run: rollout::rollback,
    },
    Check {
        about: "50 pods that come at once",
        expected: "each container has its name in the first scrape after its first tick",
        run: crowd::names,
    },
    Check {
        about: "a restart of the kubelet",
        expected: "all rows stay, and a new pod has its name",
        run: restarts::kubelet,
    },
    Check {
        about: "a restart of containerd",
        expected: "all rows stay, and a new pod has its name",
        run: restarts::containerd,
    },
    Check {
        about: "system calls of the agent while a pod comes (`strace`)",
        expected: "no connection, and no file below `/var/log` is opened: only folders and links",
        run: calls::names,
    },
    Check {
        about: "every scrape of this run",
        expected: "a residual of 0 µJ, and no container without a name",
        run: crowd::scrapes,
    },
];

/// Makes all checks. A check that fails does not end the run.
pub(super) fn run(scene: &mut Scene<'_>) -> Vec<Row> {
    let mut rows = Vec::new();
    for Check { about, expected, run } in CHECKS {
        let result = run(scene);
        let row = Row::new(about, expected, result);
        say(&row.line());
        rows.push(row);
    }
    rows
}
