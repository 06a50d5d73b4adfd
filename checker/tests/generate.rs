//! Generated histories are what they say: well-formed, valid or spoilt, and the same for the same plan.

use rashomon_checker::generate::{Flaw, Object, Overlap, Plan, generate};
use rashomon_checker::models::by_name;
use rashomon_checker::{Options, Verdict};
use rashomon_histories::{Event, Header, History};

fn verdict(model: &str, plan: Plan) -> Verdict {
    let events: Vec<Event> = generate(plan).collect();
    let history = History::from_events(Header::new("generated"), events).expect("well-formed");
    let entry = by_name(model).expect("a model of this name");
    let judged = (entry.judge)(&history, &Options { minimise: false, ..Options::default() });
    judged.unwrap_or_else(|error| panic!("{model}: {error}")).verdict
}

fn plan(object: Object, seed: u64) -> Plan {
    Plan { object, operations: 120, clients: 2, seed, ..Plan::default() }
}

#[test]
fn every_object_is_valid_by_construction() {
    for (model, object) in Object::ALL {
        for seed in 0..10 {
            let overlap = if seed % 2 == 0 { Overlap::Even } else { Overlap::Hidden };
            // Whoever took what from a queue, nobody knows when: the search for an order may then take long.
            let unknown = if seed % 3 == 0 && object != Object::Queue { 0.02 } else { 0.0 };
            let plan = Plan { overlap, unknown, ..plan(object, seed) };
            assert_eq!(verdict(model, plan), Verdict::Valid, "{model}: {plan:?}");
        }
    }
}

#[test]
fn a_stale_answer_of_distinct_values_is_a_violation() {
    for (model, object) in Object::ALL {
        for seed in 0..5 {
            // Long enough that something can grow stale in the last twentieth; one client, so that every judge is quick.
            let plan = Plan { flaw: Flaw::Stale, operations: 600, clients: 1, ..plan(object, seed) };
            let mut generated = generate(plan);
            generated.by_ref().for_each(drop);
            assert!(generated.is_spoilt(), "{model}: {plan:?}");
            assert_eq!(verdict(model, plan), Verdict::Invalid, "{model}: {plan:?}");
        }
    }
}

#[test]
fn equal_plans_make_equal_histories() {
    for (_, object) in Object::ALL {
        let plan = Plan { unknown: 0.1, flaw: Flaw::Mutated, ..plan(object, 5) };
        assert!(generate(plan).eq(generate(plan)));
        assert!(!generate(plan).eq(generate(Plan { seed: 6, ..plan })));
    }
}
