//! One node without its I/O: a protocol core, the state machine it feeds, and the operations that wait in between.
//!
//! Pure like its parts: a server drives it with sockets and files, a simulator without. It checks what clients send,
//! turns operations into what the protocol understands, applies what is decided and answers. It does not know which
//! protocol it runs.

mod store;

use crate::api::operation::KEY_BYTES_MAX;
use crate::api::{NodeId, Operation, Refusal, RefusalCode, Reply, Request, Status};
use crate::defect::Defect;
use crate::machine::{Author, Command, Machine};
use crate::protocol::{
    Ask, Decided, Effects, Extent, Incarnation, Input, Millis, Note, Offered, OperationId, Protocol, Ticket,
};
use crate::settings::{Reads, Settings};
use store::Store;

/// One thing that happened to a node.
#[derive(Debug)]
pub enum Event<M> {
    /// Time has passed.
    Tick,
    /// A peer's message arrived.
    Message(NodeId, M),
    /// Clients ask for these operations. The ids come from [`Replica::name`].
    Requests(Vec<(OperationId, Request)>),
    /// Everything handed out to be persisted up to this ticket is on stable storage.
    Durable(Ticket),
}

/// Duties that follow from an event; their meaning is that of the fields of [`Effects`] of the same names.
#[derive(Debug)]
pub struct Output<P: Protocol> {
    /// To be written to stable storage.
    pub persist: Vec<P::Record>,
    /// Whether it stands for everything written before.
    pub replaces: bool,
    /// Of the last batch handed out to be persisted.
    pub ticket: Ticket,
    /// To be sent at once.
    pub send: Vec<(NodeId, P::Message)>,
    /// To be sent when everything up to `ticket` is durable.
    pub send_durable: Vec<(NodeId, P::Message)>,
    /// Answers to clients.
    pub answers: Vec<(OperationId, Result<Reply, Refusal>)>,
    /// What has been applied to the state machine, in order. No duty: for whoever checks invariants.
    pub applied: Vec<Decided>,
    /// For the log.
    pub notes: Vec<Note>,
}

impl<P: Protocol> Default for Output<P> {
    fn default() -> Self {
        Self {
            persist: Vec::new(),
            replaces: false,
            ticket: Ticket::default(),
            send: Vec::new(),
            send_durable: Vec::new(),
            answers: Vec::new(),
            applied: Vec::new(),
            notes: Vec::new(),
        }
    }
}

impl<P: Protocol> Output<P> {
    /// Empty again, with its memory.
    fn clear(&mut self) {
        let Self { persist, replaces, ticket: _, send, send_durable, answers, applied, notes } = self;
        empty(persist);
        *replaces = false;
        empty(send);
        empty(send_durable);
        empty(answers);
        empty(applied);
        empty(notes);
    }

    /// Takes what a core wants done, but for the answers; leaves nothing of it.
    fn take(&mut self, effects: &mut Effects<P::Record, P::Message>) {
        if std::mem::take(&mut effects.replaces) {
            // What came before in this very step is part of what the new records stand for.
            self.persist.clear();
            self.replaces = true;
        }
        self.ticket = effects.ticket;
        append(&mut self.persist, &mut effects.persist);
        append(&mut self.send, &mut effects.send);
        append(&mut self.send_durable, &mut effects.send_durable);
        append(&mut self.applied, &mut effects.apply);
        append(&mut self.notes, &mut effects.notes);
    }
}

/// One node without its I/O.
#[derive(Debug)]
pub struct Replica<P> {
    settings: Settings,
    incarnation: Incarnation,
    core: P,
    store: Store,
    named_count: u64,
}

impl<P: Protocol> Replica<P> {
    /// A node as of its records, all durable by now. Its state machine fills up as the core hands out what is decided.
    ///
    /// `incarnation` has never been used before on this data.
    pub fn restore(
        settings: Settings,
        incarnation: Incarnation,
        records: Vec<P::Record>,
        now: Millis,
    ) -> Self {
        Self {
            core: P::restore(settings.clone(), incarnation, records, now),
            incarnation,
            store: Store::new(&settings),
            settings,
            named_count: 0,
        }
    }

    /// A name for an operation that a client asks for, never given before by this node.
    pub fn name(&mut self) -> OperationId {
        self.named_count += 1;
        OperationId(self.incarnation.id(self.named_count))
    }

    /// Takes one event at time `now`. Whatever `output` held is gone then.
    pub fn step(&mut self, now: Millis, event: Event<P::Message>, output: &mut Output<P>) {
        output.clear();
        let input = match event {
            Event::Tick => Input::Tick,
            Event::Message(from, message) => Input::Message { from, message },
            Event::Durable(ticket) => Input::Durable(ticket),
            Event::Requests(requests) => {
                let offered = requests.into_iter().filter_map(|(id, request)| match self.ask(id, request) {
                    Ok(ask) => Some(Offered { id, ask }),
                    Err(refusal) => {
                        output.answers.push((id, Err(refusal)));
                        None
                    }
                });
                Input::Operations(offered.collect())
            }
        };
        let mut next = Some(input);
        while let Some(input) = next {
            let effects = self.core.step(now, input);
            self.store.carry_out(effects, &mut output.answers);
            output.take(effects);
            let wants_snapshot = std::mem::take(&mut effects.snapshot);
            next = wants_snapshot.then(|| Input::Snapshot(self.store.snapshot()));
        }
    }

    /// When the next [`Event::Tick`] is due if nothing else happens.
    pub fn wake_at(&self) -> Millis {
        self.core.wake_at()
    }

    /// The node's view of itself.
    pub fn status(&self) -> Status {
        let view = self.core.view();
        let Extent { members, base, snapshot } = self.core.extent();
        Status {
            members,
            base,
            snapshot,
            node: self.settings.node,
            protocol: P::NAME.into(),
            reads: self.settings.reads.to_string(),
            role: view.role,
            term: view.term,
            leader: view.leader,
            last: view.last,
            commit: view.commit,
            applied: self.store.machine.applied(),
            digest: self.store.machine.digest(),
            incarnation: self.incarnation.0,
            defects: self.settings.defects.iter().map(|defect| defect.id().to_owned()).collect(),
        }
    }

    /// The protocol core, for checks of invariants.
    pub fn core(&self) -> &P {
        &self.core
    }

    /// The state machine, for checks of invariants.
    pub fn machine(&self) -> &Machine {
        &self.store.machine
    }

    /// A node that answers from its own state refuses a client who has seen more: it would see the past (rule ZB10).
    fn has_seen_what_client_has(&self, seen: u64) -> Result<(), Refusal> {
        let applied = self.store.machine.applied();
        if self.settings.reads != Reads::Local || seen <= applied || self.settings.defects.has(Defect::Z14) {
            return Ok(());
        }
        let text = format!("the client has seen position {seen}, this node is at {applied}");
        Err(Refusal::definite(RefusalCode::Behind, text))
    }

    /// What the protocol has to do for a client's request; refuses what is malformed.
    fn ask(&mut self, id: OperationId, request: Request) -> Result<Ask, Refusal> {
        let Request { sessioned, seen, operation } = request;
        let own = Author::Node(self.settings.node, id);
        self.has_seen_what_client_has(seen)?;
        if let Some(key) = operation.key()
            && key.len() > KEY_BYTES_MAX
        {
            return Err(malformed(format!(
                "a key of {} bytes exceeds the limit of {KEY_BYTES_MAX}",
                key.len()
            )));
        }
        if let Operation::Admin(admin) = operation {
            return Ok(Ask::Admin(admin));
        }
        if operation == Operation::OpenSession {
            return Ok(Ask::Command(Command { author: own, operation }));
        }
        if operation.is_read() {
            if self.settings.reads == Reads::Log {
                return Ok(Ask::Command(Command { author: own, operation }));
            }
            self.store.hold(id, operation);
            return Ok(Ask::Read);
        }
        match sessioned {
            Some(sessioned) => Ok(Ask::Command(Command { author: Author::Session(sessioned), operation })),
            None => Err(malformed("an operation that changes state needs a session".into())),
        }
    }
}

/// Most lists are empty at most steps: to see that costs less than to make it so.
fn empty<T>(list: &mut Vec<T>) {
    if !list.is_empty() {
        list.clear();
    }
}

/// Mostly there is nothing to append, or nothing yet to append it to: then the lists change places.
fn append<T>(to: &mut Vec<T>, from: &mut Vec<T>) {
    if from.is_empty() {
        return;
    }
    if to.is_empty() {
        std::mem::swap(to, from);
    } else {
        to.append(from);
    }
}

fn malformed(text: String) -> Refusal {
    Refusal::definite(RefusalCode::BadRequest, text)
}

#[cfg(test)]
mod tests;
