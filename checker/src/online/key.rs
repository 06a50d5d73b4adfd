//! One key of the online judge: what is settled, what came since, and what is pending.
//!
//! **Where a key is cut.** At a position p where nothing is pending: every operation of known outcome invoked before p has
//! returned by then. In every order, those before p then come before those after it. Whichever of the former comes last
//! can only be one that had not returned when the last of them was invoked; where the answers of all these tell the same
//! state ([`Model::leaves`]), this is the state right after it, whatever the order. So the whole has an order exactly when
//! the part before p has one that ends with an operation of known outcome, and the part after p has one from that state.
//!
//! **Operations of unknown outcome** invoked before p may take effect on either side. Those that the order of the part
//! before p does not use are left to the other part, which is never worse. Of those that it uses some are in every order,
//! themselves or others that do the same, because nothing else could make an answer true ([`Segment::shows`]): these are gone. The
//! others are *spent*: gone, but another order might have spared them. The part after p is judged without them. Has it no order,
//! it is judged with them, which can only allow too much: none again is none; one means that what was forgotten would have to
//! be judged again, and the key is undecided until somebody with the record does so.

use rashomon_histories::{Event, Operation};
use rustc_hash::{FxHashMap, FxHashSet};
use smol_str::SmolStr;

use super::since::Since;
use crate::decode::{Decode, DecodeError, Decoder};
use crate::judge::{Options, judge_key};
use crate::model::{Call, Effect, Model, NEVER};
use crate::outcome::{Engine, Exhausted, Finding, KeyJudgement, Verdict};

/// A key is cut when the part to be judged has so many operations, and twice as many as it carries on.
pub(super) const SEGMENT: usize = 256;

/// Before a key has so many operations, it is not worth the doubt to spend operations of unknown outcome.
const SPEND: usize = 2048;

/// A key of so many operations that could not be cut is judged again only when it has grown by a share of itself.
const LONG: usize = 4096;
const GROWTH: usize = 8;

pub(super) struct Key<M: Model> {
    name: SmolStr,
    /// The order of all that is settled, and how many operations that are; the state it leaves, none: the initial one.
    order: Vec<u32>,
    settled: usize,
    state: Option<M::State>,
    configurations: u64,
    /// What is not settled, and operations of unknown outcome that may yet take effect.
    calls: Vec<Call<M::Operation>>,
    /// Those of the latter that the order has already, though not every order need have them.
    spent: FxHashSet<u32>,
    /// Invocations without completion.
    open: Vec<Event>,
    /// The judgement of what is not settled, as of so many operations.
    judged: Option<KeyJudgement>,
    judged_at: usize,
    /// Whether something completed since.
    changed: bool,
    /// Not cut before there are so many operations.
    next_cut: usize,
}

impl<M: Decode> Key<M> {
    pub(super) fn new(name: SmolStr) -> Self {
        Key {
            name,
            order: Vec::new(),
            settled: 0,
            state: None,
            configurations: 0,
            calls: Vec::new(),
            spent: FxHashSet::default(),
            open: Vec::new(),
            judged: None,
            judged_at: 0,
            changed: false,
            next_cut: 0,
        }
    }

    pub(super) fn open(&mut self, invoke: Event) {
        self.open.push(invoke);
    }

    /// Takes a completion; one that closes nothing is passed over.
    pub(super) fn close(&mut self, decoder: &Decoder<'_, M>, completion: &Event) -> Result<(), DecodeError> {
        let is_its = |invoke: &Event| invoke.process == completion.process;
        let Some(at) = self.open.iter().position(is_its) else { return Ok(()) };
        let invoke = self.open.swap_remove(at);
        // What surely did not happen is news, too: somebody may have seen it.
        self.changed = true;
        let operation = Operation { invoke: &invoke, completion: Some(completion) };
        self.calls.extend(decoder.one(&operation)?.map(|(_, call)| call));
        Ok(())
    }

    pub(super) fn held(&self) -> usize {
        self.calls.len() + self.open.len()
    }

    pub(super) fn is_shortened(&self) -> bool {
        self.settled > 0
    }

    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.judged.as_ref().map(|judged| judged.finding.verdict())
    }

    fn is_violated(&self) -> bool {
        self.verdict() == Some(Verdict::Invalid)
    }

    /// Judges what is known now, unless it was, and forgets what is settled.
    pub(super) fn follow(&mut self, decoder: &Decoder<'_, M>, options: &Options<'_>) {
        if self.is_violated() || (options.stop)() {
            return;
        }
        // A key that was left alone for a while may be done with: it is cut however short it is.
        let is_idle = !self.changed;
        self.condense(decoder.model, options, if is_idle { 1 } else { SEGMENT });
        let grown = self.calls.len() - self.judged_at.min(self.calls.len());
        let waits = self.calls.len() >= LONG && grown < self.judged_at / GROWTH;
        if self.changed && !waits {
            self.judge_rest(decoder, options);
        }
    }

    /// Judges everything that is not settled.
    pub(super) fn finish(
        &mut self,
        decoder: &Decoder<'_, M>,
        options: &Options<'_>,
    ) -> Result<(), DecodeError> {
        for invoke in &self.open {
            decoder.one(&Operation { invoke, completion: None })?;
        }
        self.condense(decoder.model, options, SEGMENT);
        if self.changed || !self.open.is_empty() {
            self.judge_rest(decoder, options);
        }
        Ok(())
    }

    pub(super) fn into_judgement(self) -> Option<KeyJudgement> {
        let Key { name, order, settled, configurations, judged, .. } = self;
        let mut judged = judged.filter(|judged| judged.operation_count + settled > 0)?;
        judged.key = name;
        judged.operation_count += settled;
        judged.configuration_count += configurations;
        if let Finding::Valid { order: rest } = &mut judged.finding {
            *rest = [order, std::mem::take(rest)].concat();
        }
        Some(judged)
    }

    fn since<'a>(&self, model: &'a M) -> Since<'a, M> {
        Since { model, state: self.state.clone().unwrap_or_else(|| model.init()) }
    }

    /// Judges what is not settled. What is pending counts as of unknown outcome; if it cannot be decoded, it is passed
    /// over, for its completion or [`Key::finish`] to report.
    fn judge_rest(&mut self, decoder: &Decoder<'_, M>, options: &Options<'_>) {
        let known = self.calls.len();
        let pending = self.open.iter().filter_map(|invoke| {
            decoder.one(&Operation { invoke, completion: None }).ok().flatten().map(|(_, call)| call)
        });
        self.calls.extend(pending);
        let pending: Vec<u32> = self.calls[known..].iter().map(|call| call.id).collect();
        self.calls.sort_unstable_by_key(|call| call.invoked);
        let judged = self.judge_calls(decoder.model, options);
        if !pending.is_empty() {
            self.calls.retain(|call| !pending.contains(&call.id));
        }
        self.judged_at = known;
        // What a deadline cut short is taken up again.
        self.changed = matches!(judged.finding, Finding::Undecided { exhausted: Exhausted::Deadline, .. });
        self.judged = Some(judged);
    }

    fn judge_calls(&self, model: &M, options: &Options<'_>) -> KeyJudgement {
        let since = self.since(model);
        if self.spent.is_empty() {
            return judge_key(&since, &self.name, &self.calls, options);
        }
        let unspent: Vec<_> =
            self.calls.iter().filter(|call| !self.spent.contains(&call.id)).cloned().collect();
        let exact = judge_key(&since, &self.name, &unspent, options);
        if exact.finding.verdict() != Verdict::Invalid {
            // The spent ones are in the order, and counted here all the same.
            return KeyJudgement { operation_count: self.calls.len(), ..exact };
        }
        let relaxed = judge_key(&since, &self.name, &self.calls, options);
        match relaxed.finding {
            Finding::Valid { .. } => {
                let consistent_until = self.calls.first().map_or(0, |call| call.invoked);
                let finding = Finding::Undecided { exhausted: Exhausted::Bytes, consistent_until };
                KeyJudgement { finding, ..relaxed }
            }
            _ => relaxed,
        }
    }

    /// Judges the settled beginning and forgets it, if it has at least so many operations.
    pub(super) fn condense(&mut self, model: &M, options: &Options<'_>, at_least: usize) {
        if self.calls.len() < at_least.max(self.next_cut) || self.is_violated() {
            return;
        }
        self.calls.sort_unstable_by_key(|call| call.invoked);
        let horizon = self.open.iter().map(|invoke| invoke.index).min().unwrap_or(u64::MAX);
        let settled = self.cut(model, u32::try_from(horizon).unwrap_or(NEVER), at_least).and_then(|cut| {
            let unspent = self.calls[..cut.count].iter().filter(|call| !self.spent.contains(&call.id));
            let segment = Segment { calls: unspent.cloned().collect(), since: self.since(model) };
            let settled = segment.settle(&self.name, options)?;
            // A judge of the model's own that could not start from there would be lost for the rest.
            let is_lost = settled.engine == Engine::Shortcut && model.restore(&cut.state).is_none();
            (!is_lost && (settled.spent.is_empty() || self.calls.len() >= SPEND)).then_some((settled, cut))
        });
        let Some((Settled { order, gone, spent, configurations, .. }, cut)) = settled else {
            self.next_cut = 2 * self.calls.len();
            return;
        };
        let before = self.calls.len();
        let mut place = 0;
        self.calls.retain_mut(|call| {
            place += 1;
            if place > cut.count {
                return true;
            }
            // It may still take effect, but not before what is settled.
            call.invoked = call.invoked.max(cut.position);
            call.is_unknown() && !gone.contains(&call.id)
        });
        self.settled += before - self.calls.len();
        self.order.extend(order);
        self.spent.extend(spent);
        self.state = Some(cut.state);
        self.configurations += configurations;
        self.next_cut = 0;
        // The judgement at hand was about more than what is left.
        self.judged = None;
        self.judged_at = 0;
        self.changed = true;
    }

    /// The last place to cut, if the part before it is long enough. Operations must be sorted; what is invoked from the
    /// horizon on, or pending since then, is after the cut.
    fn cut(&self, model: &M, horizon: u32, at_least: usize) -> Option<Cut<M>> {
        let mut found = None;
        let (mut known, mut unknown) = (0, 0);
        let mut returned = 0;
        let mut busy: Vec<&Call<M::Operation>> = Vec::new();
        let end = self.calls.partition_point(|call| call.invoked < horizon);
        for count in 0..=end {
            let next = self.calls[..end].get(count);
            if next.is_some_and(Call::is_unknown) {
                unknown += 1;
                continue;
            }
            let is_quiet = returned < next.map_or(horizon, |next| next.invoked);
            if is_quiet && !busy.is_empty() {
                if known >= at_least.max(2 * unknown)
                    && let Some(state) = left_by(model, &busy)
                {
                    found = Some(Cut { count, position: returned, state });
                }
                busy.clear();
            }
            if let Some(next) = next {
                known += 1;
                returned = returned.max(next.returned);
                busy.push(next);
            }
        }
        found
    }
}

/// The state after the last of these, whichever it is. They are the operations since the key was quiet before.
fn left_by<M: Model>(model: &M, busy: &[&Call<M::Operation>]) -> Option<M::State> {
    let last_invoked = busy.last()?.invoked;
    let mut states =
        busy.iter().filter(|call| call.returned > last_invoked).map(|call| model.leaves(&call.operation));
    let state = states.next()??;
    states.all(|other| other.as_ref() == Some(&state)).then_some(state)
}

struct Cut<M: Model> {
    /// How many operations come before it.
    count: usize,
    /// When the last of known outcome returned.
    position: u32,
    /// The state then.
    state: M::State,
}

/// The part before a cut, to be judged.
struct Segment<'a, M: Model> {
    calls: Vec<Call<M::Operation>>,
    since: Since<'a, M>,
}

struct Settled {
    order: Vec<u32>,
    /// The operations of unknown outcome that are in every order, and those that are in this one.
    gone: Vec<u32>,
    spent: Vec<u32>,
    configurations: u64,
    engine: Engine,
}

impl<M: Model> Segment<'_, M> {
    /// An order, and what it uses of the operations of unknown outcome; none when none is to be had.
    fn settle(&self, key: &str, options: &Options<'_>) -> Option<Settled> {
        let options = Options { minimise: false, ..*options };
        let first = judge_key(&self.since, key, &self.calls, &options);
        let configurations = first.configuration_count;
        let Finding::Valid { order } = first.finding else { return None };
        let order = self.named(&order)?;
        let gone = self.gone(&order);
        let settled = Settled::new(&order, gone, configurations, first.engine);
        if settled.spent.is_empty() {
            return Some(settled);
        }
        // Perhaps there is one that spends nothing.
        let sparing = |call: &&Call<M::Operation>| !call.is_unknown() || settled.gone.contains(&call.id);
        let calls: Vec<_> = self.calls.iter().filter(sparing).cloned().collect();
        let second = judge_key(&self.since, key, &calls, &options);
        let configurations = configurations + second.configuration_count;
        let Finding::Valid { order } = second.finding else { return Some(settled) };
        let order = self.named(&order)?;
        Some(Settled::new(&order, self.gone(&order), configurations, second.engine))
    }

    /// The operations of this order up to the last of known outcome: what stands behind it serves nobody here.
    fn named(&self, order: &[u32]) -> Option<Vec<&Call<M::Operation>>> {
        let calls: FxHashMap<u32, &Call<M::Operation>> =
            self.calls.iter().map(|call| (call.id, call)).collect();
        let mut order: Vec<_> = order.iter().filter_map(|id| calls.get(id).copied()).collect();
        order.truncate(order.iter().rposition(|call| !call.is_unknown())? + 1);
        Some(order)
    }

    /// The operations of unknown outcome in this order that every order has, itself or another one that does the same.
    /// Whoever shows it stands later, and is of known outcome or was shown to be in every order before.
    fn gone(&self, order: &[&Call<M::Operation>]) -> Vec<u32> {
        let mut gone = Vec::new();
        let mut shown: FxHashSet<&M::Operation> = FxHashSet::default();
        for (place, call) in order.iter().enumerate().rev().filter(|(_, call)| call.is_unknown()) {
            let has_witness = order[place + 1..]
                .iter()
                .any(|other| (!other.is_unknown() || gone.contains(&other.id)) && self.shows(other, call));
            // That every order has one of several that do the same does not show that it has two of them.
            if has_witness && shown.insert(&call.operation) {
                gone.push(call.id);
            }
        }
        gone
    }

    /// Whether nothing but operations that do the same as `used` could make the answer of `witness` true.
    fn shows(&self, witness: &Call<M::Operation>, used: &Call<M::Operation>) -> bool {
        let model = &self.since;
        let other_source = |other: &Call<M::Operation>| {
            other.id != witness.id
                && !(other.is_unknown() && other.operation == used.operation)
                && model.effect(&other.operation) != Effect::None
                && model.needs(&witness.operation, &other.operation)
        };
        model.needs(&witness.operation, &used.operation)
            && model.step(&model.state, &witness.operation).is_none()
            && !self.calls.iter().any(other_source)
    }
}

impl Settled {
    fn new<O>(order: &[&Call<O>], gone: Vec<u32>, configurations: u64, engine: Engine) -> Self {
        let unknown = order.iter().filter(|call| call.is_unknown()).map(|call| call.id);
        let spent = unknown.filter(|id| !gone.contains(id)).collect();
        Settled { order: order.iter().map(|call| call.id).collect(), gone, spent, configurations, engine }
    }
}
