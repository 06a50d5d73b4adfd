//! Bugs of Raft nodes: section 2.1 of the catalogue.

use super::{Description, Home};

pub(super) static R01: Description = Description {
    id: "R01",
    title: "the vote is not on disk",
    rule: "term and vote are durable before the answer (Raft 5.2, Figure 2)",
    faults: &["kill", "bridge"],
    reachable: false,
    home: Home::Node,
    note: "The term is written, the vote stays in memory, as NATS 2.9.10 came close to. A voter killed after it voted votes \
           again in the same term. A second candidate of that very term must ask it, which a bridge partition brings about \
           and luck hardly ever does.",
};
pub(super) static R02: Description = Description {
    id: "R02",
    title: "term and vote are not on disk",
    rule: "the current term outlives a crash (Raft Figure 2)",
    faults: &["kill", "partition"],
    reachable: true,
    home: Home::Node,
    note: "As raft-java #57. A restarted node has the term of its last entry: it obeys leaders that it has helped to depose, \
           and votes again in terms in which it has voted.",
};
pub(super) static R03: Description = Description {
    id: "R03",
    title: "acknowledge before fsync",
    rule: "persist before answering (Raft Figure 2; thesis 3.8)",
    faults: &["power loss"],
    reachable: false,
    home: Home::Node,
    note: "Records count as durable once written to the page cache, which survives kill -9: only power loss shows it.",
};
pub(super) static R04: Description = Description {
    id: "R04",
    title: "the leader counts itself before its own fsync",
    rule: "the leader counts its own log only as far as it is durable (thesis 10.2.1)",
    faults: &["power loss", "partition"],
    reachable: false,
    home: Home::Node,
    note: "As ClickHouse Keeper before #102629. An entry on one follower's disk and in the leader's memory is acknowledged; the \
           leader loses power, and with the third node makes a majority that never had it. kill -9 does lose what waits for \
           the writer's thread, but that is a window of one fsync.",
};
pub(super) static R05: Description = Description {
    id: "R05",
    title: "vote without looking at the candidate's log",
    rule: "election restriction (Raft 5.4.1)",
    faults: &["kill", "pause", "partition"],
    reachable: true,
    home: Home::Node,
    note: "Votes and pre-votes are granted to whoever asks first. A node that was cut off, or slept, comes back while the \
           leader is gone, wins with a short log and makes the others drop acknowledged writes.",
};
pub(super) static R07: Description = Description {
    id: "R07",
    title: "entries of earlier terms are committed by counting",
    rule: "only entries of the own term are committed by counting (Raft 5.4.2, Figure 8)",
    faults: &["kill", "partition"],
    reachable: false,
    home: Home::Node,
    note: "Entries travel one per message, else the new leader's no-op would go with them and make the commit good. Five nodes \
           and two leaders that die at the right moments: the figure's schedule.",
};
pub(super) static R08: Description = Description {
    id: "R08",
    title: "reads before the first commit of the own term",
    rule: "no-op on election, reads only after it is committed (Raft 8; thesis 6.4)",
    faults: &["kill", "pause"],
    reachable: true,
    home: Home::Node,
    note: "The new leader appends no no-op and answers reads at the commit index that it happens to know. Followers learn \
           of commits with periodic heartbeats only, so a write acknowledged just before the old leader died is missing \
           from reads on the new one until it has committed something of its own.",
};
pub(super) static R09: Description = Description {
    id: "R09",
    title: "the leader reads its local state unconfirmed",
    rule: "confirm leadership by a round of heartbeats after the read arrived (Raft 8; thesis 6.4)",
    faults: &["partition", "pause"],
    reachable: true,
    home: Home::Node,
    note: "As in etcd 0.4 and Consul of 2014: no confirmation and no check-quorum, so a leader that is cut off, or wakes \
           from a pause, serves what it knew while a new leader moves on.",
};
pub(super) static R10: Description = Description {
    id: "R10",
    title: "every node reads its local state",
    rule: "reads are confirmed by the leader and a quorum (thesis 6.4)",
    faults: &["pause", "partition"],
    reachable: true,
    home: Home::Node,
    note: "What ZooKeeper and serializable reads of etcd do on purpose. A follower that lags answers from the past, even \
           without any fault.",
};
pub(super) static R11B: Description = Description {
    id: "R11b",
    title: "a question for a read index is repeated under its old name, and an answer releases all up to it",
    rule: "an answer releases only reads that were there before it was asked for (thesis 6.4)",
    faults: &["pause", "delay"],
    reachable: false,
    home: Home::Node,
    note: "As etcd #20418. A question that is asked again takes in the reads that came since; the late answer to its first \
           asking then releases reads that are younger than it. The answer must outlive the repetition, so messages must be \
           late but not lost.",
};
pub(super) static R12: Description = Description {
    id: "R12",
    title: "the lease runs from the arrival of acknowledgements, and too long",
    rule: "a lease runs from the sending of the round, shorter than any election (thesis 6.4.1)",
    faults: &["pause", "partition"],
    reachable: true,
    home: Home::Node,
    note: "Turns lease reads on. The lease starts when acknowledgements are read, so a leader that slept between sending \
           and reading them believes in a lease granted before it slept; and it lasts several election timeouts, so an \
           isolated leader outlives it.",
};
pub(super) static R13: Description = Description {
    id: "R13",
    title: "every append truncates what follows it",
    rule: "delete only from the first entry that conflicts (Raft 5.3)",
    faults: &["delay", "kill"],
    reachable: false,
    home: Home::Node,
    note: "As RaftOS #26. A short message overtaken by a longer one cuts off what that brought, which may be committed. One \
           connection per peer never reorders, so in the real world this is an equivalent mutant until a connection breaks.",
};
pub(super) static R14: Description = Description {
    id: "R14",
    title: "a conflicting tail is never truncated",
    rule: "delete the suffix from the first entry that conflicts (Raft 5.3)",
    faults: &["partition", "kill", "pause"],
    reachable: true,
    home: Home::Node,
    note: "A follower keeps its own entry where the leader has another one and says that it accepted. A leader cut off \
           with writes in flight thus keeps them and later applies what nobody else has. No check-quorum: a deposed \
           leader is to have a tail worth keeping.",
};
pub(super) static R15: Description = Description {
    id: "R15",
    title: "the entry before the new ones is not checked",
    rule: "the preceding entry must match (Raft 5.3)",
    faults: &["kill", "partition"],
    reachable: true,
    home: Home::Node,
    note: "As willemt/raft #118. Whatever stands at the position before is good enough, so a deposed leader keeps its dead \
           entries below the new leader's. A gap is still refused: the log has no place for one.",
};
pub(super) static R17: Description = Description {
    id: "R17",
    title: "the commit index may fall",
    rule: "the commit index never falls (Raft 5.3)",
    faults: &["kill", "transfer"],
    reachable: false,
    home: Home::Node,
    note: "As PySyncObj #166. A new leader that does not know yet what a follower has tells it a low one. What was handed to the \
           state machine is not handed out again, and a leader does not read before it has committed something itself: to \
           clients an equivalent mutant, to traces not.",
};
pub(super) static R19: Description = Description {
    id: "R19",
    title: "late and repeated votes count",
    rule: "votes count once each, in their term (Raft 5.2)",
    faults: &["delay", "pause"],
    reachable: false,
    home: Home::Node,
    note: "As Xraft #33. A vote of an earlier term counts in this one, and a vote that arrives twice counts twice. Votes must \
           take longer than an election timeout, or be repeated: one connection per peer does neither.",
};
pub(super) static R20: Description = Description {
    id: "R20",
    title: "hearing the leader clears the vote",
    rule: "one vote per term (Raft 5.2)",
    faults: &["delay", "kill"],
    reachable: false,
    home: Home::Node,
    note: "As Redpanda #19 and CCF #5891. Once the winner has been heard, the voter is free again in the same term. The rival's \
           request must arrive after that, and not be ignored for the leader's sake: late by an election timeout.",
};
pub(super) static R21: Description = Description {
    id: "R21",
    title: "entries of a lower term are accepted; the deposed leader stays",
    rule: "refuse a lower term, step down at a higher one (Raft 5.1)",
    faults: &["partition", "pause"],
    reachable: true,
    home: Home::Node,
    note: "No check-quorum; a leader ignores higher terms and followers obey whoever sends entries. After the heal two \
           leaders overwrite each other's entries.",
};
pub(super) static R22: Description = Description {
    id: "R22",
    title: "reply on append, before a quorum has it",
    rule: "reply after the entry is committed and applied (Raft 5.3)",
    faults: &["partition", "kill", "pause"],
    reachable: true,
    home: Home::Node,
    note: "The leader acknowledges its own clients' writes as soon as they are in its log. Cut off or killed, it loses \
           them to the next leader.",
};
pub(super) static R23: Description = Description {
    id: "R23",
    title: "half of the voters count as a majority",
    rule: "every decision needs more than half (Raft 5.2, 5.3)",
    faults: &["partition"],
    reachable: true,
    home: Home::Node,
    note: "n/2 rounded up, so only even numbers of voters are wrong: run four nodes. Cut in two halves, each half elects a \
           leader, commits and serves reads.",
};
pub(super) static R25: Description = Description {
    id: "R25",
    title: "a membership is in force only when applied",
    rule: "a membership is in force when appended (thesis 4.1)",
    faults: &["membership", "partition"],
    reachable: false,
    home: Home::Node,
    note: "As in RethinkDB 2.2.3. A leader drops the old voters as soon as it has applied the new membership; old voters that \
           have it in their logs but have not heard that it is committed elect a leader by the old rule. The window is the \
           time that a commit index takes to travel, and a change has to meet a partition in it: not in minutes of changes, kills \
           and partitions on real processes.",
};
pub(super) static R26: Description = Description {
    id: "R26",
    title: "a membership change before the first commit of the own term",
    rule: "a leader commits an entry of its own term first (the 2015 bug of single-server changes, raft-dev)",
    faults: &["membership", "partition"],
    reachable: false,
    home: Home::Node,
    note: "Changes by one server take one step, as in thesis 4.1, and wait for no commit: two leaders of different terms derive \
           two memberships from one, whose majorities need not meet. With joint consensus alone the missing wait does no \
           harm, as both ways need a majority of the common ancestor: hence the single step. Needs four nodes and a fifth \
           to join, and elections between: a directed schedule.",
};
pub(super) static R27: Description = Description {
    id: "R27",
    title: "while the membership changes, a majority of the union decides",
    rule: "joint consensus needs a majority of the old and of the new voters (Raft 6; thesis 4.3)",
    faults: &["membership", "partition"],
    reachable: false,
    home: Home::Node,
    note: "As CCF #3948 was close to. From {1,2,3} to {3,4,5}, nodes 3, 4 and 5 are a majority of the union but not of the \
           old voters: cut off from 1 and 2, they elect a leader beside that of the old voters. The change must be under way \
           when the partition comes. Real nodes are done with it within milliseconds: the simulator's.",
};
pub(super) static R28: Description = Description {
    id: "R28",
    title: "learners and a removed leader count",
    rule: "who is no voter counts in no quorum, commit, read or lease (thesis 4.2.1, 4.2.2)",
    faults: &["membership", "partition", "kill"],
    reachable: false,
    home: Home::Node,
    note: "While a leader waits for new nodes to catch up, it counts them among the voters; and it counts itself while it \
           commits a membership that it is no member of. What was acknowledged with their help may be on no majority of \
           the voters. Learners are catching up only for a moment: not seen in minutes of real processes.",
};
pub(super) static R29: Description = Description {
    id: "R29",
    title: "a membership outlives its entry, and is not found again after a restart",
    rule: "the latest membership in the log is in force, also after truncation and restart (thesis 4.1)",
    faults: &["membership", "kill"],
    reachable: false,
    home: Home::Node,
    note: "When an uncommitted membership is truncated, the node goes on by it; after a restart it goes by that of its snapshot \
           until it has applied others. Elections then need the votes of the wrong nodes: the cluster is stuck, or split. It has to be \
           killed within the moment of a change: not seen in minutes of real processes.",
};
pub(super) static R30: Description = Description {
    id: "R30",
    title: "any snapshot is installed, and any tail kept",
    rule: "a snapshot that is no news is ignored; a tail that does not follow from it is dropped (Raft 7, Figure 13)",
    faults: &["partition", "kill", "tiny snapshots"],
    reachable: false,
    home: Home::Node,
    note: "As willemt/raft #118 and redisraft #43. A snapshot that comes late takes the state back. A deposed leader that gets \
           one keeps its dead entries beyond it, says that it has them, and applies them. Needs snapshots every few entries; not \
           seen in minutes of real processes all the same, where one connection per peer keeps snapshots in order.",
};
pub(super) static R32: Description = Description {
    id: "R32",
    title: "a snapshot lacks what sessions were answered",
    rule: "the session table is part of the snapshot (thesis 6.3)",
    faults: &["kill", "pause", "partition", "tiny snapshots", "retries"],
    reachable: true,
    home: Home::Node,
    note: "A node that starts from a snapshot, or is sent one, knows the sessions but not their last replies, and carries \
           out a retry again that the others only answer again. Needs snapshots every few entries and clients that \
           retry under the same sequence; lists and counters show it, and so do the digests.",
};
pub(super) static R33: Description = Description {
    id: "R33",
    title: "a snapshot's index is on disk before its data",
    rule: "state and applied index change in one write (etcd's post-mortem of 3.5)",
    faults: &["kill", "tiny snapshots"],
    reachable: true,
    home: Home::Node,
    note: "As etcd #13766. The log is cut and the index moved on with the state of the snapshot before; the data follows with the \
           next write. Killed in between, the node lacks what was applied in between: run with a small --snapshot-entries.",
};
pub(super) static R34: Description = Description {
    id: "R34",
    title: "a transfer of leadership keeps the lease, goes on taking commands, and does not wait for the heir",
    rule: "stop, catch the heir up, give up the lease, then let it campaign (thesis 3.10)",
    faults: &["transfer", "pause", "partition"],
    reachable: false,
    home: Home::Node,
    note: "Turns lease reads on. Voters heed the heir although they hear the leader, so the lease vouches for nothing any more: \
           until the old leader hears of the new term, it serves what the new one has overwritten. It hears of it within a \
           message's time unless a pause or a cut comes between: not seen in minutes of real processes. An heir that lags behind \
           is not elected.",
};
pub(super) static R35: Description = Description {
    id: "R35",
    title: "who is behind in term is not told",
    rule: "requests of a lower term are answered with the own term (Raft 5.1; thesis 9.6)",
    faults: &["partition", "kill"],
    reachable: false,
    home: Home::Node,
    note: "As etcd #8243 and #9586. A node that campaigned and was not heard keeps its higher term to itself, and ignores the \
           leader for its lower one. When its vote is needed, nobody can be elected: no wrong answer, no answer at all.",
};
pub(super) static R36: Description = Description {
    id: "R36",
    title: "a definite error for an operation that may yet commit",
    rule: "an operation once proposed is unknown until applied (thesis 6.3)",
    faults: &["partition", "pause", "kill"],
    reachable: true,
    home: Home::Node,
    note: "When the leader changes, a node answers 'did not happen' for everything it had proposed or forwarded. What had \
           reached a majority commits all the same under the new leader.",
};
pub(super) static G09: Description = Description {
    id: "G09",
    title: "a node with an empty disk is taken for the authority",
    rule: "the log decides who can lead (Raft 5.4.1); a node that lost its disk is a new node",
    faults: &["wipe"],
    reachable: false,
    home: Home::Node,
    note: "As a Redis primary that restarts empty. Raft does not promise to survive a wiped disk, but a sound cluster mostly does, as the \
           empty log cannot win; here it campaigns at once, is elected, and the others drop what they have.",
};
