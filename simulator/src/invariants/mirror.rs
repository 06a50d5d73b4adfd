//! A node's log as its records tell it: what stands where, without content, and who decides by it. A membership is in force
//! from its entry on, committed or not, and gone with it (Raft 6; thesis 4.1).

use std::rc::Rc;

use super::{Entry, Said, Voters};

/// Positions after a base, without gaps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mirror {
    base: (u64, u64),
    entries: Vec<(u64, u64)>,
    /// From which position on who decides, ascending.
    voters: Vec<(u64, Rc<Voters>)>,
    /// Who decides before the log says anything.
    first_voters: Rc<Voters>,
}

/// A record that leaves a hole before it.
#[derive(Debug)]
pub(crate) struct Gap;

impl Mirror {
    /// Takes in what a record says.
    pub(crate) fn hear(&mut self, said: &Said) -> Result<(), Gap> {
        match said {
            Said::Entry(Entry { index, term, fingerprint })
            | Said::Voters(Entry { index, term, fingerprint }, _) => {
                let offset = index.checked_sub(self.base.0 + 1).ok_or(Gap)?;
                let offset = usize::try_from(offset).map_err(|_| Gap)?;
                if offset > self.entries.len() {
                    return Err(Gap);
                }
                self.entries.truncate(offset);
                self.entries.push((*term, *fingerprint));
                self.voters.retain(|(from, _)| from < index);
                if let Said::Voters(_, voters) = said {
                    self.voters.push((*index, Rc::clone(voters)));
                }
            }
            Said::Base { index, term, voters } => {
                self.rebase(*index, *term);
                let last = self.last();
                self.voters.retain(|(from, _)| from > index && *from <= last);
                if let Some(voters) = voters {
                    self.voters.insert(0, (*index, Rc::clone(voters)));
                }
            }
            Said::End { last } => {
                let kept = usize::try_from(last.checked_sub(self.base.0).ok_or(Gap)?).map_err(|_| Gap)?;
                self.entries.truncate(kept);
                self.voters.retain(|(from, _)| from <= last);
            }
            Said::Accepted { .. } | Said::Settled { .. } | Said::Entered { .. } => {}
            Said::Promise { .. } | Said::Nothing => {}
        }
        Ok(())
    }

    /// The position of the last entry.
    pub(crate) fn last(&self) -> u64 {
        self.base.0 + self.entries.len() as u64
    }

    /// The position before the first entry.
    pub(crate) fn base(&self) -> u64 {
        self.base.0
    }

    /// The entry at `index`, if it stands there.
    pub(crate) fn entry(&self, index: u64) -> Option<Entry> {
        let (term, fingerprint) = *self.entries.get(self.offset(index)?)?;
        Some(Entry { index, term, fingerprint })
    }

    /// The term at `index`, that of the base included.
    pub(crate) fn term(&self, index: u64) -> Option<u64> {
        if index == self.base.0 { Some(self.base.1) } else { self.entry(index).map(|entry| entry.term) }
    }

    /// Who decides by this log.
    pub(crate) fn voters(&self) -> Rc<Voters> {
        self.voters_since().1
    }

    /// The same, with the position from which on they do.
    pub(crate) fn voters_since(&self) -> (u64, Rc<Voters>) {
        let (from, voters) =
            self.voters.last().map_or((0, &self.first_voters), |(from, voters)| (*from, voters));
        (from, Rc::clone(voters))
    }

    /// Who decides at a position, where this log says so.
    pub(crate) fn voters_at(&self, index: u64) -> Option<&Rc<Voters>> {
        let is_known = index >= self.base.0 && index <= self.last();
        self.voters.iter().rev().find(|(from, _)| is_known && *from <= index).map(|(_, voters)| voters)
    }

    fn offset(&self, index: u64) -> Option<usize> {
        usize::try_from(index.checked_sub(self.base.0 + 1)?).ok()
    }

    /// The log begins after `index`; what follows it stays only if the terms agree there.
    fn rebase(&mut self, index: u64, term: u64) {
        let kept = match self.term(index) == Some(term) {
            true => self.offset(index + 1).unwrap_or(0).min(self.entries.len()),
            false => self.entries.len(),
        };
        self.entries.drain(..kept);
        self.base = (index, term);
    }
}

#[cfg(test)]
mod tests {
    use rashomon_node::api::NodeId;

    use super::*;

    fn entry(index: u64, term: u64) -> Said {
        Said::Entry(Entry { index, term, fingerprint: index * 10 + term })
    }

    #[test]
    fn an_entry_replaces_what_stood_there_and_after() {
        let mut mirror = Mirror::default();
        for said in [entry(1, 1), entry(2, 1), entry(3, 1), entry(2, 2)] {
            mirror.hear(&said).unwrap();
        }
        assert_eq!((mirror.last(), mirror.term(2), mirror.term(0)), (2, Some(2), Some(0)));
        assert!(mirror.hear(&entry(4, 2)).is_err());
    }

    #[test]
    fn a_base_keeps_a_tail_that_fits_and_no_other() {
        for (term, last) in [(1, 3), (7, 2)] {
            let mut mirror = Mirror::default();
            (1..=3).for_each(|index| mirror.hear(&entry(index, 1)).unwrap());
            mirror.hear(&Said::Base { index: 2, term, voters: None }).unwrap();
            assert_eq!((mirror.last(), mirror.term(2), mirror.entry(2)), (last, Some(term), None));
        }
    }

    #[test]
    fn who_decides_goes_with_the_entry_that_says_so() {
        let of =
            |nodes: &[u32]| Rc::new(Voters { groups: vec![nodes.iter().copied().map(NodeId).collect()] });
        let says =
            |index, term, nodes: &[u32]| Said::Voters(Entry { index, term, fingerprint: 7 }, of(nodes));
        let mut mirror = Mirror::default();
        assert_eq!(*mirror.voters(), Voters::default(), "those of the beginning");
        for said in [entry(1, 1), says(2, 1, &[1, 2]), entry(3, 1), says(4, 1, &[1])] {
            mirror.hear(&said).unwrap();
        }
        assert_eq!(mirror.voters(), of(&[1]));
        mirror.hear(&entry(3, 2)).unwrap();
        assert_eq!(mirror.voters(), of(&[1, 2]), "the later one was dropped");
        mirror.hear(&Said::Base { index: 3, term: 2, voters: Some(of(&[1, 2])) }).unwrap();
        assert_eq!(mirror.voters(), of(&[1, 2]));
        mirror.hear(&Said::Base { index: 9, term: 3, voters: Some(of(&[3])) }).unwrap();
        assert_eq!(mirror.voters(), of(&[3]));
    }
}
