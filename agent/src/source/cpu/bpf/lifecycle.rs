//! What does an event from the ring buffer say?

use agent_common::{EventHeader, event_kind};

use crate::clock::MonoTime;
use crate::model::cpu::{CgroupId, ProcessId};
use crate::model::transcode::ExitStatus;
use crate::source::cpu::LifecycleEvent;

const HEADER: usize = size_of::<EventHeader>();

/// Decodes one event; `None` for bytes that are none.
pub(super) fn decode(bytes: &[u8]) -> Option<LifecycleEvent> {
    let header = header(bytes)?;
    let at = MonoTime(header.at);
    let id = (header.cgroup != 0).then_some(CgroupId(header.cgroup));
    Some(match header.kind {
        event_kind::CGROUP_MADE => LifecycleEvent::CgroupMade { id, path: path(bytes)? },
        event_kind::CGROUP_REMOVED => LifecycleEvent::CgroupRemoved { id, path: path(bytes)? },
        event_kind::EXEC => {
            LifecycleEvent::Exec { at, process: ProcessId(header.tgid), cgroup: CgroupId(header.cgroup) }
        }
        event_kind::EXIT => {
            let status = (header.has_status == 1).then(|| ExitStatus::from_wait_status(header.status));
            LifecycleEvent::Exit { at, process: ProcessId(header.tgid), status }
        }
        _ => return None,
    })
}

fn header(bytes: &[u8]) -> Option<EventHeader> {
    let bytes = bytes.get(..HEADER)?;
    let long = |at: usize| Some(u64::from_ne_bytes(bytes.get(at..at + 8)?.try_into().ok()?));
    let word = |at: usize| Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    Some(EventHeader {
        at: long(0)?,
        cgroup: long(8)?,
        kind: word(16)?,
        tgid: word(20)?,
        status: word(24)?,
        has_status: word(28)?,
    })
}

/// A cgroup may be named in any bytes; what is not UTF-8 is shown as replacement characters.
fn path(bytes: &[u8]) -> Option<String> {
    let path = bytes.get(HEADER..)?;
    let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
    Some(String::from_utf8_lossy(&path[..end]).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(kind: u32, tail: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(5_u64.to_ne_bytes());
        bytes.extend(77_u64.to_ne_bytes());
        for word in [kind, 42, 0x100, 1] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(tail);
        bytes
    }

    #[test]
    fn every_kind() {
        let id = Some(CgroupId(77));
        let table = [
            (event_kind::CGROUP_MADE, LifecycleEvent::CgroupMade { id, path: "/a b".into() }),
            (event_kind::CGROUP_REMOVED, LifecycleEvent::CgroupRemoved { id, path: "/a b".into() }),
            (
                event_kind::EXEC,
                LifecycleEvent::Exec { at: MonoTime(5), process: ProcessId(42), cgroup: CgroupId(77) },
            ),
            (
                event_kind::EXIT,
                LifecycleEvent::Exit {
                    at: MonoTime(5),
                    process: ProcessId(42),
                    status: Some(ExitStatus::Code(1)),
                },
            ),
        ];
        for (kind, expected) in table {
            assert_eq!(decode(&event(kind, b"/a b\0rest")), Some(expected));
        }
    }

    #[test]
    fn what_is_no_event_is_nothing() {
        assert_eq!(decode(b""), None);
        assert_eq!(decode(&event(99, b"")), None);
        assert_eq!(decode(&event(event_kind::EXEC, b"")[..31]), None);
    }

    #[test]
    fn a_path_in_any_bytes() {
        let Some(LifecycleEvent::CgroupMade { path, .. }) =
            decode(&event(event_kind::CGROUP_MADE, b"/\xff\n\0"))
        else {
            panic!("not a cgroup event")
        };
        assert_eq!(path, "/\u{fffd}\n");
    }
}
