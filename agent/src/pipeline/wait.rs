//! Waits for the next tick, for the kernel's ring buffer and for messages of other tasks.
//!
//! One thread waits for all three at once. Messages of other tasks signal an eventfd.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use agent_core::join::figures::Prices;
use agent_core::model::cpu::ProcessId;
use agent_core::time::MonoTime;
use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::clock::Clock;
use crate::source::identity::docker::EngineEvent;
use crate::source::identity::kubelet::NamesEvent;

/// Messages of other tasks to the pipeline.
#[derive(Debug)]
pub(crate) enum Message {
    /// An event of a container engine.
    Engine {
        /// Name of the engine.
        name: &'static str,
        /// The event.
        event: EngineEvent,
    },
    /// An event of a source of names in Kubernetes.
    Names {
        /// Name of the source.
        source: &'static str,
        /// The event.
        event: NamesEvent,
    },
    /// The agent has started a process, which is charged to the agent.
    Child(ProcessId),
    /// An encoder has begun to post its progress.
    Progress,
    /// Prices have changed.
    Prices(Prices),
    /// The pipeline is to stop.
    Stop,
}

/// Sender of messages.
#[derive(Clone, Debug)]
pub(crate) struct Mailbox {
    sender: Sender<Message>,
    bell: Arc<OwnedFd>,
}

impl Mailbox {
    /// Sends a message and wakes the pipeline. `false` when the pipeline has ended.
    pub(crate) fn tell(&self, message: Message) -> bool {
        if self.sender.send(message).is_err() {
            return false;
        }
        // This fails only when the counter is full, and then the pipeline is woken already.
        let _ = rustix::io::write(&self.bell, &1_u64.to_ne_bytes());
        true
    }
}

/// Receiver of messages, owned by the pipeline.
#[derive(Debug)]
pub(crate) struct Inbox {
    receiver: Receiver<Message>,
    bell: Arc<OwnedFd>,
    waiting: Vec<Message>,
}

/// Makes a sender and its receiver.
pub(crate) fn mailbox() -> io::Result<(Mailbox, Inbox)> {
    let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
    let (sender, receiver) = channel();
    Ok((Mailbox { sender, bell: Arc::clone(&bell) }, Inbox { receiver, bell, waiting: Vec::new() }))
}

/// Result of a wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wake {
    /// There is something to do.
    Work,
    /// The pipeline is to stop.
    Stop,
}

impl Inbox {
    /// Waits until `until`, an event from the kernel or a message.
    pub(super) fn wait(
        &mut self,
        clock: &dyn Clock,
        until: MonoTime,
        kernel: Option<BorrowedFd<'_>>,
    ) -> Wake {
        let left = until.since(clock.now());
        if left > Duration::ZERO {
            let mut sources = vec![PollFd::from_borrowed_fd(self.bell.as_fd(), PollFlags::IN)];
            sources.extend(kernel.map(|kernel| PollFd::from_borrowed_fd(kernel, PollFlags::IN)));
            let timeout = Timespec::try_from(left).ok();
            // An interrupted wait is a short wait: the caller checks the clock in any case.
            let _ = poll(&mut sources, timeout.as_ref());
        }
        let mut rings = [0; 8];
        // Empty when there was no message.
        let _ = rustix::io::read(&*self.bell, &mut rings);
        self.waiting.extend(self.receiver.try_iter());
        let is_stop = |message: &Message| matches!(message, Message::Stop);
        if self.waiting.iter().any(is_stop) { Wake::Stop } else { Wake::Work }
    }

    /// The messages that have arrived.
    pub(super) fn take(&mut self) -> Vec<Message> {
        std::mem::take(&mut self.waiting)
    }
}
