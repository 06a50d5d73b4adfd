//! Who wrote what, who saw it, and who replaced it, when every written value is distinct.
//!
//! The *cluster* of a value is the operation that wrote it, the reads that returned it, and the cas, at most one, that
//! replaced it. A cas belongs to two clusters and ties them together: nothing can stand between the writer of v and the cas
//! that replaces v, so clusters that follow each other by cas form one *block* with a fixed inner order. The initial value
//! is a cluster that nobody wrote.
//!
//! Operations of unknown outcome took effect if somebody saw it. The others may have: nothing here depends on them, but a
//! refused cas may, and so a cas among them is a *spare* end of the cluster that it would replace.
//! Next: [`super::zones`], which orders the blocks.

use rustc_hash::FxHashMap;

use super::{RegisterOp, Value};
use crate::budget::{Poll, Stopped};
use crate::model::Call;

/// No operation, or no cluster.
pub(super) const NOBODY: u32 = u32::MAX;

/// One value's life. Operations are places among the calls.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster {
    /// Who wrote it; [`NOBODY`] for the initial value.
    pub(super) writer: u32,
    /// The cluster whose writer replaced this value by cas.
    pub(super) replaced_by: u32,
    /// The read that returned first.
    pub(super) first_reader: u32,
    /// The read that was invoked last.
    pub(super) last_reader: u32,
}

/// Operations that cannot all be ordered, and a circle among them.
#[derive(Clone, Debug)]
pub(super) struct Contradiction {
    pub(super) operations: Vec<u32>,
    pub(super) cycle: Vec<u32>,
}

/// Why no order comes out.
#[derive(Clone, Debug)]
pub(super) enum Halt {
    /// Some value was written twice.
    NotDistinct,
    /// There is none.
    Wrong(Contradiction),
    /// The one that was found does not work out at this event; another might.
    Open(u32),
    /// The caller's deadline passed.
    Stopped,
}

impl From<Contradiction> for Halt {
    fn from(contradiction: Contradiction) -> Self {
        Halt::Wrong(contradiction)
    }
}

impl From<Stopped> for Halt {
    fn from(_: Stopped) -> Self {
        Halt::Stopped
    }
}

/// All clusters of a key; the initial value's is the first.
pub(super) struct Clusters {
    pub(super) all: Vec<Cluster>,
    /// Per call, the cluster that it wrote or read or was refused for; [`NOBODY`] where there is none.
    pub(super) of: Vec<u32>,
    /// Per cluster, whether its writer surely took effect: its outcome is known, or somebody saw its value.
    live: Vec<bool>,
    /// A cluster, and one that would replace it: that of a cas of unknown outcome whose value nobody saw. In order.
    spares: Vec<(u32, u32)>,
}

/// Clusters by the value that they are about.
enum Index {
    /// Values lie close together: place by the difference to the least.
    Dense {
        least: i64,
        places: Vec<u32>,
    },
    Sparse(FxHashMap<Value, u32>),
}

impl Index {
    fn new(calls: &[Call<RegisterOp>], poll: &mut Poll<'_>) -> Result<Self, Stopped> {
        let written = || calls.iter().filter_map(|call| call.operation.written()?.get());
        let (mut least, mut most, mut count) = (i64::MAX, i64::MIN, 0usize);
        for number in written() {
            poll.go_on()?;
            (least, most, count) = (least.min(number), most.max(number), count + 1);
        }
        let span = most.checked_sub(least).and_then(|span| usize::try_from(span).ok());
        Ok(match span {
            Some(span) if span < count.saturating_mul(4) => {
                Index::Dense { least, places: vec![NOBODY; span + 1] }
            }
            _ => Index::Sparse(FxHashMap::default()),
        })
    }

    fn get(&self, value: Value) -> u32 {
        let Some(number) = value.get() else { return 0 };
        match self {
            Index::Dense { least, places } => {
                let place = number.checked_sub(*least).and_then(|place| usize::try_from(place).ok());
                place.and_then(|place| places.get(place).copied()).unwrap_or(NOBODY)
            }
            Index::Sparse(places) => places.get(&value).copied().unwrap_or(NOBODY),
        }
    }

    /// Makes room for the value of a writer, unless it has some.
    fn insert(&mut self, value: Value, cluster: u32) -> bool {
        match self {
            Index::Dense { least, places } => {
                let number = value.get().expect("null is never inserted");
                let place = &mut places[(number - *least) as usize];
                std::mem::replace(place, cluster) == NOBODY
            }
            Index::Sparse(places) => places.insert(value, cluster).is_none(),
        }
    }
}

impl Clusters {
    pub(super) fn new(calls: &[Call<RegisterOp>], poll: &mut Poll<'_>) -> Result<Self, Halt> {
        let mut index = Index::new(calls, poll)?;
        let empty =
            Cluster { writer: NOBODY, replaced_by: NOBODY, first_reader: NOBODY, last_reader: NOBODY };
        let mut clusters = Clusters {
            all: vec![empty],
            of: vec![NOBODY; calls.len()],
            live: Vec::new(),
            spares: Vec::new(),
        };
        for (at, call) in calls.iter().enumerate() {
            poll.go_on()?;
            let Some(value) = call.operation.written() else { continue };
            let cluster = clusters.all.len() as u32;
            if value == Value::NULL || !index.insert(value, cluster) {
                return Err(Halt::NotDistinct);
            }
            clusters.of[at] = cluster;
            clusters.all.push(Cluster { writer: at as u32, ..empty });
        }
        clusters.attach_observers(calls, &index, poll)?;
        clusters.attach_cas(calls, &index, poll)?;
        clusters.keep_spares(calls, &index, poll)?;
        Ok(clusters)
    }

    /// Reads go to their clusters; so do refused cas, which are no part of them.
    fn attach_observers(
        &mut self,
        calls: &[Call<RegisterOp>],
        index: &Index,
        poll: &mut Poll<'_>,
    ) -> Result<(), Halt> {
        for (at, call) in calls.iter().enumerate() {
            poll.go_on()?;
            let at = at as u32;
            match call.operation {
                _ if call.is_unknown() => {}
                RegisterOp::Read(value) => {
                    let cluster = index.get(value);
                    self.of[at as usize] = cluster;
                    let Some(seen) = self.all.get_mut(cluster as usize) else {
                        return Err(Halt::Wrong(Contradiction { operations: vec![at], cycle: Vec::new() }));
                    };
                    let first = seen.first_reader;
                    if first == NOBODY || call.returned < calls[first as usize].returned {
                        seen.first_reader = at;
                    }
                    let last = seen.last_reader;
                    if last == NOBODY || call.invoked > calls[last as usize].invoked {
                        seen.last_reader = at;
                    }
                }
                RegisterOp::Refused { old, .. } => self.of[at as usize] = index.get(old),
                RegisterOp::Write(_) | RegisterOp::Cas { .. } => {}
            }
        }
        Ok(())
    }

    /// Ties clusters together by the cas that happened: those whose outcome is known, and those of unknown outcome whose
    /// value somebody saw.
    fn attach_cas(
        &mut self,
        calls: &[Call<RegisterOp>],
        index: &Index,
        poll: &mut Poll<'_>,
    ) -> Result<(), Halt> {
        let known = (0..calls.len() as u32).filter(|&at| !calls[at as usize].is_unknown());
        let mut happened: Vec<u32> =
            known.filter(|&at| matches!(calls[at as usize].operation, RegisterOp::Cas { .. })).collect();
        // Whoever was seen happened. A seen cas saw what it replaced, and so on; each is followed once, because its value
        // becomes seen once.
        let unknown =
            self.all.iter().skip(1).filter(|cluster| {
                calls[cluster.writer as usize].is_unknown() && cluster.first_reader != NOBODY
            });
        happened.extend(unknown.map(|cluster| cluster.writer));
        let mut seen = vec![false; self.all.len()];
        while let Some(at) = happened.pop() {
            poll.go_on()?;
            let cluster = self.of[at as usize];
            if std::mem::replace(&mut seen[cluster as usize], true) {
                continue;
            }
            let RegisterOp::Cas { old, .. } = calls[at as usize].operation else { continue };
            let from = index.get(old);
            let Some(&Cluster { writer, replaced_by, .. }) = self.all.get(from as usize) else {
                return Err(Halt::Wrong(self.nobody_wrote(calls, at)));
            };
            if replaced_by != NOBODY {
                let other = self.all[replaced_by as usize].writer;
                return Err(Halt::Wrong(self.both_replaced(from, at, other)));
            }
            self.all[from as usize].replaced_by = cluster;
            if writer != NOBODY && calls[writer as usize].is_unknown() {
                happened.push(writer);
            }
        }
        for (cluster, live) in self.all.iter().zip(&mut seen) {
            *live |= cluster.writer == NOBODY || !calls[cluster.writer as usize].is_unknown();
        }
        self.live = seen;
        Ok(())
    }

    fn keep_spares(
        &mut self,
        calls: &[Call<RegisterOp>],
        index: &Index,
        poll: &mut Poll<'_>,
    ) -> Result<(), Stopped> {
        for cluster in (1..self.all.len() as u32).filter(|&cluster| !self.live[cluster as usize]) {
            poll.go_on()?;
            let writer = self.all[cluster as usize].writer;
            if let RegisterOp::Cas { old, .. } = calls[writer as usize].operation
                && index.get(old) != NOBODY
            {
                self.spares.push((index.get(old), cluster));
            }
        }
        poll.sort(&mut self.spares, |spare| spare.0, |spare| spare.1)
    }

    /// The clusters that may, but need not, follow this one directly: nobody else can have replaced it then.
    pub(super) fn spares(&self, cluster: u32) -> impl Iterator<Item = u32> {
        let first = self.spares.partition_point(|spare| spare.0 < cluster);
        self.spares[first..].iter().take_while(move |spare| spare.0 == cluster).map(|spare| spare.1)
    }

    /// Whether the value was surely there at some time.
    pub(super) fn is_live(&self, cluster: u32) -> bool {
        self.live[cluster as usize]
    }

    fn nobody_wrote(&self, calls: &[Call<RegisterOp>], cas: u32) -> Contradiction {
        let mut operations = vec![cas];
        if calls[cas as usize].is_unknown() {
            operations.extend(self.witness(self.of[cas as usize]));
        }
        Contradiction { operations, cycle: Vec::new() }
    }

    fn both_replaced(&self, from: u32, one: u32, other: u32) -> Contradiction {
        let mut operations = vec![one, other];
        for cas in [one, other] {
            operations.extend(self.witness(self.of[cas as usize]));
        }
        let writer = self.all[from as usize].writer;
        operations.extend((writer != NOBODY).then_some(writer));
        Contradiction { operations, cycle: Vec::new() }
    }

    /// Why the value must have been there: a read, or the cas that replaced it and, in turn, its witnesses.
    pub(super) fn witness(&self, cluster: u32) -> Vec<u32> {
        let mut witness = Vec::new();
        let mut at = cluster;
        while at != NOBODY && witness.len() <= self.all.len() {
            let Cluster { first_reader, replaced_by, .. } = self.all[at as usize];
            if first_reader != NOBODY {
                witness.push(first_reader);
                break;
            }
            if replaced_by != NOBODY {
                witness.push(self.all[replaced_by as usize].writer);
            }
            at = replaced_by;
        }
        witness
    }
}
