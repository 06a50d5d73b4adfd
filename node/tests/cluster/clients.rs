//! What clients may rely on, whichever protocol serves them: each rule here is run against each protocol
//! ([`client_rules`]). How a cluster gets its leader is the protocols' affair ([`Serving`]).
//!
//! Sources: Raft 8 and thesis 6.3, 6.4 for Raft; rules PP8, PP9 and PP13 of `docs/paxos.md`; rules ZB9 and ZB10 of
//! `docs/zab.md`.

use rashomon_node::api::{NodeId, Operation, RefusalCode, Reply};
use rashomon_node::pending::commands::COMMANDS_MAX;
use rashomon_node::protocol::OperationId;
use rashomon_node::replica::Event;
use rashomon_node::settings::{Reads, Settings};

use super::{Answer, Checked, Cluster, Envelope};

/// A protocol whose tests can bring a cluster into office.
pub(crate) trait Serving: Checked {
    /// Three nodes, so configured, of which one leads and has opened a session; all know what is decided.
    fn led(configure: impl Fn(&mut Settings)) -> Led<Self>;
}

/// Three nodes and what each is.
pub(crate) struct Led<P: Checked> {
    pub(crate) cluster: Cluster<P>,
    pub(crate) leader: NodeId,
    pub(crate) followers: [NodeId; 2],
    pub(crate) session: u64,
}

/// Makes a test of each rule for a protocol; with `leases` also of those for protocols that have them.
macro_rules! client_rules {
    ($protocol:ty) => {
        $crate::cluster::clients::client_rules!($protocol:
            a_quorum_confirms_the_leader_after_the_read_arrived,
            heartbeats_sent_before_the_read_do_not_confirm_it,
            a_deposed_leader_does_not_serve_reads,
            a_follower_passes_a_command_on_and_answers_from_its_own_state,
            a_command_decided_twice_is_applied_once_and_answered_twice,
            an_operation_lost_with_its_leader_reaches_the_next_one,
            a_read_lost_with_its_leader_is_asked_of_the_next_one,
            what_was_given_to_a_leader_is_never_refused_as_definite,
            what_never_left_its_node_is_refused_as_definite,
            a_full_node_refuses_as_overloaded_and_as_definite,
        );
    };
    ($protocol:ty, leases) => {
        $crate::cluster::clients::client_rules!($protocol);
        $crate::cluster::clients::client_rules!($protocol:
            a_lease_runs_from_the_sending_of_its_round,
        );
    };
    ($protocol:ty: $($rule:ident,)*) => {
        $(
            #[test]
            fn $rule() {
                $crate::cluster::clients::$rule::<$protocol>();
            }
        )*
    };
}
pub(crate) use client_rules;

impl<P: Checked> Led<P> {
    fn read(&mut self, id: NodeId) -> OperationId {
        self.cluster.ask(id, None, Operation::read("x"))
    }

    fn write(&mut self, id: NodeId, sequence: u64, value: i64) -> OperationId {
        self.cluster.ask(id, Some((self.session, sequence)), Operation::write("x", value))
    }

    fn is_answered(&self, id: NodeId, name: OperationId) -> bool {
        self.cluster.answers.contains_key(&(id, name))
    }

    /// Cuts the leader off and lets time pass for the others, until one of them leads. The first leader sleeps.
    fn depose(&mut self) -> NodeId {
        self.cluster.isolate(self.leader);
        for _ in 0..1_000 {
            self.cluster.now = self.cluster.now + 5;
            for id in self.followers {
                if self.cluster.replica(id).wake_at() <= self.cluster.now {
                    self.cluster.step(id, Event::Tick);
                }
            }
            self.cluster.settle();
            if let Some(next) = self.followers.into_iter().find(|id| self.cluster.leads(*id)) {
                return next;
            }
        }
        panic!("nobody takes the place of {}", self.leader);
    }
}

/// Lets time pass until the operation is answered.
pub(crate) fn answer<P: Checked>(cluster: &mut Cluster<P>, id: NodeId, name: OperationId) -> Answer {
    for _ in 0..1_000 {
        if let Some(answer) = cluster.answers.get(&(id, name)) {
            return answer.clone();
        }
        cluster.pass(5);
    }
    panic!("{name:?} of {id} is never answered");
}

fn refused<P: Checked>(cluster: &mut Cluster<P>, id: NodeId, name: OperationId) -> (RefusalCode, bool) {
    let refusal = answer(cluster, id, name).unwrap_err();
    (refusal.code, refusal.definite)
}

/// A leader is cut off, another one takes its place and writes; what the first one, which nobody has told, answers to a
/// read: nothing but a refusal, unless it has a defect.
pub(crate) fn read_at_a_deposed_leader<P: Serving>(configure: impl Fn(&mut Settings)) -> Answer {
    let mut led = P::led(configure);
    let name = led.write(led.leader, 1, 1);
    assert_eq!(answer(&mut led.cluster, led.leader, name), Ok(Reply::Written));
    let next = led.depose();
    let name = led.write(next, 2, 2);
    led.cluster.settle();
    assert_eq!(led.cluster.answers[&(next, name)], Ok(Reply::Written));
    let name = led.read(led.leader);
    answer(&mut led.cluster, led.leader, name)
}

/// Raft 8; PP8; ZB9.
pub(crate) fn a_quorum_confirms_the_leader_after_the_read_arrived<P: Serving>() {
    let mut led = P::led(|_| {});
    let read = led.read(led.leader);
    assert!(!led.is_answered(led.leader, read));
    led.cluster.settle();
    assert_eq!(led.cluster.answers[&(led.leader, read)], Ok(Reply::Value(None)));
}

/// Raft 8; PP8; ZB9.
pub(crate) fn heartbeats_sent_before_the_read_do_not_confirm_it<P: Serving>() {
    let mut led = P::led(|_| {});
    led.cluster.timeout(led.leader);
    let earlier: Vec<Envelope<P::Message>> = led.cluster.network.drain(..).collect();
    assert!(!earlier.is_empty());
    let read = led.read(led.leader);
    led.cluster.network.clear();
    earlier.into_iter().for_each(|envelope| led.cluster.deliver(envelope));
    led.cluster.settle();
    assert!(!led.is_answered(led.leader, read));
}

/// Raft 8; PP8; ZB9, of which ZooKeeper's sync knows nothing (ZOOKEEPER-1675).
pub(crate) fn a_deposed_leader_does_not_serve_reads<P: Serving>() {
    let refusal = read_at_a_deposed_leader::<P>(|_| {}).unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::NoLeader, true));
}

/// Thesis 6.2.
pub(crate) fn a_follower_passes_a_command_on_and_answers_from_its_own_state<P: Serving>() {
    let mut led = P::led(|_| {});
    let [follower, _] = led.followers;
    let write = led.write(follower, 1, 1);
    led.cluster.settle();
    assert_eq!(led.cluster.answers[&(follower, write)], Ok(Reply::Written));
    let read = led.read(follower);
    led.cluster.settle();
    assert_eq!(led.cluster.answers[&(follower, read)], Ok(Reply::Value(Some(1))));
}

/// Raft 8 and thesis 6.3; PP13.
pub(crate) fn a_command_decided_twice_is_applied_once_and_answered_twice<P: Serving>() {
    let mut led = P::led(|_| {});
    let (session, [follower, _]) = (led.session, led.followers);
    let first = led.write(led.leader, 1, 1);
    assert_eq!(answer(&mut led.cluster, led.leader, first), Ok(Reply::Written));
    let decided = led.cluster.replica(led.leader).core().view().commit;
    for id in [led.leader, follower] {
        let cas = led.cluster.ask(id, Some((session, 2)), Operation::cas("x", 1, 2));
        assert_eq!(answer(&mut led.cluster, id, cas), Ok(Reply::Swapped), "not a mismatch");
    }
    assert_eq!(led.cluster.replica(led.leader).core().view().commit, decided + 2);
}

/// Sessions make repetition harmless (thesis 6.3; PP13).
pub(crate) fn an_operation_lost_with_its_leader_reaches_the_next_one<P: Serving>() {
    let mut led = P::led(|_| {});
    let [_, follower] = led.followers;
    let write = led.write(follower, 1, 1);
    led.cluster.network.clear();
    led.cluster.crash(led.leader);
    assert_eq!(answer(&mut led.cluster, follower, write), Ok(Reply::Written));
}

/// A read changes nothing, so it may be asked again.
pub(crate) fn a_read_lost_with_its_leader_is_asked_of_the_next_one<P: Serving>() {
    let mut led = P::led(|_| {});
    let reads = led.followers.map(|id| (id, led.read(id)));
    led.cluster.network.clear();
    led.cluster.crash(led.leader);
    for (id, read) in reads {
        assert_eq!(answer(&mut led.cluster, id, read), Ok(Reply::Value(None)));
    }
}

/// It may be in some log (thesis 6.3; PP13).
pub(crate) fn what_was_given_to_a_leader_is_never_refused_as_definite<P: Serving>() {
    let mut led = P::led(|_| {});
    led.cluster.isolate(led.leader);
    let write = led.write(led.leader, 1, 1);
    assert_eq!(refused(&mut led.cluster, led.leader, write), (RefusalCode::Timeout, false));
}

/// Nobody else has heard of it.
pub(crate) fn what_never_left_its_node_is_refused_as_definite<P: Serving>() {
    let mut cluster = Cluster::<P>::new(3);
    let id = NodeId(1);
    cluster.isolate(id);
    let write = cluster.ask(id, Some((2, 1)), Operation::write("x", 1));
    assert_eq!(refused(&mut cluster, id, write), (RefusalCode::NoLeader, true));
}

/// Queues are bounded.
pub(crate) fn a_full_node_refuses_as_overloaded_and_as_definite<P: Serving>() {
    let mut cluster = Cluster::<P>::new(3);
    let id = NodeId(1);
    let ask =
        |cluster: &mut Cluster<P>, sequence| cluster.ask(id, Some((2, sequence)), Operation::write("x", 1));
    (1..=COMMANDS_MAX as u64).for_each(|sequence| _ = ask(&mut cluster, sequence));
    assert_eq!(cluster.answers.len(), 0);
    let one_more = ask(&mut cluster, COMMANDS_MAX as u64 + 1);
    let refusal = cluster.answers[&(id, one_more)].as_ref().unwrap_err();
    assert_eq!((refusal.code, refusal.definite), (RefusalCode::Overloaded, true));
}

/// Thesis 6.4.1; PP9.
pub(crate) fn a_lease_runs_from_the_sending_of_its_round<P: Serving>() {
    let mut led = P::led(|settings| settings.reads = Reads::Lease);
    let reads_at_once = |led: &mut Led<P>| {
        let read = led.read(led.leader);
        led.is_answered(led.leader, read)
    };
    assert!(reads_at_once(&mut led), "within the lease no round is needed");
    // A round is sent, and answered at once; the leader sleeps before it reads the answers.
    led.cluster.timeout(led.leader);
    let round: Vec<Envelope<P::Message>> = led.cluster.network.drain(..).collect();
    round.into_iter().for_each(|envelope| led.cluster.deliver(envelope));
    led.cluster.now = led.cluster.now + 1_000;
    let answers: Vec<Envelope<P::Message>> = led.cluster.network.drain(..).collect();
    answers.into_iter().for_each(|envelope| led.cluster.deliver(envelope));
    assert!(!reads_at_once(&mut led), "the lease ended while the leader slept");
}
