//! Offsets of the kernel's members that the eBPF programs read.

/// Offsets in bytes of kernel members that the programs read; [`UNKNOWN_OFFSET`] where BTF does not show them.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelOffsets {
    /// `task_struct.flags`
    pub task_flags: u32,
    /// `task_struct.exit_code`
    pub task_exit_code: u32,
    /// `task_struct.signal`
    pub task_signal: u32,
    /// `signal_struct.live`
    pub signal_live: u32,
    /// `cgroup.kn`
    pub cgroup_kn: u32,
    /// `kernfs_node.id`
    pub kernfs_id: u32,
    /// `cgroup.root`
    pub cgroup_root: u32,
    /// `cgroup_root.hierarchy_id`
    pub root_hierarchy: u32,
    /// `task_struct.pid`
    pub task_pid: u32,
    /// `task_struct.tgid`
    pub task_tgid: u32,
    /// `task_struct.cgroups`
    pub task_cgroups: u32,
    /// `css_set.dfl_cgrp`
    pub set_cgroup: u32,
    /// `task_struct.se.exec_start`
    pub task_exec_start: u32,
    /// `task_struct.comm`
    pub task_comm: u32,
    /// `css_set.subsys[…]` of the followed controller of cgroup v1; unknown where none is.
    pub set_legacy: u32,
    /// `cgroup_subsys_state.cgroup`
    pub css_cgroup: u32,
    /// `file.f_inode`
    pub file_inode: u32,
    /// `inode.i_mode`
    pub inode_mode: u32,
    /// `inode.i_rdev`
    pub inode_device: u32,
}

/// Marks an unknown member of [`KernelOffsets`].
pub const UNKNOWN_OFFSET: u32 = u32::MAX;

impl KernelOffsets {
    /// All members unknown: a kernel without BTF.
    pub const UNKNOWN: Self = Self {
        task_flags: UNKNOWN_OFFSET,
        task_exit_code: UNKNOWN_OFFSET,
        task_signal: UNKNOWN_OFFSET,
        signal_live: UNKNOWN_OFFSET,
        cgroup_kn: UNKNOWN_OFFSET,
        kernfs_id: UNKNOWN_OFFSET,
        cgroup_root: UNKNOWN_OFFSET,
        root_hierarchy: UNKNOWN_OFFSET,
        task_pid: UNKNOWN_OFFSET,
        task_tgid: UNKNOWN_OFFSET,
        task_cgroups: UNKNOWN_OFFSET,
        set_cgroup: UNKNOWN_OFFSET,
        task_exec_start: UNKNOWN_OFFSET,
        task_comm: UNKNOWN_OFFSET,
        set_legacy: UNKNOWN_OFFSET,
        css_cgroup: UNKNOWN_OFFSET,
        file_inode: UNKNOWN_OFFSET,
        inode_mode: UNKNOWN_OFFSET,
        inode_device: UNKNOWN_OFFSET,
    };

    /// Whether all members are known that reading switches by the kernel's types needs.
    pub fn can_read_switches(&self) -> bool {
        let needed = [
            self.task_flags,
            self.task_pid,
            self.task_tgid,
            self.task_cgroups,
            self.set_cgroup,
            self.cgroup_kn,
            self.kernfs_id,
            self.task_exec_start,
            self.task_comm,
        ];
        needed.iter().all(|offset| *offset != UNKNOWN_OFFSET)
    }

    /// Whether all members are known that reading a task's cgroup in cgroup v1 needs.
    pub fn can_read_legacy(&self) -> bool {
        let needed = [self.task_cgroups, self.set_legacy, self.css_cgroup, self.cgroup_kn, self.kernfs_id];
        needed.iter().all(|offset| *offset != UNKNOWN_OFFSET)
    }

    /// Whether all members are known that finding the open files of devices needs.
    pub fn can_read_files(&self) -> bool {
        let needed = [self.task_pid, self.task_tgid, self.file_inode, self.inode_mode, self.inode_device];
        needed.iter().all(|offset| *offset != UNKNOWN_OFFSET)
    }
}
