//! Keeps buckets of energy in memory: ticks are added to a bucket, until it is over and written.

use std::collections::{BTreeMap, HashMap, HashSet};

use agent_core::join::history::{Charge, Tick};
use agent_core::join::subject::Subject;
use agent_core::model::joined::EnergyBasis;
use agent_core::model::workload::Pseudo;
use agent_core::units::{CpuTime, MicroJoules};

use crate::ledger::BUCKET_SECONDS;
use crate::ledger::past::Past;
use crate::ledger::schema::start_of;

/// Most rows that wait while the disk cannot be written: about five megabytes, and hours of a host with a dozen workloads.
const MOST_ROWS: usize = 50_000;

/// Buckets that are not completely written.
#[derive(Debug, Default)]
pub struct Buckets {
    pub(super) open: BTreeMap<i64, Bucket>,
    /// Start of the bucket that is being filled.
    current: i64,
    lost: u64,
}

/// One bucket in memory.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) began: f64,
    pub(super) ended: f64,
    pub(super) charges: HashMap<Subject, Charge>,
    pub(super) is_measured: bool,
    /// Whether it includes what was written of it before: by an earlier run of the agent, or before the clock was set back.
    pub(super) is_whole: bool,
    /// Subjects with a row that the database refuses, so that each is counted once.
    pub(super) refused: HashSet<Subject>,
}

impl Bucket {
    pub(super) fn add(&mut self, past: Past) {
        for tick in past.ticks {
            self.began = self.began.min(tick.from.0);
            self.ended = self.ended.max(tick.to.0);
            for (subject, charge) in tick.charges {
                self.charge(subject, charge);
            }
        }
        self.is_measured &= past.basis != Some(EnergyBasis::Modelled);
        self.is_whole = true;
    }

    /// Adds a charge. Memory is bounded: once a bucket has as many subjects as all buckets may have rows, further workloads share one
    /// account, as in metrics, and further transcodes are in their workloads only.
    fn charge(&mut self, subject: Subject, charge: Charge) {
        let is_known = self.charges.len() < MOST_ROWS || self.charges.contains_key(&subject);
        let subject = match subject {
            Subject::Workload { .. } if !is_known => {
                Subject::Workload { name: Pseudo::Other.name().into(), id: "".into() }
            }
            Subject::Transcode(_) if !is_known => return,
            subject => subject,
        };
        *self.charges.entry(subject).or_default() += charge;
    }
}

impl Buckets {
    /// Adds a tick. A tick that reaches into the next bucket is split by time; no microjoule is lost.
    pub fn add(&mut self, tick: &Tick, basis: EnergyBasis) {
        let first = start_of(tick.from);
        let last = start_of(tick.to);
        let mut left: HashMap<&Subject, Charge> =
            tick.charges.iter().map(|(subject, charge)| (subject, *charge)).collect();
        let mut start = first;
        while start <= last {
            let from = tick.from.0.max(start as f64);
            let to = tick.to.0.min((start + BUCKET_SECONDS) as f64);
            if to > from {
                let bucket = self.open.entry(start).or_insert_with(|| Bucket {
                    began: from,
                    ended: to,
                    charges: HashMap::new(),
                    is_measured: basis == EnergyBasis::Measured,
                    is_whole: false,
                    refused: HashSet::new(),
                });
                bucket.ended = bucket.ended.max(to);
                let part = if to >= tick.to.0 { None } else { Some((to - from) / (tick.to.0 - tick.from.0)) };
                for (subject, charge) in &tick.charges {
                    let Some(left) = left.get_mut(subject) else { continue };
                    // The last bucket takes the rest.
                    let share = part.map_or(*left, |part| part_of(*charge, part));
                    *left = Charge {
                        energy: left.energy.saturating_sub(share.energy),
                        cpu: left.cpu.saturating_sub(share.cpu),
                    };
                    bucket.charge(subject.clone(), share);
                }
            }
            self.current = start;
            self.drop_surplus();
            // An agent that was stopped has a tick of hours: each of its buckets is made once.
            start += BUCKET_SECONDS;
        }
    }

    /// Number of complete buckets that are not written yet.
    pub fn waiting(&self) -> u64 {
        self.open.keys().filter(|start| **start != self.current).count() as u64
    }

    /// Number of buckets that were dropped, because nothing could be written for too long.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Drops complete buckets that are written.
    pub(super) fn forget_written(&mut self) {
        self.open.retain(|bucket, _| *bucket == self.current);
    }

    /// Drops the oldest buckets, so that memory is bounded, whatever the disk does.
    fn drop_surplus(&mut self) {
        let mut rows: usize = self.open.values().map(|bucket| bucket.charges.len()).sum();
        while rows > MOST_ROWS && self.open.len() > 1 {
            let Some((_, dropped)) = self.open.pop_first() else { break };
            rows -= dropped.charges.len();
            self.lost += 1;
        }
    }
}

fn part_of(charge: Charge, part: f64) -> Charge {
    Charge {
        energy: MicroJoules((charge.energy.0 as f64 * part).floor() as u64),
        cpu: CpuTime((charge.cpu.0 as f64 * part).floor() as u64),
    }
}
