//! Links really cut and really mended, in real network namespaces.

#![allow(clippy::unwrap_used, reason = "a test helper that panics is a test that fails")]

mod arena;

use arena::{Network, cut, inside, shell};
use rashomon_nemesis::evidence::{CutLink, Link, LinkEvidence};
use rashomon_nemesis::executor::namespaces::{AttachError, Namespaces};
use rashomon_nemesis::node::nodes;
use rashomon_nemesis::protocol::Site;
use rashomon_nemesis::{Action, Capabilities, Evidence, Executor, Grudge, NodeId, Outcome, Report};

fn links(report: &Report) -> &LinkEvidence {
    match &report.evidence {
        Some(Evidence::Links(links)) => links,
        other => panic!("{other:?} of {report:?}"),
    }
}

#[test]
fn every_shape_is_cut_and_healed() {
    inside("every_shape_is_cut_and_healed", || {
        let network = Network::new(4);
        let (mut nemesis, before) = Namespaces::attach(&network.sites).unwrap();
        assert_eq!(before.unwrap().open_count, 12, "the control measurement covers every link");
        assert_eq!(nemesis.capabilities(), Capabilities::namespaces());
        let order: Vec<_> = nodes(4).collect();
        let all = order.iter().copied().collect();
        let shapes = [
            Grudge::isolate(&all, NodeId(3)).unwrap(),
            Grudge::halves(&order).unwrap(),
            Grudge::bridge(&order, NodeId(2)).unwrap(),
            Grudge::ring(&order).unwrap(),
            Grudge::one_way(&[NodeId(1)].into(), &all).unwrap(),
        ];
        // Each gives way to the next in one step, without a mend between them.
        for grudge in shapes {
            let report = nemesis.perform(&Action::Cut { grudge: grudge.clone() }, None);
            assert_eq!(report.outcome, Outcome::Installed, "{grudge}: {report:?}");
            let seen = links(&report);
            assert_eq!(seen.cut.len(), grudge.pairs().count());
            assert_eq!(seen.open_count as usize, 12 - seen.cut.len());
            for (from, to) in [(1, 2), (2, 1), (1, 3), (4, 1)] {
                let open = grudge.sees(NodeId(from), NodeId(to));
                assert_eq!(network.connects(from, to), open, "{from} → {to} under {grudge}");
            }
        }
        let report = nemesis.perform(&Action::Mend, None);
        assert_eq!(report.outcome, Outcome::Installed, "{report:?}");
        assert_eq!(links(&report).open_count, 12);
        assert!(network.connects(1, 3) && network.connects(4, 1));
    });
}

#[test]
fn others_rules_are_never_touched() {
    inside("others_rules_are_never_touched", || {
        let network = Network::new(2);
        shell("ip netns exec n1 iptables -A INPUT -s 10.99.0.1 -j DROP");
        let theirs = network.rules(1);
        let (mut nemesis, _) = Namespaces::attach(&network.sites).unwrap();
        assert!(nemesis.perform(&cut(&[(1, 2)]), None).outcome.is_installed());
        assert!(network.rules(1).contains("-A RASHOMON -s 10.77.0.2/32 -j DROP"));
        assert!(network.rules(1).contains("-A INPUT -s 10.99.0.1/32 -j DROP"));
        let reports = nemesis.heal();
        assert!(matches!(
            reports.as_slice(),
            [Report { action: Action::Mend, outcome: Outcome::Installed, .. }]
        ));
        assert_eq!(network.rules(1), theirs);
        assert!(!network.rules(2).contains("RASHOMON"));
        // And it can cut again afterwards.
        assert!(nemesis.perform(&cut(&[(1, 2)]), None).outcome.is_installed());
        assert!(nemesis.perform(&Action::Mend, None).outcome.is_installed());
    });
}

#[test]
fn a_cut_that_does_not_bite_is_indeterminate_and_names_the_link() {
    inside("a_cut_that_does_not_bite_is_indeterminate_and_names_the_link", || {
        let network = Network::new(3);
        let (mut nemesis, _) = Namespaces::attach(&network.sites).unwrap();
        shell("ip netns exec n1 iptables -I INPUT 1 -s 10.77.0.2 -j ACCEPT");
        let report = nemesis.perform(&cut(&[(1, 2), (1, 3)]), None);
        let Outcome::Indeterminate { reason } = &report.outcome else { panic!("{report:?}") };
        assert_eq!(reason, "cut, yet a probe arrived: n2→n1; cut, yet the rule dropped nothing: n2→n1");
        let link = Link { from: NodeId(2), to: NodeId(1) };
        assert!(links(&report).cut.contains(&CutLink { link, dropped_count: 0, arrived: true }));
    });
}

#[test]
fn a_link_that_is_dead_otherwise_is_not_called_healed() {
    inside("a_link_that_is_dead_otherwise_is_not_called_healed", || {
        let network = Network::new(3);
        let (mut nemesis, _) = Namespaces::attach(&network.sites).unwrap();
        assert!(nemesis.perform(&cut(&[(1, 2)]), None).outcome.is_installed());
        shell("ip -n n3 link set eth0 down");
        let report = nemesis.perform(&Action::Mend, None);
        let Outcome::Indeterminate { reason } = &report.outcome else { panic!("{report:?}") };
        assert_eq!(reason, "open, yet no probe arrived: n1→n3 n2→n3 n3→n1 n3→n2");
        shell("ip netns exec n2 iptables -A RASHOMON -s 10.77.0.1 -j DROP; ip -n n3 link set eth0 up");
        let report = nemesis.perform(&cut(&[(1, 3)]), None);
        assert!(report.outcome.is_installed(), "what someone wrote into our chain is gone: {report:?}");
    });
}

#[test]
fn leftovers_of_a_killed_nemesis_are_taken_over() {
    inside("leftovers_of_a_killed_nemesis_are_taken_over", || {
        let network = Network::new(2);
        let (mut killed, _) = Namespaces::attach(&network.sites).unwrap();
        assert!(killed.perform(&cut(&[(1, 2), (2, 1)]), None).outcome.is_installed());
        drop(killed);
        assert!(!network.connects(1, 2), "nothing healed it");
        let (mut next, _) = Namespaces::attach(&network.sites).expect("taking over mends");
        assert_eq!(network.rules(1).matches("-A INPUT -j RASHOMON").count(), 1);
        assert!(next.heal().iter().all(|report| report.outcome.is_installed()));
        assert!(!network.rules(1).contains("RASHOMON"));
    });
}

#[test]
fn what_cannot_be_taken_over_is_refused_with_the_reason() {
    inside("what_cannot_be_taken_over_is_refused_with_the_reason", || {
        let network = Network::new(3);
        let refused = |sites: &[Site]| Namespaces::attach(sites).unwrap_err();
        let with = |change: fn(&mut Vec<Site>)| {
            let mut sites = network.sites.clone();
            change(&mut sites);
            refused(&sites).to_string()
        };
        assert!(matches!(refused(&[]), AttachError::BadCount { count: 0 }));
        assert_eq!(with(|sites| sites[1].node = NodeId(1)), "n1 was handed over twice");
        assert_eq!(with(|sites| sites[1].address = sites[0].address), "10.77.0.1 was handed over twice");
        assert!(with(|sites| sites[1].netns = None).contains("some do not"));
        assert!(with(|sites| sites[1].address = "fd00::1".parse().unwrap()).contains("IPv6"));
        assert!(
            with(|sites| sites[1].netns = Some("/run/netns/none".into()))
                .contains("namespace of n2, /run/netns/none")
        );
        let elsewhere = with(|sites| sites[1].address = "10.77.0.9".parse().unwrap());
        assert!(elsewhere.contains("no socket at 10.77.0.9 of n2"), "{elsewhere}");
        shell("ip -n n3 link set eth0 down");
        let unconnected = with(|_| {});
        assert!(unconnected.contains("n1→n3 n2→n3") && unconnected.contains("not up"), "{unconnected}");
    });
}

#[test]
fn addresses_of_the_sixth_version_are_cut_as_well() {
    inside("addresses_of_the_sixth_version_are_cut_as_well", || {
        let mut network = Network::new(2);
        for (n, site) in (1..).zip(&mut network.sites) {
            shell(&format!("ip -n n{n} addr add fd77::{n}/64 dev eth0 nodad"));
            site.address = format!("fd77::{n}").parse().unwrap();
        }
        let (mut nemesis, _) = Namespaces::attach(&network.sites).unwrap();
        let report = nemesis.perform(&cut(&[(2, 1)]), None);
        assert!(report.outcome.is_installed(), "{report:?}");
        assert!(!network.connects(1, 2));
        assert!(nemesis.heal()[0].outcome.is_installed() && network.connects(1, 2));
    });
}

#[test]
fn a_node_that_was_not_handed_over_is_not_touched() {
    inside("a_node_that_was_not_handed_over_is_not_touched", || {
        let network = Network::new(3);
        let (mut nemesis, _) = Namespaces::attach(&network.sites[..2]).unwrap();
        let report = nemesis.perform(&cut(&[(1, 3)]), None);
        assert_eq!(report.outcome, Outcome::skipped("n3 is not among the nodes handed over"));
        assert!(network.connects(3, 1));
    });
}
