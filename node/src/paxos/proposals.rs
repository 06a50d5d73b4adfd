//! Which leader gets the commands of this node's clients, and how; [`crate::pending::commands`] keeps them until they are
//! chosen. A command may thus be chosen twice, and sessions make sure that it applies once (PP13).

use crate::api::NodeId;
use crate::defect::Defect;
use crate::machine::{Author, Command};
use crate::paxos::message::{Message, Slot, Value};
use crate::paxos::{Paxos, Role};
use crate::pending::commands::Given;
use crate::protocol::{Ask, Offered};

impl Paxos {
    /// Takes in operations of this node's clients.
    pub(super) fn offer(&mut self, offered: Vec<Offered>) {
        for Offered { id, ask } in offered {
            match ask {
                Ask::Read => self.offer_read(id),
                Ask::Command(command) => {
                    if let Err(refusal) = self.commands.hold(id, command, self.now) {
                        self.out.refuse(id, refusal);
                    }
                }
                Ask::Admin(admin) => self.on_admin(id, admin),
            }
        }
    }

    /// Gives the leader what is queued: this node's own slots, as far as there is room, or a message. Without a leader it
    /// waits. A new leader gets everything.
    pub(super) fn route_commands(&mut self) {
        let Some(leader) = self.leader() else { return };
        let ballot = self.own_ballot().or(self.follows.map(|(ballot, _)| ballot)).unwrap_or_default();
        if self.routed_to != Some((ballot, leader)) {
            self.routed_to = Some((ballot, leader));
            self.commands.queue_all();
        }
        if self.commands.is_queue_empty() {
            return;
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
            let commands = self.take_queued(self.settings.bounds.batch_max);
            if commands.is_empty() {
                return;
            }
            self.send(leader, Message::Propose { commands });
        }
    }

    /// Defect P18 gives a repeated command another author, so that it is not recognised.
    fn take_queued(&mut self, count_max: usize) -> Vec<Command> {
        let (node, disguises) = (self.settings.node, self.settings.defects.has(Defect::P18));
        let command = |Given { mut command, is_repeated, operation }| {
            if is_repeated && disguises {
                command.author = Author::Node(node, operation);
            }
            command
        };
        self.commands.take(count_max, self.now).into_iter().map(command).collect()
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
    pub(super) fn sweep_commands(&mut self) {
        let given_up = self.commands.give_up(self.now, self.settings.patience(), self.leader().is_some());
        self.out.answer.extend(given_up);
        if !matches!(self.role, Role::Leading(_)) {
            // A leader has them in its own slots, or still queued.
            self.commands.queue_lost(self.now, self.settings.route_again_ms());
        }
    }
}
