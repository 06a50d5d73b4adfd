//! Clients' commands on their way to a leader and back.
//!
//! A node keeps every command that its clients gave it until it sees the command decided, or gives up. It gives all of
//! them to each leader that it serves under, once: the connection loses nothing as long as it lasts, and sessions make
//! repetition harmless. What has never left this node may be refused as "did not happen"; what has may not, as it may be
//! in some history. Answers come from the node's own state, so a client that stays with a node reads its own writes.

use std::collections::{BTreeMap, BTreeSet};

use crate::api::{NodeId, Refusal, RefusalCode};
use crate::machine::{Author, Command};
use crate::protocol::{Ask, Millis, Offered, OperationId};
use crate::zab::config::{BATCH_MAX, REQUESTS_MAX};
use crate::zab::message::Up;
use crate::zab::{Role, Zab};

/// Commands of this node's clients that are not decided yet.
#[derive(Debug, Default)]
pub(super) struct Requests {
    open: BTreeMap<Author, Waiting>,
    /// Those that the current leader has not been given.
    unsent: BTreeSet<Author>,
}

#[derive(Debug)]
struct Waiting {
    command: Command,
    operations: Vec<OperationId>,
    since: Millis,
    /// Whether it has left for any leader; if not, it surely has not happened.
    has_left: bool,
}

impl Requests {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// The command of this author is decided: who waits for its reply?
    pub(super) fn decided(&mut self, author: &Author) -> Vec<OperationId> {
        self.unsent.remove(author);
        self.open.remove(author).map_or(Vec::new(), |waiting| waiting.operations)
    }

    /// Takes commands that the leader is to be given now.
    fn take_unsent(&mut self, count_max: usize) -> Vec<Command> {
        let mut commands = Vec::new();
        while commands.len() < count_max
            && let Some(author) = self.unsent.pop_first()
        {
            if let Some(waiting) = self.open.get_mut(&author) {
                waiting.has_left = true;
                commands.push(waiting.command.clone());
            }
        }
        commands
    }
}

impl Zab {
    /// Takes in operations of this node's clients.
    pub(super) fn offer(&mut self, offered: Vec<Offered>) {
        for Offered { id, ask } in offered {
            match ask {
                Ask::Read => self.offer_read(id),
                Ask::Command(command) => self.hold(id, command),
                Ask::Admin(_) => {
                    let text = "ZAB knows no changes of members, and elects its leaders by their histories";
                    self.refuse(id, RefusalCode::Unsupported, text.into());
                }
            }
        }
    }

    /// Keeps a command until it is decided.
    fn hold(&mut self, id: OperationId, command: Command) {
        let author = command.author;
        if let Some(waiting) = self.requests.open.get_mut(&author) {
            // A client's retry of what is under way here: the decision will answer both.
            waiting.operations.push(id);
            waiting.since = self.now;
        } else if self.requests.open.len() >= REQUESTS_MAX {
            let text = format!("{REQUESTS_MAX} operations are waiting at this node");
            self.refuse(id, RefusalCode::Overloaded, text);
        } else {
            let waiting = Waiting { command, operations: vec![id], since: self.now, has_left: false };
            self.requests.open.insert(author, waiting);
            self.requests.unsent.insert(author);
        }
    }

    /// Refuses what surely has not happened.
    pub(super) fn refuse(&mut self, id: OperationId, code: RefusalCode, text: String) {
        self.out.answer.push((id, Err(Refusal { code, definite: true, text })));
    }

    /// From now on this node serves under its leader: all that waits goes there.
    pub(super) fn serve(&mut self) {
        self.requests.unsent = self.requests.open.keys().copied().collect();
        self.reads.ask_anew();
    }

    /// The leader's step for its own clients' commands.
    pub(super) fn propose_waiting(&mut self) {
        if self.serves_as_leader() {
            for command in self.requests.take_unsent(usize::MAX) {
                self.propose(command);
            }
        }
    }

    /// The follower's step: passes on what there is room for.
    pub(super) fn ask_leader(&mut self) {
        while self.serves_as_follower()
            && matches!(&self.role, Role::Following(follower) if follower.channel.has_room())
        {
            let commands = self.requests.take_unsent(BATCH_MAX);
            if commands.is_empty() {
                break;
            }
            self.send_up(Up::Request { commands });
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

    /// Gives up on what has waited too long.
    pub(super) fn sweep_requests(&mut self) {
        let (now, hold_ms, operation_ms) = (self.now, self.settings.hold_ms, self.settings.operation_ms);
        let answer = &mut self.out.answer;
        self.requests.open.retain(|_, waiting| {
            let patience_ms = if waiting.has_left { operation_ms } else { hold_ms };
            if now.since(waiting.since) < patience_ms {
                return true;
            }
            let refusal = if waiting.has_left {
                Refusal {
                    code: RefusalCode::Timeout,
                    definite: false,
                    text: format!("proposed, but not known to be decided within {operation_ms} ms"),
                }
            } else {
                Refusal {
                    code: RefusalCode::NoLeader,
                    definite: true,
                    text: format!("no leader was known for {hold_ms} ms; the operation was never proposed"),
                }
            };
            answer.extend(waiting.operations.drain(..).map(|id| (id, Err(refusal.clone()))));
            false
        });
        let Requests { open, unsent } = &mut self.requests;
        unsent.retain(|author| open.contains_key(author));
    }
}
