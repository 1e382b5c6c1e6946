//! The use of the integrated GPU: its meter, and the claimants of its engine time.

use agent_core::attribution::demand::Claimant;
use agent_core::attribution::engines::EngineDemand;
use agent_core::attribution::totals::Totals;
use agent_core::gpu::engine::EngineTimes;
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
        match meter.read(&encoders, self.last) {
            Ok(times) => {
                health.works(SOURCE);
                let used: Vec<(Claimant, EngineTimes)> = times
                    .into_iter()
                    .map(|(process, times)| (cpu.gpu_claimant(process, clock, totals), times))
                    .collect();
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
