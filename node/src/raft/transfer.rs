//! Leadership transfer (thesis 3.10, RT1): the leader takes no more commands, brings its heir's log up to its own, and tells
//! it to campaign at once. If nothing has come of it after an election timeout, it goes on leading.
//!
//! The heir's candidacy is heeded even by voters that hear a leader, which is what leases rest on. So the lease ends before
//! the heir is told; and as the message may arrive late, no lease is taken again in this term: reads go by rounds.

use crate::api::{NodeId, Refusal, RefusalCode};
use crate::defect::Defect;
use crate::protocol::Millis;
use crate::raft::admin::Asker;
use crate::raft::message::Body;
use crate::raft::{Raft, Role};

/// A transfer under way.
#[derive(Debug)]
pub(super) struct Handover {
    heir: NodeId,
    askers: Vec<Asker>,
    /// When to go on leading.
    until: Millis,
    /// Whether the heir has been told.
    is_told: bool,
}

impl Raft {
    /// Somebody asks for another leader.
    pub(super) fn ask_lead(&mut self, asker: Asker, heir: NodeId) {
        if heir == self.config.node {
            return self.answer_askers(vec![asker], &Ok(()));
        }
        if !self.membership().voters().contains(&heir) {
            return self.refuse_admin(asker, RefusalCode::Conflict, "only a member can lead");
        }
        let until = self.now + self.config.election_ms.end;
        let Role::Leader(leadership) = &mut self.role else { return };
        match &mut leadership.admin.handover {
            Some(handover) if handover.heir == heir => {
                if !handover.askers.contains(&asker) {
                    handover.askers.push(asker);
                }
            }
            Some(_) => {
                self.refuse_admin(asker, RefusalCode::Conflict, "leadership is being handed to another node");
            }
            empty => {
                *empty = Some(Handover { heir, askers: vec![asker], until, is_told: false });
            }
        }
    }

    /// Tells the heir once it has everything; goes on leading when it has had its time.
    pub(super) fn advance_handover(&mut self) {
        let (now, last) = (self.now, self.log.last_index());
        let is_careless = self.config.defects.has(Defect::R34);
        let Role::Leader(leadership) = &mut self.role else { return };
        let Some(handover) = &mut leadership.admin.handover else { return };
        let heir = handover.heir;
        if now >= handover.until {
            let askers = std::mem::take(&mut handover.askers);
            let definite = !handover.is_told;
            leadership.admin.handover = None;
            let (code, text) = if definite {
                (RefusalCode::Conflict, "the node did not catch up in time")
            } else {
                (RefusalCode::Timeout, "the node was told to campaign, but does not lead yet")
            };
            self.answer_askers(askers, &Err(Refusal { code, definite, text: text.into() }));
            return self.give_commands();
        }
        let has_all = leadership.progress.get(&heir).is_some_and(|progress| progress.matched == last);
        if !handover.is_told && (has_all || is_careless) {
            handover.is_told = true;
            leadership.has_handed_over = true;
            self.send(heir, Body::TimeoutNow);
        }
    }

    /// The leader wants this node to lead: campaign at once, whatever others hear of the leader.
    pub(super) fn on_timeout_now(&mut self, from: NodeId) {
        if matches!(self.role, Role::Follower) && self.leader == Some(from) && self.may_campaign() {
            self.campaign(true);
        }
    }

    /// Whether leadership is being handed over, so that no command is taken.
    pub(super) fn is_handing_over(&self) -> bool {
        let Role::Leader(leadership) = &self.role else { return false };
        leadership.admin.handover.is_some() && !self.config.defects.has(Defect::R34)
    }
}
