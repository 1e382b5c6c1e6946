//! Tests the idle energy of a host that encodes with its integrated GPU, and whose true energy is known.

use agent_core::model::finding::FindingCode;

use super::properties::books::sums_close;
use super::*;
use crate::source::gpu::GpuMeter;
use crate::source::gpu::fixture::{ADDRESS, add_device, set_video};

const PACKAGE: Zone = zone(Domain::Package, 0);
const UNCORE: Zone = zone(Domain::Uncore, 0);

/// Cgroup and process of the encode.
const CONTAINER: u64 = 10;
const ENCODER: u32 = 1000;

/// Power without running tasks: of the package, and of the GPU in it.
const AT_REST: Watts = Watts(4.0);
const GPU_AT_REST: Watts = Watts(0.2);

/// Additional power of a busy engine of the GPU, and of a busy CPU.
const ENGINE: Watts = Watts(15.0);
const CPU: Watts = Watts(8.0);

/// A package of four CPUs with an integrated GPU. One container encodes with the GPU, and nothing else runs.
pub(crate) struct GpuScene {
    scene: Scene,
    roots: HostRoots,
    /// Busy time of the video engine.
    engine: Duration,
    /// True energy of each zone.
    truth: BTreeMap<Zone, ZoneCharges>,
}

impl GpuScene {
    pub(crate) fn new() -> Self {
        let hardware = ScriptedHardware::default();
        for zone in [PACKAGE, UNCORE] {
            hardware.add(zone, 7_000_000, RANGE);
        }
        let mut scene = Scene::new(&Config::default(), hardware);
        scene.cpu.script(|script| script.cpus = [4, 0]);
        let (roots, now) = (scene.pipeline.cpu.roots().clone(), scene.clock.now());
        add_device(&roots, ADDRESS, "i915");
        let meter = GpuMeter::open_with(&roots, now, || Ok(()));
        assert!(meter.is_some(), "the GPU is found");
        scene.pipeline.gpu = GpuAccounting::new(meter, now);
        scene.make_cgroup(CONTAINER, &container_path(CONTAINER));
        scene.write_command_line(
            u64::from(ENCODER),
            &["ffmpeg", "-i", "in.mp4", "-c:v", "h264_qsv", "out.mp4"],
        );
        scene.exec(ENCODER, CONTAINER);
        Self { scene, roots, engine: Duration::ZERO, truth: BTreeMap::new() }
    }

    /// A second in which the encode keeps the video engine and a CPU busy for these parts of it.
    pub(crate) fn second(&mut self, engine: f64, cpu: f64) -> SharedSnapshot {
        let (engine, cpu) = (SECOND.mul_f64(engine), SECOND.mul_f64(cpu));
        self.engine += engine;
        set_video(&self.roots, ENCODER, 3, 1, self.engine);
        self.scene.run(CONTAINER, Some(ENCODER), 0, cpu);
        let of_gpu = ENGINE.during(engine);
        self.draw(UNCORE, GPU_AT_REST.during(SECOND), of_gpu);
        self.draw(PACKAGE, AT_REST.during(SECOND), of_gpu + CPU.during(cpu));
        self.scene.tick(SECOND)
    }

    fn draw(&mut self, zone: Zone, idle: MicroJoules, dynamic: MicroJoules) {
        self.scene.hardware.draw(zone, idle + dynamic);
        let truth = self.truth.entry(zone).or_default();
        truth.idle += idle;
        truth.dynamic += dynamic;
    }
}

impl GpuScene {
    /// A second of an encode that nearly always uses the GPU, and hardly a CPU.
    fn encode(&mut self) -> SharedSnapshot {
        self.second(0.94 + 0.05 * self.scene.clock.now().since(MonoTime(0)).as_secs_f64().sin(), 0.06)
    }

    /// A second in which the encode waits for its input.
    fn rest(&mut self) -> SharedSnapshot {
        self.second(0.0, 0.0)
    }
}

/// Idle energy of a zone, and dynamic energy of the encode's container.
fn charged(snapshot: &Snapshot, zone: Zone) -> ZoneCharges {
    let index = snapshot.zones.iter().position(|of| of.zone == zone).unwrap();
    let of = |one: &WorkloadSnapshot| one.account.zones.get(index).copied().unwrap_or_default();
    let idle = snapshot.workloads.iter().map(|one| of(one).idle).sum();
    let dynamic = of(at_path(snapshot, &container_path(CONTAINER)).unwrap()).dynamic;
    ZoneCharges { idle, dynamic, ..ZoneCharges::default() }
}

/// Within 5 % of the truth.
#[track_caller]
fn assert_near(what: &str, charged: MicroJoules, truth: MicroJoules) {
    let (charged, truth) = (charged.joules(), truth.joules());
    assert!((charged - truth).abs() <= 0.05 * truth, "{what}: {charged} J instead of {truth} J");
}

/// The agent starts during an encode. The idle power is that of the rest of half a minute which follows, not that of the busy GPU on quiet
/// CPUs.
#[test]
fn an_hour_of_transcoding_has_the_idle_energy_of_the_host_at_rest() {
    const HOUR: u32 = 3600;
    let mut host = GpuScene::new();
    let seconds = (0..HOUR).map(|second| match second {
        120..150 => host.rest(),
        _ => host.encode(),
    });
    let last = seconds.last().unwrap();
    sums_close(&last);
    for zone in [PACKAGE, UNCORE] {
        let (charged, truth) = (charged(&last, zone), host.truth[&zone]);
        assert_near(&format!("idle {zone}"), charged.idle, truth.idle);
        assert_near(&format!("dynamic {zone}"), charged.dynamic, truth.dynamic);
    }
}

#[test]
fn a_gpu_that_never_rests_teaches_no_idle_power() {
    let mut host = GpuScene::new();
    let last = (0..300).map(|_| host.encode()).last().unwrap();
    sums_close(&last);
    for of in &last.zones {
        assert_eq!((of.idle_power, charged(&last, of.zone).idle), (None, MicroJoules::ZERO), "{}", of.zone);
    }
    assert!(last.findings.iter().any(|finding| finding.code == FindingCode::IdlePowerNotKnown));
}
