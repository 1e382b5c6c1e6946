//! A host with any number of busy containers, on which the hot path is measured.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agent_core::attribution::cores::{CoreReadings, CoreWindow, Pricing, price};
use agent_core::attribution::demand::{Claimant, Demand};
use agent_core::attribution::siblings::SharedCoreWeight;
use agent_core::attribution::totals::{Totals, TotalsLimits};
use agent_core::attribution::weights::Weights;
use agent_core::attribution::{IdlePolicy, ZoneWindow, attribute};
use agent_core::model::account::Account;
use agent_core::model::cpu::{CoreId, CpuPlace, CpuSourceKind};
use agent_core::model::energy::{CoreCount, CoreReading, Domain, EnergySourceKind, Scope, Zone};
use agent_core::model::health::{DurationHistogram, MeterHealth, ProcessUse};
use agent_core::model::joined::Joined;
use agent_core::model::key::SplitKey;
use agent_core::model::prices::UnitPrices;
use agent_core::model::progress::PostCounts;
use agent_core::model::reservation::Reservations;
use agent_core::model::snapshot::{
    EndedSnapshot, HostSnapshot, Method, SeriesSnapshot, SharedSnapshot, Snapshot, WorkloadSnapshot,
    ZoneSnapshot,
};
use agent_core::model::workload::{Details, Identity, WorkloadId, WorkloadKind};
use agent_core::time::{Moment, MonoTime, WallTime};
use agent_core::units::{CpuTime, Grams, MicroJoules, Money, Watts};

/// One socket's package domain.
pub(crate) const ZONE: Zone = Zone { scope: Scope::Package(0), domain: Domain::Package };

/// Lower ids are those of pseudo-workloads.
pub(crate) const FIRST: u32 = 100;

/// Most cores that a container uses.
const SPREAD: u32 = 8;

/// One second's CPU time of this many containers.
pub(crate) fn demand(workloads: u32) -> Demand {
    let mut demand = Demand::default();
    let place = CpuPlace::on_die(0, 0);
    for number in 0..workloads {
        let claimant = Claimant::workload(WorkloadId(FIRST + number));
        demand.add(claimant, place, CpuTime(1_000_000 + u64::from(number) * 997));
    }
    demand
}

/// The same on this many cores: each container uses eight of them, or all of fewer.
pub(crate) fn demand_by_core(workloads: u32, cores: u32) -> Demand {
    let mut demand = Demand::default();
    for number in 0..workloads {
        let claimant = Claimant::workload(WorkloadId(FIRST + number));
        for used in 0..cores.min(SPREAD) {
            let core = (number * SPREAD + used) % cores;
            let place = CpuPlace { core: Some(CoreId(core)), ..CpuPlace::on_die(0, 0) };
            demand.add(claimant, place, CpuTime(100_000 + u64::from(number * cores + core) * 97));
        }
    }
    demand
}

/// Totals with accounts of this many containers.
pub(crate) fn totals(workloads: u32) -> Totals {
    let mut totals = Totals::new(
        TotalsLimits { keep_ended: Duration::from_mins(2), shown: 100_000, classes: 200 },
        Moment::default(),
    );
    for number in 0..workloads {
        totals.open_workload(WorkloadId(FIRST + number), None);
    }
    totals
}

/// The pure part of a tick: attribution, and the charges into the totals.
pub(crate) fn tick(totals: &mut Totals, demand: &Demand, number: u64) {
    tick_by(totals, demand, number, |demand| Weights::by_time(demand, ZONE.scope, SharedCoreWeight::EQUAL));
}

/// The same by the energy of this many cores.
pub(crate) fn tick_by_core(totals: &mut Totals, demand: &Demand, number: u64, cores: u32) {
    let readings = |number: u64| -> CoreReadings {
        let count =
            |core: u32| CoreCount { total: MicroJoules(number * u64::from(5_000_000 + core)), resets: 0 };
        (0..cores)
            .map(|core| CoreReading { scope: ZONE.scope, core: CoreId(core), count: Some(count(core)) })
            .collect()
    };
    let (begin, end) = (readings(number), readings(number + 1));
    let window = CoreWindow { scope: ZONE.scope, duration: Duration::from_secs(1), begin: &begin, end: &end };
    tick_by(totals, demand, number, |demand| {
        match price(demand, &window, Watts(0.05), SharedCoreWeight::MEASURED) {
            Pricing::Cores(prices) => Weights::by_core_energy(demand, ZONE.scope, &prices),
            Pricing::Time(reason) => panic!("{reason:?}"),
        }
    });
}

fn tick_by(totals: &mut Totals, demand: &Demand, number: u64, weights: impl Fn(&Demand) -> Weights) {
    let second = Duration::from_secs(1);
    let energy = MicroJoules(87_654_321);
    totals.begin_window(&demand.totals());
    let window = ZoneWindow { zone: ZONE, energy, duration: second };
    let charges =
        attribute(window, &weights(demand), Some(Watts(12.0)), IdlePolicy::Own, &Reservations::default());
    let bounded: Vec<_> = charges.into_iter().map(|charge| (charge, MicroJoules(61))).collect();
    totals.charge(ZONE, energy, &bounded);
    totals.end_window(MonoTime(number * 1_000_000_000));
}

/// The snapshot of a scrape of this many containers.
pub(crate) fn snapshot(workloads: u32) -> SharedSnapshot {
    let (mut totals, demand) = (totals(workloads), demand(workloads));
    tick(&mut totals, &demand, 1);
    let shown = |(id, account): (WorkloadId, Account)| WorkloadSnapshot {
        identity: identity(id),
        account,
        series: SeriesSnapshot::default(),
        running: true,
        life: (Some(WallTime(0.0)), None),
        memory: None,
    };
    let accounts = totals.workloads().map(|(id, entry)| (id, entry.account.clone()));
    Arc::new(Snapshot {
        tick: 1,
        at: MonoTime(1_000_000_000),
        wall: WallTime(1.0),
        window: Duration::from_secs(1),
        host: HostSnapshot::default(),
        method: Method {
            cpu_source: CpuSourceKind::Bpf,
            energy_source: Some(EnergySourceKind::Powercap),
            energy_model: None,
            idle_policy: "own",
            idle_is_shared: false,
        },
        zones: vec![ZoneSnapshot {
            zone: ZONE,
            by_source: Vec::new(),
            total: MicroJoules(87_654_321),
            power: Some(Watts(87.654_321)),
            idle_power: None,
            key: SplitKey::Time,
            residual: 0,
            wraps: 0,
            resets: 0,
            counts: true,
            is_followed: true,
        }],
        fallbacks: Vec::new(),
        workloads: accounts.map(shown).collect(),
        transcodes: Vec::new(),
        other_transcodes: Account::default(),
        classes: Vec::new(),
        namespaces: Vec::new(),
        beyond_limit: (0, 0),
        ended: EndedSnapshot::default(),
        created: WallTime(0.0),
        kept: BTreeMap::new(),
        joined: Arc::new(Joined::default()),
        prices: UnitPrices {
            kilowatt_hour: Money(0.12),
            core_hour: Money(0.5),
            currency: "USD".into(),
            carbon: Grams(400.0),
        },
        engine: None,
        posts: PostCounts::default(),
        sources: BTreeMap::new(),
        findings: Vec::new(),
        meter: MeterHealth::default(),
        process: ProcessUse::default(),
        ticks: DurationHistogram::new(&[0.001, 0.01, 0.1]),
        missed_ticks: 0,
    })
}

fn identity(id: WorkloadId) -> Identity {
    if let Some(pseudo) = id.pseudo() {
        return Identity::pseudo(pseudo);
    }
    let details = Details {
        image: Some("registry.example/transcoder:7.1".to_owned()),
        cgroup: Some(format!("/system.slice/docker-{:064x}.scope", id.0).into()),
        runtime: "docker",
        ..Details::default()
    };
    Identity {
        name: format!("channel-{}", id.0).into(),
        id: format!("{:012x}", id.0).into(),
        kind: WorkloadKind::Docker,
        details: Arc::new(details),
    }
}
