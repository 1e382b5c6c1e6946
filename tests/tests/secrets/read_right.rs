//! Opens energy counters that only root may read, as an ordinary user with an inherited right to read every file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tests::agent::{Agent, binary};
use tests::host::Host;
use tests::nobody::{self, Capabilities};

use super::{PATH, READ_SEARCH, bits, mode};

/// A host whose counters only root may read.
fn locked_host() -> Host {
    let host = Host::client().unwrap();
    mode(&host.path(""), 0o755);
    for zone in ["intel-rapl:0", "intel-rapl:0:0", "intel-rapl:0:1", "intel-rapl:1", "intel-rapl-mmio:0"] {
        mode(&host.path(&host.zone_file(zone, "energy_uj")), 0o400);
    }
    host
}

/// A program that runs the agent as user `nobody`, with the right to read every file handed down, as a unit does; on a host whose sysfs
/// is the fixture's.
fn start_script(folder: &Path, host: &Host, is_own_sysfs: bool) -> PathBuf {
    let script = folder.join("start");
    let mount = if is_own_sysfs {
        format!("mount --bind '{}' /sys && ", host.path("sys").display())
    } else {
        String::new()
    };
    let nobody = nobody::prefix(Capabilities::Only(&["dac_read_search"])).join(" ");
    let text = format!(
        "#!/bin/sh\nexec unshare --mount sh -c '{mount}exec {nobody} \"$@\"' sh '{}' \"$@\"\n",
        binary().unwrap().display()
    );
    fs::write(&script, text.replace(&mount, &mount.replace('\'', "\""))).unwrap();
    mode(&script, 0o755);
    script
}

#[test]
fn the_right_to_read_counts_for_counters_of_the_real_sysfs_and_only_while_they_are_opened() {
    let host = locked_host();
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::create_dir(&state).unwrap();
    mode(folder.path(), 0o755);
    nobody::give(&state).unwrap();
    let script = start_script(folder.path(), &host, true);
    let mut flags = host.flags();
    flags.retain(|flag| !flag.starts_with("--path.sysfs"));
    flags.extend(["--interval=100ms".to_owned(), format!("--state-dir={}", state.display())]);
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let mut agent = Agent::spawn(&script, &flags, &[("PATH", PATH)]).unwrap();
    agent.wait_ready().unwrap();
    let scrape = agent.scrape().unwrap();
    assert_eq!(scrape.sum("ffwatt_source_up", &[("source", "powercap")]), Some(1.0), "{}", agent.log());
    for thread in agent.threads().unwrap() {
        assert_eq!(bits(&thread, "CapEff"), 0, "{thread}");
        assert_eq!((bits(&thread, "CapPrm"), bits(&thread, "CapAmb")), (READ_SEARCH, 0), "{thread}");
    }
    // The driver is loaded again, and its counters are as locked as before: they are opened again.
    let energy = |scrape: &tests::exposition::Exposition| {
        scrape.sum("ffwatt_host_energy_joules_total", &[("domain", "package"), ("source", "powercap")])
    };
    // No counter of the tree has moved yet.
    assert_eq!(energy(&agent.scrape().unwrap()), None);
    let file = host.zone_file("intel-rapl:0", "energy_uj");
    fs::remove_file(host.path(&file)).unwrap();
    host.write(&file, "9000000\n").unwrap();
    mode(&host.path(&file), 0o400);
    agent.until("the new file is read", |scrape| (energy(scrape)? > 0.0).then_some(())).unwrap();
    for thread in agent.threads().unwrap() {
        assert_eq!(bits(&thread, "CapEff"), 0, "{thread}");
    }
}

#[test]
fn the_right_to_read_does_not_count_below_a_folder_that_was_named() {
    let host = locked_host();
    let folder = tempfile::tempdir().unwrap();
    mode(folder.path(), 0o755);
    let script = start_script(folder.path(), &host, false);
    let Output { stdout, .. } =
        Command::new(&script).arg("check").args(host.flags()).env_clear().env("PATH", PATH).output().unwrap();
    let shown = String::from_utf8_lossy(&stdout);
    assert!(shown.contains("powercap  PROBLEM") && shown.contains("Permission denied"), "{shown}");
    let own = start_script(folder.path(), &host, true);
    let flags = host.flags().into_iter().filter(|flag| !flag.starts_with("--path.sysfs"));
    let Output { stdout, .. } =
        Command::new(&own).arg("check").args(flags).env_clear().env("PATH", PATH).output().unwrap();
    let shown = String::from_utf8_lossy(&stdout);
    assert!(shown.contains("powercap  used"), "{shown}");
}
