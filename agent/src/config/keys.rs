//! Which keys are there? The one table behind the file, the environment, the flags and the documentation.

/// What ffwatt's own environment variables begin with.
pub const PREFIX: &str = "FFWATT_";

/// One key of the configuration.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Path in the file: `listen.port`. The flag is the same with dashes (`--listen.port`), the environment variable
    /// `FFWATT_LISTEN_PORT`.
    pub path: &'static str,
    /// How a value is written.
    pub kind: Kind,
    /// Names in the environment that the exporters ffwatt replaces used, first wins.
    pub upstream: &'static [&'static str],
    /// One or two sentences.
    pub doc: &'static str,
}

/// How a value is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// A whole number.
    Integer,
    /// A number.
    Number,
    /// A list of texts, in the environment and on the command line separated by commas.
    List,
}

impl Key {
    /// Its environment variable.
    pub fn variable(&self) -> String {
        format!("{PREFIX}{}", self.path.replace('.', "_").to_uppercase())
    }

    /// Its flag, without the two dashes.
    pub fn flag(&self) -> String {
        // Exporters have it so, and so do the scripts that start them.
        if self.path == "web.config_file" {
            return "web.config.file".to_owned();
        }
        self.path.replace('_', "-")
    }
}

const fn key(path: &'static str, kind: Kind, upstream: &'static [&'static str], doc: &'static str) -> Key {
    Key { path, kind, upstream, doc }
}

/// Every key, in the order of the file.
pub const KEYS: &[Key] = &[
    key(
        "interval",
        Kind::Text,
        &[],
        "Length of a tick: how often CPU time and energy are read and split. 100ms to 60s.",
    ),
    key(
        "state_dir",
        Kind::Text,
        &[],
        "Folder for what must survive a restart (what the machine draws when idle). \
         Default: /var/lib/ffwatt, or the user's state directory when that cannot be written.",
    ),
    key(
        "results_dir",
        Kind::Text,
        &["RESULTS_DIR"],
        "Folder of result files (test_results_*.json), as `ffwatt bench` writes them. Default: results in the state folder.",
    ),
    key(
        "listen.address",
        Kind::Text,
        &[],
        "Address of every listener. 127.0.0.1 keeps the figures on this host; 0.0.0.0 serves the network.",
    ),
    key(
        "listen.host_names",
        Kind::List,
        &[],
        "Host names under which a reverse proxy on this host asks, where listen.address is a loopback address. There requests with \
         another Host than localhost, a loopback address or one of these names are refused.",
    ),
    key(
        "listen.port",
        Kind::Integer,
        &[],
        "Port of the main listener: everything new, process metrics, the page.",
    ),
    key(
        "listen.rapl_port",
        Kind::Integer,
        &["RAPL_EXPORTER_PORT", "CPU_EXPORTER_PORT"],
        "Port of the rapl_* family; 0 turns it off.",
    ),
    key(
        "listen.docker_port",
        Kind::Integer,
        &["DOCKER_STATS_PORT"],
        "Port of the docker_* family; 0 turns it off.",
    ),
    key(
        "listen.results_port",
        Kind::Integer,
        &["RESULTS_EXPORTER_PORT"],
        "Port of the results_* family; 0 turns it off.",
    ),
    key(
        "listen.qoe_port",
        Kind::Integer,
        &["QOE_EXPORTER_PORT"],
        "Port of the qoe_* family; 0 turns it off.",
    ),
    key(
        "listen.cost_port",
        Kind::Integer,
        &["COST_EXPORTER_PORT"],
        "Port of the cost_* family; 0 turns it off.",
    ),
    key(
        "web.config_file",
        Kind::Text,
        &[],
        "File that says who may ask: TLS, passwords and headers of every listener, as Prometheus' exporters have it. Read again \
         when it, or a file it names, has changed. Default: plain HTTP for everybody who reaches a port.",
    ),
    key(
        "sandbox.off",
        Kind::List,
        &[],
        "What the agent lays on itself after its start, to be done without: capabilities (it gives up those it no longer needs), \
         no_new_privs (and with it the next two), landlock (it writes to the state folder and the temporary one, and opens no \
         connections), seccomp (system calls it never makes are refused).",
    ),
    key("path.procfs", Kind::Text, &[], "Where the host's procfs is."),
    key("path.sysfs", Kind::Text, &[], "Where the host's sysfs is."),
    key("path.devfs", Kind::Text, &[], "Where the host's device files are."),
    key(
        "path.cgroupfs",
        Kind::Text,
        &[],
        "Where the host's cgroup file system is. Default: fs/cgroup below path.sysfs.",
    ),
    key(
        "cpu.source",
        Kind::Text,
        &[],
        "Where CPU times come from: bpf (exact), cgroupfs (polling), or auto: bpf where it can be had.",
    ),
    key(
        "cpu.tracked",
        Kind::List,
        &[],
        "Programs to tell apart inside their container: each run of one is a transcode with joules of its own.",
    ),
    key(
        "cpu.max_consumers",
        Kind::Integer,
        &[],
        "Room for cgroups and tracked processes in the kernel's accounting map. Beyond it, CPU time is unattributed and counted \
         in ffwatt_lost_charges_total.",
    ),
    key(
        "energy.source",
        Kind::Text,
        &[],
        "Where energy comes from: perf, powercap, msr, model (an estimate), or auto: the first that works.",
    ),
    key(
        "energy.plausible_watts",
        Kind::Number,
        &[],
        "The most one counter can draw. A larger step is a reset, not energy. Default: four times the zone's power limit, or \
         2000.",
    ),
    key("energy.model_idle_watts", Kind::Number, &[], "The model's power of one idle virtual CPU."),
    key("energy.model_busy_watts", Kind::Number, &[], "The model's power of one busy virtual CPU."),
    key(
        "attribution.idle_policy",
        Kind::Text,
        &[],
        "Who pays for what the machine draws when nobody runs: own (shown as the workload idle), proportional (to busy time), \
         even, or reservation (by cpu.max and cpu.weight).",
    ),
    key(
        "attribution.idle_watts",
        Kind::Number,
        &[],
        "Power of one package when nothing runs, in watts; dies that are counted apart share it. Default: as \
         measured by ffwatt calibrate; else learned, the lowest power sustained over 10 s on a quiet machine within the last \
         week; else estimated by regression.",
    ),
    key(
        "attribution.keep_ended",
        Kind::Text,
        &[],
        "How long the series of a workload or transcode stay after its end. Then they disappear, and their totals are added to ffwatt_ended_*.",
    ),
    key(
        "attribution.max_workloads",
        Kind::Integer,
        &[],
        "Most workloads, and most transcodes, with series of their own. Those that come when all places are taken share (other) until they end.",
    ),
    key(
        "containers.docker_socket",
        Kind::Text,
        &[],
        "Docker's socket, for names, images and labels. Empty: do not ask.",
    ),
    key(
        "containers.podman_socket",
        Kind::Text,
        &[],
        "Podman's socket, for names, images and labels. Empty: do not ask.",
    ),
    key(
        "progress.accept_from",
        Kind::Text,
        &[],
        "Whose posts to /progress/ are taken: host (over loopback, or from a container of this host) or anywhere.",
    ),
    key(
        "results.rescan",
        Kind::Text,
        &["RESULTS_EXPORTER_CACHE_SECONDS"],
        "How often the results folder is looked at. A bare number is seconds.",
    ),
    key(
        "quality.ffmpeg",
        Kind::Text,
        &[],
        "The ffmpeg that compares encodes with their sources; VMAF needs one with libvmaf.",
    ),
    key("quality.timeout", Kind::Text, &[], "How long one comparison may take."),
    key(
        "quality.max_cpus",
        Kind::Integer,
        &[],
        "CPUs the agent may use to score finished transcodes whose container has the labels ffwatt.reference and ffwatt.output \
         (paths as the agent sees them); 0: do not score.",
    ),
    key(
        "price.per_kwh",
        Kind::Number,
        &["ENERGY_COST_PER_KWH", "ENERGY_COST"],
        "Price of a kilowatt hour. Default, and when it is 0: the region's.",
    ),
    key(
        "price.per_cpu_hour",
        Kind::Number,
        &["CPU_COST_PER_HOUR", "CPU_COST"],
        "Price of an hour of the machine, and of an hour of one core where load is counted.",
    ),
    key("price.per_gpu_hour", Kind::Number, &["GPU_COST_PER_HOUR"], "Price of an hour of the graphics card."),
    key(
        "price.per_core_second",
        Kind::Number,
        &["PRICE_PER_CORE_SECOND"],
        "Price of a second of one core. Default: by price.per_cpu_hour.",
    ),
    key(
        "price.per_joule",
        Kind::Number,
        &["PRICE_PER_JOULE"],
        "Price of a joule. Default: by price.per_kwh.",
    ),
    key("price.currency", Kind::Text, &["CURRENCY"], "Currency of the prices."),
    key(
        "price.also",
        Kind::List,
        &[],
        "Other currencies to show costs in, with their rate: EUR=0.92 means that one unit of price.currency is 0.92 EUR.",
    ),
    key(
        "price.region",
        Kind::Text,
        &["REGION"],
        "Region whose prices and carbon intensity count: us-east-1, eu-central-1, …, default, or one of price.file.",
    ),
    key(
        "price.file",
        Kind::Text,
        &["PRICING_CONFIG"],
        "JSON file with prices and carbon intensities by region: electricity_prices and co2_intensity.",
    ),
    key(
        "price.viewers",
        Kind::Integer,
        &[],
        "Viewers of a scenario whose result file does not say how many.",
    ),
    key("budget.cost_per_day", Kind::Number, &[], "What a day's energy may cost."),
    key("budget.cost_per_month", Kind::Number, &[], "What a month's energy may cost."),
    key("budget.kwh_per_day", Kind::Number, &[], "Kilowatt hours a day may take."),
    key("budget.kwh_per_month", Kind::Number, &[], "Kilowatt hours a month may take."),
    key("ledger.max_age", Kind::Text, &[], "How long the past is kept in the state folder."),
    key("ledger.max_megabytes", Kind::Integer, &[], "Size beyond which the oldest of it is dropped."),
    key(
        "compat.zones",
        Kind::Text,
        &[],
        "Zone names on the rapl_* port: ffwatt (package_0, core_0: each joule once in zone=~\"package.*\") or upstream \
         (package_0_core and bare core, as the exporter it replaces).",
    ),
    key("log.level", Kind::Text, &[], "error, warn, info, debug or trace."),
    key("log.format", Kind::Text, &[], "text or json."),
];
