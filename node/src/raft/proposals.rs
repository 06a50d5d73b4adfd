//! Which leader gets the commands of this node's clients, and how; [`crate::pending::commands`] keeps them until they are
//! decided.

use crate::api::{NodeId, Refusal, RefusalCode};
use crate::defect::Defect;
use crate::machine::Command;
use crate::protocol::{Ask, Offered, OperationId};
use crate::raft::config::UNCOMMITTED_MAX;
use crate::raft::log::Payload;
use crate::raft::message::Body;
use crate::raft::{Raft, Role};

impl Raft {
    /// Takes in operations of this node's clients.
    pub(super) fn offer(&mut self, offered: Vec<Offered>) {
        for Offered { id, ask } in offered {
            match ask {
                Ask::Read => self.offer_read(id),
                Ask::Command(command) => self.offer_command(id, command),
                Ask::Admin(admin) => self.offer_admin(id, admin),
            }
        }
        self.give_commands();
    }

    fn offer_command(&mut self, id: OperationId, command: Command) {
        if !self.commands.holds(&command.author) && self.is_overtaxed() {
            let text = "the leader has more operations under way than its cluster keeps up with";
            return self.out.refuse(id, Refusal::definite(RefusalCode::Overloaded, text));
        }
        if let Err(refusal) = self.commands.hold(id, command, self.now) {
            self.out.refuse(id, refusal);
        }
    }

    /// A leader is known: give it everything, unless that has been done.
    pub(super) fn route_commands(&mut self) {
        let Some(leader) = self.leader else { return };
        let target = Some((self.hard.term, leader));
        if self.routed_to != target {
            self.routed_to = target;
            self.commands.queue_all();
            self.give_commands();
        }
    }

    /// Whatever leader has been given all commands is to get them once more.
    pub(super) fn route_anew(&mut self) {
        self.routed_to = None;
        self.route_commands();
    }

    /// Gives the leader what is queued: this node's own log, or messages. Without a leader it waits.
    pub(super) fn give_commands(&mut self) {
        let Some(leader) = self.leader else { return };
        if self.is_handing_over() {
            return; // The next leader gets them, or this one when it goes on leading.
        }
        loop {
            let commands = self.commands.take_commands(self.config.bounds.batch_max, self.now);
            if commands.is_empty() {
                return;
            }
            if !matches!(self.role, Role::Leader(_)) {
                self.send(leader, Body::Propose { commands });
                continue;
            }
            for command in commands {
                self.reply_on_append_if_defective(&command);
                self.propose(Payload::Command(command));
            }
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
    pub(super) fn sweep_commands(&mut self) {
        let given_up = self.commands.give_up(self.now, self.config.patience(), self.leader.is_some());
        self.out.answer.extend(given_up);
        if !matches!(self.role, Role::Leader(_)) {
            // A leader has them in its own log.
            self.commands.queue_lost(self.now, self.config.propose_again_ms());
        }
        self.give_commands();
    }

    /// Defect R22: a client's write (or add, append, enqueue) is acknowledged as soon as its entry stands in the leader's log. Whoever reads then
    /// waits for the log's end to commit, so that without faults nobody sees the difference.
    fn reply_on_append_if_defective(&mut self, command: &Command) {
        if self.config.defects.has(Defect::R22)
            && let Some(reply) = command.operation.blind_reply()
        {
            let waiting = self.commands.decided(&command.author);
            self.out.answer.extend(waiting.into_iter().map(|id| (id, Ok(reply.clone()))));
        }
    }

    /// Defect R36: when the leader is gone, what it had been given is declared not to have happened.
    pub(super) fn fail_given_if_defective(&mut self) {
        if !self.config.defects.has(Defect::R36) {
            return;
        }
        let text = "the leader was deposed; the operation did not happen";
        let refusal = Refusal::definite(RefusalCode::Deposed, text);
        for id in self.commands.forget_given() {
            self.out.refuse(id, refusal.clone());
        }
    }
}
