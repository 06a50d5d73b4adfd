//! The simulated objects: what can be asked of each, and what it then answers.

use std::collections::{BTreeSet, VecDeque};

use rashomon_histories::Value;

/// What kind of object is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Object {
    /// Reads, writes and cas.
    #[default]
    CasRegister,
    /// Reads and writes.
    Register,
    /// Elements are added, and read all together.
    Set,
    /// Amounts are added, and their sum read.
    Counter,
    /// First in, first out.
    Queue,
    /// Values are appended, and read all together.
    List,
}

impl Object {
    /// Each with the name of the model that judges it.
    pub const ALL: [(&'static str, Object); 6] = [
        ("cas-register", Object::CasRegister),
        ("register", Object::Register),
        ("set", Object::Set),
        ("counter", Object::Counter),
        ("queue", Object::Queue),
        ("list-append", Object::List),
    ];

    /// The object that the model of this name judges, if it can be simulated.
    pub fn of_model(name: &str) -> Option<Object> {
        Object::ALL.into_iter().find(|(model, _)| *model == name).map(|(_, object)| object)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Read,
    Write(i64),
    Cas(Option<i64>, i64),
    Add(i64),
    Enqueue(i64),
    Dequeue,
    Append(i64),
}

impl Asked {
    pub(super) fn f(self) -> &'static str {
        match self {
            Asked::Read => "read",
            Asked::Write(_) => "write",
            Asked::Cas(..) => "cas",
            Asked::Add(_) => "add",
            Asked::Enqueue(_) => "enqueue",
            Asked::Dequeue => "dequeue",
            Asked::Append(_) => "append",
        }
    }

    pub(super) fn argument(self) -> Value {
        match self {
            Asked::Read | Asked::Dequeue => Value::Null,
            Asked::Write(value) | Asked::Add(value) | Asked::Enqueue(value) | Asked::Append(value) => {
                Value::Int(value)
            }
            Asked::Cas(old, new) => Value::pair(Value::from(old), Value::Int(new)),
        }
    }

    pub(super) fn only_looks(self) -> bool {
        self == Asked::Read
    }
}

/// What was answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Done,
    Refused,
    Saw(Value),
}

/// One object.
#[derive(Clone, Debug)]
pub(super) enum State {
    Register(Option<i64>),
    Set(BTreeSet<i64>),
    Counter(i64),
    Queue(VecDeque<i64>),
    List(Vec<i64>),
}

impl State {
    pub(super) fn new(object: Object) -> State {
        match object {
            Object::CasRegister | Object::Register => State::Register(None),
            Object::Set => State::Set(BTreeSet::new()),
            Object::Counter => State::Counter(0),
            Object::Queue => State::Queue(VecDeque::new()),
            Object::List => State::List(Vec::new()),
        }
    }

    /// What a register holds.
    pub(super) fn value(&self) -> Option<i64> {
        match self {
            State::Register(value) => *value,
            _ => None,
        }
    }

    fn seen(&self) -> Value {
        let list =
            |values: &mut dyn Iterator<Item = &i64>| Value::List(values.map(|v| Value::Int(*v)).collect());
        match self {
            State::Register(value) => Value::from(*value),
            State::Set(elements) => list(&mut elements.iter()),
            State::Counter(sum) => Value::Int(*sum),
            State::Queue(values) => list(&mut values.iter()),
            State::List(values) => list(&mut values.iter()),
        }
    }

    /// The operation takes effect.
    pub(super) fn take(&mut self, asked: Asked) -> Answer {
        match (&mut *self, asked) {
            (state, Asked::Read) => Answer::Saw(state.seen()),
            (State::Register(held), Asked::Write(value)) => {
                *held = Some(value);
                Answer::Done
            }
            (State::Register(held), Asked::Cas(old, new)) if *held == old => {
                *held = Some(new);
                Answer::Done
            }
            (State::Set(elements), Asked::Add(element)) => {
                elements.insert(element);
                Answer::Done
            }
            (State::Counter(sum), Asked::Add(amount)) => {
                *sum += amount;
                Answer::Done
            }
            (State::Queue(values), Asked::Enqueue(value)) => {
                values.push_back(value);
                Answer::Done
            }
            (State::Queue(values), Asked::Dequeue) => Answer::Saw(Value::from(values.pop_front())),
            (State::List(values), Asked::Append(value)) => {
                values.push(value);
                Answer::Done
            }
            // A cas whose old value is not there; nothing else is asked of an object that does not know it.
            _ => Answer::Refused,
        }
    }

    /// After an operation: what a read would see from now on, if that is news; of a queue, what was taken out and will never
    /// be again.
    pub(super) fn now_true(&self, asked: Asked, answer: &Answer) -> Option<Value> {
        match (asked, answer) {
            (Asked::Dequeue, Answer::Saw(taken)) if !taken.is_null() => Some(taken.clone()),
            (Asked::Read | Asked::Dequeue | Asked::Enqueue(_), _) | (_, Answer::Refused) => None,
            _ => Some(self.seen()),
        }
    }
}
