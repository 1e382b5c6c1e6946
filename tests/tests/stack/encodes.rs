//! Runs the encodes that panels show: in a pod, in containers, and as scenarios.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tests::agent::binary;
use tests::cgroup::Cgroup;
use tests::command::{Owned, now, output, pause};
use tests::engine::Engine;
use tests::ffmpeg;
use tests::namespace::Namespace;

/// Folders in place of `/var/log/pods` and `/var/log/containers`.
pub(super) const POD_LOGS: &str = "pods";
pub(super) const CONTAINER_LOGS: &str = "containers";

/// A live encode of a pod: `number` is different for each.
pub(super) struct PodEncode {
    number: u8,
    pod: &'static str,
    size: &'static str,
    encoder: &'static str,
    preset: &'static str,
}

pub(super) const LIVE: PodEncode = pod(0x11, "live-0", "320x180", "libx264", "veryfast");

/// Encodes that begin and end while pictures are recorded, with the start and the end of each in thousandths of that time.
const VARIED: [(u64, u64, PodEncode); 14] = [
    (0, 420, pod(0x12, "sports-0", "640x360", "libx264", "faster")),
    (60, 250, pod(0x13, "news-0", "426x240", "libx264", "medium")),
    (120, 190, pod(0x14, "shorts-0", "640x360", "libx264", "superfast")),
    (170, 510, pod(0x15, "film-0", "320x180", "libx265", "ultrafast")),
    (210, 300, pod(0x16, "shorts-1", "426x240", "libx264", "fast")),
    (330, 390, pod(0x17, "shorts-2", "640x360", "libx264", "superfast")),
    (380, 640, pod(0x18, "news-1", "426x240", "libx264", "medium")),
    (460, 530, pod(0x19, "shorts-3", "426x240", "libx264", "fast")),
    (500, 870, pod(0x1a, "sports-1", "640x360", "libx264", "faster")),
    (590, 660, pod(0x1b, "shorts-4", "640x360", "libx264", "superfast")),
    (640, 960, pod(0x1c, "film-1", "320x180", "libx265", "superfast")),
    (700, 810, pod(0x1d, "news-2", "426x240", "libx264", "medium")),
    (780, 850, pod(0x1e, "shorts-5", "426x240", "libx264", "fast")),
    (880, 1000, pod(0x1f, "news-3", "426x240", "libx264", "medium")),
];

const fn pod(
    number: u8,
    pod: &'static str,
    size: &'static str,
    encoder: &'static str,
    preset: &'static str,
) -> PodEncode {
    PodEncode { number, pod, size, encoder, preset }
}

/// Varied load for this time.
pub(super) fn vary(namespace: &Namespace, folder: &Path, length: Duration) {
    let begin = now();
    // The process ends before its cgroup.
    let mut running: Vec<(u64, Owned, Cgroup)> = Vec::new();
    let mut due = VARIED.iter().peekable();
    loop {
        let thousandths = begin.elapsed().as_millis() as u64 * 1000 / length.as_millis() as u64;
        running.retain(|(end, ..)| *end > thousandths);
        while let Some((_, end, encode)) = due.next_if(|(start, ..)| *start <= thousandths) {
            let (pod, process) = encode_in_pod(namespace, folder, encode);
            running.push((*end, process, pod));
        }
        if thousandths >= 1000 {
            return;
        }
        pause(Duration::from_secs(1));
    }
}

/// A pod as the kubelet makes it: the cgroups, and the names of the log files. Its encode continues, and posts progress. The kubelet is
/// simulated.
pub(super) fn encode_in_pod(namespace: &Namespace, folder: &Path, encode: &PodEncode) -> (Cgroup, Owned) {
    let PodEncode { number, pod: name, size, encoder, preset } = encode;
    let uid = format!("0f1d4b1e-3c55-4a3e-9d0a-5b7c2f6a9e{number:02x}");
    let id = format!("{:02x}", number ^ 0x4f).repeat(32);
    let logs = folder.join(POD_LOGS).join(format!("transcode_{name}_{uid}")).join("encode");
    fs::create_dir_all(&logs).unwrap();
    let log = logs.join("0.log");
    fs::write(&log, "").unwrap();
    let links = folder.join(CONTAINER_LOGS);
    fs::create_dir_all(&links).unwrap();
    symlink(log, links.join(format!("{name}_transcode_encode-{id}.log"))).unwrap();
    let pod = Cgroup::make(&format!("kubepods/burstable/pod{uid}/{id}")).unwrap();
    let mut inner = pod.command("ffmpeg");
    let (post, source) =
        (format!("http://localhost:9510/progress/{name}"), format!("testsrc2=size={size}:rate=25"));
    inner.args(["-nostdin", "-v", "error", "-progress", &post]);
    inner.args(["-re", "-f", "lavfi", "-i", &source, "-c:v", encoder]);
    inner.args(["-preset", preset, "-f", "null", "-"]);
    let mut encode = namespace.command(inner.get_program().to_str().unwrap());
    encode.args(inner.get_args()).stdout(Stdio::null());
    (pod, Owned(encode.spawn().unwrap()))
}

/// One encode that continues, and one that ends and gets scores.
pub(super) fn encode_in_containers(engine: &Engine, folder: &Path) {
    let path = |name: &str| folder.join(name).display().to_string();
    let source = "testsrc2=size=320x180:rate=25:duration=4";
    ffmpeg::run(&["-f", "lavfi", "-i", source, "-c:v", "ffv1", &path("source.mkv")]).unwrap();
    let mount = format!("{0}:{0}", folder.display());
    let run = |name: &str, labels: &[&str], encode: &str| {
        let mut words = vec!["run", "--detach", "--network=none", "--name", name, "--volume", &mount];
        words.extend(labels.iter().flat_map(|label| ["--label", label]));
        words.extend(["encoder:1", "sh", "-c", encode]);
        engine.run(&words).unwrap();
    };
    let live = "exec ffmpeg -nostdin -v error -re -f lavfi -i testsrc2=size=320x180:rate=25 -c:v libx264 -preset veryfast -f null -";
    run("live", &[], live);
    let (reference, encode) = (path("source.mkv"), path("vod.mkv"));
    let labels = [format!("ffwatt.reference={reference}"), format!("ffwatt.output={encode}")];
    let vod = format!("ffmpeg -nostdin -v error -re -i {reference} -c:v libx264 -preset veryfast {encode}");
    run("vod", &labels.each_ref().map(String::as_str), &vod);
}

/// Small enough to keep up on a busy host; several numbers of streams, because a prediction needs them.
const SCENARIOS: &str = r#"[{"type":"baseline","duration":2},
    {"name":"x264","bitrate":"300k","resolution":"320x180","fps":15},
    {"name":"x265","bitrate":"300k","resolution":"320x180","fps":15,"encoder":"h265","preset":"ultrafast"},
    {"type":"multi","count":2,"bitrate":"150k","resolution":"160x90","fps":15},
    {"name":"ladder","bitrate":"300k","outputs":[{"resolution":"320x180","fps":15},{"resolution":"160x90","fps":15}]}]"#;

pub(super) fn encode_scenarios(folder: &Path, vmaf: &str) {
    let batch = folder.join("batch.json");
    fs::write(&batch, SCENARIOS).unwrap();
    let mut bench = Command::new(binary().unwrap());
    bench
        .args(["bench", "--no-agent", "--duration=3", "--cooldown=0", "--quality"])
        .arg(format!("--quality.ffmpeg={vmaf}"))
        .arg(format!("--output-dir={}", folder.join("results").display()))
        .args(["batch", "--file"])
        .arg(batch)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap());
    output(&mut bench).unwrap();
}
