//! A counterexample told in sentences.
//!
//! Knows the model's words for operations and states, and real time; knows nothing of how the counterexample was
//! found. How a client is called, and where it was connected, the caller says ([`Naming`]). Next: [`circle()`].

mod circle;

use crate::model::{Call, Effect, Model};
use crate::outcome::Counterexample;

pub use circle::{Step, Why, circle};

/// How operations are referred to. The default: the client's number, and event indexes.
pub struct Naming<'a> {
    /// Who asked: `client 7 at node n3`.
    pub who: &'a dyn Fn(u32, u32) -> String,
    /// When an event happened: `event 41`, or `12.034 s`.
    pub when: &'a dyn Fn(u32) -> String,
}

impl Default for Naming<'_> {
    fn default() -> Self {
        Naming { who: &|_id, process| format!("client {process}"), when: &|event| format!("event {event}") }
    }
}

/// A counterexample in words.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Explanation {
    /// One sentence that says what broke.
    pub headline: String,
    /// One per operation, in the order of invocation.
    pub operations: Vec<String>,
    /// What follows from them.
    pub reasons: Vec<String>,
}

impl std::fmt::Display for Explanation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.headline)?;
        for line in &self.operations {
            writeln!(f, "  - {line}")?;
        }
        for line in &self.reasons {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

/// How many operations a sentence names before it says how many more there are.
const NAMED: usize = 3;

/// Tells why the operations of `counterexample` have no order. `calls` are the operations of the key.
pub fn explain<M: Model>(
    model: &M,
    key: &str,
    calls: &[Call<M::Operation>],
    counterexample: &Counterexample,
    naming: &Naming<'_>,
) -> Explanation {
    let find = |id: &u32| calls.iter().find(|call| call.id == *id);
    let kept: Vec<&Call<M::Operation>> = counterexample.operations.iter().filter_map(find).collect();
    let teller = Teller { model, key, naming };
    let impossible = counterexample.impossible.as_ref().and_then(find);
    let headline = match impossible {
        Some(call) => teller.headline(call, &kept),
        None => format!("The operations on {} have no order.", teller.key()),
    };
    let operations = kept.iter().map(|call| teller.line(call)).collect();
    let mut reasons = vec![format!(
        "No order of {} makes every answer true and keeps operations that did not overlap in the order in which \
         they happened.",
        if kept.len() == 1 { "this operation".into() } else { format!("these {} operations", kept.len()) },
    )];
    if let Some(call) = impossible {
        reasons.extend(counterexample.prefixes.iter().map(|prefix| teller.dead_end(call, prefix, &kept)));
    }
    let judged: Vec<Call<M::Operation>> = kept
        .iter()
        .map(|call| {
            let is_trusted = counterexample.trusted.contains(&call.id);
            let effect = if is_trusted { model.trusted(&call.operation) } else { None };
            Call { operation: effect.unwrap_or_else(|| call.operation.clone()), ..(*call).clone() }
        })
        .collect();
    match circle(model, &judged) {
        Some(steps) => reasons.extend(teller.circle(&steps, &kept)),
        None if counterexample.cycle.len() > 1 => {
            reasons.push(teller.cycle(&counterexample.cycle.iter().filter_map(find).collect::<Vec<_>>()));
        }
        None => {}
    }
    Explanation { headline, operations, reasons }
}

struct Teller<'a, M> {
    model: &'a M,
    key: &'a str,
    naming: &'a Naming<'a>,
}

impl<M: Model> Teller<'_, M> {
    fn key(&self) -> String {
        if self.key.is_empty() { "the object".into() } else { format!("key {}", self.key) }
    }

    fn who(&self, call: &Call<M::Operation>) -> String {
        (self.naming.who)(call.id, call.process)
    }

    fn span(&self, call: &Call<M::Operation>) -> String {
        let from = (self.naming.when)(call.invoked);
        if call.is_unknown() {
            format!("from {from} on, outcome unknown")
        } else {
            format!("between {from} and {}", (self.naming.when)(call.returned))
        }
    }

    fn line(&self, call: &Call<M::Operation>) -> String {
        let what = self.model.describe(&call.operation);
        let what = if call.is_unknown() { format!("perhaps {what}") } else { what };
        format!("{} {what} ({})", self.who(call), self.span(call))
    }

    /// `client 7 read 12 from key x between event 40 and event 43, although client 2 wrote 15 had already returned …`
    fn headline(&self, call: &Call<M::Operation>, kept: &[&Call<M::Operation>]) -> String {
        let mut sentence = format!(
            "{} {} on {} {}",
            self.who(call),
            self.model.describe(&call.operation),
            self.key(),
            self.span(call)
        );
        let changes = |other: &&&Call<M::Operation>| {
            other.id != call.id && self.model.effect(&other.operation) != Effect::None
        };
        let needs = |other: &&&Call<M::Operation>| self.model.needs(&call.operation, &other.operation);
        let supports: Vec<_> = kept.iter().filter(changes).filter(needs).collect();
        let against: Vec<_> =
            kept.iter().filter(changes).filter(|other| !needs(other) && other.precedes(call)).collect();
        if !against.is_empty() {
            let verb = if against.len() == 1 { "had" } else { "had all" };
            sentence.push_str(&format!(", although {} {verb} returned before that", self.phrase(&against)));
        } else if supports.is_empty() {
            sentence.push_str(", and nothing ever happened that could make that answer true");
        } else {
            sentence.push_str(", which fits no order of what others did and saw");
        }
        sentence.push('.');
        sentence
    }

    fn phrase(&self, calls: &[&&Call<M::Operation>]) -> String {
        let mut named: Vec<String> = calls
            .iter()
            .rev()
            .take(NAMED)
            .map(|call| {
                format!("the operation of {} that {}", self.who(call), self.model.describe(&call.operation))
            })
            .collect();
        if calls.len() > NAMED {
            named.push(format!("{} more", calls.len() - NAMED));
        }
        match named.split_last() {
            Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => named.concat(),
        }
    }

    fn dead_end(
        &self,
        call: &Call<M::Operation>,
        prefix: &crate::outcome::Prefix,
        kept: &[&Call<M::Operation>],
    ) -> String {
        let steps: Vec<String> = prefix
            .order_tail
            .iter()
            .filter_map(|id| kept.iter().find(|call| call.id == *id))
            .map(|call| format!("{} {}", self.who(call), self.model.describe(&call.operation)))
            .collect();
        let path =
            if steps.is_empty() { "at the start".into() } else { format!("after \"{}\"", steps.join("; ")) };
        format!(
            "Consistent until then: {path} the state is {}, where \"{}\" has no place before it returned.",
            prefix.state,
            self.model.describe(&call.operation),
        )
    }

    /// A sentence for what the steps are, and one for each.
    fn circle(&self, steps: &[Step], kept: &[&Call<M::Operation>]) -> Vec<String> {
        let name =
            |at: usize| format!("\"{} {}\"", self.who(kept[at]), self.model.describe(&kept[at].operation));
        let next = steps.iter().cycle().skip(1);
        let told = steps.iter().zip(next).map(|(step, next)| {
            let (this, next) = (name(step.at), name(next.at));
            match step.why {
                Why::RealTime => format!("{this} had returned before {next} was invoked"),
                Why::Found => format!("{next} found what {this} left"),
                Why::Replaced => format!("{this} found what {next} replaced"),
                Why::Initial => {
                    format!("{this} found what was there before anything changed, and {next} changed it")
                }
                Why::Together => format!("{this} and {next} go together, with no other change between them"),
            }
        });
        let mut sentences = vec!["Each of these must come before the next, in a circle:".to_owned()];
        sentences.extend(told.zip(1..).map(|(sentence, number)| format!("({number}) {sentence}")));
        sentences
    }

    fn cycle(&self, cycle: &[&Call<M::Operation>]) -> String {
        let steps: Vec<String> = cycle
            .iter()
            .chain(cycle.first())
            .map(|call| format!("\"{} {}\"", self.who(call), self.model.describe(&call.operation)))
            .collect();
        format!("Each must come before the next, in a circle: {}.", steps.join(" before "))
    }
}
