//! Decodes life-cycle events from the ring buffer.

use agent_common::{EventHeader, event_kind, stop_signal};
use agent_core::model::cpu::{CgroupId, ProcessId};
use agent_core::model::transcode::{ExitStatus, ProcessEnd, StopRequest};
use agent_core::time::MonoTime;

use crate::source::cpu::LifecycleEvent;

const HEADER: usize = size_of::<EventHeader>();

/// Longest path that the kernel does not cut in its tracepoints (`TRACE_CGROUP_PATH_LEN`, the terminating zero included).
const LONGEST_WHOLE_PATH: usize = 1024 - 2;

/// Decodes one event; `None` for invalid bytes. `sees_signals` tells whether the program that notes signals is attached.
pub(super) fn decode(bytes: &[u8], sees_signals: bool) -> Option<LifecycleEvent> {
    let header = header(bytes)?;
    let at = MonoTime(header.at);
    let legacy = (header.legacy != 0).then_some(CgroupId::legacy(header.legacy));
    let id = legacy.or((header.cgroup != 0).then_some(CgroupId(header.cgroup)));
    Some(match header.kind {
        event_kind::CGROUP_MADE => LifecycleEvent::CgroupMade { at, id, path: path(bytes) },
        event_kind::CGROUP_REMOVED => LifecycleEvent::CgroupRemoved { at, id },
        event_kind::EXEC => LifecycleEvent::Exec {
            at,
            process: ProcessId(header.tgid),
            local: (header.local_tgid != 0).then_some(ProcessId(header.local_tgid)),
            was_tracked: header.was_tracked == 1,
            cgroup: CgroupId(header.cgroup),
            legacy,
        },
        event_kind::EXIT => {
            let stop = if sees_signals { stop_request(header.stop_signal) } else { StopRequest::Unknown };
            let exit = (header.has_status == 1)
                .then(|| ProcessEnd { status: ExitStatus::from_wait_status(header.status), stop });
            LifecycleEvent::Exit { at, process: ProcessId(header.tgid), exit }
        }
        _ => return None,
    })
}

fn stop_request(signal: u16) -> StopRequest {
    match u8::try_from(signal) {
        Ok(stop_signal::NONE) => StopRequest::Never,
        Ok(signal) if stop_signal::is_one(signal.into()) => StopRequest::Signal(signal),
        _ => StopRequest::Unknown,
    }
}

fn header(bytes: &[u8]) -> Option<EventHeader> {
    let bytes = bytes.get(..HEADER)?;
    let long = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let half = |at: usize| Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    Some(EventHeader {
        at: long(0)?,
        cgroup: long(8)?,
        legacy: long(16)?,
        kind: word(24)?,
        tgid: word(28)?,
        status: word(32)?,
        has_status: half(36)?,
        stop_signal: half(38)?,
        local_tgid: word(40)?,
        was_tracked: word(44)?,
    })
}

/// A cgroup's name may have any bytes; bytes that are not UTF-8 are replaced. `None` when the path was cut.
fn path(bytes: &[u8]) -> Option<String> {
    let path = bytes.get(HEADER..)?;
    let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
    let is_whole = (1..=LONGEST_WHOLE_PATH).contains(&end);
    is_whole.then(|| String::from_utf8_lossy(&path[..end]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Option<LifecycleEvent> {
        super::decode(bytes, true)
    }

    fn event(kind: u32, tail: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(5_u64.to_ne_bytes());
        bytes.extend(77_u64.to_ne_bytes());
        bytes.extend(0_u64.to_ne_bytes());
        for word in [kind, 42, 0x100, 1, 7, 1] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(tail);
        bytes
    }

    #[test]
    fn every_kind() {
        let (at, id) = (MonoTime(5), Some(CgroupId(77)));
        let table = [
            (event_kind::CGROUP_MADE, LifecycleEvent::CgroupMade { at, id, path: Some("/a b".into()) }),
            (event_kind::CGROUP_REMOVED, LifecycleEvent::CgroupRemoved { at, id }),
            (
                event_kind::EXEC,
                LifecycleEvent::Exec {
                    at,
                    process: ProcessId(42),
                    local: Some(ProcessId(7)),
                    was_tracked: true,
                    cgroup: CgroupId(77),
                    legacy: None,
                },
            ),
            (
                event_kind::EXIT,
                LifecycleEvent::Exit {
                    at,
                    process: ProcessId(42),
                    exit: Some(ProcessEnd { status: ExitStatus::Code(1), stop: StopRequest::Never }),
                },
            ),
        ];
        for (kind, expected) in table {
            assert_eq!(decode(&event(kind, b"/a b\0rest")), Some(expected));
        }
    }

    #[test]
    fn the_signal_of_an_end_is_known_only_where_signals_are_seen() {
        let stop = |signal: u16, sees_signals| {
            let mut bytes = event(event_kind::EXIT, b"");
            bytes[38..40].copy_from_slice(&signal.to_ne_bytes());
            match super::decode(&bytes, sees_signals) {
                Some(LifecycleEvent::Exit { exit: Some(exit), .. }) => exit.stop,
                other => panic!("no end with a status: {other:?}"),
            }
        };
        assert_eq!(stop(15, true), StopRequest::Signal(15));
        assert_eq!(stop(0, true), StopRequest::Never);
        assert_eq!(stop(stop_signal::NOT_KNOWN.into(), true), StopRequest::Unknown);
        assert_eq!(stop(0, false), StopRequest::Unknown);
    }

    #[test]
    fn what_is_no_event_is_nothing() {
        assert_eq!(decode(b""), None);
        assert_eq!(decode(&event(99, b"")), None);
        assert_eq!(decode(&event(event_kind::EXEC, b"")[..47]), None);
    }

    #[test]
    fn a_cgroup_of_cgroup_v1_is_told_from_one_of_cgroup_v2_with_the_same_number() {
        let legacy = Some(CgroupId::legacy(9));
        let with_legacy = |kind, unified: u64| {
            let mut bytes = event(kind, b"/docker/a\0");
            bytes[8..16].copy_from_slice(&unified.to_ne_bytes());
            bytes[16..24].copy_from_slice(&9_u64.to_ne_bytes());
            decode(&bytes)
        };
        let removed = with_legacy(event_kind::CGROUP_REMOVED, 0);
        assert_eq!(removed, Some(LifecycleEvent::CgroupRemoved { at: MonoTime(5), id: legacy }));
        let Some(LifecycleEvent::Exec { cgroup, legacy: told, .. }) = with_legacy(event_kind::EXEC, 77)
        else {
            panic!("no exec event")
        };
        assert_eq!((cgroup, told), (CgroupId(77), legacy));
    }

    #[test]
    fn a_path_that_the_kernel_has_cut_is_none() {
        let of = |length: usize| match decode(&event(event_kind::CGROUP_MADE, &vec![b'x'; length])) {
            Some(LifecycleEvent::CgroupMade { path, .. }) => path.map(|path| path.len()),
            other => panic!("not a cgroup event: {other:?}"),
        };
        assert_eq!([of(0), of(1), of(1022), of(1023)], [None, Some(1), Some(1022), None]);
    }

    #[test]
    fn a_path_in_any_bytes() {
        let Some(LifecycleEvent::CgroupMade { path, .. }) =
            decode(&event(event_kind::CGROUP_MADE, b"/\xff\n\0"))
        else {
            panic!("not a cgroup event")
        };
        assert_eq!(path.as_deref(), Some("/\u{fffd}\n"));
    }
}
