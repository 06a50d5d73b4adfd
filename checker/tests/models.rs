//! Every model through the general search, against the twin that tries all orders, with every witness re-checked.

#[allow(dead_code, reason = "other tests use the rest")]
mod twin;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rashomon_checker::model::NEVER;
use rashomon_checker::models::counter::CounterOp;
use rashomon_checker::models::log::LogOp;
use rashomon_checker::models::multi_register::MultiRegisterOp;
use rashomon_checker::models::mutex::MutexOp;
use rashomon_checker::models::queue::QueueOp;
use rashomon_checker::models::set::SetOp;
use rashomon_checker::models::{
    CasRegister, Counter, ListAppend, Log, MultiRegister, Mutex, OwnedMutex, Queue, Set,
};
use rashomon_checker::verify::verify;
use rashomon_checker::{Call, Engine, Finding, Model, Options, Verdict, judge_key};

/// Random histories over a few operations; some must turn out valid and some not.
fn check<M: Model>(model: &M, alphabet: &[M::Operation], weight_first: usize) {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut seen = [0, 0];
    for round in 0..6_000 {
        let count = rng.random_range(1..=7);
        let spans = twin::random_overlap(&mut rng, count, 4, [0.0, 0.3][round % 2]);
        let calls: Vec<Call<M::Operation>> = spans
            .iter()
            .enumerate()
            .map(|(process, &(invoked, returned))| {
                let weighted = alphabet.len() + weight_first;
                let operation = alphabet[rng.random_range(0..weighted) % alphabet.len()].clone();
                Call { id: invoked, process: process as u32, invoked, returned, operation }
            })
            .collect();
        let finding = judge_key(model, "x", &calls, &Options::default()).finding;
        let truth = if twin::has_order(model, &calls) { Verdict::Valid } else { Verdict::Invalid };
        assert_eq!(finding.verdict(), truth, "{calls:#?}");
        verify(model, &calls, &finding)
            .unwrap_or_else(|refuted| panic!("{refuted}: {finding:?} of {calls:#?}"));
        if let Finding::Valid { order } = &finding {
            assert!(twin::is_order(model, &calls, order), "{order:?} of {calls:#?}");
        }
        seen[usize::from(truth == Verdict::Invalid)] += 1;
    }
    assert!(seen[0] > 100 && seen[1] > 100, "{seen:?}");
}

#[test]
fn set() {
    let read = |elements: &[i64]| SetOp::Read(elements.iter().copied().collect());
    check(&Set, &[SetOp::Add(1), SetOp::Add(2), read(&[]), read(&[1]), read(&[1, 2])], 2);
}

#[test]
fn counter() {
    use CounterOp::{Add, Read};
    check(&Counter, &[Add(1), Add(-1), Add(2), Read(0), Read(1), Read(2)], 3);
}

#[test]
fn queue() {
    use QueueOp::{Dequeue, DequeueAny, Enqueue};
    check(
        &Queue,
        &[Enqueue(1), Enqueue(2), Dequeue(Some(1)), Dequeue(Some(2)), Dequeue(None), DequeueAny],
        3,
    );
}

#[test]
fn mutex() {
    use MutexOp::{Acquire, AcquireRefused, Release, ReleaseRefused};
    check(&Mutex, &[Acquire(0), Release(0), AcquireRefused(0), ReleaseRefused(0)], 2);
    check(
        &OwnedMutex,
        &[Acquire(1), Release(1), Acquire(2), Release(2), AcquireRefused(1), ReleaseRefused(2)],
        2,
    );
}

#[test]
fn log() {
    let append = |value, offset| LogOp::Append { value, offset };
    let read = |offset, value| LogOp::ReadAt { offset, value };
    check(
        &Log,
        &[
            append(1, Some(0)),
            append(2, Some(1)),
            append(3, None),
            read(0, Some(1)),
            read(1, Some(3)),
            read(1, None),
        ],
        3,
    );
}

#[test]
fn list_append() {
    let append = |value| LogOp::Append { value, offset: None };
    let read = |values: &[i64]| LogOp::ReadAll(values.to_vec());
    check(&ListAppend, &[append(1), append(2), read(&[]), read(&[1]), read(&[1, 2]), read(&[2, 1])], 2);
}

#[test]
fn multi_register() {
    let read = |seen: &[(i64, Option<i64>)]| MultiRegisterOp::Read(seen.to_vec());
    let write = |written: &[(i64, i64)]| MultiRegisterOp::Write(written.to_vec());
    check(
        &MultiRegister,
        &[
            write(&[(1, 5), (2, 6)]),
            write(&[(1, 7)]),
            read(&[(1, Some(5)), (2, Some(6))]),
            read(&[(1, Some(7)), (2, None)]),
            read(&[(1, Some(7)), (2, Some(6))]),
            read(&[(2, Some(6))]),
        ],
        2,
    );
}

/// Every element added by one operation at most, so that the near-linear judge applies; it must agree with the twin.
fn check_growing<M: Model>(
    model: &M,
    add: impl Fn(i64) -> M::Operation,
    read: impl Fn(&[i64]) -> M::Operation,
) {
    let mut rng = ChaCha8Rng::seed_from_u64(12);
    let mut seen = [0, 0];
    for round in 0..6_000 {
        let count = rng.random_range(1..=7);
        let spans = twin::random_overlap(&mut rng, count, 4, [0.0, 0.3][round % 2]);
        let mut next = 0;
        let calls: Vec<Call<M::Operation>> = spans
            .iter()
            .enumerate()
            .map(|(process, &(invoked, returned))| {
                let operation = if rng.random_bool(0.5) {
                    next += 1;
                    add(next)
                } else {
                    let mut elements: Vec<i64> = (1..=rng.random_range(0..=4)).collect();
                    if rng.random_bool(0.3) && elements.len() > 1 {
                        let at = rng.random_range(1..elements.len());
                        elements.swap(at - 1, at);
                    }
                    if rng.random_bool(0.1) {
                        elements.extend(elements.first().copied());
                    }
                    read(&elements)
                };
                Call { id: invoked, process: process as u32, invoked, returned, operation }
            })
            .collect();
        let judged = judge_key(model, "x", &calls, &Options::default());
        assert_eq!(judged.engine, rashomon_checker::Engine::Shortcut);
        let truth = if twin::has_order(model, &calls) { Verdict::Valid } else { Verdict::Invalid };
        assert_eq!(judged.finding.verdict(), truth, "{calls:#?}");
        verify(model, &calls, &judged.finding)
            .unwrap_or_else(|refuted| panic!("{refuted}: {:?} of {calls:#?}", judged.finding));
        seen[usize::from(truth == Verdict::Invalid)] += 1;
    }
    assert!(seen[0] > 100 && seen[1] > 100, "{seen:?}");
}

#[test]
fn sets_and_lists_of_distinct_elements() {
    check_growing(&Set, SetOp::Add, |elements| SetOp::Read(elements.iter().copied().collect()));
    let append = |value| LogOp::Append { value, offset: None };
    check_growing(&ListAppend, append, |elements| LogOp::ReadAll(elements.to_vec()));
}

/// What cannot follow a state is legal neither there nor anywhere these operations lead.
fn check_can_follow<M: Model>(model: &M, operations: &[M::Operation]) {
    let mut reached = vec![vec![model.init()]];
    for _ in 0..3 {
        let last = reached.last().expect("one at least");
        let next = last.iter().flat_map(|state| operations.iter().filter_map(|by| model.step(state, by)));
        reached.push(next.collect());
    }
    let mut refused = 0;
    for (depth, states) in reached.iter().enumerate() {
        for state in states {
            let mut ahead = vec![state.clone()];
            for _ in depth..3 {
                let next: Vec<_> = ahead
                    .iter()
                    .flat_map(|state| operations.iter().filter_map(|by| model.step(state, by)))
                    .collect();
                ahead.extend(next);
            }
            for operation in operations.iter().filter(|operation| !model.can_follow(state, operation)) {
                refused += 1;
                assert!(
                    ahead.iter().all(|state| model.step(state, operation).is_none()),
                    "{} can follow {state:?}",
                    model.describe(operation)
                );
            }
        }
    }
    assert!(refused > 0, "the hint says nothing");
}

#[test]
fn what_cannot_follow_has_no_place_later() {
    let read = |elements: &[i64]| SetOp::Read(elements.iter().copied().collect());
    check_can_follow(&Set, &[SetOp::Add(1), SetOp::Add(2), read(&[]), read(&[1]), read(&[1, 2])]);
    let append = |value, offset| LogOp::Append { value, offset };
    let at = |offset, value| LogOp::ReadAt { offset, value };
    let all = |elements: &[i64]| LogOp::ReadAll(elements.to_vec());
    let shared = [append(1, None), append(2, None)];
    let lists = [all(&[]), all(&[1]), all(&[2, 1])];
    check_can_follow(&ListAppend, &[&shared[..], &lists].concat());
    let logs = [append(1, Some(0)), append(2, Some(1)), at(0, None), at(0, Some(1)), at(1, Some(2))];
    check_can_follow(&Log, &[&shared[..], &logs].concat());
}

/// Far more orders than can be tried: sixty appends, all under way at a time.
#[test]
fn a_violation_among_many_overlapping_appends_is_told_and_rechecked() {
    let appends = (0..60).map(|value| {
        let operation = LogOp::Append { value: i64::from(value), offset: None };
        Call::completed(value, 1 + value, 1 + value + 60, operation)
    });
    let read = |at: u32, seen: Vec<i64>| Call::completed(100, at, at + 1, LogOp::ReadAll(seen));
    let swapped = |from: usize| {
        let mut seen: Vec<i64> = (0..60).collect();
        seen.swap(from, from + 1);
        seen
    };
    let cases = [
        // Two readers disagree; the last append is lost; the first one comes back.
        (vec![read(200, swapped(10)), read(202, swapped(40))], 2),
        (vec![read(200, (0..59).collect()), read(202, (0..59).collect())], 1),
        (vec![read(200, (1..60).collect()), read(202, (1..60).chain([0]).collect())], 1),
    ];
    for (reads, kept) in cases {
        let calls: Vec<Call<LogOp>> = appends.clone().chain(reads).collect();
        let finding = judge_key(&ListAppend, "x", &calls, &Options::default()).finding;
        let Finding::Invalid(counterexample) = &finding else { panic!("{finding:?}") };
        assert_eq!(counterexample.operations.iter().filter(|id| **id >= 200).count(), kept);
        verify(&ListAppend, &calls, &finding).unwrap_or_else(|refuted| panic!("{refuted}: {finding:?}"));
    }
}

/// Every element enqueued once; answers as some real order gives them, some of them changed afterwards.
fn random_queue(rng: &mut ChaCha8Rng, spans: &[(u32, u32)]) -> Vec<Call<QueueOp>> {
    let end = f64::from(spans.len() as u32 * 2);
    let mut moments: Vec<(f64, usize)> = Vec::new();
    for (at, &(from, to)) in spans.iter().enumerate() {
        let (from, to) = (f64::from(from), f64::from(to).min(end));
        moments.push((from + rng.random_range(0.0..1.0) * (to - from), at));
    }
    moments.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut operations = vec![QueueOp::DequeueAny; spans.len()];
    let mut queue = Queue.init();
    let enqueues = rng.random_range(0.3..0.7);
    for (_, at) in moments {
        let is_unknown = spans[at].1 == NEVER;
        let happened = !is_unknown || rng.random_bool(0.5);
        operations[at] = match rng.random_bool(enqueues) {
            true => QueueOp::Enqueue(at as i64),
            false if is_unknown => QueueOp::DequeueAny,
            false => QueueOp::Dequeue(queue.front().copied()),
        };
        if happened {
            queue = Queue.step(&queue, &operations[at]).expect("made to be legal");
        }
    }
    for _ in 0..rng.random_range(0..=2) {
        let (at, found) = (rng.random_range(0..spans.len()), rng.random_range(0..=spans.len()));
        if let QueueOp::Dequeue(answer) = &mut operations[at] {
            *answer = (found < spans.len()).then_some(found as i64);
        }
    }
    twin::calls(spans, operations.into_iter())
}

#[test]
fn queues_of_distinct_elements() {
    let mut rng = ChaCha8Rng::seed_from_u64(15);
    let (mut seen, mut by_search) = ([0, 0], 0);
    for round in 0..30_000 {
        let (count, wide) = (rng.random_range(1..=8), rng.random_range(1..=6));
        let spans = twin::random_overlap(&mut rng, count, wide, [0.0, 0.0, 0.2][round % 3]);
        let calls = random_queue(&mut rng, &spans);
        let options = Options { minimise: round % 4 == 0, ..Options::default() };
        let judged = judge_key(&Queue, "x", &calls, &options);
        let truth = if twin::has_order(&Queue, &calls) { Verdict::Valid } else { Verdict::Invalid };
        assert_eq!(judged.finding.verdict(), truth, "{:?} of {calls:#?}", judged.finding);
        if options.minimise || truth == Verdict::Valid {
            verify(&Queue, &calls, &judged.finding)
                .unwrap_or_else(|refuted| panic!("{refuted}: {:?} of {calls:#?}", judged.finding));
        }
        let unknown_dequeue = calls.iter().any(|call| call.operation == QueueOp::DequeueAny);
        assert!(judged.engine == Engine::Shortcut || unknown_dequeue, "{calls:#?}");
        by_search += usize::from(judged.engine == Engine::Search);
        seen[usize::from(truth == Verdict::Invalid)] += 1;
    }
    assert!(seen.iter().all(|&count| count > 5_000) && by_search > 100, "{seen:?} {by_search}");
}

/// As many elements as make the general search give up.
#[test]
fn long_queues_are_settled_by_the_judge_of_their_own() {
    let mut rng = ChaCha8Rng::seed_from_u64(16);
    let mut seen = [0, 0];
    for _ in 0..40 {
        let spans = twin::random_overlap(&mut rng, 2_000, 10, 0.0);
        let calls = random_queue(&mut rng, &spans);
        let judged = judge_key(&Queue, "x", &calls, &Options { minimise: false, ..Options::default() });
        let verdict = judged.finding.verdict();
        assert!(judged.engine == Engine::Shortcut && verdict != Verdict::Undecided);
        if verdict == Verdict::Valid {
            verify(&Queue, &calls, &judged.finding).expect("an order");
        }
        seen[usize::from(verdict == Verdict::Invalid)] += 1;
    }
    assert!(seen[0] > 5 && seen[1] > 5, "{seen:?}");
}

/// Of random legal sequences, whatever is kept together with all that it needs is legal.
fn check_needs<M: Model>(model: &M, operations: &[M::Operation]) {
    let mut rng = ChaCha8Rng::seed_from_u64(14);
    let mut left_out = 0;
    for _ in 0..20_000 {
        let mut state = model.init();
        let mut sequence = Vec::new();
        for _ in 0..12 {
            let operation = &operations[rng.random_range(0..operations.len())];
            if let Some(next) = model.step(&state, operation) {
                state = next;
                sequence.push(operation);
            }
        }
        let mut kept: Vec<bool> = sequence.iter().map(|_| rng.random_bool(0.3)).collect();
        for later in (0..sequence.len()).rev() {
            for earlier in 0..later {
                kept[earlier] |= kept[later] && model.needs(sequence[later], sequence[earlier]);
            }
        }
        left_out += kept.iter().filter(|kept| !**kept).count();
        let rest = sequence.iter().zip(&kept).filter(|(_, kept)| **kept).map(|(operation, _)| *operation);
        let legal = rest.clone().try_fold(model.init(), |state, operation| model.step(&state, operation));
        assert!(legal.is_some(), "{:?} of {sequence:?}", rest.collect::<Vec<_>>());
    }
    assert!(left_out > 20_000, "{left_out}");
}

#[test]
fn what_nobody_kept_needs_can_be_left_out() {
    use CounterOp::{Add, Read};
    use QueueOp::{Dequeue, DequeueAny, Enqueue};
    let some = |value| Dequeue(Some(value));
    check_needs(&Queue, &[Enqueue(1), Enqueue(2), Enqueue(3), some(1), some(2), some(3), Dequeue(None)]);
    check_needs(&Queue, &[Enqueue(1), Enqueue(1), Enqueue(2), some(1), some(2), DequeueAny, Dequeue(None)]);
    check_needs(&Counter, &[Add(1), Add(-1), Add(0), Read(0), Read(1), Read(2)]);
    check_needs(&Counter, &[Add(1), Add(2), Add(i64::MAX), Add(-5), Add(i64::MIN), Read(3)]);
    check_needs(&CasRegister, &twin::alphabet(2));
}

#[test]
fn what_is_legal_stays_so_when_blurred() {
    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let alphabet = twin::alphabet(3);
    let (mut remaining, mut changed) = (0, 0);
    for _ in 0..20_000 {
        let about = &alphabet[rng.random_range(0..alphabet.len())];
        let (mut state, mut blurred_state) = (CasRegister.init(), CasRegister.init());
        for _ in 0..12 {
            let operation = &alphabet[rng.random_range(0..alphabet.len())];
            let Some(next) = CasRegister.step(&state, operation) else { continue };
            state = next;
            let Some(blurred) = CasRegister.blurred(operation, about) else { continue };
            blurred_state = CasRegister
                .step(&blurred_state, &blurred)
                .unwrap_or_else(|| panic!("{blurred:?} in {blurred_state:?}, about {about:?}"));
            (remaining, changed) = (remaining + 1, changed + usize::from(blurred != *operation));
        }
    }
    assert!(remaining > 10_000 && changed > 5_000, "{remaining} {changed}");
}
