//! Property tests over random host histories: sums are exact, totals never fall, only claimants that ran are charged, gaps have findings.

pub(super) mod books;
mod events;
mod life;

use agent_core::model::energy::EnergySourceKind;
use events::{Start, Step, start, step};
use life::Life;
use proptest::prelude::*;

use super::*;
use crate::config::EnergyChoice;

/// The counters of the host.
const ZONES: [Zone; 4] =
    [zone(Domain::Package, 0), zone(Domain::Dram, 0), zone(Domain::Package, 1), zone(Domain::Dram, 1)];

/// Counted cores, as socket and core.
const CORES: [(usize, u32); 4] = [(0, 0), (0, 1), (1, 0), (1, 1)];

fn live(choice: EnergyChoice, start: &Start, steps: &[Step]) {
    let mut life = Life::begin(choice, start);
    for step in steps {
        life.step(step);
    }
    life.end();
}

/// Sequences for each of the two tests, unless `PROPTEST_CASES` gives the number.
const SEQUENCES: u32 = 5000;

fn sequences() -> ProptestConfig {
    let usual = ProptestConfig::default();
    let is_set = std::env::var_os("PROPTEST_CASES").is_some();
    ProptestConfig { cases: if is_set { usual.cases } else { SEQUENCES }, ..usual }
}

proptest! {
    #![proptest_config(sequences())]

    #[test]
    fn books_balance_where_only_counters_count(
        start in start(),
        steps in proptest::collection::vec(step(), 1..20),
    ) {
        live(EnergyChoice::Only(EnergySourceKind::Powercap), &start, &steps);
    }

    #[test]
    fn books_balance_where_the_estimate_stands_in(
        start in start(),
        steps in proptest::collection::vec(step(), 1..20),
    ) {
        live(EnergyChoice::Auto, &start, &steps);
    }
}
