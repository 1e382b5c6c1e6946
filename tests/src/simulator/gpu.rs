//! An integrated GPU: its device in sysfs, the use of its video engine in procfs, and the energy of that use.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use crate::command::{eventually, script};

/// Address on the PCI bus.
const ADDRESS: &str = "0000:00:02.0";

/// Number of the file description by which the encoder has the device open.
const DESCRIPTION: &str = "3";

/// Period in which the use of the engine goes up and down, in seconds: not a multiple of any tick.
const PERIOD: f64 = 7.3;

/// Use of the engine by each program that comes and goes.
const USE_OF_GUEST: f64 = 0.6;

/// The GPU below the folder of a simulated host.
#[derive(Debug)]
pub(super) struct Gpu {
    folder: PathBuf,
    /// Clients by their numbers.
    clients: BTreeMap<u32, Client>,
}

/// A client of the GPU, and the `fdinfo` that shows its use.
#[derive(Debug)]
struct Client {
    fdinfo: File,
    busy: Duration,
}

impl Client {
    fn open(path: &Path) -> std::io::Result<Self> {
        Ok(Self { fdinfo: OpenOptions::new().write(true).open(path)?, busy: Duration::ZERO })
    }

    /// Uses the engine for this time.
    fn run(&mut self, number: u32, busy: f64) {
        self.busy += Duration::from_secs_f64(busy);
        // A file that cannot be written stands still, and the test fails for that.
        let _ = self.fdinfo.write_all_at(text(number, self.busy).as_bytes(), 0);
    }
}

/// Number of the client that uses the GPU from the start.
const RESIDENT: u32 = 7;

impl Gpu {
    /// Makes the device, and a tree in place of `/proc`.
    pub(super) fn make(sys: &Path) -> anyhow::Result<Self> {
        let device = sys.join("gpu").join(ADDRESS);
        let card = sys.join("class/drm/renderD128");
        for folder in [&device, &card, &sys.join("gpu/i915"), &procfs(sys), &guests(sys)] {
            fs::create_dir_all(folder)?;
        }
        symlink(sys.join("gpu/i915"), device.join("driver"))?;
        symlink(&device, card.join("device"))?;
        for entry in fs::read_dir("/proc").context("cannot list /proc")?.flatten() {
            let name = entry.file_name();
            let is_process = name.to_str().is_some_and(|name| name.parse::<u32>().is_ok());
            if !is_process && name != "self" && name != "thread-self" {
                symlink(entry.path(), procfs(sys).join(name))?;
            }
        }
        Ok(Self { folder: sys.to_path_buf(), clients: BTreeMap::new() })
    }

    /// Makes the encoder of a cgroup a client.
    pub(super) fn open_in_encoder(&mut self, cgroup: &Path) -> anyhow::Result<()> {
        let path = self.folder.join("gpu/fdinfo");
        fs::write(&path, text(RESIDENT, Duration::ZERO))?;
        open_in_encoder(&self.folder, cgroup)?;
        self.clients.insert(RESIDENT, Client::open(&path)?);
        Ok(())
    }

    /// Uses the engine for a step that begins at this time after the start, in seconds. Returns its busy time in the step.
    pub(super) fn run(&mut self, at: f64, seconds: f64) -> f64 {
        let mut busy = 0.0;
        if let Some(client) = self.clients.get_mut(&RESIDENT) {
            busy = (0.5 + 0.4 * (at / PERIOD * std::f64::consts::TAU).sin()) * seconds;
            client.run(RESIDENT, busy);
        }
        let files = fs::read_dir(guests(&self.folder)).into_iter().flatten().flatten();
        for file in files {
            let number = file.file_name().to_str().and_then(|name| name.parse().ok());
            let Some(number) = number.filter(|number| Path::new(&format!("/proc/{number}")).exists()) else {
                continue;
            };
            if !self.clients.contains_key(&number)
                && let Ok(client) = Client::open(&file.path())
            {
                self.clients.insert(number, client);
            }
            if let Some(client) = self.clients.get_mut(&number) {
                client.run(number, USE_OF_GUEST * seconds);
                busy += USE_OF_GUEST * seconds;
            }
        }
        busy
    }
}

/// Of constant width: a reader during a write sees no shorter number.
fn text(client: u32, busy: Duration) -> String {
    format!(
        "pos:\t0\nflags:\t0100002\ndrm-driver:\ti915\ndrm-client-id:\t{client:010}\ndrm-pdev:\t{ADDRESS}\n\
         drm-engine-render:\t0 ns\ndrm-engine-video:\t{:018} ns\n",
        busy.as_nanos()
    )
}

/// Commands of a shell that make its process, and the program that it becomes, one of the tree in place of `/proc`.
pub(super) fn enter(sys: &Path) -> String {
    let procfs = procfs(sys);
    let procfs = procfs.display();
    format!("mkdir -p {procfs}/$$/fd {procfs}/$$/fdinfo; ln -s /proc/$$/[!f]* {procfs}/$$;")
}

/// Commands of a shell that make this process a client of the GPU, after those of [`enter`].
pub(super) fn open(sys: &Path) -> String {
    let (procfs, guests) = (procfs(sys), guests(sys));
    let (procfs, guests) = (procfs.display(), guests.display());
    format!(
        ": > {guests}/$$; ln -s /dev/dri/renderD128 {procfs}/$$/fd/{DESCRIPTION}; \
         ln -s {guests}/$$ {procfs}/$$/fdinfo/{DESCRIPTION};"
    )
}

/// Files of the clients that come and go, by the number of their process.
pub(super) fn guests(sys: &Path) -> PathBuf {
    sys.join("gpu/guests")
}

/// The tree in place of `/proc`.
pub(super) fn procfs(sys: &Path) -> PathBuf {
    sys.join("gpu/proc")
}

/// Shows the device as open in the encoder of a cgroup.
fn open_in_encoder(sys: &Path, cgroup: &Path) -> anyhow::Result<()> {
    let process = eventually("the encoder runs", Duration::from_secs(10), || {
        let processes = fs::read_to_string(cgroup.join("cgroup.procs")).ok()?;
        let is_encoder = |process: &&str| {
            fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name.trim() == "ffmpeg")
        };
        processes.lines().find(is_encoder).map(str::to_owned)
    })?;
    let folder = procfs(sys).join(&process);
    for made in ["fd", "fdinfo"] {
        fs::create_dir_all(folder.join(made))?;
    }
    for entry in fs::read_dir(format!("/proc/{process}")).context("the encoder has ended")?.flatten() {
        let name = entry.file_name();
        if name != "fd" && name != "fdinfo" {
            symlink(entry.path(), folder.join(name))?;
        }
    }
    symlink("/dev/dri/renderD128", folder.join("fd").join(DESCRIPTION))?;
    symlink(sys.join("gpu/fdinfo"), folder.join("fdinfo").join(DESCRIPTION))?;
    Ok(())
}

/// The program, with the tree in place of `/proc`, in which it finds itself.
pub(super) fn with_procfs(sys: &Path, binary: &Path) -> anyhow::Result<PathBuf> {
    let (procfs, program) = (procfs(sys), sys.join("gpu/with-procfs"));
    let text = format!(
        "#!/bin/sh\nln -sfn $$ {procfs}/self\nln -sfn /proc/$$ {procfs}/$$\nexec {binary} \"$@\" --path.procfs={procfs}\n",
        procfs = procfs.display(),
        binary = binary.display()
    );
    script(&program, &text)?;
    Ok(program)
}
