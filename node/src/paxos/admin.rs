//! What people ask for. Who takes part is fixed here (PP11 would make it a value in the log), and leadership is nobody's to
//! give: a leader is whoever gets promises.

use crate::api::{Admin, NodeId, RefusalCode};
use crate::paxos::Paxos;
use crate::protocol::OperationId;

impl Paxos {
    pub(super) fn on_admin(&mut self, id: OperationId, admin: Admin) {
        let what = match admin {
            Admin::Members(_) => "the members of a Paxos cluster are fixed",
            Admin::Lead(_) => "leadership of a Paxos cluster is not handed over",
        };
        self.refuse(id, RefusalCode::Unsupported, what.into());
    }

    /// The other members.
    pub(super) fn other_members(&self) -> impl Iterator<Item = NodeId> + use<'_> {
        self.settings.members.iter().copied().filter(|node| *node != self.settings.node)
    }

    /// All other nodes, members or not.
    pub(super) fn others(&self) -> impl Iterator<Item = NodeId> + use<'_> {
        self.settings.nodes.iter().copied().filter(|node| *node != self.settings.node)
    }
}
