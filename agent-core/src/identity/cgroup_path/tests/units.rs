//! Tests that systemd units are identified, and that other cgroups are named by their paths.

use expect_test::expect;

use super::check;

#[test]
fn units() {
    // systemd-cgls on any server
    check("/system.slice/nginx.service", &expect![[r#"Systemd "nginx.service" by systemd"#]]);
    // Delegate=yes
    check(
        "/system.slice/nginx.service/worker/3",
        &expect![[r#"Systemd "nginx.service" by systemd, root …/nginx.service"#]],
    );
    // systemd 254
    check(
        "/system.slice/systemd-udevd.service/udev",
        &expect![[r#"Systemd "systemd-udevd.service" by systemd, root …/systemd-udevd.service"#]],
    );
    // An instance of a template
    check(
        "/system.slice/system-getty.slice/getty@tty1.service",
        &expect![[r#"Systemd "getty@tty1.service" by systemd"#]],
    );
    // In a slice with an escaped dash
    check(
        "/system.slice/system-openvpn\\x2dserver.slice/openvpn-server@office.service",
        &expect![[r#"Systemd "openvpn-server@office.service" by systemd"#]],
    );
    // An escaped letter that is no ASCII
    check("/system.slice/foo@caf\\xc3\\xa9.service", &expect![[r#"Systemd "foo@café.service" by systemd"#]]);
    // A socket unit
    check(
        "/system.slice/systemd-journald-dev-log.socket",
        &expect![[r#"Systemd "systemd-journald-dev-log.socket" by systemd"#]],
    );
    // A mount unit
    check("/system.slice/var-lib-docker.mount", &expect![[r#"Systemd "var-lib-docker.mount" by systemd"#]]);
    // A swap unit
    check(
        "/system.slice/dev-disk-by\\x2duuid-{U}.swap",
        &expect![[r#"Systemd "dev-disk-by-uuid-{U}.swap" by systemd"#]],
    );
    // systemd itself
    check("/init.scope", &expect![[r#"Systemd "init.scope" by systemd"#]]);
    // systemd-run --scope
    check(
        "/system.slice/run-r6e1ef1cb1b9e4bd4b5a4c8d1e2f3a4b5.scope",
        &expect![[r#"Systemd "run-r6e1ef1cb1b9e4bd4b5a4c8d1e2f3a4b5.scope" by systemd"#]],
    );
    // A login
    check(
        "/user.slice/user-1000.slice/session-3.scope",
        &expect![[r#"Systemd "session-3.scope" by systemd"#]],
    );
    // A user's service manager
    check(
        "/user.slice/user-1000.slice/user@1000.service",
        &expect![[r#"Systemd "user@1000.service" by systemd"#]],
    );
    // Where that itself runs
    check(
        "/user.slice/user-1000.slice/user@1000.service/init.scope",
        &expect![[r#"Systemd "init.scope" by systemd"#]],
    );
    // A service of a user
    check(
        "/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service",
        &expect![[r#"Systemd "foo.service" by systemd"#]],
    );
    // Below it
    check(
        "/user.slice/user-1000.slice/user@1000.service/app.slice/foo.service/gpu/0",
        &expect![[r#"Systemd "foo.service" by systemd, root …/foo.service"#]],
    );
    // Apptainer
    check(
        "/user.slice/user-1000.slice/user@1000.service/app.slice/apptainer-4242.scope",
        &expect![[r#"Systemd "apptainer-4242.scope" by systemd"#]],
    );
    // 63 digits are no container id
    check(
        "/system.slice/docker-{L}.scope",
        &expect![[
            r#"Systemd "docker-{a}d3147c25fdeab5b60097e378e8a720503a5e19ecfdf29f86986.scope" by systemd"#
        ]],
    );
}

#[test]
fn slices_own_what_runs_directly_in_them() {
    // A process directly in it
    check("/system.slice", &expect![[r#"Systemd "system.slice" by systemd"#]]);
    // The root slice, were it a cgroup
    check("/-.slice", &expect![[r#"Systemd "-.slice" by systemd"#]]);
    // A user's slice
    check("/user.slice/user-1000.slice", &expect![[r#"Systemd "user-1000.slice" by systemd"#]]);
    // A slice of a user's service manager
    check(
        "/user.slice/user-1000.slice/user@1000.service/app.slice",
        &expect![[r#"Systemd "app.slice" by systemd"#]],
    );
    // Made by hand
    check("/encoders.slice/job1", &expect![[r#"Cgroup "/encoders.slice/job1""#]]);
    // Below it
    check("/encoders.slice/job1/part", &expect![[r#"Cgroup "/encoders.slice/job1/part""#]]);
}

#[test]
fn plain_cgroups() {
    // The root
    check("/", &expect![[r#"Cgroup "/""#]]);
    // mkdir /sys/fs/cgroup/encoders
    check("/encoders", &expect![[r#"Cgroup "/encoders""#]]);
    // Below it
    check("/encoders/1080p", &expect![[r#"Cgroup "/encoders/1080p""#]]);
    // Only the name makes a unit
    check(
        "/encoders/ffmpeg.service/x",
        &expect![[r#"Systemd "ffmpeg.service" by systemd, root …/ffmpeg.service"#]],
    );
    // An id alone may be anything's (neuvector: Docker on Debian)
    check("/{A}", &expect![[r#"Cgroup "{a}", container {A}"#]]);
    // --cgroup-parent=/foo, cgroupfs driver
    check("/foo/{A}", &expect![[r#"Cgroup "{a}", container {A}"#]]);
    // buildkitd of its own
    check("/buildkit/{step}", &expect![[r#"Cgroup "/buildkit/{step}""#]]);
    // A type without a name
    check("/.service", &expect![[r#"Cgroup "/.service""#]]);
}
