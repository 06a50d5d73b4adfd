//! One test per obligation of ZAB's rules ZB1 to ZB11, named as the claim it makes. Sources: Junqueira, Reed, Serafini,
//! "Zab" (DSN 2011); the page "Zab1.0" of the ZooKeeper project.

mod broadcast;
mod discovery;
pub(crate) mod serving;
pub(crate) mod synchronisation;

use std::sync::Arc;

use rashomon_node::api::{NodeId, Operation, RefusalCode, Reply, Role};
use rashomon_node::defect::{Defect, Defects};
use rashomon_node::machine::{Author, Command};
use rashomon_node::protocol::{OperationId, Protocol};
use rashomon_node::replica::Event;
use rashomon_node::settings::{Reads, Settings};
use rashomon_node::zab::Zab;
use rashomon_node::zab::history::{Outline, Transaction};
use rashomon_node::zab::message::{Down, Frame, Link, Message, Notification, Record, Stance, Up, Vote};
use rashomon_node::zab::zxid::{Credentials, Epoch, Index, Zxid};

pub(crate) use crate::cluster::clients::answer;

pub(crate) const N1: NodeId = NodeId(1);
pub(crate) const N2: NodeId = NodeId(2);
pub(crate) const N3: NodeId = NodeId(3);

pub(crate) type Cluster = crate::cluster::Cluster<Zab>;

pub(crate) fn zxid(epoch: u64, counter: u64) -> Zxid {
    Zxid { epoch: Epoch(epoch), counter }
}

pub(crate) fn transaction(epoch: u64, counter: u64) -> Transaction {
    let author = Author::Node(NodeId(9), OperationId(epoch << 32 | counter));
    Transaction { zxid: zxid(epoch, counter), command: Command { author, operation: Operation::OpenSession } }
}

fn propose(transactions: &[Transaction], commit: Zxid) -> Down {
    Down::Propose { transactions: Arc::from(transactions), commit }
}

/// What a node's disk holds when it has these transactions and epochs.
pub(crate) fn records(accepted: u64, current: u64, transactions: &[(u64, u64)]) -> Vec<Record> {
    let record = |(index, (epoch, counter)): (u64, &(u64, u64))| Record::Transaction {
        index: Index(index),
        transaction: transaction(*epoch, *counter),
    };
    let history = (1..).zip(transactions).map(record);
    [Record::AcceptedEpoch(Epoch(accepted)), Record::CurrentEpoch(Epoch(current))]
        .into_iter()
        .chain(history)
        .collect()
}

/// Three nodes that start with these disks.
pub(crate) fn with_disks(disks: [Vec<Record>; 3], configure: impl Fn(&mut Settings)) -> Cluster {
    let mut cluster = Cluster::with(3, configure);
    for (id, disk) in [N1, N2, N3].into_iter().zip(disks) {
        cluster.crash(id);
        cluster.node(id).disk = disk;
    }
    [N1, N2, N3].into_iter().for_each(|id| cluster.start(id));
    cluster
}

/// Three nodes, led by n3, with a session, number 1.
pub(crate) fn led(configure: impl Fn(&mut Settings)) -> Cluster {
    let mut cluster = Cluster::with(3, configure);
    cluster.pass(500);
    assert!(cluster.leads(N3), "equal histories: the highest number wins");
    let id = cluster.ask(N3, None, Operation::OpenSession);
    cluster.pass(60);
    assert!(matches!(cluster.answers[&(N3, id)], Ok(Reply::Opened(_))));
    cluster
}

pub(crate) fn with_defect(defect: Defect) -> impl Fn(&mut Settings) {
    move |settings| settings.defects = Defects::from_iter([defect])
}

pub(crate) fn zxids(cluster: &Cluster, id: NodeId) -> Vec<Zxid> {
    let history = cluster.replica(id).core().history();
    history.after(Index(0), usize::MAX).iter().map(|transaction| transaction.zxid).collect()
}

pub(crate) fn view(cluster: &Cluster, id: NodeId) -> rashomon_node::protocol::View {
    cluster.replica(id).core().view()
}

pub(crate) fn write(cluster: &mut Cluster, id: NodeId, sequence: u64, value: i64) {
    let name = cluster.ask(id, Some((1, sequence)), Operation::write("x", value));
    assert_eq!(answer(cluster, id, name), Ok(Reply::Written));
}

fn vote(id: NodeId) -> Notification {
    let vote = Vote { credentials: Credentials { current: Epoch(99), last: zxid(99, 1) }, leader: id };
    Notification { round: 1_000, stance: Stance::Looking, vote: Some(vote) }
}

/// n1 alone, with the test in the part of n3, which leads it.
struct Follower {
    cluster: Cluster,
    connection: u64,
    sequence: u64,
    acked: u64,
}

const TENURE: u64 = 7;

impl Follower {
    fn new(disk: Vec<Record>, configure: impl Fn(&mut Settings)) -> Self {
        let mut cluster = with_disks([disk, vec![], vec![]], configure);
        cluster.crash(N2);
        cluster.crash(N3);
        cluster.network.clear();
        cluster.step(N1, Event::Message(N2, Message::Notification(vote(N3))));
        cluster.step(N1, Event::Message(N3, Message::Notification(vote(N3))));
        let join = cluster.network.drain(..).find_map(|envelope| match envelope.message {
            Message::Up(Frame { link, body: Up::Join { .. }, .. }) => Some(link),
            _ => None,
        });
        let connection = join.expect("it asks to join").connection;
        Self { cluster, connection, sequence: 0, acked: 1 }
    }

    /// What n1 answers the leader.
    fn say(&mut self, body: Down) -> Vec<Up> {
        self.sequence += 1;
        let link = Link { connection: self.connection, tenure: TENURE };
        let frame = Frame { link, sequence: self.sequence, acked: self.acked, body };
        self.cluster.step(N1, Event::Message(N3, Message::Down(frame)));
        self.heard()
    }

    /// What n1 has said meanwhile.
    fn heard(&mut self) -> Vec<Up> {
        let frames = self.cluster.network.drain(..).filter_map(|envelope| match envelope.message {
            Message::Up(frame) if envelope.to == N3 => Some(frame),
            _ => None,
        });
        let frames: Vec<Frame<Up>> = frames.collect();
        self.acked = frames.iter().map(|frame| frame.sequence).fold(self.acked, u64::max);
        frames.into_iter().map(|frame| frame.body).filter(|body| !matches!(body, Up::Pong { .. })).collect()
    }

    /// The disk writes everything; what n1 says then.
    fn sync(&mut self) -> Vec<Up> {
        self.cluster.sync(N1);
        self.heard()
    }

    /// n1 has followed n3 into epoch 1 and taken over these transactions.
    fn synchronised(configure: impl Fn(&mut Settings), transactions: &[Transaction]) -> Self {
        let mut follower = Self::new(vec![], configure);
        follower.say(Down::NewEpoch { epoch: Epoch(1) });
        follower.say(Down::Diff);
        follower.say(propose(transactions, Zxid::default()));
        let acknowledged = follower.say(Down::NewLeader { epoch: Epoch(1) });
        assert_eq!(acknowledged.first(), Some(&Up::AckNewLeader { epoch: Epoch(1) }));
        follower
    }

    fn applied(&self) -> u64 {
        self.cluster.replica(N1).machine().applied()
    }

    fn looks_for_a_leader(&self) -> bool {
        view(&self.cluster, N1).role == Role::Candidate && view(&self.cluster, N1).leader.is_none()
    }
}
