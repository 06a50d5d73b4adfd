//! What must hold after every step, whatever clients have seen of it: one file per invariant, each with its source.
//!
//! A protocol shows itself through [`Inspect`]: what its records say, and whether it leads. From that and from what
//! nodes apply and answer, [`Invariants`] keeps a mirror of every node's log in memory and on disk, and checks at each
//! step only what has changed. A broken invariant is reported apart from what clients can see. Not asserted, because it
//! is false in correct Raft: "whoever I voted for has all my committed entries".

mod acceptors;
mod acknowledgements;
mod completeness;
mod decisions;
mod digests;
mod durability;
mod established;
mod freshness;
mod matching;
mod members;
mod mirror;
mod monotone;
mod offices;
pub mod paxos;
mod promises;
pub mod raft;
mod recovery;
mod sequences;
mod spoken;
pub mod zab;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use rashomon_histories::Nanos;
use rashomon_nemesis::{Capability, NodeId as NodeName};
use rashomon_node::api::{NodeId, Operation, RegisterOperation, Role};
use rashomon_node::machine::{Command, Machine};
use rashomon_node::protocol::{OperationId, Protocol, Ticket, View};
use rashomon_node::replica::{Output, Replica};
use rustc_hash::FxHasher;
use serde::Serialize;

use mirror::Mirror;

/// Whose votes weigh what before any log says who decides. Who is not in it has none.
pub(crate) type Electors = BTreeMap<NodeId, u64>;

/// Who decides together: of each group a majority (joint consensus, Raft 6); without a group, of the electors.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voters {
    /// The groups.
    pub groups: Vec<Vec<NodeId>>,
}

impl Voters {
    /// Whether those that `have` it are a majority of each group, or by weight of the electors where there is no group.
    pub(crate) fn decide(&self, electors: &Electors, have: impl Fn(NodeId) -> bool) -> bool {
        let is_majority =
            |group: &[NodeId]| group.iter().filter(|node| have(**node)).count() * 2 > group.len();
        match self.groups.is_empty() {
            true => {
                let weight: u64 =
                    electors.iter().filter(|(node, _)| have(**node)).map(|(_, weight)| weight).sum();
                2 * weight > electors.values().sum()
            }
            false => self.groups.iter().all(|group| is_majority(group)),
        }
    }
}

/// What a record says to somebody who checks, in words that fit every protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// From now on it is in this term (ballot, epoch), and has promised itself to nobody, or to this node.
    Promise {
        /// The term.
        term: u64,
        /// To whom.
        to: Option<NodeId>,
    },
    /// This entry stands in the log, and nothing after it.
    Entry(Entry),
    /// So does this one, and from here on these decide.
    Voters(Entry, Rc<Voters>),
    /// The log begins after this position, whose entry had this term.
    Base {
        /// The position.
        index: u64,
        /// The term.
        term: u64,
        /// Who decides from there on; none: who did so at first.
        voters: Option<Rc<Voters>>,
    },
    /// The log ends with this position.
    End {
        /// The position.
        last: u64,
    },
    /// This was accepted in a slot, in this ballot; such are no log: slots come in any order.
    Accepted {
        /// The slot.
        slot: u64,
        /// The ballot.
        ballot: u64,
        /// Of its value; equal values have equal fingerprints.
        fingerprint: u64,
    },
    /// All slots up to this one are known to be chosen.
    Settled {
        /// The last of them.
        to: u64,
    },
    /// The history before this epoch was taken over.
    Entered {
        /// The epoch.
        epoch: u64,
    },
    /// Nothing that is checked.
    Nothing,
}

/// An entry, as far as it is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub index: u64,
    /// The term that made it.
    pub term: u64,
    /// Of its content; equal content has equal fingerprints.
    pub fingerprint: u64,
}

/// How a protocol shows itself to those who check. One file per protocol.
pub trait Inspect: Protocol {
    /// Whether the term that a node speaks of never falls while it runs.
    const TERM_RISES: bool = true;

    /// What its messages are called in their written form: what directed schedules may look for, and take into their hands.
    const MESSAGES: &'static [&'static str];
    /// What its records are called: what they may wait for.
    const RECORDS: &'static [&'static str];
    /// What it does when it is asked to, beside serving clients.
    const ASKS: &'static [Capability] = &[];

    /// Whether the term of which its view speaks is on disk before anything said in it leaves.
    const TERM_LASTS: bool = false;

    /// Whether slots are chosen one by one, by votes that records tell of.
    const CHOOSES: bool = false;

    /// Whether its leaders serve only once others have entered their epoch, which records tell of.
    const ENTERS: bool = false;

    /// Whether nodes may take part without a vote, for good.
    const OBSERVERS: bool = false;

    /// The promise that it goes by, where records tell of it slot by slot.
    fn promised(&self) -> Option<u64> {
        None
    }

    /// What a record says.
    fn said(record: &Self::Record) -> Said;

    /// The term (ballot, epoch) in which this node leads, as a number that no two leaders may share.
    fn office(&self, _node: NodeId) -> Option<u64> {
        let View { role, term, .. } = self.view();
        (role == Role::Leader).then_some(term)
    }
}

/// Of a command; `None` is an entry that only the protocol cares for.
pub fn fingerprint(command: Option<&Command>) -> u64 {
    let mut hasher = FxHasher::default();
    let Some(command) = command else { return 0 };
    command.author.hash(&mut hasher);
    // The common case without a buffer.
    let Operation::Register(key, operation) = &command.operation else {
        of_bytes(&command.operation).hash(&mut hasher);
        return hasher.finish() | 1;
    };
    key.hash(&mut hasher);
    let words = match operation {
        RegisterOperation::Read => [0, 0, 0],
        RegisterOperation::Write(value) => [1, *value, 0],
        RegisterOperation::Cas { old, new } => [2, *old, *new],
        RegisterOperation::Create(value) => [3, *value, 0],
    };
    words.hash(&mut hasher);
    hasher.finish() | 1
}

/// Of anything that nodes write.
fn of_bytes(data: &impl Serialize) -> u64 {
    let mut hasher = FxHasher::default();
    postcard::to_stdvec(data).expect("what nodes write is plain data").hash(&mut hasher);
    hasher.finish() | 1
}

/// An invariant that did not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Its name.
    pub invariant: &'static str,
    /// Where it is stated.
    pub source: &'static str,
    /// What was seen.
    pub detail: String,
    /// When.
    pub at: Nanos,
}

/// What nodes that read locally still promise their clients: name and source. It is a client that sees it broken.
pub const SYSTEM_IMAGE: (&str, &str) = ("no client sees the past after the present", "ZB10");

/// Where an invariant's file says what it saw.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    now: Nanos,
    broken: Vec<Broken>,
}

/// Name and source of an invariant.
pub(crate) type Law = (&'static str, &'static str);

impl Findings {
    /// Of each invariant the first time is kept: what follows from it is noise.
    pub(crate) fn broke(&mut self, (invariant, source): Law, detail: impl FnOnce() -> String) {
        if self.broken.iter().all(|known| known.invariant != invariant) {
            self.broken.push(Broken { invariant, source, detail: detail(), at: self.now });
        }
    }
}

/// One node as those who check know it.
#[derive(Debug, Default)]
struct Seen {
    /// Its log in memory.
    memory: Mirror,
    /// Its log on disk, as far as the node was told that it is.
    disk: Mirror,
    /// Its term and promise on disk.
    promise: Option<(u64, Option<NodeId>)>,
    /// Handed to the disk and not reported yet: ticket, whether it replaces the log, records.
    under_way: VecDeque<(Ticket, bool, Vec<Said>)>,
    /// As after the last step; `None` after a restart.
    view: Option<View>,
    /// The terms in which it has spoken.
    spoken: spoken::Spoken,
}

impl Seen {
    /// The logs that a crash may leave on disk: a batch under way, and those before it, may have been written as a whole.
    fn disk_after_crash(&self) -> Vec<Mirror> {
        let mut logs = vec![self.disk.clone()];
        let mut log = self.disk.clone();
        for (_, replaces, said) in &self.under_way {
            if *replaces {
                log = Mirror::default();
            }
            for said in said {
                // A gap was told when it was written.
                let _ = log.hear(said);
            }
            logs.push(log.clone());
        }
        logs
    }
}

/// All invariants of a cluster.
#[derive(Debug)]
pub struct Invariants {
    electors: Electors,
    nodes: Vec<Seen>,
    findings: Findings,
    offices: offices::Offices,
    promises: promises::Promises,
    matching: matching::Matching,
    committed: durability::Committed,
    decisions: decisions::Decisions,
    digests: digests::Digests,
    acknowledgements: acknowledgements::Acknowledgements,
    freshness: freshness::Freshness,
    sequences: sequences::Sequences,
    acceptors: acceptors::Acceptors,
    established: established::Established,
}

impl Invariants {
    /// Of so many nodes, among which these have votes that weigh so much at first.
    pub fn new(nodes: usize, electors: BTreeMap<NodeId, u64>) -> Self {
        Self {
            electors,
            nodes: std::iter::repeat_with(Seen::default).take(nodes).collect(),
            findings: Findings::default(),
            offices: offices::Offices::default(),
            promises: promises::Promises::new(nodes),
            matching: matching::Matching::default(),
            committed: durability::Committed::default(),
            decisions: decisions::Decisions::default(),
            digests: digests::Digests::default(),
            acknowledgements: acknowledgements::Acknowledgements::default(),
            freshness: freshness::Freshness::default(),
            sequences: sequences::Sequences::default(),
            acceptors: acceptors::Acceptors::new(nodes),
            established: established::Established::new(nodes),
        }
    }

    /// What was broken so far, in order.
    pub fn broken(&self) -> &[Broken] {
        &self.findings.broken
    }

    /// Something else that must not be, such as a cluster that does not come back.
    pub fn report(&mut self, now: Nanos, law: (&'static str, &'static str), detail: String) {
        self.findings.now = now;
        self.findings.broke(law, || detail);
    }

    /// A node's disk was taken from it: nothing of it need be there any more, and no promise holds. It is a new server.
    pub fn forgiven(&mut self, node: usize) {
        self.promises.forgotten(node);
        self.acceptors.forgotten(node);
        self.established.forgotten(node);
        let seen = &mut self.nodes[node];
        seen.disk = Mirror::default();
        seen.promise = None;
        seen.under_way.clear();
        seen.spoken = spoken::Spoken::default();
    }

    /// Whether these alone decide, by what a node has on its disk; false for a protocol that does not say who does.
    pub(crate) fn decided_on_disk_by(&self, node: usize, members: &BTreeSet<NodeName>) -> bool {
        let voters = self.nodes[node].disk.voters();
        let [group] = &voters.groups[..] else { return false };
        group.iter().map(|member| NodeName(member.0)).eq(members.iter().copied())
    }

    /// A node was started on these records.
    pub fn restored<P: Inspect>(&mut self, now: Nanos, node: usize, records: &[P::Record]) {
        self.findings.now = now;
        let mut mirror = Mirror::default();
        let (mut promise, mut entered) = (None, 0);
        let records: Vec<Said> = records.iter().map(P::said).collect();
        for said in &records {
            match said {
                Said::Promise { term, to } => promise = Some((*term, *to)),
                Said::Entered { epoch } => entered = *epoch,
                said => drop(mirror.hear(said)),
            }
        }
        if P::CHOOSES {
            self.acceptors.restarted(&mut self.findings, node, records.iter());
        }
        self.established.restarted(&mut self.findings, node, entered);
        self.freshness.restarted(node);
        self.sequences.restarted(node);
        let seen = &mut self.nodes[node];
        let durable = seen.disk_after_crash();
        recovery::check(&mut self.findings, node, (&durable, seen.promise), (&mirror, promise));
        let spoken = seen.spoken.after_restart();
        *seen = Seen { memory: mirror.clone(), disk: mirror, promise, spoken, ..Seen::default() };
    }

    /// A node has made a step.
    pub fn stepped<P: Inspect>(&mut self, now: Nanos, node: usize, output: &Output<P>, replica: &Replica<P>) {
        self.findings.now = now;
        let voters = self.nodes[node].memory.voters();
        self.written::<P>(node, output);
        let view = replica.core().view();
        let before = self.nodes[node].view.replace(view);
        monotone::check(&mut self.findings, node, P::TERM_RISES, before.as_ref(), &view);
        if P::TERM_LASTS {
            let spoken = &mut self.nodes[node].spoken;
            if before.is_none() {
                spoken.check(&mut self.findings, node, view.term);
            }
            if !output.send_durable.is_empty() {
                spoken.holds(output.ticket, view.term);
            }
        }
        let id = NodeId(u32::try_from(node + 1).expect("a cluster has few nodes"));
        let office = replica.core().office(id);
        if office.is_some() {
            members::check(&mut self.findings, node, id, &self.nodes[node].memory, view.commit);
        }
        if let Some(office) = office
            && self.offices.takes(&mut self.findings, node, office)
        {
            let log = &self.nodes[node].memory;
            completeness::check(&mut self.findings, node, view.term, log, &self.committed);
            if P::ENTERS {
                self.established.leads(&mut self.findings, node, office, &self.electors);
            }
        }
        if let Some(promised) = replica.core().promised() {
            self.acceptors.goes_by(&mut self.findings, node, promised);
        }
        if before.is_none_or(|before| before.commit < view.commit) {
            let deciding = (&*voters, &self.electors);
            self.committed.learn(&mut self.findings, node, (view.term, view.commit), deciding, &self.nodes);
        }
        if !output.applied.is_empty() {
            self.decisions.applied(&mut self.findings, node, &output.applied);
            self.digests.check(&mut self.findings, node, replica.machine());
            self.sequences.applied(&mut self.findings, node, &output.applied, replica.machine());
        }
        if !output.answers.is_empty() {
            let applied = replica.machine().applied();
            for (id, answer) in &output.answers {
                self.freshness.answered(&mut self.findings, node, (*id, answer.is_ok()), applied);
            }
            self.acknowledgements.given(&mut self.findings, node, output);
        }
    }

    /// A node takes in a read that is to be linearizable.
    pub fn reads(&mut self, node: usize, id: OperationId) {
        self.freshness.asked(node, id, self.acknowledgements.last());
    }

    /// What a node handed out up to this ticket is on its disk, or so it is told.
    pub fn durable(&mut self, now: Nanos, node: usize, ticket: Ticket) {
        self.findings.now = now;
        let seen = &mut self.nodes[node];
        seen.spoken.durable(ticket);
        while seen.under_way.front().is_some_and(|(under_way, ..)| *under_way <= ticket) {
            let (_, replaces, said) = seen.under_way.pop_front().expect("looked at just now");
            if replaces {
                seen.disk = Mirror::default();
            }
            for said in said {
                self.acceptors.durable(&mut self.findings, node, &said);
                if let Said::Entered { epoch } = said {
                    self.established.entered(node, epoch);
                } else if let Said::Promise { term, to } = said {
                    seen.promise = Some((term, to));
                    self.promises.made(&mut self.findings, node, term, to);
                } else {
                    // A gap was told when it was written.
                    let _ = seen.disk.hear(&said);
                }
            }
        }
    }

    /// All is at rest: what was acknowledged is there, and each of these state machines is what its digest says.
    pub fn at_rest<'a>(
        &mut self,
        now: Nanos,
        applied: u64,
        machines: impl Iterator<Item = (usize, &'a Machine)>,
    ) {
        self.findings.now = now;
        self.acknowledgements.at_rest(&mut self.findings, applied);
        machines.for_each(|(node, machine)| digests::whole(&mut self.findings, node, machine));
    }

    fn written<P: Inspect>(&mut self, node: usize, output: &Output<P>) {
        if output.persist.is_empty() {
            return;
        }
        let said: Vec<Said> = output.persist.iter().map(P::said).collect();
        let seen = &mut self.nodes[node];
        if output.replaces {
            seen.memory = Mirror::default();
        }
        for said in &said {
            if seen.memory.hear(said).is_err() {
                self.findings
                    .broke(matching::GAPLESS, || format!("{} writes {said:?} after a gap", name(node)));
            } else if let Said::Entry(entry) | Said::Voters(entry, _) = said {
                self.matching.written(&mut self.findings, node, *entry, &seen.memory);
            }
        }
        seen.under_way.push_back((output.ticket, output.replaces, said));
    }
}

/// The node at this position, as people call it.
pub(crate) fn name(position: usize) -> String {
    format!("n{}", position + 1)
}
