//! Clients' commands on their way to a leader and back.
//!
//! A node keeps every command that its clients gave it until it sees the command chosen, or gives up. Whenever a leader
//! becomes known, all of them go to it, and again when they do not get anywhere: a command may thus be chosen twice, and
//! sessions make sure that it applies once (PP13). What has never left this node may be refused as "did not happen"; what
//! has may not, whatever becomes of the leader. Answers come from the node's own apply.

use std::collections::{BTreeMap, VecDeque};

use crate::api::{NodeId, Refusal, RefusalCode};
use crate::defect::Defect;
use crate::machine::{Author, Command};
use crate::paxos::basic::Ballot;
use crate::paxos::config::{PROPOSALS_MAX, VALUES_MAX};
use crate::paxos::message::{Message, Slot, Value};
use crate::paxos::{Paxos, Role};
use crate::protocol::{Ask, Millis, Offered, OperationId};

/// Commands of this node's clients that are not known to be chosen.
#[derive(Debug, Default)]
pub(super) struct Proposals {
    open: BTreeMap<Author, Proposal>,
    /// To be given to the leader. May name commands that are no longer in `open`.
    queue: VecDeque<Author>,
    /// The leader that all of them have been given to, or are queued for.
    routed_to: Option<(Ballot, NodeId)>,
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

    /// The command of this author is chosen: who waits for its reply?
    pub(super) fn decided(&mut self, author: &Author) -> Vec<OperationId> {
        self.open.remove(author).map_or(Vec::new(), |proposal| proposal.waiting)
    }
}

impl Paxos {
    /// Takes in operations of this node's clients.
    pub(super) fn offer(&mut self, offered: Vec<Offered>) {
        for Offered { id, ask } in offered {
            match ask {
                Ask::Read => self.offer_read(id),
                Ask::Command(command) => self.hold(id, command),
                Ask::Admin(admin) => self.on_admin(id, admin),
            }
        }
    }

    /// Keeps a command until it is chosen.
    fn hold(&mut self, id: OperationId, command: Command) {
        let author = command.author;
        if let Some(proposal) = self.proposals.open.get_mut(&author) {
            // A client's retry of what is under way here: one decision will answer both.
            proposal.waiting.push(id);
            proposal.since = self.now;
            return;
        }
        if self.proposals.open.len() >= PROPOSALS_MAX {
            return self.refuse(
                id,
                RefusalCode::Overloaded,
                format!("{PROPOSALS_MAX} operations are waiting at this node"),
            );
        }
        let proposal = Proposal { command, waiting: vec![id], since: self.now, routed_at: None };
        self.proposals.open.insert(author, proposal);
        self.proposals.queue.push_back(author);
    }

    /// Refuses what surely did not happen.
    pub(super) fn refuse(&mut self, id: OperationId, code: RefusalCode, text: String) {
        self.out.answer.push((id, Err(Refusal { code, definite: true, text })));
    }

    /// Gives the leader what is queued: this node's own slots, as far as there is room, or a message. Without a leader it
    /// waits. A new leader gets everything.
    pub(super) fn route_proposals(&mut self) {
        let Some(leader) = self.leader() else { return };
        let ballot = self.own_ballot().or(self.follows.map(|(ballot, _)| ballot)).unwrap_or_default();
        if self.proposals.routed_to != Some((ballot, leader)) {
            self.proposals.routed_to = Some((ballot, leader));
            self.proposals.queue = self.proposals.open.keys().copied().collect();
        }
        if matches!(self.role, Role::Leading(_)) {
            let room = usize::try_from(self.room()).unwrap_or(usize::MAX);
            let commands = self.take_queued(room);
            if !commands.is_empty() {
                let values = commands.into_iter().map(|command| Some(Value::Command(command)));
                self.propose(values.collect());
            }
            return;
        }
        loop {
            let commands = self.take_queued(VALUES_MAX);
            if commands.is_empty() {
                return;
            }
            self.send(leader, Message::Propose { commands });
        }
    }

    fn take_queued(&mut self, count_max: usize) -> Vec<Command> {
        let mut commands = Vec::new();
        while commands.len() < count_max
            && let Some(author) = self.proposals.queue.pop_front()
        {
            let Some(proposal) = self.proposals.open.get_mut(&author) else { continue };
            let is_repeated = proposal.routed_at.replace(self.now).is_some();
            let mut command = proposal.command.clone();
            if is_repeated && self.settings.defects.has(Defect::P18) {
                command.author = Author::Node(self.settings.node, proposal.waiting[0]);
            }
            commands.push(command);
        }
        commands
    }

    /// Commands of another node's clients. Without office or room they are dropped: the sender keeps them and will try
    /// again.
    pub(super) fn on_propose(&mut self, from: NodeId, mut commands: Vec<Command>) {
        commands.truncate(usize::try_from(self.room()).unwrap_or(usize::MAX));
        let Role::Leading(office) = &mut self.role else { return };
        if commands.is_empty() {
            return;
        }
        let last = Slot(office.next.0 + commands.len() as u64 - 1);
        if let Some(peer) = office.peers.get_mut(&from) {
            peer.wants = last;
        }
        self.propose(commands.into_iter().map(|command| Some(Value::Command(command))).collect());
    }

    /// Gives up on what has waited too long; queues once more what may have been lost on the way.
    pub(super) fn sweep_proposals(&mut self) {
        let (now, hold_ms, operation_ms) = (self.now, self.settings.hold_ms, self.settings.operation_ms);
        let has_leader = self.leader().is_some();
        let answer = &mut self.out.answer;
        self.proposals.open.retain(|_, proposal| {
            let patience_ms = if proposal.routed_at.is_some() { operation_ms } else { hold_ms };
            if now.since(proposal.since) < patience_ms {
                return true;
            }
            let refusal = match proposal.routed_at {
                None if has_leader => Refusal {
                    code: RefusalCode::Overloaded,
                    definite: true,
                    text: format!(
                        "the leader had no room for {hold_ms} ms; the operation was never proposed"
                    ),
                },
                None => Refusal {
                    code: RefusalCode::NoLeader,
                    definite: true,
                    text: format!("no leader was known for {hold_ms} ms; the operation was never proposed"),
                },
                Some(_) => Refusal {
                    code: RefusalCode::Timeout,
                    definite: false,
                    text: format!("proposed, but not known to be chosen within {operation_ms} ms"),
                },
            };
            answer.extend(proposal.waiting.drain(..).map(|id| (id, Err(refusal.clone()))));
            false
        });
        if matches!(self.role, Role::Leading(_)) {
            return; // They are in its own slots, or still queued.
        }
        let again_ms = self.settings.route_again_ms();
        for (author, proposal) in &mut self.proposals.open {
            if proposal.routed_at.is_some_and(|at| now.since(at) >= again_ms) {
                proposal.routed_at = Some(now);
                self.proposals.queue.push_back(*author);
            }
        }
    }
}
