//! Fast leader election: nodes that look for a leader tell each other the best vote that they know, until a quorum
//! agrees (ZooKeeper's `FastLeaderElection`; Medeiros 2012, section 3.3.1).
//!
//! Only liveness rests on it: it makes out the node with the best history, so that nothing has to be fetched before that
//! node can lead. Safety is the affair of discovery, where a leader whose history is not the best of a quorum gives up.
//!
//! Votes count within a round, which every node numbers by itself and raises to the highest that it hears of. Whoever
//! has a leader answers those who look with its name; they join if a quorum follows it and it says itself that it leads.

use std::collections::BTreeMap;

use crate::api::NodeId;
use crate::defect::Defect;
use crate::protocol::{Millis, Note};
use crate::zab::message::{Message, Notification, Stance, Vote};
use crate::zab::zxid::Credentials;
use crate::zab::{Role, Zab};

/// What a node knows while it looks for a leader.
#[derive(Debug, Default)]
pub(super) struct Election {
    /// The best vote heard in this round; an observer's is `None` before it has heard one.
    vote: Option<Vote>,
    /// Votes of this round, of voters.
    received: BTreeMap<NodeId, Vote>,
    /// What voters who have a leader said: what they are at, and who it is.
    settled: BTreeMap<NodeId, (Stance, NodeId)>,
    /// When to be content with the vote that a quorum agrees on.
    pub(super) content_at: Option<Millis>,
}

impl Zab {
    /// How good this node's history is.
    pub(super) fn credentials(&self) -> Credentials {
        Credentials { current: self.current, last: self.history.last().zxid }
    }

    /// Whether one vote is better than another.
    fn beats(&self, one: Option<Vote>, other: Option<Vote>) -> bool {
        let (Some(one), Some(other)) = (one, other) else { return one > other };
        if self.settings.defects.has(Defect::Z05) {
            return one.credentials.beat(other.credentials, true)
                || !other.credentials.beat(one.credentials, true) && one.leader > other.leader;
        }
        one > other
    }

    fn own_vote(&self) -> Option<Vote> {
        let vote = Vote { credentials: self.credentials(), leader: self.settings.node };
        self.electorate.votes(self.settings.node).then_some(vote)
    }

    /// Looks for a leader in a new round.
    pub(super) fn look(&mut self) {
        self.round += 1;
        self.role = Role::Looking(Box::default());
        self.beat_at = self.now + self.settings.heartbeat_ms;
        self.note(Note::ElectionStarted { term: self.accepted.next().0 });
        self.vote(self.own_vote());
        self.conclude();
    }

    /// Votes in the current round, and tells everybody.
    fn vote(&mut self, vote: Option<Vote>) {
        let node = self.settings.node;
        let votes = self.electorate.votes(node);
        let Role::Looking(election) = &mut self.role else { return };
        election.vote = vote;
        election.content_at = None;
        if let Some(vote) = vote.filter(|_| votes) {
            election.received.insert(node, vote);
        }
        self.notify_all();
    }

    pub(super) fn notify_all(&mut self) {
        for peer in self.peers() {
            self.notify(peer);
        }
    }

    fn notify(&mut self, to: NodeId) {
        let (stance, vote) = match &self.role {
            Role::Looking(election) => (Stance::Looking, election.vote),
            Role::Following(follower) => (Stance::Following, Some(self.vote_for(follower.leader))),
            Role::Leading(_) => (Stance::Leading, Some(self.vote_for(self.settings.node))),
        };
        let notification = Notification { round: self.round, stance, vote };
        self.out.send.push((to, Message::Notification(notification)));
    }

    /// The vote of a node that has a leader: only its name matters then.
    fn vote_for(&self, leader: NodeId) -> Vote {
        Vote { credentials: self.credentials(), leader }
    }

    pub(super) fn on_notification(&mut self, from: NodeId, said: Notification) {
        let from_voter = self.electorate.votes(from);
        let own = self.own_vote();
        let Role::Looking(election) = &mut self.role else {
            if said.stance == Stance::Looking {
                self.notify(from);
            }
            return;
        };
        let Some(vote) = said.vote.filter(|_| from_voter) else { return };
        if said.stance != Stance::Looking {
            if said.round == self.round {
                // It has concluded this very round, with this vote.
                election.received.insert(from, vote);
            }
            election.settled.insert(from, (said.stance, vote.leader));
            return self.conclude();
        }
        election.settled.remove(&from);
        if said.round < self.round {
            return self.notify(from);
        }
        if said.round > self.round {
            self.round = said.round;
            election.received.clear();
            let best = if self.beats(Some(vote), own) { Some(vote) } else { own };
            self.vote(best);
        } else {
            let best = election.vote;
            if self.beats(Some(vote), best) {
                self.vote(Some(vote));
            }
        }
        if let Role::Looking(election) = &mut self.role {
            election.received.insert(from, vote);
        }
        self.conclude();
    }

    /// Ends the search if a leader is in office, or a quorum agrees on one and nobody objects for a moment.
    pub(super) fn conclude(&mut self) {
        let (now, node) = (self.now, self.settings.node);
        let Role::Looking(election) = &mut self.role else { return };
        let leads = |(leader, (stance, voted)): (&NodeId, &(Stance, NodeId))| {
            (*stance == Stance::Leading && voted == leader).then_some(*leader)
        };
        let in_office = election.settled.iter().filter_map(leads).find(|leader| {
            let followers = election.settled.iter().filter(|(_, (_, voted))| voted == leader);
            self.electorate.is_quorum(followers.map(|(follower, _)| *follower))
        });
        if let Some(leader) = in_office {
            return self.follow(leader);
        }
        let Some(vote) = election.vote else { return };
        let supporters = election.received.iter().filter(|(_, received)| received.leader == vote.leader);
        let supporters: Vec<NodeId> = supporters.map(|(supporter, _)| *supporter).collect();
        if !self.electorate.is_quorum(supporters.iter().copied()) {
            election.content_at = None;
            return;
        }
        let content_at = *election.content_at.get_or_insert(now + self.settings.better_vote_ms());
        if supporters.len() < self.electorate.count() && now < content_at {
            return;
        }
        if vote.leader == node { self.lead() } else { self.follow(vote.leader) }
    }
}
