//! Simulates a host that encodes with its integrated GPU, and has a known true energy.

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
