//! Processes out of service: killed and started again, or stopped and let go on.
//!
//! Kill finds what a node forgets in a crash and what a new leader assumes; pause finds what an old leader believes
//! when it wakes up (stale reads, expired leases, lower terms). Both aim at the leader more often than at others: most
//! bugs need the one that acknowledged last.

use rand::seq::IndexedRandom;

use super::{Class, Decision, Declined, Fault, Scene};
use crate::action::Action;
use crate::capability::Capability;
use crate::node::NodeId;
use crate::random::Stream;
use crate::target::{Aimed, Target};

/// A fault that takes processes out of service.
#[derive(Debug)]
pub struct Outage {
    name: &'static str,
    doc: &'static str,
    class: Class,
    means: Means,
    aim: Aim,
}

/// How a process is taken out of service.
#[derive(Debug)]
enum Means {
    Kill,
    Pause,
    PowerLoss,
    Wipe,
}

/// Whom an outage hits, and whether the rest must be able to go on.
#[derive(Debug)]
enum Aim {
    /// One of these, by weight, sparing a connected majority.
    Weighted(&'static [(Target, u32)]),
    /// This target, sparing a connected majority.
    Sparing(Target),
    /// This target, whatever is left.
    Whatever(Target),
}

/// Whom a plain kill hits: the leader half of the time.
const KILL_AIMS: Aim = Aim::Weighted(&[
    (Target::Leader, 50),
    (Target::Deposed, 10),
    (Target::Follower, 15),
    (Target::Minority, 25),
]);

/// Whom a plain pause hits: a paused leader is the cheapest way to a stale read.
const PAUSE_AIMS: Aim = Aim::Weighted(&[
    (Target::Leader, 65),
    (Target::Deposed, 5),
    (Target::Follower, 15),
    (Target::Minority, 15),
]);

impl Outage {
    /// Kill by role.
    pub const KILL: Self = Outage {
        name: "kill",
        doc: "kill -9 and restart, aimed by role: the leader half of the time, else followers or a minority; \
              a connected majority of processes stays up",
        class: Class::Kill,
        means: Means::Kill,
        aim: KILL_AIMS,
    };
    /// Kill the leader.
    pub const KILL_LEADER: Self = Outage {
        name: "kill-leader",
        doc: "kill -9 and restart of the leader (of a node at random while none is known)",
        class: Class::Kill,
        means: Means::Kill,
        aim: Aim::Sparing(Target::Leader),
    };
    /// Kill a follower.
    pub const KILL_FOLLOWER: Self = Outage {
        name: "kill-follower",
        doc: "kill -9 and restart of one node that does not lead",
        class: Class::Kill,
        means: Means::Kill,
        aim: Aim::Sparing(Target::Follower),
    };
    /// Kill a minority.
    pub const KILL_MINORITY: Self = Outage {
        name: "kill-minority",
        doc: "kill -9 and restart of as many nodes as may go while a majority is up",
        class: Class::Kill,
        means: Means::Kill,
        aim: Aim::Sparing(Target::Minority),
    };
    /// Kill a majority.
    pub const KILL_MAJORITY: Self = Outage {
        name: "kill-majority",
        doc: "kill -9 and restart of so many nodes that no majority is left: nothing may be acknowledged meanwhile, \
              nothing acknowledged may be lost",
        class: Class::Kill,
        means: Means::Kill,
        aim: Aim::Whatever(Target::Majority),
    };
    /// Kill all.
    pub const KILL_ALL: Self = Outage {
        name: "kill-all",
        doc: "kill -9 and restart of every node at once: what they know afterwards is what they wrote to disk",
        class: Class::Kill,
        means: Means::Kill,
        aim: Aim::Whatever(Target::All),
    };
    /// Pause by role.
    pub const PAUSE: Self = Outage {
        name: "pause",
        doc: "SIGSTOP and SIGCONT, aimed by role: the leader two times in three, else followers or a minority; \
              a connected majority goes on",
        class: Class::Pause,
        means: Means::Pause,
        aim: PAUSE_AIMS,
    };
    /// Pause the leader.
    pub const PAUSE_LEADER: Self = Outage {
        name: "pause-leader",
        doc: "SIGSTOP and SIGCONT of the leader (of a node at random while none is known)",
        class: Class::Pause,
        means: Means::Pause,
        aim: Aim::Sparing(Target::Leader),
    };
    /// Pause a follower.
    pub const PAUSE_FOLLOWER: Self = Outage {
        name: "pause-follower",
        doc: "SIGSTOP and SIGCONT of one node that does not lead",
        class: Class::Pause,
        means: Means::Pause,
        aim: Aim::Sparing(Target::Follower),
    };
    /// Pause a minority.
    pub const PAUSE_MINORITY: Self = Outage {
        name: "pause-minority",
        doc: "SIGSTOP and SIGCONT of as many nodes as may go while a majority is up",
        class: Class::Pause,
        means: Means::Pause,
        aim: Aim::Sparing(Target::Minority),
    };
    /// Pause a majority.
    pub const PAUSE_MAJORITY: Self = Outage {
        name: "pause-majority",
        doc: "SIGSTOP and SIGCONT of so many nodes that no majority is left",
        class: Class::Pause,
        means: Means::Pause,
        aim: Aim::Whatever(Target::Majority),
    };
    /// Pause all.
    pub const PAUSE_ALL: Self = Outage {
        name: "pause-all",
        doc: "SIGSTOP and SIGCONT of every node: they wake up together, each believing that no time has passed",
        class: Class::Pause,
        means: Means::Pause,
        aim: Aim::Whatever(Target::All),
    };

    /// Power loss by role.
    pub const POWER_LOSS: Self = Outage {
        name: "power-loss",
        doc: "the machines of a minority lose power: what was written and not synced is gone or torn; aimed as kill is",
        class: Class::Kill,
        means: Means::PowerLoss,
        aim: KILL_AIMS,
    };
    /// Power loss of a majority.
    pub const POWER_LOSS_MAJORITY: Self = Outage {
        name: "power-loss-majority",
        doc: "so many machines lose power that no majority is left: what was acknowledged must have been synced",
        class: Class::Kill,
        means: Means::PowerLoss,
        aim: Aim::Whatever(Target::Majority),
    };
    /// Power loss of all.
    pub const POWER_LOSS_ALL: Self = Outage {
        name: "power-loss-all",
        doc: "every machine loses power at once: what they know afterwards is what they had synced",
        class: Class::Kill,
        means: Means::PowerLoss,
        aim: Aim::Whatever(Target::All),
    };
    /// A node comes back without its disk.
    pub const WIPE: Self = Outage {
        name: "wipe",
        doc: "a node that does not lead dies and comes back with an empty disk under its old name, which no protocol \
              here promises to bear",
        class: Class::Kill,
        means: Means::Wipe,
        // Whoever else is away: what this node alone still knew is lost for good then, and that is the point.
        aim: Aim::Whatever(Target::Follower),
    };

    fn action(&self, node: NodeId) -> Action {
        match self.means {
            Means::Kill => Action::Kill { node },
            Means::Pause => Action::Pause { node },
            Means::PowerLoss => Action::PowerLoss { node },
            Means::Wipe => Action::Wipe { node },
        }
    }

    fn choose(&self, scene: &Scene<'_>, rng: &mut Stream) -> Result<Aimed, Declined> {
        let target = match &self.aim {
            Aim::Whatever(target) => return target.resolve(scene, rng),
            Aim::Sparing(target) => *target,
            Aim::Weighted(targets) => {
                targets.choose_weighted(rng, |(_, weight)| *weight).expect("constant weights, one above 0").0
            }
        };
        let aimed = target.resolve(scene, rng)?;
        match scene.can_progress_without(&aimed.nodes) {
            true => Ok(aimed),
            false => Err(Declined::because(format!("without {} no connected majority is left", aimed.story))),
        }
    }
}

impl Fault for Outage {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn class(&self) -> Class {
        self.class
    }

    fn needs(&self) -> &'static [Capability] {
        match self.means {
            Means::Kill | Means::Pause => self.class.needs(),
            Means::PowerLoss => &[Capability::Disks],
            Means::Wipe => &[Capability::Wipes],
        }
    }

    fn nodes_min(&self) -> usize {
        match self.aim {
            // The largest minority of two nodes is nobody.
            Aim::Sparing(Target::Minority) => 3,
            Aim::Whatever(Target::Follower) => 2,
            _ => 1,
        }
    }

    fn decide(&self, scene: &Scene<'_>, rng: &mut Stream) -> Result<Decision, Declined> {
        let aimed = self.choose(scene, rng)?;
        let actions = aimed.nodes.iter().map(|node| self.action(*node)).collect();
        Ok(Decision::until_undone(actions, aimed.story))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grudge::Grudge;
    use crate::random::stream;
    use crate::view::{NodeView, Role, View, minority};

    fn led(count: u32, leader: u32) -> View {
        let mut view = View::unknown(count);
        view.nodes.insert(NodeId(leader), NodeView { role: Role::Leader, term: 4 });
        view
    }

    #[test]
    fn a_plain_kill_hits_the_leader_about_half_of_the_time() {
        let view = led(5, 2);
        let hits = |seed| {
            let decided =
                Outage::KILL.decide(&Scene { view: &view, cut: None }, &mut stream(seed, "t", 0)).unwrap();
            decided.taken_out().any(|node| node == NodeId(2))
        };
        let share = (0..1000).filter(|seed| hits(*seed)).count();
        assert!((550..850).contains(&share), "{share} of 1000: leader, or a minority around it");
    }

    #[test]
    fn plain_outages_spare_a_connected_majority() {
        let mut view = led(5, 1);
        let cut = Grudge::isolate(&view.all(), NodeId(1)).unwrap();
        view.nodes.insert(NodeId(5), NodeView { role: Role::Down, term: 0 });
        let scene = Scene { view: &view, cut: Some(&cut) };
        for seed in 0..200 {
            for outage in [&Outage::KILL, &Outage::PAUSE, &Outage::PAUSE_MINORITY] {
                if let Ok(decision) = outage.decide(&scene, &mut stream(seed, "t", 0)) {
                    let out: Vec<_> = decision.taken_out().collect();
                    assert_eq!(out, [NodeId(1)], "only the isolated one may go");
                }
            }
        }
    }

    #[test]
    fn explicit_majorities_leave_a_minority() {
        for count in 1..8 {
            let view = led(count, 1);
            let scene = Scene { view: &view, cut: None };
            let decision = Outage::KILL_MAJORITY.decide(&scene, &mut stream(9, "t", 0)).unwrap();
            assert_eq!(count as usize - decision.taken_out().count(), minority(count as usize));
        }
    }
}
