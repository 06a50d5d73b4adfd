//! Which model the operations of a history belong to, told by their names.
//!
//! Only a guess for files that do not say it; a caller's word goes before it.

use std::collections::BTreeSet;

use crate::event::{Event, Kind, Process};
use crate::value::Value;

/// The model whose operations these are, if there is one.
pub(super) fn guess(events: &[Event]) -> Option<&'static str> {
    let clients = || events.iter().filter(|event| event.process != Process::Nemesis);
    let names: BTreeSet<&str> = clients().map(|event| event.f.as_str()).collect();
    let only = |allowed: &[&str]| names.iter().all(|name| allowed.contains(name));
    let has = |name: &str| names.contains(name);
    if names.is_empty() {
        None
    } else if only(&["read", "write"]) {
        Some("register")
    } else if only(&["read", "write", "cas"]) {
        Some("cas-register")
    } else if only(&["txn"]) {
        transactions(clients())
    } else if only(&["read", "append"]) {
        Some("list-append")
    } else if only(&["read", "add"]) && has("add") {
        sums_or_sets(clients())
    } else if only(&["acquire", "release"]) {
        Some("mutex")
    } else if only(&["enqueue", "dequeue"]) {
        Some("fifo-queue")
    } else {
        None
    }
}

/// Both add; what a read returns tells them apart.
fn sums_or_sets<'a>(mut events: impl Iterator<Item = &'a Event>) -> Option<&'static str> {
    events.find_map(|event| match (event.f.as_str(), event.kind, &event.value) {
        ("read", Kind::Ok, Value::List(_)) => Some("set"),
        ("read", Kind::Ok, Value::Int(_)) => Some("counter"),
        _ => None,
    })
}

fn transactions<'a>(events: impl Iterator<Item = &'a Event>) -> Option<&'static str> {
    let mut names = BTreeSet::new();
    for event in events {
        for micro_operation in event.value.as_list().unwrap_or_default() {
            names.insert(micro_operation.as_list()?.first()?.as_text()?);
        }
    }
    match (names.contains("append"), names.contains("w")) {
        (true, false) => Some("list-append"),
        (false, true) => Some("rw-register"),
        _ => None,
    }
}
