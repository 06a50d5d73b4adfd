//! The machine as a whole: kinds apart, retries once, snapshots complete.

use super::*;
use crate::api::{CounterOperation, Key, ListOperation, QueueOperation, RefusalCode, Sequence, SetOperation};

/// A machine and the log that it applied.
struct Log {
    machine: Machine,
    index: u64,
}

impl Log {
    fn new() -> Self {
        Self { machine: Machine::new(Limits::default()), index: 0 }
    }

    fn apply(&mut self, command: Option<&Command>) -> Option<Reply> {
        self.index += 1;
        self.machine.apply(self.index, command)
    }

    fn open(&mut self) -> SessionId {
        let author = Author::Node(NodeId(1), OperationId(self.index));
        match self.apply(Some(&Command { author, operation: Operation::OpenSession })) {
            Some(Reply::Opened(session)) => session,
            reply => panic!("{reply:?}"),
        }
    }

    fn operate(&mut self, session: SessionId, sequence: u64, operation: Operation) -> Reply {
        let author = Author::Session(Sessioned { session, sequence: Sequence(sequence) });
        self.apply(Some(&Command { author, operation })).expect("a command has a reply")
    }

    fn read(&self, operation: &Operation) -> Reply {
        self.machine.read(operation).expect("a read")
    }
}

/// One change and one look of each kind, on the object of this name; a queue is only changed.
fn every_kind(name: &str) -> Vec<(Operation, Option<Operation>)> {
    let key = Key::new(name);
    vec![
        (Operation::write(name, 1), Some(Operation::read(name))),
        (
            Operation::Set(key.clone(), SetOperation::Add(1)),
            Some(Operation::Set(key.clone(), SetOperation::Read)),
        ),
        (
            Operation::Counter(key.clone(), CounterOperation::Add(1)),
            Some(Operation::Counter(key.clone(), CounterOperation::Read)),
        ),
        (
            Operation::List(key.clone(), ListOperation::Append(1)),
            Some(Operation::List(key.clone(), ListOperation::Read)),
        ),
        (Operation::Queue(key.clone(), QueueOperation::Enqueue(1)), None),
        (Operation::Queue(key, QueueOperation::Dequeue), None),
    ]
}

#[test]
fn kinds_have_name_spaces_of_their_own() {
    let kinds = every_kind("x");
    for (changed, (change, own)) in kinds.iter().enumerate() {
        let mut log = Log::new();
        let session = log.open();
        let before: Vec<Option<Reply>> =
            kinds.iter().map(|(_, look)| look.as_ref().map(|look| log.read(look))).collect();
        log.operate(session, 1, change.clone());
        for (other, (_, look)) in kinds.iter().enumerate() {
            let after = look.as_ref().map(|look| log.read(look));
            let is_own = other == changed && own.is_some();
            assert_eq!(after != before[other], is_own, "{change:?} seen by {look:?}");
        }
    }
}

#[test]
fn equal_elements_of_different_kinds_have_different_digests() {
    let mut digests: Vec<u64> = every_kind("x")
        .iter()
        .map(|(change, _)| {
            let mut log = Log::new();
            let session = log.open();
            log.operate(session, 1, change.clone());
            // The same reply for all, so that only the objects differ.
            log.operate(session, 2, Operation::write("other", 1));
            log.machine.digest()
        })
        .collect();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), every_kind("x").len());
}

/// `Operation::is_read` and `Machine::read` must agree, else a read would never be answered.
#[test]
fn what_calls_itself_a_read_is_answered_as_one() {
    let log = Log::new();
    let create = Operation::Register(Key::new("x"), crate::api::RegisterOperation::Create(1));
    let more = [Operation::cas("x", 1, 2), create, Operation::OpenSession];
    let all = every_kind("x").into_iter().flat_map(|(change, look)| look.into_iter().chain([change]));
    for operation in all.chain(more) {
        assert_eq!(operation.is_read(), log.machine.read(&operation).is_some(), "{operation:?}");
    }
}

#[test]
fn a_blind_reply_is_the_one_that_the_machine_gives() {
    for (change, _) in every_kind("x") {
        let mut log = Log::new();
        let session = log.open();
        let reply = log.operate(session, 1, change.clone());
        match change.blind_reply() {
            Some(blind) => assert_eq!(blind, reply),
            None => assert!(matches!(reply, Reply::Taken(_)), "{change:?}"),
        }
    }
}

#[test]
fn a_retry_applies_once_whatever_the_kind() {
    let mut log = Log::new();
    let session = log.open();
    for (sequence, (change, look)) in (1..).zip(every_kind("x")) {
        let first = log.operate(session, sequence, change.clone());
        let seen = look.as_ref().map(|look| log.read(look));
        assert_eq!(log.operate(session, sequence, change.clone()), first, "{change:?}");
        assert_eq!(look.as_ref().map(|look| log.read(look)), seen, "{change:?}");
    }
}

/// Thesis 6.3: the sessions' memory is part of the snapshot.
#[test]
fn a_retry_after_a_snapshot_applies_once() {
    let mut log = Log::new();
    let session = log.open();
    let append = Operation::List(Key::new("x"), ListOperation::Append(7));
    assert_eq!(log.operate(session, 1, append.clone()), Reply::Added);
    let mut restored = Log { machine: Machine::decode(&log.machine.encode()).unwrap(), index: log.index };
    assert_eq!(restored.machine.digest(), log.machine.digest());
    for one in [&mut log, &mut restored] {
        assert_eq!(one.operate(session, 1, append.clone()), Reply::Added);
        let look = Operation::List(Key::new("x"), ListOperation::Read);
        assert_eq!(one.read(&look), Reply::Elements(vec![7]));
    }
    assert_eq!(restored.machine.digest(), log.machine.digest());
}

#[test]
fn a_snapshot_holds_every_kind() {
    let mut log = Log::new();
    let session = log.open();
    for (sequence, (change, _)) in (1..).zip(every_kind("x")) {
        log.operate(session, sequence, change);
    }
    let restored = Machine::decode(&log.machine.encode()).unwrap();
    assert_eq!(restored.digest(), log.machine.digest());
    assert_eq!(restored.digest_anew(), log.machine.digest());
    for look in every_kind("x").iter().filter_map(|(_, look)| look.as_ref()) {
        assert_eq!(restored.read(look), Some(log.read(look)));
    }
    let truncated = &log.machine.encode()[..20];
    assert!(Machine::decode(truncated).is_err());
}

#[test]
fn positions_without_a_command_pass_log_time_too() {
    let limits = Limits { idle_max: 3, ..Limits::default() };
    let mut log = Log { machine: Machine::new(limits), index: 0 };
    let session = log.open();
    for _ in 0..3 {
        assert_eq!(log.apply(None), None);
    }
    let refused = Reply::NotApplied(RefusalCode::SessionUnknown);
    assert_eq!(log.operate(session, 1, Operation::write("x", 1)), refused);
}

/// The dumb twin: a digest kept up with every change is that of the state, whatever was changed, taken or forgotten.
#[test]
fn the_digest_kept_up_to_date_is_that_of_the_state() {
    let mut log = Log { machine: Machine::new(Limits { count_max: 2, idle_max: 8 }), index: 0 };
    for round in 0..6 {
        let session = log.open();
        let take = Operation::Queue(Key::new("x"), QueueOperation::Dequeue);
        let changes = every_kind(["x", "y"][round % 2]).into_iter().map(|(change, _)| change);
        for (sequence, change) in (1..).zip(changes.chain([take])) {
            log.operate(session, sequence, change);
            assert_eq!(log.machine.digest_anew(), log.machine.digest());
        }
    }
    (0..9).for_each(|_| _ = log.apply(None));
    assert_eq!(log.machine.digest_anew(), log.machine.digest(), "the sessions have ended");
}

#[test]
fn a_session_tells_what_it_did_last() {
    let mut log = Log::new();
    let session = log.open();
    assert_eq!(log.machine.last_of(session), None);
    log.operate(session, 3, Operation::write("x", 1));
    log.operate(session, 2, Operation::write("x", 2));
    assert_eq!(log.machine.last_of(session), Some(Sequence(3)));
}
