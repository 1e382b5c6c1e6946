//! Which transcode does a post of progress belong to, and how far is it?
//!
//! Whose it is, in this order: the one running transcode that the id names (its key or process number, its container's name, id or
//! scenario); else the process whose socket it is, where the agent may see that; else the one that was told to post to this id and
//! does not yet; else the one running transcode in the container whose address it has. A sender that is not on this host by its
//! socket, its address, or by loopback, is refused unless the configuration allows it.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::attribution::totals::Totals;
use crate::clock::MonoTime;
use crate::host::HostRoots;
use crate::model::account::Account;
use crate::model::cpu::ProcessId;
use crate::model::progress::{Block, FirstWord, PostCounts, Progress};
use crate::model::transcode::TranscodeId;
use crate::pipeline::identity::Identities;
use crate::progress::{Board, Sender, Verdict};
use crate::source::identity::transcodes::Transcode;
use crate::source::peer;
use crate::units::{MicroJoules, Ratio};

/// How long a post may be nobody's: an encoder that is polled for is known with the next tick.
const PATIENCE: Duration = Duration::from_secs(5);

/// How far back speed is looked at.
const SPEED_SPAN: Duration = Duration::from_secs(10);

/// Over less than this a speed is a matter of chance.
const SHORTEST_SPAN: Duration = Duration::from_secs(1);

/// Over less than this nobody is said to fall behind.
const STALL_SPAN: Duration = Duration::from_secs(5);

/// What a clock and rounding may take off an encode that keeps up.
const STALL_SPEED: f64 = 0.97;

/// An encoder that posts is heard twice a second unless asked for less.
const SILENCE: Duration = Duration::from_secs(5);

/// What posts have said.
#[derive(Debug, Default)]
pub(super) struct ProgressBook {
    /// Connections, and whose they are.
    matched: HashMap<u64, TranscodeId>,
    /// When a connection that nobody knows was first seen.
    waiting: HashMap<u64, MonoTime>,
    live: HashMap<TranscodeId, Live>,
    counts: PostCounts,
    allow_remote: bool,
}

/// One transcode that posts.
#[derive(Debug)]
struct Live {
    post: u64,
    is_open: bool,
    block: Block,
    at: MonoTime,
    /// When how much was out, lately.
    recent: VecDeque<(MonoTime, Duration)>,
    /// What it had been charged at its last word; `None` until the tick after it.
    energy: Option<MicroJoules>,
    /// When its first word came, and where it stood then.
    first: Option<(MonoTime, FirstWord)>,
    /// Whether a tick has told what it had been charged by then.
    is_first_settled: bool,
    shown: Option<Progress>,
}

impl ProgressBook {
    pub(super) fn new(allow_remote: bool) -> Self {
        Self { allow_remote, ..Self::default() }
    }

    /// How posts stand.
    pub(super) fn counts(&self) -> PostCounts {
        self.counts
    }

    /// Finds out whose the new posts are, as long as their sockets are there.
    pub(super) fn find(&mut self, board: &Board, identities: &Identities, roots: &HostRoots, now: MonoTime) {
        for (number, sender) in board.pending() {
            let since = *self.waiting.entry(number).or_insert(now);
            let posts = |id| self.matched.values().any(|other| *other == id);
            let verdict = match owner(&sender, identities, roots, self.allow_remote, posts) {
                Some(id) => {
                    self.matched.insert(number, id);
                    Verdict::Matched
                }
                None if now.since(since) < PATIENCE => continue,
                None if sender.is_loopback() || self.allow_remote => Verdict::Unknown,
                None => Verdict::Remote,
            };
            if verdict != Verdict::Matched {
                self.counts.refused += 1;
                tracing::debug!(id = sender.id, peer = ?sender.peer, ?verdict, "progress that is not taken");
            }
            self.waiting.remove(&number);
            board.judge(number, verdict);
        }
    }

    /// Takes down what has come in.
    pub(super) fn hear(&mut self, board: &Board) {
        let posts = board.take();
        self.counts.matched = 0;
        self.counts.unmatched = 0;
        for (number, post) in posts {
            let Some(id) = self.matched.get(&number).copied() else {
                self.counts.unmatched += usize::from(post.is_open);
                if !post.is_open {
                    self.waiting.remove(&number);
                }
                continue;
            };
            self.counts.matched += usize::from(post.is_open);
            if let Some((block, at)) = post.last {
                let live = self.live.entry(id).or_insert_with(|| Live::new(number, at));
                live.hear(number, block, at);
            }
            if !post.is_open {
                self.matched.remove(&number);
                if let Some(live) = self.live.get_mut(&id).filter(|live| live.post == number) {
                    live.is_open = false;
                }
            }
        }
    }

    /// Closes the tick's window: what was charged in it is known now.
    pub(super) fn settle(
        &mut self,
        identities: &Identities,
        totals: &Totals,
        (from, to): (MonoTime, MonoTime),
    ) {
        let accounts: HashMap<TranscodeId, &Account> =
            totals.transcodes().map(|(id, entry)| (id, &entry.account)).collect();
        let counts = |zone: usize| totals.zones().get(zone).is_some_and(|zone| totals.counts(*zone));
        self.live.retain(|id, live| {
            let (Some(account), Some(transcode)) = (accounts.get(id), identities.transcode(*id)) else {
                return false;
            };
            live.settle(transcode, account, account.energy(counts), (from, to));
            // Who stops posting and runs on is not known any more.
            let is_lost = !live.is_open && !live.block.is_end && transcode.ended.is_none();
            !is_lost || to.since(live.at) < SILENCE
        });
    }

    /// How far a transcode is.
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
        // What an encoder holds back at first says nothing of its speed.
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
        // Between two ticks energy flows evenly; at the end all of it is the output's.
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

    /// How long the recent past is, and how much was put out in it.
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

fn owner(
    sender: &Sender,
    identities: &Identities,
    roots: &HostRoots,
    allow_remote: bool,
    posts: impl Fn(TranscodeId) -> bool,
) -> Option<TranscodeId> {
    let named: Vec<(TranscodeId, &Transcode)> =
        identities.running().filter(|(_, transcode)| is_named(&sender.id, transcode, identities)).collect();
    if let ([(id, _)], true) = (&named[..], sender.is_loopback() || allow_remote) {
        return Some(*id);
    }
    let processes = |among: &[(TranscodeId, &Transcode)]| {
        among.iter().map(|(_, transcode)| transcode.process).collect::<Vec<_>>()
    };
    let all: Vec<(TranscodeId, &Transcode)> = identities.running().collect();
    let of = |process| all.iter().find(|(_, transcode)| transcode.process == process).map(|(id, _)| *id);
    let found = sender.peer.and_then(|peer| peer::by_socket(roots, peer, processes(&all).into_iter()));
    if let Some(id) = found.and_then(of) {
        return Some(id);
    }
    let there = match sender.address() {
        Some(address) => peer::by_address(roots, address, processes(&all).into_iter()),
        None => processes(&all),
    };
    let silent = there.iter().copied().filter(|process| of(*process).is_some_and(|id| !posts(id)));
    if let [process] = peer::by_command_line(roots, &sender.id, silent)[..] {
        return of(process);
    }
    let meant = processes(&named);
    let is_meant = |process: &ProcessId| meant.is_empty() || meant.contains(process);
    let there: Vec<ProcessId> = there.into_iter().filter(is_meant).collect();
    match (there.as_slice(), sender.address()) {
        ([process], Some(_)) => of(*process),
        _ => None,
    }
}

fn is_named(id: &str, transcode: &Transcode, identities: &Identities) -> bool {
    if id.is_empty() {
        return false;
    }
    if *transcode.identity.key == *id || transcode.process.0.to_string() == id {
        return true;
    }
    let workload = identities.identity(transcode.workload);
    let is_id = !workload.id.is_empty() && id.starts_with(&*workload.id);
    *workload.name == *id || is_id || workload.details.scenario() == Some(id)
}

#[cfg(test)]
mod tests;
