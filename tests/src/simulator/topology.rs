//! A `/sys` in which the CPUs are in any number of sockets, dies or cores; the rest of it is the real one.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::{Context, ensure};

use super::{Part, cpus_of};

/// Folders on the path to the CPUs, each with links to all but the next.
const WAY: [&str; 3] = ["devices", "system", "cpu"];

/// The two CPUs (hardware threads) of this host's first core; `None` where the core has one CPU, or more than two.
pub fn siblings() -> anyhow::Result<Option<[usize; 2]>> {
    let path = Path::new("/sys/devices/system/cpu/cpu0/topology/core_cpus_list");
    let list = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let cpu = |text: &str| -> anyhow::Result<usize> {
        text.parse().with_context(|| format!("{} has {list:?}, which is no list of CPUs", path.display()))
    };
    let [one, other] = list.trim().split([',', '-']).collect::<Vec<_>>()[..] else { return Ok(None) };
    let pair = [cpu(one)?, cpu(other)?];
    // A longer range has more than two.
    Ok(Some(pair).filter(|[one, other]| list.contains(',') || *other == one + 1))
}

/// Makes a `/sys` in which two CPUs of this host are one core; returns their numbers. The others are such pairs, too.
pub fn sysfs_of_one_core(sys: &Path) -> anyhow::Result<[usize; 2]> {
    link_with_parts(sys, Part::Thread, 2)?;
    Ok([0, super::cpus() / 2])
}

pub(super) fn link_with_parts(sys: &Path, part: Part, parts: usize) -> anyhow::Result<()> {
    let cpus = super::cpus();
    ensure!(
        cpus >= parts && cpus.is_multiple_of(parts),
        "{cpus} CPUs cannot be put into {parts} parts with as many each"
    );
    // Not `bus`: a performance counter for energy of the real host is no part of this one.
    for part in ["kernel", "fs", "module"] {
        symlink(Path::new("/sys").join(part), sys.join(part)).context("cannot link to /sys")?;
    }
    let (mut real, mut own) = (Path::new("/sys").to_path_buf(), sys.to_path_buf());
    for (step, name) in WAY.iter().enumerate() {
        (real, own) = (real.join(name), own.join(name));
        fs::create_dir(&own).context("cannot make a folder")?;
        let is_made = |entry: &str| {
            WAY.get(step + 1).map_or_else(|| cpu_number(entry).is_some(), |next| entry == *next)
        };
        link_all_but(&real, &own, is_made)?;
    }
    for cpu in 0..cpus {
        let name = format!("cpu{cpu}");
        let (real, own) = (real.join(&name), own.join(&name));
        fs::create_dir_all(own.join("topology")).context("cannot make a folder")?;
        link_all_but(&real, &own, |entry| entry == "topology")?;
        let number = cpu * parts / cpus;
        let (package, die) = match part {
            Part::Socket => (number, 0),
            Part::Die => (0, number),
            Part::Core | Part::Thread => (0, 0),
        };
        let mut files = vec![("physical_package_id", package.to_string()), ("die_id", die.to_string())];
        match part {
            Part::Socket | Part::Die => {}
            Part::Core => files.push(("core_cpus_list", cpus_of(number, parts))),
            Part::Thread => {
                let each = cpus / parts;
                files.push(("core_cpus_list", format!("{},{}", cpu % each, cpu % each + each)));
            }
        }
        let is_made = |entry: &str| files.iter().any(|(file, _)| *file == entry);
        link_all_but(&real.join("topology"), &own.join("topology"), is_made)?;
        for (file, text) in &files {
            fs::write(own.join("topology").join(file), format!("{text}\n"))?;
        }
    }
    Ok(())
}

fn cpu_number(entry: &str) -> Option<usize> {
    entry.strip_prefix("cpu")?.parse().ok()
}

fn link_all_but(real: &Path, own: &Path, is_made: impl Fn(&str) -> bool) -> anyhow::Result<()> {
    for entry in fs::read_dir(real).with_context(|| format!("cannot read {}", real.display()))? {
        let name = entry?.file_name();
        if !name.to_str().is_some_and(&is_made) {
            symlink(real.join(&name), own.join(&name)).context("cannot link to /sys")?;
        }
    }
    Ok(())
}
