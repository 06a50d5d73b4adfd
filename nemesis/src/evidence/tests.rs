//! The judgement, as a table: what proves an action, what excuses it, what leaves it in doubt.

use super::*;
use crate::grudge::Grudge;

const PROCESS: ProcessIdentity = ProcessIdentity { pid: 70, started: 1000 };
const NODE: NodeId = NodeId(1);

/// `"S S T"`: threads of the process; `"other S"`: of another one under the same pid; `""`: nothing there.
fn seen(text: &str) -> ProcessSeen {
    let mut seen = ProcessSeen::default();
    for word in text.split_whitespace() {
        seen.started.get_or_insert(PROCESS.started);
        match word {
            "other" => seen.started = Some(2000),
            state => *seen.threads.entry(state.chars().next().unwrap()).or_default() += 1,
        }
    }
    seen
}

/// Judges and checks the outcome's first word and that its reason holds a phrase.
fn check(action: &Action, before: &str, after: &str, expected: &str) {
    let evidence =
        Evidence::Process(ProcessEvidence { process: PROCESS, before: seen(before), after: seen(after) });
    let outcome = judge(action, &evidence).to_string();
    let (word, phrase) = expected.split_once(": ").unwrap_or((expected, ""));
    assert!(
        outcome.starts_with(word) && outcome.contains(phrase),
        "{action}, {before:?}, {after:?}: {outcome}"
    );
}

#[test]
fn kills() {
    let kill = Action::Kill { node: NODE };
    check(&kill, "S S", "", "installed");
    check(&kill, "S S", "Z", "installed");
    check(&kill, "T", "Z", "installed");
    check(&kill, "S", "other", "installed");
    check(&kill, "S S", "D Z", "indeterminate: still there (threads 1D+1Z)");
    check(&kill, "", "", "skipped: already dead");
    check(&kill, "Z", "Z", "skipped: already dead");
    check(&kill, "other S", "other S", "skipped: belongs to another");
}

#[test]
fn pauses() {
    let pause = Action::Pause { node: NODE };
    check(&pause, "S R", "T T", "installed");
    check(&pause, "S Z", "T Z", "installed");
    check(&pause, "S R", "T D", "indeterminate: not wholly stopped (threads 1D+1T)");
    check(&pause, "S", "", "indeterminate: died meanwhile");
    check(&pause, "S", "other T", "indeterminate: gave its pid to another");
    check(&pause, "T T", "T T", "skipped: already stopped");
    check(&pause, "T S", "T T", "installed");
    check(&pause, "", "", "skipped: already dead");
    check(&pause, "other S", "other S", "skipped: belongs to another");
}

#[test]
fn resumes() {
    let resume = Action::Resume { node: NODE };
    check(&resume, "T T", "S R", "installed");
    check(&resume, "T T", "T R", "indeterminate: still stopped");
    check(&resume, "S S", "S S", "skipped: was not stopped");
    check(&resume, "T", "", "indeterminate: died meanwhile");
    check(&resume, "", "", "skipped: already dead");
}

fn link(from: u32, to: u32) -> Link {
    Link { from: NodeId(from), to: NodeId(to) }
}

fn cut_link(from: u32, to: u32, dropped_count: u64, arrived: bool) -> CutLink {
    CutLink { link: link(from, to), dropped_count, arrived }
}

#[test]
fn cuts() {
    let grudge = Grudge::from_pairs([(NodeId(1), NodeId(2)), (NodeId(2), NodeId(1))]).unwrap();
    let good = LinkEvidence {
        cut: vec![cut_link(1, 2, 4, false), cut_link(2, 1, 1, false)],
        open_count: 4,
        ..LinkEvidence::default()
    };
    let outcome = |change: fn(&mut LinkEvidence)| {
        let mut evidence = good.clone();
        change(&mut evidence);
        judge(&Action::Cut { grudge: grudge.clone() }, &Evidence::Links(evidence)).to_string()
    };
    assert_eq!(outcome(|_| {}), "installed");
    assert_eq!(outcome(|seen| seen.cut[0].arrived = true), "indeterminate: cut, yet a probe arrived: n1→n2");
    assert_eq!(
        outcome(|seen| seen.cut[1].dropped_count = 0),
        "indeterminate: cut, yet the rule dropped nothing: n2→n1"
    );
    assert_eq!(outcome(|seen| seen.cut.truncate(1)), "indeterminate: cut, yet not probed: n2→n1");
    assert_eq!(
        outcome(|seen| seen.open_lost.extend([link(1, 3), link(3, 1)])),
        "indeterminate: open, yet no probe arrived: n1→n3 n3→n1"
    );
    assert_eq!(outcome(|seen| seen.rules_left = 2), "indeterminate: 2 rules too many in force");
}

#[test]
fn mends() {
    let outcome = |evidence: LinkEvidence| judge(&Action::Mend, &Evidence::Links(evidence)).to_string();
    assert_eq!(outcome(LinkEvidence { open_count: 6, ..LinkEvidence::default() }), "installed");
    let still_cut = LinkEvidence { cut: vec![cut_link(1, 2, 1, false)], ..LinkEvidence::default() };
    assert_eq!(outcome(still_cut), "indeterminate: mended, yet still held to be cut: n1→n2");
    assert!(outcome(LinkEvidence { rules_left: 1, ..LinkEvidence::default() }).contains("1 rules too many"));
}

#[test]
fn requests() {
    let (lead, of) = (Action::Lead { node: NODE, at: None }, BTreeSet::from([NODE, NodeId(2), NodeId(3)]));
    let members = Action::Members { of: of.clone(), at: None };
    let named = |nodes: &[u32]| nodes.iter().map(|node| (NodeId(*node), of.clone())).collect();
    let outcome = |action: &Action, seen: AskedEvidence| judge(action, &Evidence::Asked(seen)).to_string();
    let said = |done, definite| AskedEvidence { done, definite, answer: "no".into(), ..Default::default() };
    let unshown = "indeterminate: said to be done, but the nodes do not show it";
    for action in [&lead, &members] {
        assert_eq!(outcome(action, said(true, false)), unshown);
        assert_eq!(outcome(action, said(false, false)), "indeterminate: no", "it may yet come to pass");
        assert_eq!(outcome(action, said(false, true)), "skipped: no", "it surely will not");
    }
    let led = AskedEvidence { leader: Some(NODE), ..said(false, true) };
    assert_eq!(outcome(&lead, led), "installed", "whoever brought it about");
    let shown = |nodes, done| AskedEvidence { members: named(nodes), ..said(done, false) };
    assert_eq!(outcome(&members, shown(&[1, 2], true)), "installed", "a majority names them");
    assert_eq!(outcome(&members, shown(&[1, 4], true)), unshown, "n4 is not one of them");
    assert_eq!(
        outcome(&members, shown(&[1, 2, 3], false)),
        "indeterminate: no",
        "they may be those from before"
    );
}

#[test]
fn evidence_about_something_else_proves_nothing() {
    let links = Evidence::Links(LinkEvidence::default());
    assert!(matches!(judge(&Action::Kill { node: NODE }, &links), Outcome::Indeterminate { .. }));
    assert!(matches!(judge(&Action::Start { node: NODE }, &links), Outcome::Indeterminate { .. }));
}

#[test]
fn evidence_is_read_as_it_is_written() {
    let evidence = Evidence::Links(LinkEvidence {
        cut: vec![cut_link(1, 2, 3, false)],
        open_count: 5,
        arrived_ns_max: Nanos(70_000),
        ..LinkEvidence::default()
    });
    let text = serde_json::to_string(&evidence).unwrap();
    assert_eq!(
        text,
        r#"{"links":{"cut":[{"from":"n1","to":"n2","dropped_count":3,"arrived":false}],"open_count":5,"rules_left":0,"arrived_ns_max":70000}}"#
    );
    assert_eq!(serde_json::from_str::<Evidence>(&text).unwrap(), evidence);
    let process =
        Evidence::Process(ProcessEvidence { process: PROCESS, before: seen("S R"), after: seen("") });
    let text = serde_json::to_string(&process).unwrap();
    assert_eq!(serde_json::from_str::<Evidence>(&text).unwrap(), process, "{text}");
}
