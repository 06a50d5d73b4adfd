//! Directed time lines on a virtual clock.

use rashomon_histories::Nanos;

use super::*;
use crate::action::Action;
use crate::capability::Capability;
use crate::node::nodes;
use crate::schedule::{Step, Steps};
use crate::view::{NodeView, Role, View};

fn led(count: u32, leader: u32) -> View {
    let mut view = View::unknown(count);
    view.nodes.insert(NodeId(leader), NodeView { role: Role::Leader, term: 1 });
    view
}

fn follow(text: &str, count: u32) -> Result<Directed, TimelineError> {
    let timeline: Timeline = toml::from_str(text).unwrap();
    Directed::new(&timeline, nodes(count).collect(), 1, Nanos::from_secs(10))
}

/// Drives it to its end under one view; a line per step.
fn drive(directed: &mut Directed, view: &View) -> Vec<String> {
    let (mut now, mut told) = (Nanos(0), Vec::new());
    let actions = |actions: &[Action]| actions.iter().map(Action::to_string).collect::<Vec<_>>().join(", ");
    for _ in 0..2000 {
        let ms = now.0 / 1_000_000;
        match directed.next(now, view) {
            Step::Wait { until } => {
                assert!(until > now, "{until} at {now}");
                now = until;
            }
            Step::Begin(instance) => {
                let replaces = instance.replaces.map(|id| format!(" instead of {id}")).unwrap_or_default();
                told.push(format!("{ms} {} {}{replaces}", instance.id, actions(&instance.decision.start)));
            }
            Step::End(ending) => told.push(format!("{ms} {} ends: {}", ending.id, actions(&ending.actions))),
            Step::Heal { actions: healing } => told.push(format!("{ms} heal: {}", actions(&healing))),
            Step::Done => return told,
        }
    }
    panic!("no end: {told:?}");
}

#[test]
fn entries_begin_and_end_when_they_say() {
    let text = r#"
        [[fault]]
        at_ms = 3000
        for_ms = 500
        kill = "n3"
        [[fault]]
        at_ms = 1000
        for_ms = 2500
        isolate = "leader"
        [[fault]]
        at_ms = 3500
        for_ms = 100000
        cut = { n1 = ["n2"] }
    "#;
    let mut directed = follow(text, 3).unwrap();
    assert_eq!(directed.needs(), BTreeSet::from([Capability::Signals, Capability::Links]));
    assert_eq!(
        drive(&mut directed, &led(3, 2)),
        [
            "1000 #1 cut n1⊣n2 n2⊣n1,n3 n3⊣n2",
            "3000 #2 kill n3",
            "3500 #3 cut n1⊣n2 instead of #1",
            "3500 #2 ends: start n3",
            "10000 #3 ends: mend",
            "10000 heal: mend",
        ]
    );
    assert!(directed.missed().is_empty());
}

#[test]
fn an_entry_waits_for_a_leader_and_then_aims_at_it() {
    let mut directed = follow("[[fault]]\nat_ms = 1000\nfor_ms = 400\npause = \"leader\"", 3).unwrap();
    let none = View::unknown(3);
    assert_eq!(directed.next(Nanos(0), &none), Step::Wait { until: Nanos::from_secs(1) });
    let Step::Wait { until } = directed.next(Nanos::from_secs(1), &none) else { panic!("no leader yet") };
    assert_eq!(until, Nanos::from_millis(1020));
    let Step::Begin(instance) = directed.next(until, &led(3, 2)) else { panic!("now there is one") };
    assert_eq!(instance.decision.start, [Action::Pause { node: NodeId(2) }]);
    let Step::Wait { until } = directed.next(until, &led(3, 2)) else { panic!("it lasts") };
    assert_eq!(until, Nanos::from_millis(1420), "for so long from when it began");
}

#[test]
fn what_finds_nothing_to_do_is_told() {
    let text = "[[fault]]\nat_ms = 0\nfor_ms = 5000\nkill = \"n1\"\n\
                [[fault]]\nat_ms = 1000\nfor_ms = 1000\npause = \"n1\"";
    let mut directed = follow(text, 3).unwrap();
    let told = drive(&mut directed, &led(3, 2));
    assert_eq!(told, ["0 #1 kill n1", "5000 #1 ends: start n1", "10000 heal: "]);
    assert_eq!(directed.missed(), ["pause at 1.000 s: n1 is not up"]);
}

#[test]
fn faults_of_the_registry_are_entries_too() {
    let mut directed =
        follow("[[fault]]\nat_ms = 100\nfor_ms = 200\nfault = \"partition-leader\"", 3).unwrap();
    assert_eq!(drive(&mut directed, &led(3, 3))[0], "100 #1 cut n1⊣n3 n2⊣n3 n3⊣n1,n2");
}

#[test]
fn a_stop_heals_at_once() {
    let mut directed = follow("[[fault]]\nat_ms = 0\nfor_ms = 5000\nkill = \"all\"", 2).unwrap();
    let view = View::unknown(2);
    assert!(matches!(directed.next(Nanos(0), &view), Step::Begin(_)));
    directed.stop();
    assert!(matches!(directed.next(Nanos(0), &view), Step::End(ending) if ending.actions.len() == 2));
    assert!(matches!(directed.next(Nanos(0), &view), Step::Heal { .. }));
    assert_eq!(directed.next(Nanos(0), &view), Step::Done);
}

#[test]
fn time_lines_that_cannot_be_followed_are_refused() {
    let refused = |text: &str| follow(text, 3).unwrap_err().to_string();
    let both = refused("[[fault]]\nat_ms = 5\nfor_ms = 1\nkill = \"n1\"\npause = \"n1\"");
    assert!(both.starts_with("entry 1 has 2 deeds"), "{both}");
    assert!(refused("[[fault]]\nat_ms = 5\nfor_ms = 1").contains("has 0 deeds"));
    assert!(refused("[[fault]]\nat_ms = 5\nfor_ms = 1\nfault = \"kil\"").contains("did you mean kill?"));
    assert!(refused("[[fault]]\nat_ms = 5\nfor_ms = 1\nkill = \"n4\"").contains("n4, which does not exist"));
    assert!(
        refused("[[fault]]\nat_ms = 5\nfor_ms = 1\nfault = \"partition-ring\"").contains("at least 4 nodes")
    );
    let when = |when: &str| refused(&format!("[[fault]]\nfor_ms = 1\nkill = \"n1\"\nwhen = {when}"));
    assert!(when("{}").contains("exactly one of role, note, sent, durable and answered"));
    assert!(when("{ note = \"x\", to = \"n1\" }").contains("belongs to `sent`"));
    assert!(when("{ note = \"x\", by = \"n9\" }").contains("n9, which does not exist"));
    assert!(refused("nodes = 5").contains("written for 5 nodes, there are 3"));
    for text in ["[[fault]]\nat_ms = 5\nfor_ms = 1\nkil = \"n1\"", "[[fault]]\nat_ms = -1\nfor_ms = 1"] {
        assert!(toml::from_str::<Timeline>(text).is_err(), "{text}");
    }
}

#[test]
fn a_story_waits_for_what_it_says_and_remembers_whom_it_was_about() {
    let text = r#"
        [[fault]]
        when = { role = "leader" }
        for_ms = 3000
        isolate = ["it", "follower"]
        [[fault]]
        when = { role = "leader", by = "other" }
        after_ms = 100
        for_ms = 400
        kill = "it"
        [[fault]]
        when = { note = "follows", by = "it" }
        for_ms = 5000
        until = { sent = "Append", to = "n1" }
        pause = "n1"
    "#;
    let mut directed = follow(text, 5).unwrap();
    let none = View::unknown(5);
    let ask = |directed: &mut Directed, ms, view: &View| directed.next(Nanos::from_millis(ms), view);
    assert_eq!(ask(&mut directed, 0, &none), Step::Wait { until: Nanos::from_millis(20) });
    let Step::Begin(cut) = ask(&mut directed, 20, &led(5, 2)) else { panic!("n2 leads") };
    let [Action::Cut { grudge }] = &cut.decision.start[..] else { panic!("{cut:?}") };
    assert_eq!(grudge.dropped_by(NodeId(2)).count(), 3, "one follower is on its side: {grudge}");
    assert!(matches!(ask(&mut directed, 100, &led(5, 4)), Step::Wait { .. }), "100 ms are not over");
    let Step::Begin(kill) = ask(&mut directed, 120, &led(5, 4)) else { panic!("n4 leads") };
    assert_eq!(kill.decision.start, [Action::Kill { node: NodeId(4) }]);
    assert!(matches!(ask(&mut directed, 520, &led(5, 4)), Step::End(ending) if ending.id == kill.id));
    let note = |node| Observation::Note { node: NodeId(node), text: "follows n5 in term 3" };
    assert!(!directed.observe(Nanos::from_millis(530), &note(1)), "n1 is not it");
    assert!(matches!(ask(&mut directed, 530, &none), Step::Wait { .. }));
    assert!(directed.observe(Nanos::from_millis(540), &note(4)));
    let Step::Begin(pause) = ask(&mut directed, 540, &none) else { panic!("n4 follows") };
    let sent = |to| Observation::Sent { from: NodeId(5), to: NodeId(to), text: "Append {}" };
    assert!(!directed.observe(Nanos::from_millis(550), &sent(2)));
    assert!(directed.observe(Nanos::from_millis(560), &sent(1)));
    assert!(matches!(ask(&mut directed, 560, &none), Step::End(ending) if ending.id == pause.id));
    assert!(directed.missed().is_empty());
}

#[test]
fn a_condition_that_is_never_met_is_told_and_the_story_goes_on() {
    let text = "rounds = 2\nrest_ms = 1000\n\
                [[fault]]\nwhen = { note = \"never\" }\nfor_ms = 10\nkill = \"n1\"\n\
                [[fault]]\nafter_ms = 50\nfor_ms = 100\npause = \"n2\"";
    let mut directed = follow(text, 3).unwrap();
    let told = drive(&mut directed, &led(3, 2));
    assert_eq!(told, ["5050 #1 pause n2", "5150 #1 ends: resume n2", "10000 heal: "]);
    assert_eq!(directed.missed().len(), 1, "{:?}", directed.missed());
    assert!(directed.missed()[0].contains("kill in round 1"), "{:?}", directed.missed());
}

#[test]
fn rounds_begin_anew_after_a_rest() {
    let text = "rounds = 3\nrest_ms = 500\n[[fault]]\nat_ms = 100\nfor_ms = 200\nkill = \"n1\"";
    let told = drive(&mut follow(text, 3).unwrap(), &led(3, 2));
    let moments: Vec<_> = told.iter().filter(|line| line.contains("kill")).collect();
    assert_eq!(moments, ["100 #1 kill n1", "900 #2 kill n1", "1700 #3 kill n1"]);
}

#[test]
fn messages_are_handled_between_whoever_is_meant_then() {
    let text = r#"
        [[fault]]
        when = { durable = "Vote", by = "follower" }
        for_ms = 500
        until = { answered = "Ok", by = "leader" }
        hold = { sent = "Append|Heartbeat", by = "leader", to = ["it", "n4"] }
        [[fault]]
        for_ms = 100
        repeat = { sent = "Vote" }
        [[fault]]
        for_ms = 100
        drop = { sent = "Vote", by = "other", to = "other" }
    "#;
    let mut directed = follow(text, 4).unwrap();
    assert_eq!(directed.needs(), BTreeSet::from([Capability::Messages]));
    let (now, view) = (Nanos::from_millis(20), led(4, 2));
    assert!(matches!(directed.next(now, &view), Step::Wait { .. }));
    let durable = |node| Observation::Durable { node: NodeId(node), text: "[Vote { term: 3 }]" };
    assert!(!directed.observe(now, &durable(2)), "it leads");
    assert!(directed.observe(now, &durable(3)));
    let mut begun = || match directed.next(now, &view) {
        Step::Begin(instance) => instance.decision.start[0].to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!(begun(), "hold \"Append|Heartbeat\" from n2 to n3, n4");
    assert_eq!(begun(), "repeat \"Vote\" from n1, n2, n3, n4 to n1, n2, n3, n4");
    assert_eq!(begun(), "drop \"Vote\" from n1, n2, n4 to n1, n2, n4");
    let answered = Observation::Answered { node: NodeId(2), text: "Ok(Done)" };
    assert!(directed.observe(now, &answered));
    let Step::End(ending) = directed.next(now, &view) else { panic!("a client was answered") };
    assert_eq!(ending.actions[0].to_string(), "no more hold \"Append|Heartbeat\" from n2 to n3, n4");
}

#[test]
fn the_system_is_asked_for_members_and_leaders_by_whom_the_story_names() {
    let text = r#"
        [[fault]]
        for_ms = 500
        members = { of = ["n1", "n3"], at = "leader" }
        [[fault]]
        when = { sent = "Vote" }
        for_ms = 500
        lead = { node = "it" }
    "#;
    let mut directed = follow(text, 4).unwrap();
    assert_eq!(directed.needs(), BTreeSet::from([Capability::Members, Capability::Leadership]));
    let (now, view) = (Nanos::from_millis(20), led(4, 2));
    let Step::Begin(members) = directed.next(now, &view) else { panic!("n2 leads") };
    let of = BTreeSet::from([NodeId(1), NodeId(3)]);
    assert_eq!(members.decision.start, [Action::Members { of, at: Some(NodeId(2)) }]);
    assert!(matches!(directed.next(now, &view), Step::Wait { .. }));
    let vote = Observation::Sent { from: NodeId(3), to: NodeId(2), text: "Vote {}" };
    assert!(directed.observe(now, &vote));
    let Step::Begin(lead) = directed.next(now, &view) else { panic!("n3 campaigns") };
    assert_eq!(lead.decision.start, [Action::Lead { node: NodeId(3), at: None }]);
    let end = Nanos::from_secs(10);
    let Step::End(ending) = directed.next(end, &view) else { panic!("it is over") };
    assert_eq!(ending.actions, [], "who takes part stays as it is until the final heal");
    assert!(matches!(directed.next(end, &view), Step::End(_)));
    let all = Action::Members { of: nodes(4).collect(), at: None };
    assert_eq!(directed.next(end, &view), Step::Heal { actions: vec![all] });
    let refused = |deed: &str| follow(&format!("[[fault]]\nfor_ms = 1\n{deed}"), 3).unwrap_err().to_string();
    assert!(refused("members = { of = [\"n1\", \"n4\"] }").contains("n4, which does not exist"));
    assert!(refused("lead = { node = \"n1\", at = \"n5\" }").contains("n5, which does not exist"));
}

#[test]
fn an_impatient_story_waits_no_longer_than_it_says() {
    let text = "patience_ms = 300\n[[fault]]\nwhen = { note = \"never\" }\nfor_ms = 10\nkill = \"n1\"\n\
                [[fault]]\nfor_ms = 100\npause = \"n2\"";
    let told = drive(&mut follow(text, 3).unwrap(), &led(3, 2));
    assert_eq!(told, ["300 #1 pause n2", "400 #1 ends: resume n2", "10000 heal: "]);
}

#[test]
fn words_that_nobody_says_are_refused() {
    let timeline = |words: &str| -> Timeline {
        toml::from_str(&format!("[[fault]]\nfor_ms = 1\ndrop = {{ sent = \"{words}\" }}")).unwrap()
    };
    let known = ["Vote", "Append"];
    for words in ["Vote|Append term 3", "Vote", ""] {
        timeline(words).check_words(&known).unwrap();
    }
    let refused = timeline("Vote|Apend").check_words(&known).unwrap_err().to_string();
    assert_eq!(refused, "entry 1: nothing here is called \"Apend\"; there are Vote, Append");
}

#[test]
fn what_a_world_cannot_see_is_refused() {
    let text = "[[fault]]\nat_ms = 1\nfor_ms = 1\nkill = \"n1\"\n\
                [[fault]]\nwhen = { sent = \"Vote\" }\nfor_ms = 1\nkill = \"n1\"";
    let timeline: Timeline = toml::from_str(text).unwrap();
    let seen = BTreeSet::from([Sight::Roles, Sight::Notes]);
    let refused = timeline.check_sight(&seen).unwrap_err().to_string();
    assert_eq!(refused, "entry 2 waits for a message, which cannot be seen here");
    assert!(timeline.check_sight(&BTreeSet::from([Sight::Messages])).is_ok());
}
