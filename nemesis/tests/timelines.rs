//! The contract of every ready-made time line: it is read as it is written, says what it is for, and can be followed.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking, and says where")]

use std::collections::BTreeSet;

use rashomon_histories::Nanos;
use rashomon_nemesis::node::nodes;
use rashomon_nemesis::schedule::{Step, Steps};
use rashomon_nemesis::timeline::{Directed, Timeline, library};
use rashomon_nemesis::{NodeId, NodeView, Role, View};

fn read(text: &str) -> Timeline {
    toml::from_str(text).unwrap()
}

#[test]
fn every_time_line_survives_writing_and_reading() {
    for (name, text) in library::ALL {
        let timeline = read(text);
        assert_eq!(read(&toml::to_string(&timeline).unwrap()), timeline, "{name}");
    }
}

#[test]
fn every_time_line_says_what_it_is_for_and_can_be_followed() {
    for (name, text) in library::ALL {
        let timeline = read(text);
        assert!(timeline.about.trim().starts_with(name), "{name}: its story begins with its name");
        assert!(!timeline.fault.is_empty(), "{name}");
        let all: BTreeSet<_> = nodes(timeline.nodes.unwrap_or(5)).collect();
        Directed::new(&timeline, all, 1, Nanos::from_secs(30))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// Under a view that changes its leader every second, each begins what it begins by moments and roles, ends what it
/// began, and comes to its end.
#[test]
fn every_time_line_ends_what_it_begins() {
    for (name, text) in library::ALL {
        let timeline = read(text);
        let count = timeline.nodes.unwrap_or(5);
        let mut directed = Directed::new(&timeline, nodes(count).collect(), 1, Nanos::from_secs(30)).unwrap();
        let (mut now, mut open) = (Nanos(0), BTreeSet::new());
        for turn in 0.. {
            assert!(turn < 100_000, "{name} comes to no end");
            let mut view = View::unknown(count);
            let leader = NodeId((now.0 / 1_000_000_000) as u32 % count + 1);
            view.nodes.insert(leader, NodeView { role: Role::Leader, term: now.0 });
            match directed.next(now, &view) {
                Step::Wait { until } => {
                    assert!(until > now, "{name} at {now}");
                    now = until;
                }
                Step::Begin(instance) => {
                    assert!(instance.replaces.is_none_or(|old| open.remove(&old)), "{name}");
                    open.insert(instance.id);
                }
                Step::End(ending) => assert!(open.remove(&ending.id), "{name}"),
                Step::Heal { .. } => assert!(open.is_empty(), "{name} leaves {open:?}"),
                Step::Done => break,
            }
        }
    }
}

#[test]
fn names_are_found_and_others_refused_with_those_that_there_are() {
    for name in library::names() {
        assert_eq!(library::text(&name.to_lowercase()), library::text(name));
    }
    assert!(library::text("R99").unwrap_err().to_string().contains("R05"));
}
