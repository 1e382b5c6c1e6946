//! Tests the reasons why no register can be read.

use super::*;

#[test]
fn why_not_without_the_device() {
    let host = Host::new(&intel(0x9E), &[(0, 0)]);
    expect![[r"
        /dev/cpu has no msr device
        modprobe msr
    "]]
    .assert_eq(&host.why_not());
}

#[test]
fn why_not_on_a_virtual_machine() {
    let host = Host::new(&cpuinfo("AuthenticAMD", 25, 17, "fpu hypervisor"), &[(0, 0)]);
    expect![[r"
        /dev/cpu has no msr device (a virtual machine without passed-through RAPL)

    "]]
    .assert_eq(&host.why_not());
    host.set(0, &[(0x10, 1)]);
    expect![[r"
        this processor has no energy unit register (0xc0010299) (a virtual machine without passed-through RAPL)

    "]]
    .assert_eq(&host.why_not());
    // KVM answers zero for energy registers.
    host.set(0, &[(0xC001_0299, 0), (0xC001_029B, 0)]).siblings(&[(0, "0")]);
    expect![[r"
        none of this processor's energy registers counts (a virtual machine without passed-through RAPL)

    "]]
    .assert_eq(&host.why_not());
}

#[test]
fn why_not_without_permission() {
    let host = Host::new(&intel(0x9E), &[(0, 0)]);
    host.set(0, &[(0x606, UNIT_14), (0x611, 5)]);
    forbid(&host.roots.dev.join("cpu/0/msr"));
    let text = without_capabilities(ANY_FILE, || host.why_not());
    expect![[r"
        no permission to read the msr devices in /dev/cpu: Permission denied (os error 13)
        run the agent as root with CAP_SYS_RAWIO, or use powercap, which needs fewer rights
    "]]
    .assert_eq(&text);
}

#[test]
fn why_not_on_other_processors() {
    let host = Host::new("CPU implementer\t: 0x41\n", &[(0, 0)]);
    expect![[r"
        the vendor of this processor has no known energy registers

    "]]
    .assert_eq(&host.why_not());
}
