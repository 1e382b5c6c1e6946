//! Finds the transcode that a post of progress belongs to.
//!
//! In this order: the process that has the other end of the connection open, where the agent may see that; else the one running
//! transcode that the id names (its key or process number, its container's name, id or scenario); else the one whose command line posts
//! to this id and that has no connection yet; else the one running transcode in the container that has the sender's address. A sender on
//! this host is accepted for transcodes of its own user only, unless it is root: the kernel shows the user of every socket.

use agent_core::model::cpu::ProcessId;
use agent_core::model::transcode::TranscodeId;

use crate::host::HostRoots;
use crate::pipeline::identity::Identities;
use crate::progress::Sender;
use crate::source::identity::transcodes::Transcode;
use crate::source::peer::{self, PeerUser, Sockets};

/// Data for the search of a transcode.
pub(super) struct Search<'a> {
    pub(super) identities: &'a Identities,
    pub(super) roots: &'a HostRoots,
    pub(super) sockets: &'a Sockets<'a>,
    pub(super) allow_remote: bool,
}

type Candidate<'a> = (TranscodeId, &'a Transcode);

impl Search<'_> {
    /// The transcode of this sender; `posts` tells whether a transcode already has a connection.
    pub(super) fn owner(&self, sender: &Sender, posts: impl Fn(TranscodeId) -> bool) -> Option<TranscodeId> {
        let running: Vec<Candidate<'_>> = self.identities.running().collect();
        let of = |process| {
            running.iter().find(|(_, transcode)| transcode.local == Some(process)).map(|(id, _)| *id)
        };
        let found =
            sender.connection.and_then(|connection| self.sockets.owner(connection, &processes(&running)));
        if let Some(id) = found.and_then(of) {
            return Some(id);
        }
        let allowed = self.of_same_user(sender, &running);
        let is_named = |(_, transcode): &&Candidate<'_>| is_named(&sender.id, transcode, self.identities);
        let named: Vec<Candidate<'_>> = allowed.iter().filter(is_named).copied().collect();
        if let ([(id, _)], true) = (&named[..], sender.is_loopback() || self.allow_remote) {
            return Some(*id);
        }
        let there = match sender.address() {
            Some(address) => peer::by_address(self.roots, address, processes(&allowed).into_iter()),
            None => processes(&allowed),
        };
        let silent = there.iter().copied().filter(|process| of(*process).is_some_and(|id| !posts(id)));
        if let [process] = peer::by_command_line(self.roots, &sender.id, silent)[..] {
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

    fn of_same_user<'b>(&self, sender: &Sender, running: &[Candidate<'b>]) -> Vec<Candidate<'b>> {
        let user = sender.connection.map_or(PeerUser::NotTold, |connection| self.sockets.user(connection));
        let is_allowed = |transcode: &Transcode| match user {
            PeerUser::NotTold | PeerUser::User(0) => true,
            PeerUser::User(user) => {
                transcode.local.is_some_and(|process| peer::users(self.roots, process).contains(&user))
            }
            PeerUser::Gone => false,
        };
        running.iter().copied().filter(|(_, transcode)| is_allowed(transcode)).collect()
    }
}

fn processes(among: &[Candidate<'_>]) -> Vec<ProcessId> {
    among.iter().filter_map(|(_, transcode)| transcode.local).collect()
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
