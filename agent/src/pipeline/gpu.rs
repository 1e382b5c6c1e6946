//! The use of the integrated GPU: its meter, and the claimants of its engine time.

use agent_core::attribution::engines::EngineDemand;
use agent_core::attribution::totals::Totals;
use agent_core::time::MonoTime;

use super::cpu::CpuAccounting;
use super::sources::HealthTracker;
use crate::clock::Clock;
use crate::source::gpu::{GpuMeter, SOURCE};

/// The meter, where the host has an integrated GPU.
#[derive(Debug)]
pub(super) struct GpuAccounting {
    meter: Option<GpuMeter>,
    last: MonoTime,
}

impl GpuAccounting {
    pub(super) fn new(meter: Option<GpuMeter>, now: MonoTime) -> Self {
        Self { meter, last: now }
    }

    /// Adds the engine time since the last tick to its users. `None` where it is not known.
    pub(super) fn charge_time(
        &mut self,
        cpu: &mut CpuAccounting,
        clock: &dyn Clock,
        totals: &mut Totals,
        health: &mut HealthTracker,
    ) -> Option<EngineDemand> {
        let meter = self.meter.as_mut()?;
        let encoders = cpu.identities().gpu_candidates(self.last);
        self.last = clock.now();
        match meter.read(&encoders, self.last, || cpu.device_files()) {
            Ok(times) => {
                health.works(SOURCE);
                let used = cpu.gpu_claimants(times, clock, totals);
                totals.add_engine_time(&used);
                let mut demand = EngineDemand::default();
                for (claimant, times) in &used {
                    demand.add(*claimant, times);
                }
                Some(demand)
            }
            Err(error) => {
                health.failed(SOURCE, &error);
                None
            }
        }
    }
}
