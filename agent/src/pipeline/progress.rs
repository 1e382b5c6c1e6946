//! Tracks the progress that encoders post: the transcode of each connection, its frames and its speed.
//!
//! [`owner`] finds the transcode. A transcode has one connection: while that is open, another one is refused. A sender is refused unless
//! it is on this host by its socket, its address or loopback, or the configuration allows others.

mod owner;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use agent_core::attribution::totals::Totals;
use agent_core::model::account::Account;
use agent_core::model::progress::{Block, FirstWord, PostCounts, Progress};
use agent_core::model::transcode::TranscodeId;
use agent_core::time::MonoTime;
use agent_core::units::{MicroJoules, Ratio};
use owner::Search;

use crate::clock::Clock;
use crate::host::HostRoots;
use crate::pipeline::identity::Identities;
use crate::pipeline::schedule::TickSpan;
use crate::progress::{ProgressRegistry, Refusal};
use crate::source::identity::transcodes::Transcode;
use crate::source::peer::Sockets;

/// Time for which a connection may have no transcode: polling finds an encoder at the next tick.
const PATIENCE: Duration = Duration::from_secs(5);

/// Time over which speed is computed.
const SPEED_SPAN: Duration = Duration::from_secs(10);

/// Speed over a shorter time is random.
const SHORTEST_SPAN: Duration = Duration::from_secs(1);

/// Time below which no encode is marked as stalled.
const STALL_SPAN: Duration = Duration::from_secs(5);

/// Lowest speed of an encode that keeps up: clock and rounding may reduce it.
const STALL_SPEED: f64 = 0.97;

/// An encoder posts twice a second unless configured for less.
const SILENCE: Duration = Duration::from_secs(5);

/// At most this fraction (1/n) of the time between two ticks is spent on finding transcodes, however many connections begin.
const SEARCH_SHARE: u32 = 10;

/// Progress of all transcodes that post.
#[derive(Debug)]
pub(super) struct ProgressTracker {
    /// Last block of each connection.
    registry: Arc<ProgressRegistry>,
    /// Connections with a known transcode.
    matched: HashMap<u64, TranscodeId>,
    /// Connections without a known transcode, and the time at which each was first seen.
    waiting: HashMap<u64, MonoTime>,
    live: HashMap<TranscodeId, Live>,
    counts: PostCounts,
    allow_remote: bool,
    /// Whether a connection has begun since transcodes were last looked for, and the earliest time of the next search.
    is_rung: bool,
    rest_until: MonoTime,
}

/// Progress of one transcode.
#[derive(Debug)]
struct Live {
    post: u64,
    is_open: bool,
    block: Block,
    at: MonoTime,
    /// Playing time of the output at recent times.
    recent: VecDeque<(MonoTime, Duration)>,
    /// Energy charged at the time of the last block; `None` until the tick after it.
    energy: Option<MicroJoules>,
    /// Time and counts of the first block.
    first: Option<(MonoTime, FirstWord)>,
    /// Whether a tick has computed the energy at the first block.
    is_first_settled: bool,
    shown: Option<Progress>,
}

impl ProgressTracker {
    pub(super) fn new(registry: Arc<ProgressRegistry>, allow_remote: bool) -> Self {
        Self {
            registry,
            matched: HashMap::new(),
            waiting: HashMap::new(),
            live: HashMap::new(),
            counts: PostCounts::default(),
            allow_remote,
            is_rung: false,
            rest_until: MonoTime::default(),
        }
    }

    /// Numbers of connections.
    pub(super) fn counts(&self) -> PostCounts {
        self.counts
    }

    /// Notes that a connection has begun.
    pub(super) fn ring(&mut self) {
        self.is_rung = true;
    }

    /// Time of the next search for transcodes; `None` without new connections.
    pub(super) fn wake(&self) -> Option<MonoTime> {
        self.is_rung.then_some(self.rest_until)
    }

    /// Finds the transcodes of new connections, while their sockets exist.
    pub(super) fn find(&mut self, identities: &Identities, roots: &HostRoots, clock: &dyn Clock) {
        let now = clock.now();
        self.is_rung = false;
        let pending = self.registry.pending();
        let numbers: HashSet<u64> = pending.iter().map(|(number, _)| *number).collect();
        self.waiting.retain(|number, _| numbers.contains(number));
        if pending.is_empty() {
            return;
        }
        let sockets = Sockets::of(roots, pending.iter().filter_map(|(_, sender)| sender.connection));
        let search = Search { identities, roots, sockets: &sockets, allow_remote: self.allow_remote };
        for (number, sender) in pending {
            let since = *self.waiting.entry(number).or_insert(now);
            let posts = |id| self.matched.values().any(|other| *other == id);
            let refusal = match search.owner(&sender, posts) {
                Some(id) if self.give(number, id, now) => continue,
                Some(_) => Refusal::Taken,
                None if sender.is_loopback() || self.allow_remote => Refusal::Unknown,
                None => Refusal::Remote,
            };
            if now.since(since) >= PATIENCE {
                self.registry.refuse(number, refusal);
            }
        }
        let ended = clock.now();
        self.rest_until = ended.plus(ended.since(now) * (SEARCH_SHARE - 1));
    }

    /// Assigns a transcode to a connection, unless it has another one.
    fn give(&mut self, number: u64, id: TranscodeId, now: MonoTime) -> bool {
        let mut holders = self.matched.iter().filter(|(_, other)| **other == id);
        if !holders.all(|(holder, _)| self.registry.displace(*holder, now)) {
            return false;
        }
        if self.registry.accept(number, now) {
            self.matched.insert(number, id);
            // The encode may be over, or post nothing more for a long time.
            if let Some((block, at)) = self.registry.take_block(number) {
                self.apply(number, id, block, at);
            }
        }
        true
    }

    fn apply(&mut self, number: u64, id: TranscodeId, block: Block, at: MonoTime) {
        self.live.entry(id).or_insert_with(|| Live::new(number, at)).hear(number, block, at);
    }

    /// Takes new blocks from the registry.
    pub(super) fn hear(&mut self) {
        let posts = self.registry.take();
        let open: HashSet<u64> =
            posts.iter().filter(|(_, post)| post.is_open).map(|(number, _)| *number).collect();
        for (number, post) in posts {
            if let (Some(&id), Some((block, at))) = (self.matched.get(&number), post.last) {
                self.apply(number, id, block, at);
            }
        }
        self.matched.retain(|number, _| open.contains(number));
        for live in self.live.values_mut() {
            live.is_open &= open.contains(&live.post);
        }
        let matched = self.matched.len();
        self.counts =
            PostCounts { matched, unmatched: open.len() - matched, refused: self.registry.refused() };
    }

    /// Closes the tick's window: its charges are known now.
    pub(super) fn settle(
        &mut self,
        identities: &Identities,
        totals: &Totals,
        TickSpan { from, to }: TickSpan,
    ) {
        let accounts: HashMap<TranscodeId, &Account> =
            totals.transcodes().map(|(id, entry)| (id, &entry.account)).collect();
        self.live.retain(|id, live| {
            let (Some(account), Some(transcode)) = (accounts.get(id), identities.transcode(*id)) else {
                return false;
            };
            live.settle(transcode, account, totals.energy_of(account), (from, to));
            // An encoder that stops posting and continues to run has no known progress.
            let is_lost = !live.is_open && !live.block.is_end && transcode.ended.is_none();
            !is_lost || to.since(live.at) < SILENCE
        });
    }

    /// Progress of a transcode.
    pub(super) fn of(&self, id: TranscodeId) -> Option<&Progress> {
        self.live.get(&id)?.shown.as_ref()
    }
}

impl Live {
    fn new(post: u64, at: MonoTime) -> Self {
        Self {
            post,
            is_open: true,
            block: Block::default(),
            at,
            recent: VecDeque::new(),
            energy: None,
            first: None,
            is_first_settled: false,
            shown: None,
        }
    }

    fn hear(&mut self, post: u64, block: Block, at: MonoTime) {
        (self.post, self.is_open) = (post, true);
        self.first.get_or_insert_with(|| {
            let (frames, output_time) = (block.frames, block.output_time);
            (at, FirstWord { frames, output_time, ..FirstWord::default() })
        });
        // Output that an encoder buffers at first does not count for its speed.
        if let Some(out) = block.output_time.filter(|out| !out.is_zero()) {
            self.recent.push_back((at, out));
        }
        while self.recent.len() > 2 && at.since(self.recent[1].0) >= SPEED_SPAN {
            self.recent.pop_front();
        }
        (self.block, self.at, self.energy) = (block, at, None);
    }

    fn settle(
        &mut self,
        transcode: &Transcode,
        account: &Account,
        total: MicroJoules,
        (from, to): (MonoTime, MonoTime),
    ) {
        // Between two ticks energy flows evenly; at the end all of it belongs to the output.
        let charged_at = |at: MonoTime| {
            let after = ratio(to.since(at), to.since(from)).unwrap_or(0.0).min(1.0);
            total.saturating_sub(MicroJoules((account.window_energy.0 as f64 * after) as u64))
        };
        let energy = *self.energy.get_or_insert_with(|| charged_at(self.at));
        if let (Some((at, first)), false) = (&mut self.first, self.is_first_settled) {
            (first.energy, self.is_first_settled) = (charged_at(*at), true);
        }
        let silent = to.since(self.at);
        let span = self.span();
        let recent = span.filter(|(time, _)| *time >= SHORTEST_SPAN);
        let is_silent = silent > SILENCE.max(self.usual_gap() * 3);
        let speed = match (self.block.is_end, recent) {
            (true, _) => self.block.speed,
            (false, _) if is_silent => Some(0.0),
            (false, recent) => recent.and_then(|(time, out)| ratio(out, time)),
        };
        let runs = transcode.ended.is_none() && !self.block.is_end;
        let is_slow = span.is_some_and(|(time, _)| time >= STALL_SPAN)
            && speed.is_some_and(|speed| speed < STALL_SPEED);
        self.shown = Some(Progress {
            block: self.block.clone(),
            speed: speed.map(Ratio),
            energy: if runs { energy } else { total },
            first: self.first.map_or(FirstWord::default(), |(_, first)| first),
            is_stalled: (transcode.identity.encode.is_live && runs).then_some(is_slow || is_silent),
            silent,
        });
    }

    /// Length of the recent time, and the output in it.
    fn span(&self) -> Option<(Duration, Duration)> {
        let ((began, first), (ended, last)) = (*self.recent.front()?, *self.recent.back()?);
        Some((ended.since(began), last.saturating_sub(first)))
    }

    fn usual_gap(&self) -> Duration {
        let mut last = self.recent.iter().rev();
        let (Some((later, _)), Some((earlier, _))) = (last.next(), last.next()) else {
            return Duration::ZERO;
        };
        later.since(*earlier)
    }
}

fn ratio(part: Duration, whole: Duration) -> Option<f64> {
    (!whole.is_zero()).then(|| part.as_secs_f64() / whole.as_secs_f64())
}

#[cfg(test)]
mod tests;
