//! The table of configuration keys: the file, the environment, the flags, `--help` and the documentation are made from it.

mod key;

pub(crate) use key::{Allowed, Key, Kind, PREFIX};

use Allowed::{AtLeast, Form, Range, Words};
use Kind::{Integer, List, Number, Text, Time};
use key::key;

use crate::config::EnergyChoice;

/// Every key, in the order of the file.
pub(crate) const KEYS: &[Key] = &[
    key("interval", Time, "TIME", "Tick length.", Range("100ms", "60s"))
        .more("The agent reads CPU time and energy once in each tick."),
    key("state_dir", Text, "PATH", "Folder of the ledger.", Form("path")).unset("/var/lib/ffwatt").more(
        "The folder also has the learned idle power. If the agent has no right to write to the default \
         folder, it uses the folder ffwatt in the user's state folder.",
    ),
    key("results_dir", Text, "PATH", "Folder of the result files.", Form("path"))
        .unset("results in the state folder")
        .more("`ffwatt bench` writes test_results_*.json there.")
        .upstream(&["RESULTS_DIR"]),
    key("listen.address", Text, "IP", "Address of all ports.", Form("IP address"))
        .more("127.0.0.1 serves this host only; 0.0.0.0 serves the network."),
    key(
        "listen.host_names",
        List,
        "NAMES",
        "Host names that a request to a loopback address may have beside localhost.",
        Form("names, separated by commas"),
    )
    .unset("none")
    .more(
        "Behind a reverse proxy on this host, list the host name that clients use. Requests with other \
         names are refused.",
    ),
    key("listen.port", Integer, "PORT", "Port of metrics, API and page.", Range("1", "65535")),
    key(
        "listen.rapl_port",
        Integer,
        "PORT",
        "Port of the metrics rapl_*; 0 turns it off.",
        Range("0", "65535"),
    )
    .upstream(&["RAPL_EXPORTER_PORT", "CPU_EXPORTER_PORT"]),
    key(
        "listen.docker_port",
        Integer,
        "PORT",
        "Port of the metrics docker_*; 0 turns it off.",
        Range("0", "65535"),
    )
    .upstream(&["DOCKER_STATS_PORT"]),
    key(
        "listen.results_port",
        Integer,
        "PORT",
        "Port of the metrics results_*; 0 turns it off.",
        Range("0", "65535"),
    )
    .upstream(&["RESULTS_EXPORTER_PORT"]),
    key(
        "listen.qoe_port",
        Integer,
        "PORT",
        "Port of the metrics qoe_*; 0 turns it off.",
        Range("0", "65535"),
    )
    .upstream(&["QOE_EXPORTER_PORT"]),
    key(
        "listen.cost_port",
        Integer,
        "PORT",
        "Port of the metrics cost_*; 0 turns it off.",
        Range("0", "65535"),
    )
    .upstream(&["COST_EXPORTER_PORT"]),
    key("web.config_file", Text, "PATH", "File with TLS, passwords and headers of all ports.", Form("path"))
        .unset("plain HTTP without a password")
        .more("The format is that of Prometheus' exporters. The agent reads a changed file again."),
    key(
        "sandbox.off",
        List,
        "NAMES",
        "Self-imposed restrictions to disable.",
        Words(&["capabilities", "no_new_privs", "landlock", "seccomp"]),
    )
    .unset("none")
    .more(
        "The agent gives up rights after its start; no_new_privs is a condition of landlock and \
               seccomp.",
    ),
    key("path.procfs", Text, "PATH", "Folder of the host's procfs.", Form("path")),
    key("path.sysfs", Text, "PATH", "Folder of the host's sysfs.", Form("path")),
    key("path.devfs", Text, "PATH", "Folder of the host's device files.", Form("path")),
    key("path.cgroupfs", Text, "PATH", "Folder of the host's cgroup file system.", Form("path"))
        .unset("fs/cgroup in path.sysfs"),
    key("path.podlogs", Text, "PATH", "The kubelet's log folders of pods, for names of pods; empty: none.", Form("path"))
        .more("Only the names of folders are read."),
    key(
        "path.containerlogs",
        Text,
        "PATH",
        "The kubelet's links to logs, for names of containers in pods; empty: none.",
        Form("path"),
    )
    .more("Only the names and targets of links are read."),
    key("cpu.source", Text, "SOURCE", "Source of CPU time.", Words(&["auto", "bpf", "cgroupfs"]))
        .more("bpf is exact, cgroupfs is polled; auto uses bpf where eBPF programs can be loaded."),
    key(
        "cpu.tracked",
        List,
        "NAMES",
        "More encoder programs; each run is a transcode.",
        Form("program names without a path, separated by commas, 64 at most"),
    )
    .unset("none")
    .more("ffmpeg under its usual names, GStreamer, HandBrakeCLI and encoder programs are always tracked (docs/FFMPEG.md)."),
    key(
        "cpu.max_consumers",
        Integer,
        "NUMBER",
        "Entries for cgroups and transcodes in the kernel's accounting map.",
        Range("1", "1048576"),
    )
    .more("CPU time beyond them is unattributed, and counted in ffwatt_lost_charges_total."),
    key(
        "energy.source",
        Text,
        "SOURCE",
        "Source of energy.",
        Words(&EnergyChoice::NAMES),
    )
    .more("auto uses the first of them that works, in this order; model is an estimate."),
    key("energy.plausible_watts", Number, "W", "Highest power of one energy counter, in W.", AtLeast("0"))
        .unset("four times the zone's power limit, or 2000")
        .more("A larger step of the counter is a reset and no energy."),
    key(
        "energy.model_cpu",
        Text,
        "CPU",
        "Processor whose power the model takes.",
        Form("auto, flat, or a row of the table in docs/ACCURACY.md"),
    )
    .more(
        "auto: the processor of /proc/cpuinfo, or flat if the table has no row for that processor; flat: 0.74 W idle \
         and 3.5 W busy for each processor.",
    ),
    key(
        "energy.model_threads_per_vcpu",
        Integer,
        "NUMBER",
        "Hardware threads of one virtual CPU, for the rows of energy.model_cpu.",
        Range("1", "2"),
    )
    .more("2 where a virtual CPU is a whole core of a processor with two threads in a core; a guest cannot see this."),
    key(
        "energy.model_idle_watts",
        Number,
        "W",
        "Power of one idle virtual CPU in the model, in W, instead of that of energy.model_cpu.",
        AtLeast("0"),
    )
    .unset("that of energy.model_cpu")
    .more("If only one of both powers is set, the other is the flat one."),
    key(
        "energy.model_busy_watts",
        Number,
        "W",
        "Power of one busy virtual CPU in the model, in W, instead of that of energy.model_cpu.",
        Form("energy.model_idle_watts or more"),
    )
    .unset("that of energy.model_cpu"),
    key(
        "attribution.idle_policy",
        Text,
        "POLICY",
        "Workloads that are charged with the host's idle power.",
        Words(&["own", "proportional", "even", "reservation"]),
    )
    .more(
        "own: the workload idle; proportional: all, by CPU time; even: all, in equal parts; reservation: \
         by cpu.max and cpu.weight.",
    ),
    key("attribution.idle_watts", Number, "W", "Idle power of one package, in W.", AtLeast("0"))
        .unset("as calibrated, else learned, else estimated")
        .more(
            "`ffwatt calibrate` measures it. The agent learns the lowest power that lasts 10 s on a quiet host \
             within a week, and estimates it by regression where the host is never quiet. Dies of a \
             package share the value.",
        ),
    key(
        "attribution.shared_core_weight",
        Number,
        "WEIGHT",
        "Weight of a CPU second beside a busy thread of the same core.",
        Range("0.5", "1"),
    )
    .more(
        "A second alone on a core is 1. Two busy threads of a core together draw little more than one: 0.575 each is METRION's \
         figure, 0.55 HaPPy's; 1 counts plain CPU time (docs/METHOD.md).",
    ),
    key(
        "attribution.keep_ended",
        Time,
        "TIME",
        "Time for which the series of an ended workload or transcode stay.",
        AtLeast("10s"),
    )
    .more("Then they disappear, and their totals are added to ffwatt_ended_*."),
    key(
        "attribution.max_workloads",
        Integer,
        "NUMBER",
        "Highest number of workloads, and of transcodes, with series of their own.",
        AtLeast("0"),
    )
    .more("Further ones share the workload (other) until they end."),
    key(
        "attribution.max_classes",
        Integer,
        "NUMBER",
        "Highest number of classes of transcodes, and of namespaces, with counters of their own.",
        AtLeast("0"),
    )
    .more("Further ones share the class (other)."),
    key(
        "containers.docker_socket",
        Text,
        "PATH",
        "Socket of Docker, for names, images and labels; empty: none.",
        Form("path"),
    ),
    key(
        "containers.podman_socket",
        Text,
        "PATH",
        "Socket of Podman, for names, images and labels; empty: none.",
        Form("path"),
    ),
    key(
        "containers.cri_socket",
        Text,
        "PATH",
        "Socket of the container runtime of Kubernetes, for labels and images of pods; empty: none.",
        Form("path, or auto"),
    )
    .unset("none")
    .more("With auto, the sockets of containerd, k3s, rke2, microk8s, k0s, CRI-O and cri-dockerd are tried."),
    key(
        "progress.accept_from",
        Text,
        "WHERE",
        "Allowed senders of progress posts.",
        Words(&["host", "anywhere"]),
    )
    .more("host: this host and its containers."),
    key("results.rescan", Time, "TIME", "Interval at which the results folder is read.", AtLeast("100ms"))
        .upstream(&["RESULTS_EXPORTER_CACHE_SECONDS"]),
    key(
        "quality.ffmpeg",
        Text,
        "PROGRAM",
        "ffmpeg that computes VMAF, PSNR and SSIM.",
        Form("program or path"),
    )
    .more("VMAF needs an ffmpeg with libvmaf."),
    key("quality.timeout", Time, "TIME", "Longest time of one comparison.", AtLeast("0s")),
    key(
        "quality.max_cpus",
        Integer,
        "NUMBER",
        "CPUs for the scores of finished transcodes; 0: no scores.",
        AtLeast("0"),
    )
    .more(
        "A transcode is scored if its container has the labels ffwatt.reference and ffwatt.output, with \
         paths that the agent sees.",
    ),
    key("price.per_kwh", Number, "PRICE", "Price of 1 kWh.", AtLeast("0"))
        .unset("that of price.region")
        .more("0 means the price of price.region.")
        .upstream(&["ENERGY_COST_PER_KWH", "ENERGY_COST"]),
    key(
        "price.per_cpu_hour",
        Number,
        "PRICE",
        "Price of the host for one hour, and of one CPU for one hour in load-aware costs.",
        AtLeast("0"),
    )
    .upstream(&["CPU_COST_PER_HOUR", "CPU_COST"]),
    key("price.per_gpu_hour", Number, "PRICE", "Price of the GPU for one hour.", AtLeast("0"))
        .upstream(&["GPU_COST_PER_HOUR"]),
    key("price.per_core_second", Number, "PRICE", "Price of one CPU for one second.", AtLeast("0"))
        .unset("computed from price.per_cpu_hour")
        .upstream(&["PRICE_PER_CORE_SECOND"]),
    key("price.per_joule", Number, "PRICE", "Price of 1 J.", AtLeast("0"))
        .unset("computed from price.per_kwh")
        .upstream(&["PRICE_PER_JOULE"]),
    key("price.currency", Text, "CODE", "Currency of the prices.", Form("text")).upstream(&["CURRENCY"]),
    key(
        "price.also",
        List,
        "RATES",
        "Further currencies for costs, with their rates.",
        Form("CODE=RATE, separated by commas"),
    )
    .unset("none")
    .more("EUR=0.92 means that one unit of price.currency is 0.92 EUR."),
    key(
        "price.region",
        Text,
        "NAME",
        "Region that sets energy price and carbon intensity.",
        Form("us-east-1, eu-central-1, …, default, or a region of price.file"),
    )
    .upstream(&["REGION"]),
    key(
        "price.file",
        Text,
        "PATH",
        "JSON file with energy prices and carbon intensities by region.",
        Form("path"),
    )
    .unset("built-in values")
    .more("Its keys are electricity_prices and co2_intensity.")
    .upstream(&["PRICING_CONFIG"]),
    key(
        "price.viewers",
        Integer,
        "NUMBER",
        "Number of viewers of a scenario, if its result file has none.",
        AtLeast("0"),
    ),
    key("budget.cost_per_day", Number, "PRICE", "Budget for the energy of one day.", AtLeast("0"))
        .unset("none"),
    key("budget.cost_per_month", Number, "PRICE", "Budget for the energy of one month.", AtLeast("0"))
        .unset("none"),
    key("budget.kwh_per_day", Number, "KWH", "Budget for the energy of one day, in kWh.", AtLeast("0"))
        .unset("none"),
    key("budget.kwh_per_month", Number, "KWH", "Budget for the energy of one month, in kWh.", AtLeast("0"))
        .unset("none"),
    key("ledger.max_age", Time, "TIME", "Age at which the ledger drops its data.", AtLeast("0s")),
    key(
        "ledger.max_megabytes",
        Integer,
        "MB",
        "Size at which the ledger drops its oldest data, in MB.",
        AtLeast("0"),
    ),
    key("compat.zones", Text, "NAMES", "Zone names of the metrics rapl_*.", Words(&["ffwatt", "upstream"]))
        .more(
            "ffwatt: package_0, core_0, and zone=~\"package.*\" has each joule once; upstream: \
               package_0_core and core, as rapl-exporter has them.",
        ),
    key(
        "log.level",
        Text,
        "LEVEL",
        "Lowest level of log lines.",
        Words(&["error", "warn", "info", "debug", "trace"]),
    ),
    key("log.format", Text, "FORMAT", "Format of the log.", Words(&["text", "json"])),
];

#[cfg(test)]
mod tests;
