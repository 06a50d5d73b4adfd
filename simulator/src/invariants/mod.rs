//! What must hold after every step, whatever clients have seen of it: one file per invariant, each with its source.
//!
//! A protocol shows itself through [`Inspect`]: what its records say, and whether it leads. From that and from what
//! nodes apply and answer, [`Invariants`] keeps a mirror of every node's log in memory and on disk, and checks at each
//! step only what has changed. A broken invariant is reported apart from what clients can see. Not asserted, because it
//! is false in correct Raft: "whoever I voted for has all my committed entries".

mod acceptors;
mod acknowledgements;
mod completeness;
mod counting;
mod decisions;
mod digests;
mod durability;
mod established;
mod freshness;
mod inspect;
mod learning;
mod leases;
mod matching;
mod members;
mod messages;
mod mirror;
mod monotone;
mod offices;
mod own_term;
pub mod paxos;
mod promises;
pub mod raft;
mod recovery;
mod restriction;
mod rounds;
mod sequences;
mod spoken;
mod votes;
mod vouching;
pub mod zab;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rashomon_histories::Nanos;
use rashomon_nemesis::NodeId as NodeName;
use rashomon_node::api::{NodeId, Sessioned};
use rashomon_node::machine::Machine;
use rashomon_node::protocol::{Millis, OperationId, Protocol, Ticket, View};
use rashomon_node::replica::{Output, Replica};
use serde::Serialize;

pub use counting::Told;
pub(crate) use inspect::Electors;
use inspect::of_bytes;
pub use inspect::{Entry, Inspect, Said, Voters, fingerprint};
use mirror::Mirror;
use promises::Promise;
use rounds::{Leader, Read};
pub use rounds::{Reading, Round};
pub use vouching::Vouched;

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
    promise: Promise,
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

/// Whether a step put nothing out that is held against a rule.
fn is_quiet<P: Protocol>(output: &Output<P>) -> bool {
    let Output { persist, send_durable, answers, applied, .. } = output;
    persist.is_empty() && send_durable.is_empty() && answers.is_empty() && applied.is_empty()
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
    rounds: rounds::Rounds,
    counting: counting::Counting,
    votes: votes::Votes,
    sequences: sequences::Sequences,
    acceptors: acceptors::Acceptors,
    established: established::Established,
    ways: leases::Ways,
    /// Up to where the node that steps now was told that its log is committed.
    told_committed: u64,
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
            rounds: rounds::Rounds::new(nodes),
            counting: counting::Counting::new(nodes),
            votes: votes::Votes::default(),
            sequences: sequences::Sequences::default(),
            acceptors: acceptors::Acceptors::new(nodes),
            established: established::Established::new(nodes),
            ways: leases::Ways::new(nodes),
            told_committed: 0,
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
        self.rounds.forgotten(node);
        self.acceptors.forgotten(node);
        self.established.forgotten(node);
        let seen = &mut self.nodes[node];
        seen.disk = Mirror::default();
        seen.promise = Promise::default();
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
        let (mut promise, mut entered) = (Promise::default(), 0);
        let records: Vec<Said> = records.iter().map(P::said).collect();
        for said in &records {
            match said {
                Said::Promise { term, to } => promise = (*term, *to),
                Said::Entered { epoch } => entered = *epoch,
                said => drop(mirror.hear(said)),
            }
        }
        if P::CHOOSES {
            self.acceptors.restarted(&mut self.findings, node, records.iter());
        }
        self.established.restarted(&mut self.findings, node, entered);
        self.freshness.restarted(node);
        self.rounds.restarted(node);
        self.sequences.restarted(node);
        let seen = &mut self.nodes[node];
        let durable = seen.disk_after_crash();
        recovery::check(&mut self.findings, node, (&durable, seen.promise), (&mirror, promise));
        let spoken = seen.spoken.after_restart();
        *seen = Seen { memory: mirror.clone(), disk: mirror, promise, spoken, ..Seen::default() };
    }

    /// A node has made a step. Returns whether it leads now, in a term in which nobody did.
    pub fn stepped<P: Inspect>(
        &mut self,
        now: Nanos,
        node: usize,
        output: &Output<P>,
        replica: &Replica<P>,
    ) -> bool {
        let mut leads_anew = false;
        self.findings.now = now;
        let view = replica.core().view();
        let before = self.nodes[node].view.replace(view);
        let told = std::mem::take(&mut self.told_committed);
        let on_disk = self.promise_on_disk::<P>(node);
        promises::goes_by(&mut self.findings, node, on_disk, replica.core().promise());
        if before == Some(view) && is_quiet(output) {
            return false;
        }
        let (voters_since, voters) = self.nodes[node].memory.voters_since();
        self.written::<P>(node, output);
        if !P::CHOOSES {
            matching::written_down(&mut self.findings, node, view.last, &self.nodes[node].memory);
        }
        monotone::check(&mut self.findings, node, P::TERM_RISES, before.as_ref(), &view);
        if P::TELLS_COMMITS
            && let Some(before) = &before
        {
            learning::check(&mut self.findings, node, (before, &view), told);
        }
        if P::TERM_LASTS {
            let spoken = &mut self.nodes[node].spoken;
            if before.is_none() {
                spoken.check(&mut self.findings, node, view.term);
            }
            if !output.send_durable.is_empty() {
                spoken.holds(output.ticket, view.term);
            }
        }
        if P::COUNTS_OWN_TERM
            && let Some(before) = &before
        {
            let log = &self.nodes[node].memory;
            let voters_at = Some(log.voters_since().0).filter(|at| *at != voters_since);
            own_term::check(&mut self.findings, node, (before, &view), log, voters_at);
        }
        let office = replica.core().office();
        if office.is_some() {
            members::check(&mut self.findings, node, id_of(node), &self.nodes[node].memory, view.commit);
        }
        if let Some(office) = office
            && self.offices.takes(&mut self.findings, node, office)
        {
            leads_anew = true;
            acceptors::leads(&mut self.findings, node, replica.core().gap());
            let log = &self.nodes[node].memory;
            completeness::check(&mut self.findings, node, view.term, log, &self.committed);
            if P::ENTERS {
                self.established.leads(&mut self.findings, node, office, &self.electors);
            } else {
                let deciding = (&*voters, &self.electors);
                self.votes.leads(&mut self.findings, (node, office), deciding);
            }
        }
        if before.is_none_or(|before| before.commit < view.commit) {
            let deciding = (&*voters, &self.electors);
            self.committed.learn(&mut self.findings, node, (view.term, view.commit), deciding, &self.nodes);
        }
        if !output.applied.is_empty() {
            let (acceptors, electors) = (&self.acceptors, &self.electors);
            self.decisions.applied(
                &mut self.findings,
                node,
                &output.applied,
                |findings, index, fingerprint| {
                    if P::CHOOSES {
                        acceptors.chosen(findings, node, (index, fingerprint), electors);
                    }
                },
            );
            self.digests.check(&mut self.findings, node, replica.machine());
            self.sequences.applied(&mut self.findings, node, &output.applied, replica.machine());
        }
        if !output.answers.is_empty() {
            let applied = replica.machine().applied();
            for (id, answer) in &output.answers {
                self.freshness.answered(&mut self.findings, node, (*id, answer.is_ok()), applied);
                let (leader, read) = (self.leader(node, replica.core()), (node, Read::Own(*id)));
                self.rounds.answered(&mut self.findings, read, answer.is_ok(), leader, &self.electors);
            }
            self.acknowledgements.given(&mut self.findings, node, output);
        }
        leads_anew
    }

    /// How a node leads, if it does.
    fn leader<P: Inspect>(&self, node: usize, core: &P) -> Option<Leader> {
        let round = core.round()?;
        Some(Leader { round, voters: self.nodes[node].memory.voters() })
    }

    fn promise_on_disk<P: Inspect>(&self, node: usize) -> Promise {
        if P::CHOOSES { (self.acceptors.promised(node), None) } else { self.nodes[node].promise }
    }

    /// A client has been told that this surely did not happen.
    pub fn refused(&mut self, now: Nanos, sessioned: Sessioned) {
        self.findings.now = now;
        self.sequences.refused(&mut self.findings, sessioned);
    }

    /// A node has begun to lead in this term while another, whose clock shows this, may take itself for the leader.
    pub fn leads_beside<P: Inspect>(
        &mut self,
        now: Nanos,
        leader: (usize, u64),
        (other, core, clock): (usize, &P, Millis),
    ) {
        self.findings.now = now;
        leases::check(&mut self.findings, leader, (other, core.view().term, core.has_lease(clock)));
    }

    /// A node has made a step, and its clock shows this.
    pub fn keeps_way<P: Inspect>(&mut self, now: Nanos, node: usize, core: &P, clock: Millis) {
        if self.ways.has_made(node, core.office()) && core.has_lease(clock) {
            self.findings.now = now;
            leases::outlasts(&mut self.findings, node);
        }
    }

    /// A node takes in a read that is to be linearizable.
    pub fn reads(&mut self, node: usize, id: OperationId) {
        self.freshness.asked(node, id, self.acknowledgements.last());
    }

    /// A node takes in a read that it must not answer before others have confirmed that it leads, if it does.
    pub fn awaits<P: Inspect>(&mut self, node: usize, id: OperationId, core: &P) {
        let leader = self.leader(node, core);
        self.rounds.asked(node, Read::Own(id), leader);
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
                    seen.promise = (term, to);
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
            let before = std::mem::take(&mut seen.memory);
            for said in &said {
                if let Said::Base { index, term, voters: Some(voters) } = said {
                    members::compacted(&mut self.findings, node, &before, (*index, *term), voters);
                }
            }
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

fn id_of(position: usize) -> NodeId {
    NodeId(u32::try_from(position + 1).expect("a cluster has few nodes"))
}

fn position_of(node: NodeId) -> usize {
    (node.0 - 1) as usize
}

/// The node at this position, as people call it.
pub(crate) fn name(position: usize) -> String {
    format!("n{}", position + 1)
}
