//! Tells the kernel's own file systems from folders of files, by `statfs(2)`.

use std::path::Path;

use rustix::fs::{FsWord, PROC_SUPER_MAGIC, statfs};

/// A file system that the kernel generates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KernelFileSystem {
    /// procfs.
    Procfs,
    /// sysfs.
    Sysfs,
    /// Cgroup v1.
    CgroupV1,
}

impl KernelFileSystem {
    /// Whether the file system of this path is of this type; `false` if it cannot be determined.
    pub(crate) fn holds(self, path: &Path) -> bool {
        statfs(path).is_ok_and(|system| system.f_type == self.magic())
    }

    /// Number in `linux/magic.h`.
    fn magic(self) -> FsWord {
        match self {
            Self::Procfs => PROC_SUPER_MAGIC,
            Self::Sysfs => 0x6265_6572,
            Self::CgroupV1 => 0x0027_e0eb,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_running_kernels_file_systems_are_told_from_folders() {
        let folder = tempfile::tempdir().unwrap();
        for (system, path) in [(KernelFileSystem::Procfs, "/proc"), (KernelFileSystem::Sysfs, "/sys")] {
            assert!(system.holds(Path::new(path)), "{path}");
            assert!(!system.holds(folder.path()) && !system.holds(Path::new("/no/such/folder")));
        }
        assert!(!KernelFileSystem::Sysfs.holds(Path::new("/proc")));
    }
}
