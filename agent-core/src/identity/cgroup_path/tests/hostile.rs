//! Tests that malformed and misleading cgroup paths are harmless.

use expect_test::expect;

use super::*;

#[test]
fn shapes_are_normalised() {
    check("", &expect![[r#"Cgroup "/", root /"#]]);
    check("//", &expect![[r#"Cgroup "/", root …/"#]]);
    check("docker/{A}", &expect![[r#"Docker "{a}" by docker, container {A}, root /docker/{A}"#]]);
    check("//docker///{A}//", &expect![[r#"Docker "{a}" by docker, container {A}, root /docker/{A}"#]]);
    check("/./docker/./{A}/.", &expect![[r#"Docker "{a}" by docker, container {A}, root /docker/{A}"#]]);
    check(
        "/system.slice/docker-{A}.scope/../nginx.service",
        &expect![[r#"Systemd "nginx.service" by systemd, root /system.slice/nginx.service"#]],
    );
    // Outside of the cgroup namespace
    check(
        "/../../system.slice/nginx.service",
        &expect![[r#"Systemd "nginx.service" by systemd, root /system.slice/nginx.service"#]],
    );
    check("/..", &expect![[r#"Cgroup "/", root …/"#]]);
    check("docker-{A}.scope", &expect![[r#"Docker "{a}" by docker, container {A}, root /docker-{A}.scope"#]]);
}

#[test]
fn look_alikes_are_not_taken_in() {
    check(
        "/docker/{A}{B}",
        &expect![[r#"Cgroup "/docker/{A}{b}7724cb56a4f0c0df1113ad9474fbf5545bead97fd5c…""#]],
    );
    check(
        "/docker/{L}G",
        &expect![[r#"Cgroup "/docker/{a}d3147c25fdeab5b60097e378e8a720503a5e19ecfdf29f86986G""#]],
    );
    // Upper case
    check(
        "/docker/3726184226F5D3147C25FDEAB5B60097E378E8A720503A5E19ECFDF29F869860",
        &expect![[r#"Cgroup "/docker/3726184226F5D3147C25FDEAB5B60097E378E8A720503A5E19ECFDF29F869860""#]],
    );
    check("/docker-.scope", &expect![[r#"Systemd "docker-.scope" by systemd"#]]);
    check("/lxc.payload.", &expect![[r#"Cgroup "/lxc.payload.""#]]);
    check("/machine-.scope", &expect![[r#"Systemd "machine-.scope" by systemd"#]]);
    check("/kubepods/pod", &expect![[r#"Cgroup "/kubepods/pod""#]]);
    check("/slurm/uid_1000/job_", &expect![[r#"Cgroup "/slurm/uid_1000/job_""#]]);
    check(":", &expect![[r#"Cgroup "/:", root /:"#]]);
    check("/{}", &expect![[r#"Cgroup "/{}""#]]);
    check("/*kubepods*-pod*.slice", &expect![[r#"Systemd "*kubepods*-pod*.slice" by systemd"#]]);
}

#[test]
fn names_can_be_printed() {
    check("/ffrtmp/a\nb\t\u{7f}\u{85}", &expect![[r#"Cgroup "ffrtmp/a?b???" by ffrtmp"#]]);
    check(
        "/system.slice/a\"b'c`$(reboot).service",
        &expect![[r#"Systemd "a\"b'c`$(reboot).service" by systemd"#]],
    );
    check("/system.slice/a\\x0ab\\x2.service", &expect![[r#"Systemd "a?b\\x2.service" by systemd"#]]);
    check("/system.slice/a\\xff\\x.service", &expect![[r#"Systemd "a�\\x.service" by systemd"#]]);
    check("/lxc/\u{202e}вася", &expect![[r#"Cgroup "\u{202e}вася" by lxc"#]]);
}

#[test]
fn long_names_are_cut_between_characters() {
    let name = |length: usize| identify(&format!("/ffrtmp/{}", "ж".repeat(length))).name;
    assert_eq!(name(121), format!("ffrtmp/{}", "ж".repeat(121)));
    assert_eq!(name(122), format!("ffrtmp/{}…", "ж".repeat(120)));
    let longest = if cfg!(miri) { 200 } else { 100_000 };
    for segment in ["a", "docker", "x.slice:", "kubepods", "-pod", "\\x2d", "*"] {
        let long = segment.repeat(longest / segment.len());
        for path in
            [long.clone(), format!("/{long}.service"), format!("/lxc/{long}"), long.replace('a', "a/")]
        {
            let found = identify(&path);
            assert!(found.name.chars().count() <= 128);
            assert!(found.root.len() <= path.len() + 1);
        }
    }
}
