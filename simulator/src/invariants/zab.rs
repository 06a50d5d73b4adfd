//! ZAB, shown to those who check: an epoch is a term, a transaction an entry of its epoch.

use rashomon_node::api::NodeId;
use rashomon_node::zab::Zab;
use rashomon_node::zab::message::{Down, Frame, Message, Record, Up};

use super::promises::Promise;
use super::rounds::{Reading, Round};
use super::{Entry, Inspect, Said, Vouched, fingerprint};

impl Inspect for Zab {
    const ENTERS: bool = true;
    const OBSERVERS: bool = true;
    const MESSAGES: &'static [&'static str] = &[
        "Notification",
        "Up",
        "Down",
        "Join",
        "AckEpoch",
        "AckNewLeader",
        "Ack",
        "Request",
        "Sync",
        "Pong",
        "NewEpoch",
        "Diff",
        "Trunc",
        "Snap",
        "Propose",
        "NewLeader",
        "UpToDate",
        "Commit",
        "SyncReply",
        "Ping",
        "Reset",
    ];
    const RECORDS: &'static [&'static str] =
        &["AcceptedEpoch", "CurrentEpoch", "Transaction", "Truncated", "Checkpoint"];

    fn promise(&self) -> Promise {
        (self.epochs().0.0, None)
    }

    fn vouches(message: &Message, _: NodeId, _: NodeId) -> Vouched {
        match message {
            Message::Up(Frame { body: Up::AckEpoch { epoch, .. }, .. })
            | Message::Down(Frame { body: Down::NewEpoch { epoch }, .. }) => {
                Vouched::Promise { term: epoch.0, to: None }
            }
            Message::Up(Frame { body: Up::AckNewLeader { epoch }, .. }) => {
                Vouched::Entered { epoch: epoch.0 }
            }
            _ => Vouched::Nothing,
        }
    }

    fn reading(message: &Message) -> Reading {
        match message {
            Message::Up(Frame { link, body: Up::Pong { round }, .. }) => {
                Reading::Follows((link.tenure, *round))
            }
            Message::Up(Frame { body: Up::Sync { id }, .. }) => Reading::Asks(id.0),
            Message::Down(Frame { body: Down::SyncReply { id, .. }, .. }) => Reading::Told(id.0),
            _ => Reading::Nothing,
        }
    }

    fn round(&self) -> Option<Round> {
        self.latest_round()
    }

    fn said(record: &Record) -> Said {
        match record {
            Record::AcceptedEpoch(epoch) => Said::Promise { term: epoch.0, to: None },
            Record::CurrentEpoch(epoch) => Said::Entered { epoch: epoch.0 },
            Record::Transaction { index, transaction } => Said::Entry(Entry {
                index: index.0,
                term: transaction.zxid.epoch.0,
                fingerprint: fingerprint(Some(&transaction.command)),
            }),
            Record::Truncated { last } => Said::End { last: last.0 },
            Record::Checkpoint(checkpoint) => {
                Said::Base { index: checkpoint.snapshot.index, term: checkpoint.zxid.epoch.0, voters: None }
            }
        }
    }
}
