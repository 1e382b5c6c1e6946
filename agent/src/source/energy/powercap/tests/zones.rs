//! Tests which zones a powercap tree has.

use super::*;

#[track_caller]
fn check_zones(build: fn(&Path), expected: &Expect) {
    let meter = Host::new(build).open().unwrap();
    let zones = meter.zones().into_iter().map(|zone| zone.to_string());
    let notes = meter.notes().iter().map(|note| format!("# {note}"));
    let lines: Vec<String> = zones.chain(notes).collect();
    expected.assert_eq(&(lines.join("\n") + "\n"));
}

#[test]
fn zones_of_a_client() {
    check_zones(
        fixture::client,
        &expect![[r"
            package-0
            core-0
            uncore-0
            dram-0
            psys
        "]],
    );
}

#[test]
fn zones_of_two_sockets() {
    check_zones(
        fixture::two_socket,
        &expect![[r"
            package-0
            dram-0
            package-1
            dram-1
        "]],
    );
}

#[test]
fn zones_of_dies() {
    check_zones(
        fixture::multi_die,
        &expect![[r"
            package-0-die-0
            dram-0-die-0
            package-0-die-1
            dram-0-die-1
        "]],
    );
}

#[test]
fn the_same_package_by_mmio_is_left_out() {
    check_zones(
        |root| {
            let mmio = "../intel-rapl-mmio/intel-rapl-mmio:0";
            write_zone(root, mmio, "package-0", "900", CLIENT_RANGE);
            write_zone(root, &format!("{mmio}/intel-rapl-mmio:0:0"), "dram", "90", CLIENT_RANGE);
            write_zone(root, "../intel-rapl-mmio/intel-rapl-mmio:1", "psys", "90", CLIENT_RANGE);
            write_zone(root, "intel-rapl:0", "package-0", "900", CLIENT_RANGE);
            write_zone(root, "intel-rapl:1", "psys", "900", CLIENT_RANGE);
            link_zones(root);
        },
        &expect![[r"
            package-0
            dram-0
            psys
            # intel-rapl-mmio:0 repeats package-0, left out
            # intel-rapl-mmio:1 repeats psys, left out
        "]],
    );
}

#[test]
fn mmio_alone_is_used() {
    check_zones(
        |root| {
            write_zone(root, "../intel-rapl-mmio/intel-rapl-mmio:0", "package-0", "900", CLIENT_RANGE);
            link_zones(root);
        },
        &expect![[r"
            package-0
        "]],
    );
}

#[test]
fn on_amd_dies_are_one_package_and_a_core_is_not_all_cores() {
    check_zones(
        |root| {
            for die in ["0", "1"] {
                let folder = format!("intel-rapl:{die}");
                write_zone(root, &folder, &format!("package-0-die-{die}"), "7", SERVER_RANGE);
                write_zone(root, &format!("{folder}/{folder}:0"), "core", "1", SERVER_RANGE);
            }
            link_zones(root);
            write_tree(root, &[("proc/cpuinfo", &cpuinfo("AuthenticAMD", 25, 17, "fpu"))]);
        },
        &expect![[r"
            package-0
            # intel-rapl:0:0 counts one core of many on AMD, left out
            # intel-rapl:1 repeats package-0, left out
            # intel-rapl:1:0 counts one core of many on AMD, left out
        "]],
    );
}

#[test]
fn a_copied_tree_has_flat_folders_and_perhaps_nested_ones() {
    check_zones(
        |root| {
            for (folder, name) in [
                ("intel-rapl:a", "package-10"),
                ("intel-rapl:a:1", "dram"),
                ("intel-rapl:a:2", "uncore"),
                ("intel-rapl:a/intel-rapl:a:1", "dram"),
                ("intel-rapl:a/intel-rapl:a:3", "core"),
            ] {
                let folder = root.join("sys/class/powercap").join(folder);
                write_tree(&folder, &[("name", name), ("energy_uj", "1")]);
            }
        },
        &expect![[r"
            package-10
            core-10
            uncore-10
            dram-10
        "]],
    );
}

#[test]
fn a_tree_may_have_nested_folders_only() {
    check_zones(
        |root| {
            let class = root.join("sys/class/powercap/intel-rapl/intel-rapl:0");
            write_tree(&class, &[("name", "package-0"), ("energy_uj", "1")]);
            write_tree(&class.join("intel-rapl:0:0"), &[("name", "dram"), ("energy_uj", "1")]);
        },
        &expect![[r"
            package-0
            dram-0
        "]],
    );
}

#[test]
fn what_is_not_known_is_noted_and_the_rest_works() {
    check_zones(
        |root| {
            write_zone(root, "intel-rapl:0", "package-0", "1", CLIENT_RANGE);
            write_zone(root, "intel-rapl:0/intel-rapl:0:0", "flux", "1", CLIENT_RANGE);
            write_zone(root, "intel-rapl:1", "package-x", "1", CLIENT_RANGE);
            write_zone(root, "intel-rapl:2", "dram", "1", CLIENT_RANGE);
            write_tree(&root.join(RAPL).join("intel-rapl:3"), &[("energy_uj", "1")]);
            write_tree(&root.join(RAPL).join("../dtpm/dtpm:0"), &[("name", "soc"), ("energy_uj", "1")]);
            write_tree(
                &root.join(RAPL).join("../amd-rapl/amd-rapl:0"),
                &[("name", "package-7"), ("energy_uj", "1")],
            );
            link_zones(root);
        },
        &expect![[r"
            package-0
            # the name of intel-rapl:0:0 is not known, left out
            # the name of intel-rapl:1 is not known, left out
            # intel-rapl:2 is a part (dram), but is in no package, left out
            # intel-rapl:3 has no name, left out
        "]],
    );
}

#[test]
fn a_disabled_zone_counts_all_the_same() {
    let host = Host::new(fixture::client);
    write_tree(&host.zone("intel-rapl:0"), &[("enabled", "0")]);
    assert_eq!(host.open().unwrap().zones().len(), 5);
}
