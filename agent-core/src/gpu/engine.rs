//! Classes of GPU engines, and busy time by class.

use std::ops::AddAssign;

/// The work of an engine. The names of engines differ by driver (i915, xe, amdgpu, msm and others).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum EngineClass {
    /// Encodes and decodes video.
    Video,
    /// Scales and enhances video.
    VideoEnhance,
    /// Draws.
    Render,
    /// Computes.
    Compute,
    /// Copies.
    Copy,
    /// Any other.
    Other,
}

impl EngineClass {
    /// All classes.
    pub const ALL: [Self; 6] =
        [Self::Video, Self::VideoEnhance, Self::Render, Self::Compute, Self::Copy, Self::Other];

    /// As the `engine` label.
    pub fn name(self) -> &'static str {
        match self {
            Self::Video => "video",
            Self::VideoEnhance => "video-enhance",
            Self::Render => "render",
            Self::Compute => "compute",
            Self::Copy => "copy",
            Self::Other => "other",
        }
    }

    /// The class of an engine with this name: those of i915 (`drivers/gpu/drm/i915/i915_drm_client.c`), xe (`xe_drm_client.c`) and amdgpu
    /// (`amdgpu_fdinfo.c`).
    pub fn of(name: &str) -> Self {
        match name {
            "video" | "vcs" | "enc" | "dec" | "enc_1" | "vcn" | "jpeg" => Self::Video,
            "video-enhance" | "vecs" => Self::VideoEnhance,
            "render" | "rcs" | "gfx" => Self::Render,
            "compute" | "ccs" => Self::Compute,
            "copy" | "bcs" | "dma" => Self::Copy,
            _ => Self::Other,
        }
    }
}

/// Busy time of engines, by class, in nanoseconds summed over engines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EngineTimes([u64; EngineClass::ALL.len()]);

impl EngineTimes {
    /// Busy nanoseconds of one class.
    pub fn of(&self, class: EngineClass) -> u64 {
        self.0[class as usize]
    }

    /// Busy seconds of each class that was used.
    pub fn seconds(&self) -> impl Iterator<Item = (EngineClass, f64)> {
        let of = |class| (class, self.of(class));
        EngineClass::ALL
            .map(of)
            .into_iter()
            .filter(|(_, time)| *time > 0)
            .map(|(class, time)| (class, time as f64 / 1e9))
    }

    /// Adds busy nanoseconds of one class.
    pub fn add(&mut self, class: EngineClass, nanoseconds: u64) {
        let time = &mut self.0[class as usize];
        *time = time.saturating_add(nanoseconds);
    }

    /// The weight of this use in the energy of the GPU. A nanosecond counts the same in each class: no source says how their power differs.
    pub fn weight(&self) -> u64 {
        self.0.iter().fold(0, |sum, time| sum.saturating_add(*time))
    }

    /// Whether no engine was used.
    pub fn is_zero(&self) -> bool {
        *self == Self::default()
    }

    /// The difference to `earlier`.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut since = *self;
        for (time, before) in since.0.iter_mut().zip(earlier.0) {
            *time = time.saturating_sub(before);
        }
        since
    }
}

impl AddAssign for EngineTimes {
    fn add_assign(&mut self, other: Self) {
        for class in EngineClass::ALL {
            self.add(class, other.of(class));
        }
    }
}
