//! Transcripts: each file under `transcripts/` tells a story in commands, and after each `>` what the cluster did.
//!
//! Lines that start with `#` are for the reader. Rewrite the expectations with `UPDATE_EXPECT=1`, and read them.
//!
//! ```text
//! nodes 3 [lease] [snapshot-entries=5] [members=n1,n2] [R09 ...]   a cluster, every record on disk at once
//! slow-disk n1                n1's records wait for `sync`
//! sync n1                     n1's disk has written everything
//! timeout n1                  time passes until n1 wants a tick; only n1 gets it
//! elect n1                    time passes, n1 campaigns, all messages arrive
//! deliver n1 n2               everything under way from n1 to n2 arrives, in order
//! drop n1 n2                  it is lost
//! settle                      all messages arrive, and what follows from them
//! pass 200                    200 ms pass evenly, with all ticks and messages
//! open n1 / read n1 x / write n1 2 1 x 7 / cas n1 2 1 x 7 8     a client of n1 asks (session, sequence)
//! members n1 n1,n2,n4         n1 is asked for these members
//! lead n1 n3                  n1 is asked to have n3 lead
//! isolate n1 / heal / crash n1 / start n1
//! network                     what is under way
//! state                       every node in full
//! ```

use std::fmt::Write;
use std::path::Path;

use expect_test::expect_file;
use rashomon_node::api::{Admin, NodeId, Operation};
use rashomon_node::defect::{Defect, Defects};
use rashomon_node::protocol::{Note, Protocol};
use rashomon_node::raft::log::{Index, Payload};
use rashomon_node::raft::membership::Membership;
use rashomon_node::raft::message::{Body, Message, Part};
use rashomon_node::settings::Reads;

use rashomon_node::raft::Raft;

type Cluster = crate::cluster::Cluster<Raft>;

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/raft/transcripts").join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    expect_file![path].assert_eq(&run(&text));
}

/// Carries out the commands of a transcript; returns it with what happened.
fn run(text: &str) -> String {
    let mut out = String::new();
    let mut cluster = Cluster::new(1);
    for line in text.lines().filter(|line| !line.starts_with('>')) {
        writeln!(out, "{line}").unwrap();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let mut said = String::new();
        command(&mut cluster, &words, &mut said);
        for (node, note) in cluster.notes.drain(..) {
            writeln!(said, "{node} {}", describe_note(&note)).unwrap();
        }
        for ((node, id), answer) in std::mem::take(&mut cluster.answers) {
            let answer = match answer {
                Ok(reply) => format!("{reply:?}"),
                Err(refusal) => format!("{:?}, definite: {}", refusal.code, refusal.definite),
            };
            writeln!(said, "{node} answers {}: {answer}", id.0 & 0xff).unwrap();
        }
        for violation in cluster.invariants.violations.drain(..) {
            writeln!(said, "VIOLATED {violation}").unwrap();
        }
        for line in said.lines() {
            writeln!(out, "> {line}").unwrap();
        }
    }
    out
}

fn command(cluster: &mut Cluster, words: &[&str], said: &mut String) {
    match words {
        ["nodes", count, options @ ..] => {
            let defects: Defects = options.iter().filter_map(|word| word.parse::<Defect>().ok()).collect();
            let reads = if options.contains(&"lease") { Reads::Lease } else { Reads::ReadIndex };
            let option = |name: &str| options.iter().find_map(|word| word.strip_prefix(name));
            *cluster = Cluster::with(count.parse().unwrap(), |config| {
                config.defects = defects;
                config.reads = reads;
                if let Some(entries) = option("snapshot-entries=") {
                    config.snapshot_entries = entries.parse().unwrap();
                }
                if let Some(members) = option("members=") {
                    config.members = nodes(members);
                }
            });
        }
        ["slow-disk", id] => cluster.node(node(id)).syncs = false,
        ["sync", id] => cluster.sync(node(id)),
        ["timeout", id] => cluster.timeout(node(id)),
        ["elect", id] => cluster.elect(node(id)),
        ["deliver", from, to] => {
            for envelope in take(cluster, node(from), node(to)) {
                cluster.deliver(envelope);
            }
        }
        ["drop", from, to] => drop(take(cluster, node(from), node(to))),
        ["settle"] => cluster.settle(),
        ["pass", span_ms] => cluster.pass(span_ms.parse().unwrap()),
        ["open", id] => ask(cluster, id, None, Operation::OpenSession, said),
        ["read", id, key] => ask(cluster, id, None, Operation::read(*key), said),
        ["write", id, session, sequence, key, value] => {
            let operation = Operation::write(*key, value.parse().unwrap());
            ask(cluster, id, Some((session, sequence)), operation, said);
        }
        ["cas", id, session, sequence, key, old, new] => {
            let operation = Operation::cas(*key, old.parse().unwrap(), new.parse().unwrap());
            ask(cluster, id, Some((session, sequence)), operation, said);
        }
        ["members", id, members] => {
            ask(cluster, id, None, Operation::Admin(Admin::Members(nodes(members))), said);
        }
        ["lead", id, heir] => ask(cluster, id, None, Operation::Admin(Admin::Lead(node(heir))), said),
        ["isolate", id] => cluster.isolate(node(id)),
        ["heal"] => cluster.heal(),
        ["crash", id] => cluster.crash(node(id)),
        ["start", id] => cluster.start(node(id)),
        ["network"] => {
            for one in &cluster.network {
                writeln!(said, "{} to {}: {}", one.from, one.to, describe(&one.message)).unwrap();
            }
        }
        ["state"] => state(cluster, said),
        words => panic!("not a command: {words:?}"),
    }
}

fn nodes(words: &str) -> Vec<NodeId> {
    words.split(',').map(node).collect()
}

fn node(word: &str) -> NodeId {
    NodeId(word.strip_prefix('n').and_then(|number| number.parse().ok()).expect("a node is n1, n2, …"))
}

fn take(cluster: &mut Cluster, from: NodeId, to: NodeId) -> Vec<crate::cluster::Envelope<Message>> {
    cluster.network.extract_if(.., |one| (one.from, one.to) == (from, to)).collect()
}

fn ask(
    cluster: &mut Cluster,
    id: &str,
    session: Option<(&&str, &&str)>,
    operation: Operation,
    said: &mut String,
) {
    let session = session.map(|(session, sequence)| (session.parse().unwrap(), sequence.parse().unwrap()));
    let id = cluster.ask(node(id), session, operation);
    writeln!(said, "operation {}", id.0 & 0xff).unwrap();
}

fn state(cluster: &Cluster, said: &mut String) {
    writeln!(said, "{} ms", cluster.now.0).unwrap();
    for (id, node) in &cluster.nodes {
        let Some(replica) = &node.replica else {
            writeln!(said, "{id} is down").unwrap();
            continue;
        };
        let core = replica.core();
        let view = core.view();
        let log: Vec<String> = core
            .log()
            .from(Index(1), usize::MAX)
            .iter()
            .map(|entry| match &entry.payload {
                Payload::Noop => format!("{}:noop", entry.term.0),
                Payload::Membership(membership) => {
                    format!("{}:{}", entry.term.0, describe_membership(membership))
                }
                Payload::Command(command) => {
                    format!("{}:{}", entry.term.0, describe_operation(&command.operation))
                }
            })
            .collect();
        writeln!(
            said,
            "{id} {:?} term {} vote {} leader {} commit {} applied {} digest {:08x}{} log {}[{}]",
            view.role,
            view.term,
            core.hard_state().vote.map_or("-".into(), |vote| vote.to_string()),
            view.leader.map_or("-".into(), |leader| leader.to_string()),
            view.commit,
            replica.machine().applied(),
            replica.machine().digest() >> 32,
            if core.membership().nodes().len() == cluster.nodes.len() && !core.membership().is_joint() {
                String::new()
            } else {
                format!(" members {}", describe_membership(core.membership()))
            },
            match core.log().base().index.0 {
                0 => String::new(),
                base => format!("after {}:{base} ", core.log().base().term.0),
            },
            log.join(" ")
        )
        .unwrap();
    }
}

fn describe_membership(membership: &Membership) -> String {
    let list = |nodes: &[NodeId]| nodes.iter().map(NodeId::to_string).collect::<Vec<_>>().join(",");
    if membership.is_joint() {
        format!("{}->{}", list(membership.outgoing()), list(membership.voters()))
    } else {
        list(membership.voters())
    }
}

fn describe_operation(operation: &Operation) -> String {
    match operation {
        Operation::OpenSession => "open".into(),
        Operation::Admin(admin) => format!("{admin:?}"),
        Operation::Register(key, operation) => format!("{key} {operation:?}"),
        Operation::Set(..) | Operation::Counter(..) | Operation::List(..) | Operation::Queue(..) => {
            format!("{operation:?}")
        }
    }
}

fn describe(message: &Message) -> String {
    let body = match &message.body {
        Body::Append { prev, entries, commit } => format!(
            "append after {}:{} entries {:?} commit {}",
            prev.term.0,
            prev.index.0,
            entries.iter().map(|entry| entry.term.0).collect::<Vec<_>>(),
            commit.0
        ),
        Body::Propose { commands } => format!("propose {} commands", commands.len()),
        Body::Install(part) => {
            let Part { last, offset, is_last, .. } = &**part;
            let end = if *is_last { ", the last part" } else { "" };
            format!("snapshot of {}:{} from byte {offset}{end}", last.term.0, last.index.0)
        }
        body => format!("{body:?}"),
    };
    format!("term {}, {body}", message.term.0)
}

fn describe_note(note: &Note) -> String {
    match note {
        Note::ElectionProbed { term } => format!("asks for pre-votes for term {term}"),
        Note::ElectionStarted { term } => format!("campaigns in term {term}"),
        Note::BecameLeader { term } => format!("leads term {term}"),
        Note::SteppedDown { term, reason } => format!("steps down from term {term}: {reason}"),
        Note::Follows { leader, term } => format!("follows {leader} in term {term}"),
        Note::Truncated { from, to } => format!("drops entries {from} to {to}"),
        Note::SnapshotTaken { index } => format!("takes a snapshot at {index}"),
        Note::SnapshotInstalled { index } => format!("installs a snapshot of {index}"),
        Note::SnapshotRefused { index } => format!("refuses a snapshot of {index}"),
    }
}

#[test]
fn election_and_first_write() {
    check("election_and_first_write.txt");
}

#[test]
fn deposed_leader() {
    check("deposed_leader.txt");
}

#[test]
fn slow_disks() {
    check("slow_disks.txt");
}

#[test]
fn lost_and_repeated() {
    check("lost_and_repeated.txt");
}

#[test]
fn snapshot_for_a_straggler() {
    check("snapshot_for_a_straggler.txt");
}

#[test]
fn joint_consensus() {
    check("joint_consensus.txt");
}

#[test]
fn leadership_transfer() {
    check("leadership_transfer.txt");
}

#[test]
fn power_loss() {
    check("power_loss.txt");
}

#[test]
fn stale_read_of_r09() {
    check("stale_read_of_r09.txt");
}

#[test]
fn lost_write_of_r05() {
    check("lost_write_of_r05.txt");
}
