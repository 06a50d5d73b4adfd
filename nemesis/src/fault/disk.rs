//! Disks that stall, fail or rot while others go on. For simulated worlds: no process sees them from outside.
//!
//! A slow disk finds who counts what is not yet durable; a failed sync finds who goes on after it (Rebello et al., ATC
//! 2020); rot finds who starts on less than was promised (Alagappan et al., "Protocol-Aware Recovery", FAST 2018).

use super::{Class, Decision, Declined, Fault, Scene};
use crate::action::{Action, Hindrance};
use crate::random::Stream;
use crate::target::Target;

/// A fault of one node's disk.
#[derive(Debug)]
pub struct DiskFault {
    name: &'static str,
    doc: &'static str,
    trouble: Trouble,
}

#[derive(Debug)]
enum Trouble {
    Slow,
    Failing,
    Rot,
}

impl DiskFault {
    /// Syncs take long.
    pub const SLOW: Self = DiskFault {
        name: "slow-disk",
        doc: "the syncs of one node, most often the leader, take fifty times as long",
        trouble: Trouble::Slow,
    };
    /// A sync fails.
    pub const FAILING: Self = DiskFault {
        name: "failing-disk",
        doc: "the next sync of one node fails; the node must stop, and starts again on what is really there",
        trouble: Trouble::Failing,
    };
    /// Something rots.
    pub const ROT: Self = DiskFault {
        name: "rot",
        doc: "one node dies, and a bit or a sector that it had written is wrong when it comes back; it must refuse to \
              start on it, so it is lost, and a majority of the others stays",
        trouble: Trouble::Rot,
    };
}

impl Fault for DiskFault {
    fn name(&self) -> &'static str {
        self.name
    }

    fn doc(&self) -> &'static str {
        self.doc
    }

    fn class(&self) -> Class {
        Class::Disk
    }

    fn nodes_min(&self) -> usize {
        match self.trouble {
            Trouble::Slow | Trouble::Failing => 1,
            Trouble::Rot => 3,
        }
    }

    fn decide(&self, scene: &Scene<'_>, rng: &mut Stream) -> Result<Decision, Declined> {
        let target = match self.trouble {
            Trouble::Slow => Target::Leader,
            Trouble::Failing | Trouble::Rot => Target::One,
        };
        let aimed = target.resolve(scene, rng)?;
        let takes_out = !matches!(self.trouble, Trouble::Slow);
        if takes_out && !scene.can_progress_without(&aimed.nodes) {
            return Err(Declined::because(format!("without {} no connected majority is left", aimed.story)));
        }
        let action = |node| match self.trouble {
            Trouble::Slow => Action::Hamper { node, with: Hindrance::Disk },
            Trouble::Failing => Action::FailSync { node },
            Trouble::Rot => Action::Rot { node },
        };
        Ok(Decision::until_undone(aimed.nodes.into_iter().map(action).collect(), aimed.story))
    }
}
