//! What directed schedules see and do message by message and record by record: observations told as they happen, and
//! messages that are held, dropped or repeated on their way.
//!
//! Whatever is seen is written out only where the schedule looks for it, as that costs more than the event itself.

use std::collections::BTreeSet;

use rashomon_histories::Nanos;
use rashomon_nemesis::evidence::WorldEvidence;
use rashomon_nemesis::handling::{Handling, Manner};
use rashomon_nemesis::timeline::{Observation, Sight};
use rashomon_nemesis::{Evidence, Steps as _};
use rashomon_node::protocol::Ticket;

use super::{Due, Envelope, World};
use crate::invariants::Inspect;
use crate::network;

/// The messages in the hands of the nemesis, and what it looks for.
pub(super) struct Hands<M> {
    watched: BTreeSet<Sight>,
    handled: Vec<Handled<M>>,
}

/// A kind of messages in force, and those kept of it, in the order in which they were sent.
struct Handled<M> {
    by: Handling,
    met_count: u64,
    kept: Vec<Envelope<M>>,
}

impl<M> Hands<M> {
    pub(super) fn new(watched: BTreeSet<Sight>) -> Self {
        Self { watched, handled: Vec::new() }
    }

    fn sees(&self, sight: Sight) -> bool {
        self.watched.contains(&sight)
    }
}

impl<P: Inspect> World<P> {
    /// Tells the schedule what was seen; what it was waiting for is acted upon as soon as all that happens at this moment has,
    /// so that a script, which knows moments only, can repeat it.
    pub(super) fn observe(&mut self, observed: &Observation<'_>) {
        if self.schedule.observe(self.now, observed) {
            self.queue.plan(self.now.plus(Nanos(1)), Due::Faults);
        }
    }

    /// Whether a message that leaves goes on its way.
    pub(super) fn passes_hands(&mut self, from: usize, to: usize, message: &P::Message) -> bool {
        let is_watched = self.hands.sees(Sight::Messages);
        if !is_watched && self.hands.handled.is_empty() {
            return true;
        }
        let text = format!("{message:?}");
        let (sender, receiver) = (network::name(from), network::name(to));
        let mut passes = true;
        for handled in &mut self.hands.handled {
            if !handled.by.is_about(sender, receiver, &text) {
                continue;
            }
            handled.met_count += 1;
            if handled.by.manner != Manner::Drop {
                handled.kept.push(Envelope { from, to, sent: self.now, message: message.clone() });
            }
            if handled.by.manner != Manner::Repeat {
                passes = false;
                break;
            }
        }
        if is_watched {
            self.observe(&Observation::Sent { from: sender, to: receiver, text: &text });
        }
        passes
    }

    /// Remembers what a batch of records says until it is durable.
    pub(super) fn note_records(&mut self, node: usize, ticket: Ticket, records: &[P::Record]) {
        if self.hands.sees(Sight::Records)
            && let Some(live) = self.nodes[node].live_mut()
        {
            live.written_out.push_back((ticket, format!("{records:?}")));
        }
    }

    /// Tells what is on a node's disk now.
    pub(super) fn observe_durable(&mut self, node: usize, ticket: Ticket) {
        while let Some(live) = self.nodes[node].live_mut()
            && live.written_out.front().is_some_and(|(written, _)| *written <= ticket)
            && let Some((_, text)) = live.written_out.pop_front()
        {
            self.observe(&Observation::Durable { node: network::name(node), text: &text });
        }
    }

    /// Tells what a client is answered.
    pub(super) fn observe_answer(&mut self, node: usize, answer: &impl std::fmt::Debug) {
        if self.hands.sees(Sight::Answers) {
            let text = format!("{answer:?}");
            self.observe(&Observation::Answered { node: network::name(node), text: &text });
        }
    }

    pub(super) fn handle(&mut self, by: &Handling) -> Evidence {
        self.hands.handled.push(Handled { by: by.clone(), met_count: 0, kept: Vec::new() });
        Evidence::World(WorldEvidence { changed: true, seen: by.to_string() })
    }

    /// The messages kept go on their way, all from this moment on.
    pub(super) fn let_go(&mut self, of: &Handling) -> Evidence {
        let found = self.hands.handled.iter().position(|handled| handled.by == *of);
        let Some(index) = found else {
            return Evidence::World(WorldEvidence { changed: false, seen: "it was not in force".into() });
        };
        let Handled { met_count, kept, .. } = self.hands.handled.remove(index);
        let seen = format!("{met_count} messages met, {} let go", kept.len());
        for envelope in kept {
            let at = self.now.plus(self.network.latency());
            let slot = self.messages.put(envelope);
            self.queue.plan(at, Due::Message(slot));
        }
        Evidence::World(WorldEvidence { changed: true, seen })
    }

    /// All that is still in the hands goes on its way.
    pub(super) fn let_all_go(&mut self) {
        while let Some(by) = self.hands.handled.first().map(|handled| handled.by.clone()) {
            self.let_go(&by);
        }
    }
}
