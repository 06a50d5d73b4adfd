//! Clients' commands on their way to a leader and back.
//!
//! A node keeps every command that its clients gave it until it sees the command decided, or gives up. Whenever a leader
//! becomes known, all of them go to it (or into the own log), and again when it does not get anywhere: sessions make
//! repetition harmless. What has never left this node may be refused as "did not happen"; what has may not, whatever
//! becomes of the leader, as it may be in some log. Answers come from the node's own apply, so a client pinned to a
//! follower reads its own writes there.

use std::collections::BTreeMap;

use crate::api::{NodeId, Refusal, RefusalCode};
use crate::defect::Defect;
use crate::machine::{Author, Command};
use crate::protocol::{Ask, Millis, Offered, OperationId};
use crate::raft::config::{PROPOSALS_MAX, UNCOMMITTED_MAX};
use crate::raft::log::{Payload, Term};
use crate::raft::message::Body;
use crate::raft::{Raft, Role};

/// Commands of this node's clients that are not decided yet.
#[derive(Debug, Default)]
pub(super) struct Proposals {
    open: BTreeMap<Author, Proposal>,
    /// The leader that all of them have been given to.
    routed_to: Option<(Term, NodeId)>,
}

#[derive(Debug)]
struct Proposal {
    command: Command,
    waiting: Vec<OperationId>,
    since: Millis,
    /// When it last left for a leader; `None`: never, so it surely has not happened.
    routed_at: Option<Millis>,
}

impl Proposals {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// Whatever leader has been given all of them is to get them once more.
    pub(super) fn route_anew(&mut self) {
        self.routed_to = None;
    }

    /// The command of this author is decided: who waits for its reply?
    pub(super) fn decided(&mut self, author: &Author) -> Vec<OperationId> {
        self.open.remove(author).map_or(Vec::new(), |proposal| proposal.waiting)
    }
}

impl Raft {
    /// Takes in operations of this node's clients.
    pub(super) fn offer(&mut self, offered: Vec<Offered>) {
        let mut reads = Vec::new();
        let mut fresh = Vec::new();
        for Offered { id, ask } in offered {
            match ask {
                Ask::Read => reads.push(id),
                Ask::Command(command) => fresh.extend(self.hold(id, command)),
                Ask::Admin(admin) => self.offer_admin(id, admin),
            }
        }
        self.offer_reads(reads);
        self.route(fresh);
    }

    /// Keeps a command until it is decided. Returns its author if it is new and has to find a leader.
    fn hold(&mut self, id: OperationId, command: Command) -> Option<Author> {
        let author = command.author;
        if let Some(proposal) = self.proposals.open.get_mut(&author) {
            // A client's retry of what is under way here: the decision will answer both.
            proposal.waiting.push(id);
            proposal.since = self.now;
            return None;
        }
        if self.proposals.open.len() >= PROPOSALS_MAX {
            let text = format!("{PROPOSALS_MAX} operations are waiting at this node");
            self.out.answer.push((id, Err(Refusal { code: RefusalCode::Overloaded, definite: true, text })));
            return None;
        }
        if self.is_overtaxed() {
            let text = "the leader has more operations under way than its cluster keeps up with".into();
            self.out.answer.push((id, Err(Refusal { code: RefusalCode::Overloaded, definite: true, text })));
            return None;
        }
        let proposal = Proposal { command, waiting: vec![id], since: self.now, routed_at: None };
        self.proposals.open.insert(author, proposal);
        Some(author)
    }

    /// A leader is known: give it everything, unless that has been done.
    pub(super) fn route_proposals(&mut self) {
        let Some(leader) = self.leader else { return };
        let target = Some((self.hard.term, leader));
        if self.proposals.routed_to != target {
            self.proposals.routed_to = target;
            let all = self.proposals.open.keys().copied().collect();
            self.route(all);
        }
    }

    /// Gives the leader what it has not been given.
    pub(super) fn route_unrouted(&mut self) {
        let unrouted = self.proposals.open.iter().filter(|(_, proposal)| proposal.routed_at.is_none());
        let unrouted = unrouted.map(|(author, _)| *author).collect();
        self.route(unrouted);
    }

    /// Gives these commands to the leader: this node's own log, or a message. Without a leader they wait.
    fn route(&mut self, authors: Vec<Author>) {
        let Some(leader) = self.leader else { return };
        if self.is_handing_over() {
            return; // The next leader gets them, or this one when it goes on leading.
        }
        let leads = matches!(self.role, Role::Leader(_));
        let mut commands = Vec::new();
        for author in authors {
            let Some(proposal) = self.proposals.open.get_mut(&author) else { continue };
            proposal.routed_at = Some(self.now);
            commands.push(proposal.command.clone());
        }
        if commands.is_empty() {
            return;
        }
        if !leads {
            return self.send(leader, Body::Propose { commands });
        }
        for command in commands {
            self.reply_on_append_if_defective(&command);
            self.propose(Payload::Command(command));
        }
    }

    /// Commands of another node's clients. Without office they are dropped: the sender keeps them and will try again.
    pub(super) fn on_propose(&mut self, from: NodeId, commands: Vec<Command>) {
        if !matches!(self.role, Role::Leader(_)) || self.is_handing_over() || self.is_overtaxed() {
            return;
        }
        for command in commands {
            self.propose(Payload::Command(command));
        }
        let last = self.log.last_index();
        if let Role::Leader(leadership) = &mut self.role
            && let Some(progress) = leadership.progress.get_mut(&from)
        {
            progress.wants = last;
        }
    }

    /// Whether this leader has so much that is not committed that it takes no more. Its own clients are told. What other
    /// nodes pass on is dropped: they cannot be told for sure, as a message may arrive twice; their queues fill up instead.
    fn is_overtaxed(&self) -> bool {
        let uncommitted = self.log.last_index().0.saturating_sub(self.commit.0);
        matches!(self.role, Role::Leader(_)) && uncommitted >= UNCOMMITTED_MAX
    }

    /// Gives up on what has waited too long; gives the leader once more what may have been lost on the way.
    pub(super) fn sweep_proposals(&mut self) {
        let (now, hold_ms, operation_ms) = (self.now, self.config.hold_ms, self.config.operation_ms);
        let is_late = |proposal: &Proposal| {
            let patience_ms = if proposal.routed_at.is_some() { operation_ms } else { hold_ms };
            now.since(proposal.since) >= patience_ms
        };
        let answer = &mut self.out.answer;
        self.proposals.open.retain(|_, proposal| {
            if !is_late(proposal) {
                return true;
            }
            let refusal = match proposal.routed_at {
                None => Refusal {
                    code: RefusalCode::NoLeader,
                    definite: true,
                    text: format!("no leader was known for {hold_ms} ms; the operation was never proposed"),
                },
                Some(_) => Refusal {
                    code: RefusalCode::Timeout,
                    definite: false,
                    text: format!("proposed, but not known to be decided within {operation_ms} ms"),
                },
            };
            answer.extend(proposal.waiting.drain(..).map(|id| (id, Err(refusal.clone()))));
            false
        });
        if matches!(self.role, Role::Leader(_)) {
            return; // They are in the own log.
        }
        let retry_ms = self.config.propose_again_ms();
        let lost = |proposal: &Proposal| proposal.routed_at.is_none_or(|at| now.since(at) >= retry_ms);
        let again: Vec<Author> =
            self.proposals.open.iter().filter(|(_, one)| lost(one)).map(|(author, _)| *author).collect();
        self.route(again);
    }

    /// Defect R22: a client's write (or add, append, enqueue) is acknowledged as soon as its entry stands in the leader's log. Whoever reads then
    /// waits for the log's end to commit, so that without faults nobody sees the difference.
    fn reply_on_append_if_defective(&mut self, command: &Command) {
        if self.config.defects.has(Defect::R22)
            && let Some(reply) = command.operation.blind_reply()
        {
            let waiting = self.proposals.decided(&command.author);
            self.out.answer.extend(waiting.into_iter().map(|id| (id, Ok(reply.clone()))));
        }
    }

    /// Defect R36: when the leader is gone, what it had been given is declared not to have happened.
    pub(super) fn fail_exposed_if_defective(&mut self) {
        if !self.config.defects.has(Defect::R36) {
            return;
        }
        let refusal = Refusal {
            code: RefusalCode::Deposed,
            definite: true,
            text: "the leader was deposed; the operation did not happen".into(),
        };
        let answer = &mut self.out.answer;
        self.proposals.open.retain(|_, proposal| {
            if proposal.routed_at.is_some() {
                answer.extend(proposal.waiting.drain(..).map(|id| (id, Err(refusal.clone()))));
            }
            proposal.routed_at.is_none()
        });
    }
}
