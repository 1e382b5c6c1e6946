//! Tests a scenario of a clip with a script in the place of ffmpeg.

use std::os::unix::fs::PermissionsExt;

use agent_core::model::scenario::Picture;

use super::clips::{Clip, ClipEncode};
use super::plan::Times;
use super::*;

/// A bench of a clip of ten seconds.
struct Scene {
    folder: TempDir,
    bar: ProgressBar,
    scenario: Scenario,
}

impl Scene {
    fn new(setting: &str, has_two_passes: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let picture = Picture { width: 64, height: 36, frame_rate: 1.0 };
        let clip = Clip {
            name: "a".to_owned(),
            input: path("a.mkv"),
            source: path("a.nut"),
            raw: path("a.nut"),
            picture,
        };
        let clip = Some(ClipEncode { clip: Arc::new(clip), setting: setting.to_owned(), has_two_passes });
        let duration = Duration::from_secs(10);
        let times =
            Times { baseline: duration, duration, stabilization: Duration::ZERO, cooldown: Duration::ZERO };
        let scenario = Scenario { picture, clip, ..Scenario::single("a", "", times) };
        let bar = ProgressBar::hidden();
        bar.set_length(milliseconds(scenario.played()));
        Self { folder, bar, scenario }
    }

    /// Runs the scenario with a script in the place of ffmpeg.
    fn run(&self, script: &str) -> Outcome {
        let program = self.folder.path().join("ffmpeg");
        fs::write(&program, format!("#!/bin/sh\ncd {}\n{script}\n", self.folder.path().display())).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        let matches = command().get_matches_from(["bench", "--ffmpeg", program.to_str().unwrap()]);
        let options = &options(&matches).unwrap();
        let target = Target::Folder(self.folder.path().to_owned());
        let encodes = &Encodes { scratch: Some(tempfile::tempdir().unwrap()), target };
        let roots = &HostRoots { cgroup: self.folder.path().to_owned(), ..HostRoots::default() };
        let (stop, bar) = (&AtomicBool::new(false), &self.bar);
        let conditions = Conditions { options, encodes, roots, stop, bar, joules: None };
        one(&self.scenario, &conditions).unwrap().unwrap()
    }

    /// The same, with [`ENCODE`] in the script: the encode goes on when the bar is here, which it must reach.
    fn run_past(&self, position: Duration, script: &str) -> Outcome {
        std::thread::scope(|scope| {
            let running = scope.spawn(|| self.run(script));
            let has_moved = self.reaches(position);
            fs::write(self.folder.path().join("go-on"), "").unwrap();
            assert!(has_moved, "the bar is at {} ms", self.bar.position());
            running.join().unwrap()
        })
    }

    /// Waits until the bar is here; returns whether it ever was.
    fn reaches(&self, position: Duration) -> bool {
        let begin = SystemClock.now();
        while self.bar.position() != milliseconds(position) {
            if SystemClock.now().since(begin) > Duration::from_mins(1) {
                return false;
            }
            std::thread::yield_now();
        }
        true
    }
}

/// Half of the clip, and the rest when a file says so.
const ENCODE: &str = r"
    printf 'frame=5\nout_time_us=5000000\nprogress=continue\n'
    while [ ! -e go-on ]; do sleep 0.02; done
    printf 'frame=10\nout_time_us=10000000\nprogress=end\n'";

#[test]
fn the_bar_moves_within_the_encode_of_a_clip() {
    let scene = Scene::new("crf22", false);
    let outcome = scene.run_past(Duration::from_secs(5), ENCODE);
    assert_eq!((outcome.problem, outcome.frames), (None, Some(10)));
    assert_eq!(scene.bar.position(), 10_000);
}

#[test]
fn a_second_pass_goes_on_where_the_first_ended_and_has_the_frames() {
    let scene = Scene::new("2M two-pass", true);
    let first = r#"for word; do [ "$before" = -passlogfile ] && echo statistics > "$word-0.log"; before=$word; done
        case " $* " in *" -pass 1 "*) printf 'frame=9\nout_time_us=10000000\nprogress=end\n'; exit;; esac"#;
    let outcome = scene.run_past(Duration::from_secs(15), &format!("{first}\n{ENCODE}"));
    assert_eq!((outcome.problem, outcome.frames), (None, Some(10)));
    assert_eq!(outcome.commands.len(), 2);
}

#[test]
fn a_first_pass_without_statistics_is_a_failure_and_there_is_no_second() {
    let scene = Scene::new("2M two-pass", true);
    let script = "echo >> runs; printf 'frame=9\\nout_time_us=10000000\\nprogress=end\\n'";
    let problem = scene.run(script).problem.unwrap();
    assert!(problem.contains("first pass: no statistics") && problem.contains("libx264"), "{problem}");
    assert_eq!(fs::read_to_string(scene.folder.path().join("runs")).unwrap(), "\n");
}
