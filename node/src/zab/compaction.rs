//! Checkpoints: the state machine in the place of the transactions that made it (rule ZB11).
//!
//! ZooKeeper's snapshots are fuzzy, as its state changes while it is written, and replaying the log over them has to be
//! idempotent. Ours are taken between two inputs and hold exactly the transactions up to one place, so replay applies
//! each transaction once. After a restart the history is what the disk holds, to its end; it is applied from the
//! checkpoint on as it becomes known to be committed.

use crate::protocol::Snapshot;
use crate::zab::config::KEPT_MAX;
use crate::zab::history::Checkpoint;
use crate::zab::zxid::Index;
use crate::zab::{Role, Zab};

impl Zab {
    /// Asks for the state machine when enough was applied since the last checkpoint.
    pub(super) fn ask_for_snapshot(&mut self) {
        let since = self.handed.0.saturating_sub(self.history.floor().index.0);
        let is_whole = self.handed <= self.history.last().index && self.held_back().is_none();
        self.out.snapshot = since >= self.settings.snapshot_entries && is_whole;
    }

    /// Puts the state machine in the place of what it was made of, on disk and in memory.
    pub(super) fn on_snapshot(&mut self, snapshot: Snapshot) {
        let Some(zxid) = self.history.zxid_at(Index(snapshot.index)) else { return };
        let checkpoint = Checkpoint { zxid, snapshot };
        let kept_count = self.kept_count(checkpoint.point().index);
        self.history.compact(checkpoint.clone(), kept_count);
        self.rewrite(checkpoint);
    }

    /// How many transactions before a checkpoint that ends here stay in memory: some, and within bounds what followers
    /// are just being sent, as they would have to join anew otherwise.
    fn kept_count(&self, end: Index) -> u64 {
        let Role::Leading(leadership) = &self.role else { return self.settings.kept_count() };
        let sent = leadership.peers.values().filter(|peer| peer.transfer.is_some()).map(|peer| peer.sent);
        let needed = sent.map(|sent| end.0.saturating_sub(sent.0)).max().unwrap_or(0);
        needed.max(self.settings.kept_count()).min(KEPT_MAX)
    }
}
