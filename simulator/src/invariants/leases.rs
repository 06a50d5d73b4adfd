//! A lease excludes other leaders: who answers reads without asking anybody does so because nobody else can lead yet (thesis
//! 6.4.1; rules RR2, PP9). Clients notice only when they read in the moment in which both do; here it is seen whenever a new
//! leader takes office.

use rashomon_node::protocol::Millis;

use super::{Findings, Inspect, Law, name};

const LAW: Law = ("a lease excludes other leaders", "thesis 6.4.1");

/// A node has begun to lead in this term; another one's clock shows this time.
pub(crate) fn check<P: Inspect>(
    findings: &mut Findings,
    (node, term): (usize, u64),
    (other, core, now): (usize, &P, Millis),
) {
    let earlier = core.view().term;
    if earlier < term && core.has_lease(now) {
        findings.broke(LAW, || {
            format!(
                "{} leads in {term} while {} has a lease as the leader of {earlier}",
                name(node),
                name(other)
            )
        });
    }
}
