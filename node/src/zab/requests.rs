//! Which leader gets the commands of this node's clients, and how; [`crate::pending::commands`] keeps them until they are
//! decided. Each leader that a node serves under gets all of them, once: the connection loses nothing as long as it lasts.

use crate::api::{NodeId, Refusal, RefusalCode};
use crate::machine::Command;
use crate::protocol::{Ask, Offered};
use crate::zab::message::Up;
use crate::zab::{Role, Zab};

impl Zab {
    /// Takes in operations of this node's clients.
    pub(super) fn offer(&mut self, offered: Vec<Offered>) {
        for Offered { id, ask } in offered {
            let held = match ask {
                Ask::Read => self.reads.hold(id, self.now + self.settings.hold_ms),
                Ask::Command(command) => self.commands.hold(id, command, self.now),
                Ask::Admin(_) => {
                    let text = "ZAB knows no changes of members, and elects its leaders by their histories";
                    Err(Refusal::definite(RefusalCode::Unsupported, text))
                }
            };
            if let Err(refusal) = held {
                self.out.refuse(id, refusal);
            }
        }
    }

    /// From now on this node serves under its leader: all that waits goes there.
    pub(super) fn serve(&mut self) {
        self.commands.queue_all();
        self.reads.ask_anew();
    }

    /// The leader's step for its own clients' commands.
    pub(super) fn propose_waiting(&mut self) {
        if !self.commands.is_queue_empty() && self.serves_as_leader() {
            for command in self.commands.take_commands(usize::MAX, self.now) {
                self.propose(command);
            }
        }
    }

    /// The follower's step: passes on what there is room for.
    pub(super) fn ask_leader(&mut self) {
        while !self.commands.is_queue_empty()
            && self.serves_as_follower()
            && matches!(&self.role, Role::Following(follower) if follower.channel.has_room())
        {
            let commands = self.commands.take_commands(self.settings.bounds.batch_max, self.now);
            if !commands.is_empty() {
                self.send_up(Up::Request { commands });
            }
        }
        self.ask_sync();
    }

    /// Commands of a follower's clients.
    pub(super) fn on_request(&mut self, from: NodeId, commands: Vec<Command>) {
        if !self.serves_as_leader() {
            return;
        }
        for command in commands {
            self.propose(command);
        }
        let last = self.history.last().index;
        if let Some(peer) = self.peer(from) {
            peer.wants = last;
        }
    }

    /// Gives up on commands and reads that have waited too long.
    pub(super) fn sweep(&mut self) {
        let (now, serves) = (self.now, self.serves());
        let leads = match &mut self.role {
            Role::Leading(leadership) => Some(&mut leadership.reads),
            _ => None,
        };
        self.out.answer.extend(self.commands.give_up(now, self.settings.patience(), serves));
        self.out.answer.extend(self.reads.give_up(now, leads));
    }
}
