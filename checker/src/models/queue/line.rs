//! Queues of distinct elements, judged in O(n log n).
//!
//! Let an element come between (a, b), when it was enqueued, and go between (c, d), when it was dequeued; never: c = d = ∞. It
//! came before it went, so b is at most d and c at least a. What was first in is first out: x must stand before y when b(x) <
//! a(y) or d(x) < c(y). These two orders can be extended to one exactly when no two elements must stand before each other: of the
//! elements left, the one x with the least b or the one y with the least d can be next, unless x must come before y and y
//! go before x.
//! Whoever found the queue empty needs a moment at which nobody has to be in it: none with b < t < c. It takes the first there
//! is, and from then on counts as an element that comes and goes at t.
//!
//! In the order that results everybody comes and goes as soon as those before him have, and after whoever must find
//! nobody: this keeps every interval, because no one who stands before x could only come after b(x) or go after d(x). So
//! there is an order exactly when there is no such pair and no such moment (Henzinger, Sezgin and Vafeiadis, *Aspect-oriented
//! linearizability proofs*, 2013, give the same four violations, without an order for what has none).
//!
//! Enqueues of unknown outcome happened if somebody saw their element, and otherwise leave. A dequeue of unknown outcome
//! may have taken anything: without all of these there may be an order; where there is none, the general search is asked.

use rustc_hash::FxHashMap;

use super::QueueOp;
use crate::budget::{Poll, Stopped};
use crate::model::{Call, NEVER};
use crate::outcome::Shortcut;

/// No call.
const NOBODY: u32 = u32::MAX;

/// Somebody who comes and goes. Moments are positions; calls are places among the calls.
#[derive(Clone, Copy, Debug)]
struct Element {
    enqueue: u32,
    dequeue: u32,
    comes: (u32, u32),
    goes: (u32, u32),
}

enum Halt {
    /// Some element was enqueued twice, or the answer of a completed dequeue is not told.
    Unfit,
    /// These cannot all be ordered.
    Wrong(Vec<u32>),
    Stopped,
}

impl From<Stopped> for Halt {
    fn from(_: Stopped) -> Self {
        Halt::Stopped
    }
}

/// Judges the operations of one queue. None: elements are not distinct.
pub(super) fn judge(calls: &[Call<QueueOp>], poll: &mut Poll<'_>) -> Option<Shortcut> {
    let name = |places: Vec<u32>| places.into_iter().map(|at| calls[at as usize].id).collect::<Vec<u32>>();
    Some(match order(calls, poll) {
        Ok(order) => Shortcut::Valid(name(order)),
        Err(Halt::Unfit) => return None,
        Err(Halt::Stopped) => Shortcut::Stopped,
        Err(Halt::Wrong(operations)) => {
            if calls.iter().any(|call| call.operation == QueueOp::DequeueAny) {
                let last = operations.iter().map(|&at| calls[at as usize].invoked).max();
                return Some(Shortcut::Open(last.unwrap_or(0)));
            }
            Shortcut::Invalid { operations: name(operations), cycle: Vec::new() }
        }
    })
}

fn order(calls: &[Call<QueueOp>], poll: &mut Poll<'_>) -> Result<Vec<u32>, Halt> {
    let mut elements = elements(calls, poll)?;
    place_empty(calls, &mut elements, poll)?;
    let line = line_up(&mut elements, poll)?;
    Ok(tell(&elements, &line))
}

/// All elements that were surely there, with their intervals drawn to what is possible.
fn elements(calls: &[Call<QueueOp>], poll: &mut Poll<'_>) -> Result<Vec<Element>, Halt> {
    let mut elements = Vec::new();
    let mut number: FxHashMap<i64, usize> = FxHashMap::default();
    for (at, call) in calls.iter().enumerate() {
        poll.go_on()?;
        let QueueOp::Enqueue(value) = call.operation else { continue };
        if number.insert(value, elements.len()).is_some() {
            return Err(Halt::Unfit);
        }
        let comes = (call.invoked, call.returned);
        elements.push(Element { enqueue: at as u32, dequeue: NOBODY, comes, goes: (NEVER, NEVER) });
    }
    for (at, call) in calls.iter().enumerate() {
        poll.go_on()?;
        let at = at as u32;
        match call.operation {
            QueueOp::DequeueAny if !call.is_unknown() => return Err(Halt::Unfit),
            QueueOp::Dequeue(Some(_)) if call.is_unknown() => return Err(Halt::Unfit),
            QueueOp::Dequeue(Some(value)) => {
                let Some(&place) = number.get(&value) else { return Err(Halt::Wrong(vec![at])) };
                let element: &mut Element = &mut elements[place];
                if element.dequeue != NOBODY {
                    return Err(Halt::Wrong(vec![element.enqueue, element.dequeue, at]));
                }
                if call.returned < element.comes.0 {
                    return Err(Halt::Wrong(vec![element.enqueue, at]));
                }
                element.dequeue = at;
                element.goes = (call.invoked.max(element.comes.0), call.returned);
                element.comes.1 = element.comes.1.min(call.returned);
            }
            QueueOp::Enqueue(_) | QueueOp::Dequeue(None) | QueueOp::DequeueAny => {}
        }
    }
    elements.retain(|element| element.comes.1 != NEVER);
    Ok(elements)
}

/// Gives everybody who found nothing the first moment at which nobody has to be there.
fn place_empty(
    calls: &[Call<QueueOp>],
    elements: &mut Vec<Element>,
    poll: &mut Poll<'_>,
) -> Result<(), Halt> {
    let mut there: Vec<(u32, u32)> =
        elements.iter().map(|it| (it.comes.1, it.goes.0)).filter(|(from, to)| from < to).collect();
    poll.sort(&mut there, |there| there.0, |there| there.1)?;
    let mut busy: Vec<(u32, u32)> = Vec::new();
    for (from, to) in there {
        poll.go_on()?;
        match busy.last_mut() {
            Some(last) if from < last.1 => last.1 = last.1.max(to),
            _ => busy.push((from, to)),
        }
    }
    let known = elements.len();
    for (at, call) in calls.iter().enumerate() {
        poll.go_on()?;
        if call.operation != QueueOp::Dequeue(None) || call.is_unknown() {
            continue;
        }
        let until = busy.partition_point(|&(from, _)| from < call.invoked);
        let free = busy[..until].last().map_or(call.invoked, |&(_, to)| to.max(call.invoked));
        if free > call.returned {
            return Err(Halt::Wrong(who_is_there(&elements[..known], at as u32, call, poll)?));
        }
        let moment = (free, free);
        elements.push(Element { enqueue: at as u32, dequeue: NOBODY, comes: moment, goes: moment });
    }
    Ok(())
}

/// Elements of which always one has to be there while this call lasts, with the call.
fn who_is_there(
    elements: &[Element],
    at: u32,
    call: &Call<QueueOp>,
    poll: &mut Poll<'_>,
) -> Result<Vec<u32>, Stopped> {
    let mut operations = vec![at];
    let mut moment = call.invoked;
    while moment <= call.returned {
        poll.go_on()?;
        let there = elements.iter().filter(|element| element.comes.1 < moment && moment < element.goes.0);
        let Some(longest) = there.max_by_key(|element| element.goes.0) else { break };
        operations.extend([longest.enqueue, longest.dequeue].into_iter().filter(|&at| at != NOBODY));
        moment = longest.goes.0;
    }
    Ok(operations)
}

/// The elements, by number, in the order in which they come and go.
fn line_up(elements: &mut [Element], poll: &mut Poll<'_>) -> Result<Vec<u32>, Halt> {
    let mut by_coming: Vec<u32> = (0..elements.len() as u32).collect();
    let mut by_going = by_coming.clone();
    poll.sort(&mut by_coming, |&at| elements[at as usize].comes.1, |&at| at)?;
    poll.sort(&mut by_going, |&at| elements[at as usize].goes.1, |&at| at)?;
    let mut placed = vec![false; elements.len()];
    let mut line = Vec::with_capacity(elements.len());
    let (mut coming, mut going) = (0, 0);
    while line.len() < elements.len() {
        poll.go_on()?;
        while placed[by_coming[coming] as usize] {
            coming += 1;
        }
        while placed[by_going[going] as usize] {
            going += 1;
        }
        let (one, other) = (by_coming[coming], by_going[going]);
        let (x, y) = (elements[one as usize], elements[other as usize]);
        let next = if one == other || x.goes.0 <= y.goes.1 {
            one
        } else if y.comes.0 <= x.comes.1 {
            other
        } else {
            let operations = [x.enqueue, x.dequeue, y.enqueue, y.dequeue];
            return Err(Halt::Wrong(operations.into_iter().filter(|&at| at != NOBODY).collect()));
        };
        placed[next as usize] = true;
        line.push(next);
    }
    Ok(line)
}

/// The calls in the order of their moments, each as early as can be.
fn tell(elements: &[Element], line: &[u32]) -> Vec<u32> {
    let (mut came, mut gone) = (0, 0);
    let moments: Vec<(u32, u32)> = line
        .iter()
        .map(|&at| {
            let Element { comes, goes, .. } = elements[at as usize];
            came = came.max(comes.0);
            gone = gone.max(came).max(goes.0);
            (came, gone)
        })
        .collect();
    let mut order = Vec::with_capacity(2 * line.len());
    let mut left = 0;
    for coming in 0..=line.len() {
        // Who goes at the same moment goes first: nobody is there then when that has to be.
        while left < coming && moments.get(coming).is_none_or(|&(comes, _)| moments[left].1 <= comes) {
            order.push(elements[line[left] as usize].dequeue);
            left += 1;
        }
        order.extend(line.get(coming).map(|&at| elements[at as usize].enqueue));
    }
    order.retain(|&at| at != NOBODY);
    order
}
