//! An integrated GPU: its device in sysfs, the use of its video engine in procfs, and the energy of that use.

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

/// The GPU below the folder of a simulated host.
#[derive(Debug)]
pub(super) struct Gpu {
    fdinfo: File,
    busy: Duration,
}

impl Gpu {
    /// Makes the device, and a tree in place of `/proc`.
    pub(super) fn make(sys: &Path) -> anyhow::Result<Self> {
        let device = sys.join("gpu").join(ADDRESS);
        let card = sys.join("class/drm/renderD128");
        for folder in [&device, &card, &sys.join("gpu/i915"), &procfs(sys)] {
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
        let path = sys.join("gpu/fdinfo");
        fs::write(&path, text(Duration::ZERO))?;
        let fdinfo = OpenOptions::new().write(true).open(path)?;
        Ok(Self { fdinfo, busy: Duration::ZERO })
    }

    /// Uses the engine for a step that begins at this time after the start, in seconds. Returns its busy time in the step.
    pub(super) fn run(&mut self, at: f64, seconds: f64) -> f64 {
        let used = 0.5 + 0.4 * (at / PERIOD * std::f64::consts::TAU).sin();
        let busy = used * seconds;
        self.busy += Duration::from_secs_f64(busy);
        // A file that cannot be written stands still, and the test fails for that.
        let _ = self.fdinfo.write_all_at(text(self.busy).as_bytes(), 0);
        busy
    }
}

/// Of constant width: a reader during a write sees no shorter number.
fn text(busy: Duration) -> String {
    format!(
        "pos:\t0\nflags:\t0100002\ndrm-driver:\ti915\ndrm-client-id:\t7\ndrm-pdev:\t{ADDRESS}\n\
         drm-engine-render:\t0 ns\ndrm-engine-video:\t{:018} ns\n",
        busy.as_nanos()
    )
}

/// The tree in place of `/proc`.
pub(super) fn procfs(sys: &Path) -> PathBuf {
    sys.join("gpu/proc")
}

/// Shows the device as open in the encoder of a cgroup.
pub(super) fn open_in_encoder(sys: &Path, cgroup: &Path) -> anyhow::Result<()> {
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
