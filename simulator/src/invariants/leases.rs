//! A lease excludes other leaders: who answers reads without asking anybody does so because nobody else can lead yet (thesis
//! 6.4.1; rules RR2, PP9). Clients notice only when they read in the moment in which both do; here it is seen whenever a new
//! leader takes office. And who has told another node to take over has none any more: the other need not wait for its end.

use super::{Findings, Law, name};

const LAW: Law = ("a lease excludes other leaders", "thesis 6.4.1");
const WAY: Law = ("who makes way has no lease", "thesis 3.10 and 6.4.1");

/// By node: the office in which it told another to take over, last.
#[derive(Debug)]
pub(crate) struct Ways {
    made: Vec<Option<u64>>,
}

impl Ways {
    pub(crate) fn new(nodes: usize) -> Self {
        Self { made: vec![None; nodes] }
    }

    /// A node in this office tells another one to take over.
    pub(crate) fn makes(&mut self, node: usize, office: Option<u64>) {
        self.made[node] = office.or(self.made[node]);
    }

    /// Whether a node in this office has told another one to take over.
    pub(crate) fn has_made(&self, node: usize, office: Option<u64>) -> bool {
        office.is_some() && self.made[node] == office
    }
}

/// A node that has told another one to take over has a lease nevertheless.
pub(crate) fn outlasts(findings: &mut Findings, node: usize) {
    findings.broke(WAY, || format!("{} has told another node to take over, and has a lease", name(node)));
}

/// A node has begun to lead in this term; another one is in that term, and has a lease by now or has none.
pub(crate) fn check(
    findings: &mut Findings,
    (node, term): (usize, u64),
    (other, earlier, has_lease): (usize, u64, bool),
) {
    if earlier < term && has_lease {
        findings.broke(LAW, || {
            format!(
                "{} leads in {term} while {} has a lease as the leader of {earlier}",
                name(node),
                name(other)
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_takes_office_while_a_leader_of_an_earlier_term_has_a_lease() {
        for (earlier, has_lease, broken) in [(4, true, 1), (4, false, 0), (6, true, 0)] {
            let mut findings = Findings::default();
            check(&mut findings, (0, 5), (1, earlier, has_lease));
            assert_eq!(findings.broken.len(), broken, "{earlier} {has_lease}");
        }
    }

    #[test]
    fn a_way_is_made_for_one_time_in_office() {
        let mut ways = Ways::new(2);
        ways.makes(1, Some(7));
        ways.makes(1, None);
        assert!(ways.has_made(1, Some(7)));
        assert!(!ways.has_made(1, Some(8)) && !ways.has_made(1, None) && !ways.has_made(0, None));
    }
}
