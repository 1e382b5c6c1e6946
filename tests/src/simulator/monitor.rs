//! A hardware monitor in place of the driver `amd_energy`: the energy of a package and of each of its cores, in microjoules.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use anyhow::Context;

use super::{QUANTUM, begin_of};

/// The sensors: those of the cores, then that of the package.
#[derive(Debug)]
pub(super) struct Monitor(Vec<File>);

impl Monitor {
    /// Makes the monitor of a package with this many cores, in a tree in place of `/sys`. A core has the number of its first CPU.
    pub(super) fn make(sys: &Path, first_cpus: &[usize]) -> anyhow::Result<Self> {
        let folder = sys.join("class/hwmon/hwmon0");
        fs::create_dir_all(&folder).context("cannot make a folder")?;
        fs::write(folder.join("name"), "amd_energy\n")?;
        let cores = first_cpus.iter().map(|cpu| format!("Ecore{cpu:03}"));
        let sensor = |(number, label): (usize, String)| -> anyhow::Result<File> {
            fs::write(folder.join(format!("energy{number}_label")), format!("{label}\n"))?;
            let input = folder.join(format!("energy{number}_input"));
            let file = File::create(&input).with_context(|| format!("cannot make {}", input.display()))?;
            show(&file, begin_of(number));
            Ok(file)
        };
        (1..).zip(cores.chain(["Esocket0".to_owned()])).map(sensor).collect::<anyhow::Result<_>>().map(Self)
    }

    /// Shows the energy since the beginning: joules of each core, and of the package.
    pub(super) fn set(&self, cores: &[f64], package: f64) {
        for (number, (file, joules)) in (1..).zip(self.0.iter().zip(cores.iter().chain([&package]))) {
            show(file, begin_of(number) + (joules / QUANTUM).floor() * QUANTUM);
        }
    }
}

/// Of constant width: a reader during a write sees no shorter number.
fn show(file: &File, joules: f64) {
    // A sensor that cannot be written stands still, and the test fails for that.
    let _ = file.write_all_at(format!("{:015}\n", (joules * 1e6) as u64).as_bytes(), 0);
}
