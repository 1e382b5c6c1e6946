//! Lists the CPUs that are on line, and the cores that they share.

use std::fs;
use std::path::Path;

use super::super::cpu_list;

/// The CPUs that are on line: the place of others is unknown. CPU 0 often has no `online` file, because it is always on line.
pub(super) fn online(sys: &Path, cpus: Vec<usize>) -> Vec<usize> {
    let is_online = |cpu: &usize| {
        let state = fs::read_to_string(sys.join(format!("devices/system/cpu/cpu{cpu}/online")));
        state.map_or(true, |state| state.trim() != "0")
    };
    cpus.into_iter().filter(is_online).collect()
}

/// The hardware threads of each core among these CPUs; `None` when some CPU's core is unknown. If each thread counted as
/// a core, the core would count twice.
pub(super) fn of(sys: &Path, cpus: &[usize]) -> Option<Vec<Vec<usize>>> {
    let mut cores: Vec<(Core, Vec<usize>)> = Vec::new();
    for cpu in cpus {
        let core = Core::of(sys, *cpu)?;
        match cores.iter_mut().find(|(known, _)| *known == core) {
            Some((_, threads)) => threads.push(*cpu),
            None => cores.push((core, vec![*cpu])),
        }
    }
    Some(cores.into_iter().map(|(_, threads)| threads).collect())
}

/// Identifies a core within its package.
#[derive(PartialEq, Eq)]
enum Core {
    /// Its lowest CPU.
    First(usize),
    /// Its number, and its die's: numbers may begin again in every die.
    Number(u32, Option<u32>),
}

impl Core {
    /// `core_cpus_list` is the newer name of `thread_siblings_list` (`Documentation/admin-guide/cputopology.rst`).
    fn of(sys: &Path, cpu: usize) -> Option<Self> {
        let folder = sys.join(format!("devices/system/cpu/cpu{cpu}/topology"));
        let read = |file: &str| fs::read_to_string(folder.join(file)).ok();
        let siblings = read("core_cpus_list").or_else(|| read("thread_siblings_list"));
        if let Some(first) = siblings.and_then(|list| cpu_list::parse(&list)?.into_iter().min()) {
            return Some(Self::First(first));
        }
        let number = |file: &str| read(file)?.trim().parse().ok();
        Some(Self::Number(number("core_id")?, number("die_id")))
    }
}
