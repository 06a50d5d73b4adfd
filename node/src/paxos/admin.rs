//! What people ask for: another leader. Who takes part is fixed here (PP11 would make it a value in the log).
//!
//! A leader is whoever gets promises, so handing over means making way: the leader gives up its lease, for good in its
//! ballot, and tells the heir to prepare at once. The heir names the ballot that made way for it, and acceptors that follow
//! this very ballot, or one below, listen to it although they hear a leader (PP9 holds: no lease is left). What
//! the old leader goes on proposing meanwhile, the heir finds and finishes, or refuses.

use crate::api::{Admin, NodeId, Refusal, RefusalCode};
use crate::paxos::basic::Ballot;
use crate::paxos::message::Message;
use crate::paxos::{Paxos, Role};
use crate::protocol::{Millis, OperationId};

/// A wish for a leader, asked of this node.
#[derive(Debug)]
pub(super) struct Errand {
    id: OperationId,
    heir: NodeId,
    since: Millis,
    /// The ballot whose leader has been asked; none: nobody yet.
    asked: Option<Ballot>,
}

impl Paxos {
    pub(super) fn on_admin(&mut self, id: OperationId, admin: Admin) {
        match admin {
            Admin::Members(_) => {
                self.refuse(id, RefusalCode::Unsupported, "the members of a Paxos cluster are fixed".into());
            }
            Admin::Lead(heir) if !self.settings.members.contains(&heir) => {
                self.refuse(id, RefusalCode::Conflict, "only a member can lead".into());
            }
            Admin::Lead(heir) => {
                self.errands.push(Errand { id, heir, since: self.now, asked: None });
            }
        }
    }

    /// Asks each leader that becomes known, and answers once the wish is fulfilled.
    pub(super) fn run_errands(&mut self) {
        let Some(leader) = self.leader() else { return };
        let ballot = self.own_ballot().or(self.follows.map(|(ballot, _)| ballot));
        for mut errand in std::mem::take(&mut self.errands) {
            if errand.heir == leader {
                self.out.answer.push((errand.id, Ok(crate::api::Reply::Done)));
                continue;
            }
            if errand.asked != ballot {
                errand.asked = ballot;
                self.ask_to_make_way(leader, errand.heir);
            }
            self.errands.push(errand);
        }
    }

    fn ask_to_make_way(&mut self, leader: NodeId, heir: NodeId) {
        if leader == self.settings.node {
            self.make_way(heir);
        } else {
            self.send(leader, Message::MakeWay { heir });
        }
    }

    pub(super) fn make_way(&mut self, heir: NodeId) {
        let Role::Leading(office) = &mut self.role else { return };
        if heir != self.settings.node {
            office.makes_way = true;
            let ballot = office.ballot;
            self.send(heir, Message::TakeOver { ballot });
        }
    }

    /// The leader that this node follows makes way for it. A message that comes late, from another ballot, is void.
    pub(super) fn on_take_over(&mut self, from: NodeId, ballot: Ballot) {
        let is_heir = self.follows == Some((ballot, from)) && matches!(self.role, Role::Following);
        if is_heir && self.is_acceptor() {
            self.prepare(Some(ballot));
        }
    }

    /// Whether the leader that this node hears, or is, has made way for whoever says so.
    pub(super) fn is_released(&self, released: Option<Ballot>) -> bool {
        let heard = match &self.role {
            Role::Leading(office) => office.makes_way.then_some(office.ballot),
            _ => self.follows.map(|(ballot, _)| ballot),
        };
        heard.zip(released).is_some_and(|(heard, released)| heard <= released)
    }

    /// Gives up on wishes that have waited too long.
    pub(super) fn sweep_errands(&mut self) {
        let (now, hold_ms, operation_ms) = (self.now, self.settings.hold_ms, self.settings.operation_ms);
        let answer = &mut self.out.answer;
        self.errands.retain(|errand| {
            let (patience_ms, code, definite, text) = match errand.asked {
                None => (hold_ms, RefusalCode::NoLeader, true, "no leader was known; nobody was asked"),
                Some(_) => (operation_ms, RefusalCode::Timeout, false, "the node does not lead yet"),
            };
            let is_late = now.since(errand.since) >= patience_ms;
            if is_late {
                answer.push((errand.id, Err(Refusal { code, definite, text: text.into() })));
            }
            !is_late
        });
    }

    /// The other members.
    pub(super) fn other_members(&self) -> impl Iterator<Item = NodeId> + use<'_> {
        self.settings.members.iter().copied().filter(|node| *node != self.settings.node)
    }

    /// All other nodes, members or not.
    pub(super) fn others(&self) -> impl Iterator<Item = NodeId> + use<'_> {
        self.settings.nodes.iter().copied().filter(|node| *node != self.settings.node)
    }
}
