//! A lease excludes other leaders: who answers reads without asking anybody does so because nobody else can lead yet (thesis
//! 6.4.1; rules RR2, PP9). Clients notice only when they read in the moment in which both do; here it is seen whenever a new
//! leader takes office.

use super::{Findings, Law, name};

const LAW: Law = ("a lease excludes other leaders", "thesis 6.4.1");

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
}
