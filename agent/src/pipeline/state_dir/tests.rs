//! Tests that only idle power learned on the same host by the same version survives a restart.

use super::*;

pub(super) const PACKAGE: Zone = Zone { scope: Scope::Package(0), domain: Domain::Package };
const DIE: Zone = Zone { scope: Scope::Die { package: 1, die: 2 }, domain: Domain::Core };
pub(super) const PLATFORM: Zone = Zone { scope: Scope::Platform, domain: Domain::Psys };
pub(super) const ZONES: [Zone; 3] = [PACKAGE, DIE, PLATFORM];

pub(super) fn host(model: &str, microcode: &str, kernel: &str) -> (tempfile::TempDir, HostRoots) {
    let proc = tempfile::tempdir().unwrap();
    let info = format!("processor\t: 0\nmodel name\t: {model}\nmicrocode\t: {microcode}\n");
    fs::write(proc.path().join("cpuinfo"), info).unwrap();
    fs::create_dir_all(proc.path().join("sys/kernel")).unwrap();
    fs::write(proc.path().join("sys/kernel/osrelease"), kernel).unwrap();
    let roots = HostRoots { proc: proc.path().to_path_buf(), ..HostRoots::default() };
    (proc, roots)
}

pub(super) fn lows(watts: f64) -> DailyLows {
    DailyLows {
        past: vec![Watts(watts + 1.0), Watts(watts)],
        today: Some(Watts(watts + 2.0)),
        observed: Duration::from_secs(4711),
        stretches: 17,
    }
}

fn learned() -> BTreeMap<Zone, DailyLows> {
    [(PACKAGE, lows(12.5)), (DIE, lows(3.0)), (PLATFORM, DailyLows { today: None, ..lows(30.0) })].into()
}

#[test]
fn what_was_learned_comes_back_on_the_same_machine_only() {
    let folder = tempfile::tempdir().unwrap();
    let candidates = [folder.path().join("deep")];
    let (_proc, roots) = host("A", "0x1", "6.1");
    StateDir::open(&candidates, &roots, &ZONES).save_idle(&learned());
    assert_eq!(StateDir::open(&candidates, &roots, &ZONES).load_idle(), learned());
    assert!(StateDir::open(&candidates, &roots, &ZONES[..2]).load_idle().is_empty(), "other counters");
    for (model, microcode, kernel) in [("B", "0x1", "6.1"), ("A", "0x2", "6.1"), ("A", "0x1", "6.2")] {
        let (_proc, other) = host(model, microcode, kernel);
        assert!(
            StateDir::open(&candidates, &other, &ZONES).load_idle().is_empty(),
            "{model} {microcode} {kernel}"
        );
    }
}

#[test]
fn a_damaged_file_or_one_of_another_version_is_learned_anew() {
    let folder = tempfile::tempdir().unwrap();
    let (_proc, roots) = host("A", "0x1", "6.1");
    let state = StateDir::open(&[folder.path().to_path_buf()], &roots, &ZONES);
    let old = r#"{"cpu_model":"A","zones":[{"domain":"package","package":0,"watts":1.0}]}"#;
    for text in ["", "{", "[]", old, r#"{"version":3}"#, r#"{"version":4,"machine":{},"learned":[]}"#] {
        fs::write(folder.path().join(IDLE_FILE), text).unwrap();
        assert!(state.load_idle().is_empty(), "{text}");
    }
}

#[test]
fn values_that_are_no_power_are_left_out() {
    let zone = IdleZone {
        zone: ZoneName { domain: "package".to_owned(), package: Some(0), die: None },
        days_watts: vec![1.0, 2.0, 3.0, 4.0, -1.0, 0.0, 7.0, 8.0, 9.0],
        today_watts: Some(f64::NAN),
        observed_seconds: 0,
        stretches: 0,
    };
    let (_, lows) = parse_zone(&zone).unwrap();
    assert_eq!(lows.past, [3.0, 4.0, 7.0, 8.0, 9.0].map(Watts));
    assert_eq!(lows.today, None);
    let unknown = ZoneName { domain: "x".to_owned(), ..ZoneName::of(PACKAGE) };
    assert!(parse_zone(&IdleZone { zone: unknown, ..zone }).is_none());
}

#[test]
fn without_a_folder_nothing_is_kept_and_nothing_breaks() {
    let (_proc, roots) = host("A", "0x1", "6.1");
    let state = StateDir::open(&[PathBuf::from("/proc/no/such/place")], &roots, &ZONES);
    state.save_idle(&learned());
    assert!(state.load_idle().is_empty());
}
