//! What a replica does with what is decided, on a protocol that decides at once; and what planted defects make of it.

use super::*;
use crate::api::{Key, ListOperation, Role, Sequence, SessionId, Sessioned};
use crate::protocol::{Snapshot, View};
use crate::settings::Settings;

/// Decides every command as it comes, or holds them back for the test to hand out.
#[derive(Debug, Default)]
struct Solo {
    last: u64,
    /// Hand the state machine in after the next command.
    wants_snapshot: bool,
    snapshot: Option<Snapshot>,
    install: Option<Snapshot>,
    effects: Effects<(), Command>,
}

impl Protocol for Solo {
    type Record = ();
    type Message = Command;

    const NAME: &'static str = "solo";

    fn restore(_: Settings, _: Incarnation, _: Vec<()>, _: Millis) -> Self {
        Self::default()
    }

    /// A message is a command decided elsewhere: nobody waits for it here.
    fn step(&mut self, _: Millis, input: Input<Command>) -> &mut Effects<(), Command> {
        let Self { effects, .. } = self;
        effects.install = self.install.take();
        if let Some(snapshot) = &effects.install {
            self.last = snapshot.index;
        }
        let mut decide = |command, waiting| {
            self.last += 1;
            effects.apply.push(Decided { index: self.last, command: Some(command), waiting });
        };
        match input {
            Input::Operations(offered) => {
                for Offered { id, ask } in offered {
                    match ask {
                        Ask::Command(command) => decide(command, vec![id]),
                        Ask::Read => effects.read.push(id),
                        Ask::Admin(_) => effects.answer.push((id, Ok(Reply::Done))),
                    }
                }
            }
            Input::Message { message, .. } => decide(message, Vec::new()),
            Input::Snapshot(snapshot) => self.snapshot = Some(snapshot),
            Input::Tick | Input::Durable(_) => {}
        }
        effects.snapshot = std::mem::take(&mut self.wants_snapshot);
        effects
    }

    fn wake_at(&self) -> Millis {
        Millis(u64::MAX)
    }

    fn view(&self) -> View {
        View { role: Role::Leader, term: 1, leader: None, last: self.last, commit: self.last }
    }
}

fn replica(defects: &[Defect]) -> Replica<Solo> {
    let defects = defects.iter().copied().collect();
    let settings = Settings { defects, ..Settings::new(NodeId(1), vec![NodeId(1)]) };
    Replica::restore(settings, Incarnation(1), Vec::new(), Millis(0))
}

fn step(replica: &mut Replica<Solo>, event: Event<Command>) -> Output<Solo> {
    let mut output = Output::default();
    replica.step(Millis(0), event, &mut output);
    output
}

fn ask(replica: &mut Replica<Solo>, sequence: u64, operation: Operation) -> Result<Reply, Refusal> {
    let id = replica.name();
    let sessioned = Some(Sessioned { session: SessionId(1), sequence: Sequence(sequence) });
    let request = Request { sessioned, seen: 0, operation };
    let mut answers = step(replica, Event::Requests(vec![(id, request)])).answers;
    assert_eq!(answers.len(), 1);
    answers.remove(0).1
}

/// The same operation, decided once more because a leader fell with it in hand.
fn decide_again(replica: &mut Replica<Solo>, sequence: u64, operation: Operation) {
    let author = Author::Session(Sessioned { session: SessionId(1), sequence: Sequence(sequence) });
    step(replica, Event::Message(NodeId(2), Command { author, operation }));
}

fn append() -> Operation {
    Operation::List(Key::new("x"), ListOperation::Append(7))
}

fn list(replica: &mut Replica<Solo>) -> Reply {
    ask(replica, 0, Operation::List(Key::new("x"), ListOperation::Read)).unwrap()
}

/// A replica with a session that has appended once.
fn appended(defects: &[Defect]) -> Replica<Solo> {
    let mut replica = replica(defects);
    assert_eq!(ask(&mut replica, 0, Operation::OpenSession), Ok(Reply::Opened(SessionId(1))));
    assert_eq!(ask(&mut replica, 1, append()), Ok(Reply::Added));
    replica
}

#[test]
fn what_is_decided_twice_is_applied_once_and_with_g02_twice() {
    for (defects, expected) in [(&[][..], vec![7]), (&[Defect::G02][..], vec![7, 7])] {
        let mut replica = appended(defects);
        decide_again(&mut replica, 1, append());
        assert_eq!(list(&mut replica), Reply::Elements(expected), "{defects:?}");
    }
}

#[test]
fn a_snapshot_knows_what_sessions_were_answered_and_with_r32_does_not() {
    for (defects, expected) in [(&[][..], vec![7]), (&[Defect::R32][..], vec![7, 7])] {
        let mut first = appended(defects);
        first.core.wants_snapshot = true;
        step(&mut first, Event::Tick);
        let snapshot = first.core.snapshot.take().expect("the replica handed it in");
        let mut second = replica(defects);
        second.core.install = Some(snapshot);
        decide_again(&mut second, 1, append());
        assert_eq!(list(&mut second), Reply::Elements(expected), "{defects:?}");
        decide_again(&mut first, 1, append());
        assert_eq!(list(&mut first), Reply::Elements(vec![7]), "who took the snapshot forgot nothing");
        let agree = first.status().digest == second.status().digest;
        assert_eq!(agree, defects.is_empty(), "{defects:?}");
    }
}

#[test]
fn nodes_agree_on_a_refused_cas_and_with_g04_they_do_not() {
    for defects in [&[][..], &[Defect::G04][..]] {
        let (mut asked, mut other) = (appended(defects), appended(defects));
        let refused = ask(&mut asked, 2, Operation::cas("x", 1, 2));
        assert_eq!(refused, Ok(Reply::Mismatch { found: None }));
        decide_again(&mut other, 2, Operation::cas("x", 1, 2));
        assert_eq!(asked.status().digest == other.status().digest, defects.is_empty(), "{defects:?}");
    }
}

#[test]
fn keys_of_every_kind_are_bounded() {
    let mut replica = appended(&[]);
    let key = Key::new("k".repeat(KEY_BYTES_MAX + 1));
    let refusal = ask(&mut replica, 2, Operation::List(key, ListOperation::Append(1))).unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::BadRequest, true));
}
