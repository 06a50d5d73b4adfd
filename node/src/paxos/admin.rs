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
use crate::protocol::OperationId;

impl Paxos {
    pub(super) fn on_admin(&mut self, id: OperationId, admin: Admin) {
        let held = match &admin {
            Admin::Members(_) => {
                let text = "the members of a Paxos cluster are fixed";
                Err(Refusal::definite(RefusalCode::Unsupported, text))
            }
            Admin::Lead(heir) if !self.settings.members.contains(heir) => {
                Err(Refusal::definite(RefusalCode::Conflict, "only a member can lead"))
            }
            Admin::Lead(_) => self.errands.hold(id, admin, self.now),
        };
        if let Err(refusal) = held {
            self.out.refuse(id, refusal);
        }
    }

    /// Asks each leader that becomes known, and answers once the wish is fulfilled.
    pub(super) fn run_errands(&mut self) {
        let Some(leader) = self.leader() else { return };
        let ballot = self.own_ballot().or(self.follows.map(|(ballot, _)| ballot)).unwrap_or_default();
        self.out.answer.extend(self.errands.fulfilled(|admin, _| *admin == Admin::Lead(leader)));
        for (_, admin) in self.errands.ask(ballot, self.now) {
            if let Admin::Lead(heir) = admin {
                self.ask_to_make_way(leader, heir);
            }
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

    /// The other members.
    pub(super) fn other_members(&self) -> impl Iterator<Item = NodeId> + use<'_> {
        self.settings.members.iter().copied().filter(|node| *node != self.settings.node)
    }

    /// All other nodes, members or not.
    pub(super) fn others(&self) -> impl Iterator<Item = NodeId> + use<'_> {
        self.settings.nodes.iter().copied().filter(|node| *node != self.settings.node)
    }
}
