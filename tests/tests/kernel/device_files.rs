//! Tests the list of open files of a device, by the kernel's iterator.

use std::cell::Cell;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tests::cgroup::Cgroup;
use tests::command::{Owned, eventually, output};
use tests::exposition::Exposition;
use tests::host::Host;

use super::agent;

/// A process that has a character device open, and shows the use of a GPU for it.
struct DeviceUser {
    running: Owned,
    cgroup: Cgroup,
    fdinfo: TempDir,
}

impl DeviceUser {
    fn start(name: &str, device: &str) -> Self {
        let cgroup = Cgroup::make(&format!("ffwatt-test/{name}")).unwrap();
        let mut sleep = cgroup.command("sh");
        let running =
            Owned(sleep.args(["-c", &format!("exec 7<>{device} && exec sleep 60")]).spawn().unwrap());
        let folder = PathBuf::from(format!("/proc/{}", running.0.id()));
        eventually("the device is open", Duration::from_secs(10), || {
            fs::read_to_string(folder.join("comm")).ok().filter(|name| name == "sleep\n")
        })
        .unwrap();
        let user = Self { running, cgroup, fdinfo: tempfile::tempdir().unwrap() };
        user.set(1);
        // The mount ends with the process.
        output(Command::new("mount").arg("--bind").arg(user.fdinfo.path()).arg(folder.join("fdinfo")))
            .unwrap();
        user
    }

    fn set(&self, seconds: u64) {
        let client = self.running.0.id();
        let text = format!(
            "drm-driver:\ti915\ndrm-client-id:\t{client}\ndrm-pdev:\t0000:00:02.0\ndrm-engine-video:\t{seconds}000000000 ns\n"
        );
        fs::write(self.fdinfo.path().join("7"), text).unwrap();
    }
}

fn engine_of(scrape: &Exposition, user: &DeviceUser) -> f64 {
    let labels = [("workload", user.cgroup.path.as_str()), ("engine", "video")];
    scrape.sum("ffwatt_workload_gpu_engine_seconds_total", &labels).unwrap_or(0.0)
}

/// No host of these tests has a GPU, so the device is one that all have, of the driver `misc`. Its number is read from sysfs, as the GPU's
/// is. No link in procfs leads to a GPU, so a search of procfs would find nothing.
#[test]
fn users_of_the_gpu_are_in_the_kernels_list_of_open_files() {
    let host = Host::client().unwrap();
    let (device, card) = (host.path("sys/gpu/0000:00:02.0"), host.path("sys/class/drm/renderD128"));
    for folder in [&device, &card, &host.path("sys/gpu/i915")] {
        fs::create_dir_all(folder).unwrap();
    }
    symlink(host.path("sys/gpu/i915"), device.join("driver")).unwrap();
    symlink(&device, card.join("device")).unwrap();
    fs::write(card.join("dev"), "10:0\n").unwrap();
    let user = DeviceUser::start("listed", "/dev/cpu_dma_latency");
    let of_another = DeviceUser::start("another", "/dev/null");
    let sysfs = format!("--path.sysfs={}", host.path("sys").display());
    let flags = [&sysfs, "--path.cgroupfs=/sys/fs/cgroup", "--energy.source=powercap", "--interval=200ms"];
    let agent = agent(&flags);
    let seconds = Cell::new(1);
    let scrape = agent.until("the engine time of the process is known", |scrape| {
        seconds.set(seconds.get() + 1);
        user.set(seconds.get());
        of_another.set(seconds.get());
        (engine_of(scrape, &user) > 0.0).then(|| scrape.clone())
    });
    assert_eq!(engine_of(&scrape.unwrap(), &of_another), 0.0, "another device");
}
