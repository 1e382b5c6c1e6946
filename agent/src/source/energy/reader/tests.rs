//! Tests that a counter that hangs does not block other counters.

use std::sync::mpsc::{Receiver, Sender};

use agent_core::model::energy::{Domain, Scope};

use super::*;

const HANGING: Zone = Zone { scope: Scope::Package(0), domain: Domain::Package };
const WORKING: Zone = Zone { scope: Scope::Package(0), domain: Domain::Dram };

/// A counter that answers when a test gives the answer.
struct BlockingCounter(Receiver<u64>);

impl RawCounter for BlockingCounter {
    fn read(&mut self) -> Count {
        Ok(self.0.recv().ok())
    }
}

fn patient() -> (Sender<u64>, Counters) {
    let (tell, told) = channel();
    (tell, Counters::Here(vec![Box::new(BlockingCounter(told))]))
}

fn value(counts: Result<Vec<Count>, SourceError>) -> Option<u64> {
    counts.unwrap().remove(0).unwrap()
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the reader has no event to wait for")]
fn a_counter_that_hangs_is_late_and_the_others_are_read() {
    let (mut reader, (told_late, mut hanging), (told, mut working)) =
        (Reader::default(), patient(), patient());
    for number in 1..4 {
        let error = reader.read(HANGING, &mut hanging).unwrap_err();
        assert_eq!(error.chain(), "cannot read the package-0 counter in time: timed out");
        told.send(number).unwrap();
        assert_eq!(value(reader.read(WORKING, &mut working)), Some(number));
    }
    // Its answer belongs to the time of its request, which is over.
    told_late.send(7).unwrap();
    told_late.send(8).unwrap();
    let counts = (0..10_000).find_map(|_| {
        thread::sleep(Duration::from_millis(1));
        reader.read(HANGING, &mut hanging).ok()
    });
    assert_eq!(counts.map(|counts| value(Ok(counts))), Some(Some(8)));
}

#[test]
fn a_counter_that_panics_costs_nobody_else() {
    struct Panics;
    impl RawCounter for Panics {
        fn read(&mut self) -> Count {
            panic!("as a test")
        }
    }
    let (mut reader, (told, mut working)) = (Reader::default(), patient());
    let mut panicking = Counters::Here(vec![Box::new(Panics)]);
    for _ in 0..2 {
        assert!(reader.read(HANGING, &mut panicking).is_err());
        told.send(1).unwrap();
        assert_eq!(value(reader.read(WORKING, &mut working)), Some(1));
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the kernel has no event to wait for")]
fn a_reader_at_rest_has_no_thread_and_reads_on_with_another() {
    struct ThreadNumber;
    impl RawCounter for ThreadNumber {
        fn read(&mut self) -> Count {
            // The number of the reading thread, by the kernel.
            Ok(Some(rustix::thread::gettid().as_raw_nonzero().get() as u64))
        }
    }
    let mut reader = Reader::default();
    let mut counters = Counters::Here(vec![Box::new(ThreadNumber)]);
    let first = value(reader.read(WORKING, &mut counters)).unwrap();
    assert_eq!(value(reader.read(WORKING, &mut counters)), Some(first));
    reader.stop_reader();
    // The kernel removes it from its list a moment after it has ended.
    let task = format!("/proc/self/task/{first}");
    let is_gone = || {
        thread::sleep(Duration::from_millis(1));
        !std::path::Path::new(&task).exists()
    };
    assert!((0..10_000).any(|_| is_gone()));
    assert_ne!(value(reader.read(WORKING, &mut counters)), Some(first));
}
