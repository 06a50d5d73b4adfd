//! One direction pair of a connection: in order, nothing lost, nothing twice.
//!
//! Zab assumes channels like TCP's: prefix order and integrity (Zab, section on communication). The network below
//! promises less: a reconnect may lose, repeat or overtake messages. So frames are numbered; a receiver takes them in by
//! number and holds early ones back; a sender keeps what has not been acknowledged and sends it again. Whatever this
//! cannot mend ends the connection, and the follower joins anew.

use std::collections::{BTreeMap, VecDeque};

use crate::protocol::Millis;
use crate::zab::config::FRAMES_IN_FLIGHT_MAX;
use crate::zab::message::{Frame, Link};

/// Frames held back until those before them arrive; more are dropped, as they will come again.
const EARLY_MAX: usize = 4 * FRAMES_IN_FLIGHT_MAX;
/// Frames taken in after which an acknowledgement is sent for its own sake.
const ACK_AFTER: u64 = FRAMES_IN_FLIGHT_MAX as u64 / 4;

/// One end of a connection: sends `Out`, takes in `In`.
#[derive(Debug)]
pub(super) struct Channel<Out, In> {
    sent: u64,
    /// Not acknowledged yet: number, when last sent, content.
    unacked: VecDeque<(u64, Millis, Out)>,
    /// All up to here has been taken in,
    received: u64,
    /// and the other end was told so up to here.
    told: u64,
    early: BTreeMap<u64, In>,
}

impl<Out: Clone, In> Channel<Out, In> {
    pub(super) fn new() -> Self {
        Self { sent: 0, unacked: VecDeque::new(), received: 0, told: 0, early: BTreeMap::new() }
    }

    /// Whether there is room for what can wait. Control messages may always be sent: there are few.
    pub(super) fn has_room(&self) -> bool {
        self.unacked.len() < FRAMES_IN_FLIGHT_MAX
    }

    /// The next frame in order.
    pub(super) fn send(&mut self, now: Millis, link: Link, body: Out) -> Frame<Out> {
        self.sent += 1;
        self.unacked.push_back((self.sent, now, body.clone()));
        self.frame(link, self.sent, body)
    }

    /// A frame outside the order.
    pub(super) fn send_loose(&mut self, link: Link, body: Out) -> Frame<Out> {
        self.frame(link, 0, body)
    }

    fn frame(&mut self, link: Link, sequence: u64, body: Out) -> Frame<Out> {
        self.told = self.received;
        Frame { link, sequence, acked: self.received, body }
    }

    /// Takes in a frame. Returns what can be dealt with now, in order: mostly just what came.
    pub(super) fn receive(&mut self, frame: Frame<In>) -> impl Iterator<Item = In> + use<Out, In> {
        let (mut next, mut later) = (None, Vec::new());
        while self.unacked.front().is_some_and(|(sequence, ..)| *sequence <= frame.acked) {
            self.unacked.pop_front();
        }
        match frame.sequence {
            0 => next = Some(frame.body),
            sequence if sequence <= self.received => {
                // It was sent again, so the acknowledgement was lost.
                self.told = self.told.min(self.received.saturating_sub(ACK_AFTER));
            }
            sequence if sequence == self.received + 1 => {
                self.received = sequence;
                next = Some(frame.body);
                while let Some(body) = self.early.remove(&(self.received + 1)) {
                    self.received += 1;
                    later.push(body);
                }
            }
            sequence if self.early.len() < EARLY_MAX => {
                self.early.insert(sequence, frame.body);
            }
            _ => {}
        }
        next.into_iter().chain(later)
    }

    /// Whether an acknowledgement should be sent for its own sake.
    pub(super) fn owes_ack(&self) -> bool {
        self.received >= self.told + ACK_AFTER
    }

    /// What has waited for an acknowledgement for `patience_ms`, to be sent again; and with it all that came later, as
    /// it is of no use alone.
    pub(super) fn resend(&mut self, now: Millis, patience_ms: u64, link: Link) -> Vec<Frame<Out>> {
        if self.unacked.front().is_none_or(|(_, at, _)| now.since(*at) < patience_ms) {
            return Vec::new();
        }
        self.told = self.received;
        let acked = self.received;
        let again = self.unacked.iter_mut().map(|(sequence, at, body)| {
            *at = now;
            Frame { link, sequence: *sequence, acked, body: body.clone() }
        });
        again.collect()
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;

    /// `None` says nothing but how far everything has arrived.
    type Wire = Channel<Option<u32>, Option<u32>>;

    const LINK: Link = Link { connection: 1, tenure: 1 };

    /// Against a network that loses, repeats and reorders, everything arrives once and in order.
    #[test]
    fn whatever_the_network_does_all_arrives_once_and_in_order() {
        for seed in 0..200 {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let (mut one, mut two) = (Wire::new(), Wire::new());
            let (mut there, mut back) = (Vec::new(), Vec::new());
            let (mut arrived, mut answers, mut next, mut now) = (Vec::new(), Vec::new(), 0, Millis(0));
            while arrived.len() < 200 || answers.len() < 200 {
                now = now + 1;
                if one.has_room() && next < 200 {
                    there.push(one.send(now, LINK, Some(next)));
                    back.push(two.send(now, LINK, Some(next)));
                    next += 1;
                }
                there.extend(one.resend(now, 20, LINK));
                back.extend(two.resend(now, 20, LINK));
                there.extend(one.owes_ack().then(|| one.send_loose(LINK, None)));
                back.extend(two.owes_ack().then(|| two.send_loose(LINK, None)));
                for (network, channel, into) in
                    [(&mut there, &mut two, &mut arrived), (&mut back, &mut one, &mut answers)]
                {
                    if network.is_empty() {
                        continue;
                    }
                    let position = rng.random_range(0..network.len());
                    match rng.random_range(0..10) {
                        0 => drop(network.remove(position)),
                        1 => network.push(network[position].clone()),
                        _ => into.extend(channel.receive(network.remove(position)).flatten()),
                    }
                }
                assert!(now < Millis(100_000), "seed {seed} gets stuck");
            }
            assert_eq!(arrived, (0..200).collect::<Vec<_>>(), "seed {seed}");
            assert_eq!(answers, arrived, "seed {seed}");
        }
    }
}
