//! The state machine of a node, and the reads that wait for the protocol's word.

use rustc_hash::FxHashMap;

use crate::api::{Operation, Refusal, RegisterOperation, Reply};
use crate::defect::{Defect, Defects};
use crate::machine::{Author, Command, Machine};
use crate::protocol::{Decided, Effects, Note, OperationId, Snapshot};
use crate::settings::Settings;

/// What a node keeps for its clients.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) machine: Machine,
    reads: FxHashMap<OperationId, Operation>,
    defects: Defects,
}

impl Store {
    /// An empty one.
    pub(super) fn new(settings: &Settings) -> Self {
        let machine = Machine::new(settings.sessions);
        Self { machine, reads: FxHashMap::default(), defects: settings.defects }
    }

    /// A read waits.
    pub(super) fn hold(&mut self, id: OperationId, operation: Operation) {
        self.reads.insert(id, operation);
    }

    /// Carries out what concerns the state machine, and answers those who waited for it. What has been applied stays in
    /// `effects`, to be told.
    pub(super) fn carry_out<R, M>(
        &mut self,
        effects: &mut Effects<R, M>,
        answers: &mut Vec<(OperationId, Result<Reply, Refusal>)>,
    ) {
        if let Some(snapshot) = effects.install.take() {
            self.machine = Machine::decode(&snapshot.state).expect("a snapshot is checked where it is read");
            assert_eq!(self.machine.applied(), snapshot.index, "a snapshot says what it holds");
        }
        for decided in &effects.apply {
            if let Some(reply) = self.apply(decided) {
                answers.extend(decided.waiting.iter().map(|id| (*id, Ok(reply.clone()))));
            }
        }
        if self.defects.has(Defect::Z15)
            && effects.notes.iter().any(|note| matches!(note, Note::BecameLeader { .. }))
        {
            self.machine.close_session_unreplicated();
        }
        if effects.read.is_empty() && effects.answer.is_empty() {
            return;
        }
        for id in effects.read.drain(..) {
            let operation = self.reads.remove(&id).expect("a core releases each read once");
            let reply = self.machine.read(&operation).expect("only reads are asked for as reads");
            answers.push((id, Ok(reply)));
        }
        for (id, answer) in effects.answer.drain(..) {
            self.reads.remove(&id);
            answers.push((id, answer));
        }
    }

    /// The state machine for a snapshot; all of it, on a sound node.
    pub(super) fn snapshot(&self) -> Snapshot {
        let state = match self.defects.has(Defect::R32) {
            true => self.machine.clone().without_replies().encode(),
            false => self.machine.encode(),
        };
        Snapshot { index: self.machine.applied(), state: state.into() }
    }

    /// Applies a decided position: as it is, on a sound node.
    fn apply(&mut self, decided: &Decided) -> Option<Reply> {
        let Decided { index, command, waiting } = decided;
        let defects = self.defects;
        if defects.has(Defect::G02)
            && let Some(Command { author: Author::Session(sessioned), .. }) = command
        {
            self.machine.forget_reply(sessioned.session);
        }
        if defects.has(Defect::G04)
            && waiting.is_empty()
            && let Some(Command { author, operation: Operation::Register(key, cas) }) = command
            && let RegisterOperation::Cas { new: value, .. } | RegisterOperation::Create(value) = *cas
        {
            let stripped = Command { author: *author, operation: Operation::write(key.clone(), value) };
            return self.machine.apply(*index, Some(&stripped));
        }
        self.machine.apply(*index, command.as_ref())
    }
}
