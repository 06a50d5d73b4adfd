//! Checkpoints: the state machine in the place of the transactions that made it (rule ZB11).
//!
//! ZooKeeper's snapshots are fuzzy, as its state changes while it is written, and replaying the log over them has to be
//! idempotent. Ours are taken between two inputs and hold exactly the transactions up to one place, so replay applies
//! each transaction once. After a restart the history is what the disk holds, to its end; it is applied from the
//! checkpoint on as it becomes known to be committed.

use crate::protocol::Snapshot;
use crate::zab::Zab;
use crate::zab::history::Checkpoint;
use crate::zab::zxid::Index;

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
        self.history.compact(checkpoint.clone(), self.settings.kept_count());
        self.rewrite(checkpoint);
    }
}
