//! Lists the open files of all processes that are character devices of one major number: the devices of the GPU.
//!
//! A program of the kernel's iterator over files, Linux 5.8 (<https://docs.kernel.org/bpf/bpf_iterators.html>).

use core::ffi::c_void;

use agent_common::OpenFile;
use aya_ebpf::bindings::seq_file;
use aya_ebpf::helpers::generated::bpf_seq_write;

use crate::lifecycle::read;
use crate::maps::{device_major, offsets};

/// `S_IFMT` and `S_IFCHR` of `include/uapi/linux/stat.h`.
const FILE_TYPE: u16 = 0o170_000;
const CHARACTER_DEVICE: u16 = 0o020_000;

/// `MINORBITS` of `include/linux/kdev_t.h`.
const MINOR_BITS: u32 = 20;

/// `struct bpf_iter__task_file` (`kernel/bpf/task_iter.c`); its pointers have eight bytes each.
#[repr(C)]
pub(crate) struct TaskFile {
    meta: *const Meta,
    task: *const u8,
    descriptor: u32,
    _padding: u32,
    file: *const u8,
}

/// The beginning of `struct bpf_iter_meta` (`include/linux/bpf.h`).
#[repr(C)]
struct Meta {
    output: *mut seq_file,
}

/// Writes the file, if it is such a device, as an [`OpenFile`]. The threads of a process have the same files: its first one stands for all.
///
/// # Safety
///
/// `context` is from the kernel's iterator.
#[inline(always)]
pub(crate) unsafe fn list_file(context: *const TaskFile) {
    // SAFETY: the verifier knows the shape of the context.
    let (task, file) = unsafe { ((*context).task, (*context).file) };
    if task.is_null() || file.is_null() {
        return;
    }
    let offsets = offsets();
    let Some(tgid) = read::<u32>(task, offsets.task_tgid) else { return };
    if read::<u32>(task, offsets.task_pid) != Some(tgid) || !is_device(file) {
        return;
    }
    // SAFETY: as above.
    let (descriptor, output) = unsafe { ((*context).descriptor, (*(*context).meta).output) };
    let found = OpenFile { tgid, descriptor };
    let size = size_of::<OpenFile>() as u32;
    // SAFETY: `found` has this size. Where the output is full, the kernel calls the program for this file again.
    unsafe { bpf_seq_write(output, (&raw const found).cast::<c_void>(), size) };
}

#[inline(always)]
fn is_device(file: *const u8) -> bool {
    let offsets = offsets();
    let Some(inode) = read::<u64>(file, offsets.file_inode) else { return false };
    let inode = inode as *const u8;
    let is_character =
        read::<u16>(inode, offsets.inode_mode).is_some_and(|mode| mode & FILE_TYPE == CHARACTER_DEVICE);
    is_character
        && read::<u32>(inode, offsets.inode_device)
            .is_some_and(|device| device >> MINOR_BITS == device_major())
}
