//! Tests energy counters that do not answer at all.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use nix::fcntl::AT_FDCWD;
use nix::sys::fanotify::{EventFFlags, Fanotify, InitFlags, MarkFlags, MaskFlags};
use rustix::fs::{FileType, Mode, mknodat};
use tests::host::{CGROUPS, Host};

use crate::{
    BEGIN, STEP, STEP_JOULES, agent, assert_no_residual, energy_of, errors, is_up, package_energy, resets,
};

const ZONE: &str = "intel-rapl:0";

/// A counter whose readers wait until it is dropped: the kernel asks this process for permission, and gets no answer.
struct Hanging {
    counter: File,
    _watch: Fanotify,
}

impl Hanging {
    /// Replaces a zone's counter. A reader with the old file open detects its removal, and opens this one.
    fn make(host: &Host, zone: &str) -> Self {
        let file = host.path(&host.zone_file(zone, "energy_uj"));
        let new = file.with_extension("hanging");
        fs::copy(&file, &new).unwrap();
        let counter = File::options().write(true).open(&new).unwrap();
        let watch =
            Fanotify::init(InitFlags::FAN_CLASS_CONTENT | InitFlags::FAN_CLOEXEC, EventFFlags::O_RDONLY)
                .unwrap();
        let asks = MaskFlags::FAN_OPEN_PERM | MaskFlags::FAN_ACCESS_PERM;
        watch.mark(MarkFlags::FAN_MARK_ADD, asks, AT_FDCWD, Some(&new)).unwrap();
        fs::rename(&new, &file).unwrap();
        Self { counter, _watch: watch }
    }

    fn set(&self, microjoules: u64) {
        self.counter.write_all_at(format!("{microjoules:<20}\n").as_bytes(), 0).unwrap();
    }
}

#[test]
fn a_counter_that_hangs_stops_neither_tick_nor_scrape_nor_the_other_counters() {
    let mut host = Host::client().unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    host.set_energy(ZONE, BEGIN + STEP).unwrap();
    let before = agent.wait_ticks(2).unwrap();
    assert_eq!(package_energy(&before), STEP_JOULES);

    let hanging = Hanging::make(&host, ZONE);
    host.step(&[(CGROUPS[1], 200)]).unwrap();
    hanging.set(BEGIN + 3 * STEP);
    host.set_energy("intel-rapl:1", 3_000_000 + STEP).unwrap();
    let during = agent.wait_ticks(3).unwrap();
    assert_eq!(package_energy(&during), STEP_JOULES, "the total stays where it was");
    let platform = [("domain", "psys")];
    assert_eq!(during.sum("ffwatt_host_energy_joules_total", &platform), Some(STEP_JOULES));
    assert!(errors(&during, "powercap", "timeout") > 0.0);
    assert_eq!(is_up(&during, "powercap"), Some(true), "the others work");
    assert_no_residual(&during);
    let waiting = agent.threads().unwrap().len();
    agent.wait_ticks(5).unwrap();
    assert_eq!(agent.threads().unwrap().len(), waiting, "one thread waits, however long");

    drop(hanging);
    agent
        .until("the counter is read again", |scrape| {
            (package_energy(scrape) == 3.0 * STEP_JOULES).then_some(())
        })
        .unwrap();
    let after = agent.wait_ticks(2).unwrap();
    assert_no_residual(&after);
    let nginx = energy_of(&after, "nginx.service");
    assert!(nginx > 0.0, "who ran meanwhile pays: {nginx} J");
    assert_eq!(resets(&after), Some(0.0));
    assert!(agent.log().contains("package-0"), "{}", agent.log());
    assert!(agent.stop().unwrap().0.success());
}

#[test]
fn a_counter_that_hangs_from_the_start_leaves_no_thread_with_rights_and_counts_when_it_answers() {
    let mut host = Host::client().unwrap();
    let hanging = Hanging::make(&host, ZONE);
    hanging.set(BEGIN);
    let agent = agent(&host, &["--energy.source=powercap"]);
    host.set_energy("intel-rapl:1", 3_000_000 + STEP).unwrap();
    let during = agent.wait_ticks(3).unwrap();
    let platform = [("domain", "psys")];
    assert_eq!(during.sum("ffwatt_host_energy_joules_total", &platform), Some(STEP_JOULES));
    assert_no_residual(&during);
    let mut names = Vec::new();
    for status in agent.threads().unwrap() {
        let value = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim();
        assert_eq!([value("NoNewPrivs:"), value("Seccomp:")], ["1", "2"], "{status}");
        names.push(value("Name:").to_owned());
    }
    assert!(names.iter().any(|name| name == "energy"), "one waits for the counter: {names:?}");

    drop(hanging);
    agent.until("the counter is read", |scrape| is_up(scrape, "powercap").filter(|up| *up)).unwrap();
    host.step(&[(CGROUPS[1], 200)]).unwrap();
    agent.wait_ticks(3).unwrap();
    host.set_energy(ZONE, BEGIN + STEP).unwrap();
    let after = agent.until("its energy is counted", |scrape| {
        (package_energy(scrape) == STEP_JOULES).then(|| scrape.residuals())
    });
    assert!(after.unwrap().values().all(|left| *left == 0));
}

#[test]
fn when_every_counter_hangs_the_agent_goes_on_and_ends_when_told() {
    let host = Host::client().unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    let zones = ["intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl:1"];
    let _hanging = zones.map(|zone| Hanging::make(&host, zone));
    agent.until("it is said", |scrape| is_up(scrape, "powercap").filter(|up| !up)).unwrap();
    assert_no_residual(&agent.wait_ticks(3).unwrap());
    assert!(agent.stop().unwrap().0.success());
}

#[test]
fn a_pipe_in_a_counters_place_is_no_energy_and_hangs_nothing() {
    let host = Host::client().unwrap();
    let agent = agent(&host, &["--energy.source=powercap"]);
    host.set_energy(ZONE, BEGIN + STEP).unwrap();
    agent.wait_ticks(2).unwrap();
    let file = host.path(&host.zone_file(ZONE, "energy_uj"));
    let folder = file.parent().unwrap();
    let aside = folder.join("aside");
    let place = |name: &str, kind: FileType| {
        mknodat(File::open(folder).unwrap(), name, kind, Mode::from_raw_mode(0o600), 0).unwrap();
    };
    fs::rename(&file, &aside).unwrap();
    // The agent's open file shows no number any more, as when the driver is unloaded.
    fs::write(&aside, "").unwrap();
    place("energy_uj", FileType::Fifo);
    let during = agent.wait_ticks(3).unwrap();
    assert_eq!(package_energy(&during), STEP_JOULES);
    assert_no_residual(&during);
    // A folder can be opened, and not read.
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let during = agent.wait_ticks(3).unwrap();
    assert_eq!(package_energy(&during), STEP_JOULES);
    assert!(errors(&during, "powercap", "io") > 0.0);
    assert_no_residual(&during);
    assert!(agent.log().contains("energy_uj"), "{}", agent.log());

    fs::remove_dir(&file).unwrap();
    fs::rename(&aside, &file).unwrap();
    fs::write(&file, format!("{:<20}\n", BEGIN + 2 * STEP)).unwrap();
    let after = agent.wait_ticks(2).unwrap();
    assert_eq!(package_energy(&after), 2.0 * STEP_JOULES);
    assert_eq!(resets(&after), Some(0.0));
    assert_no_residual(&after);
}
