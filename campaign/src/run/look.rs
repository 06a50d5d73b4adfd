//! Looks on while a run goes: probes roles, keeps the shared view fresh, shows progress, makes what was recorded
//! visible, and turns Ctrl-C into an early heal.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rashomon_histories::{Nanos, Sink, Value};
use rashomon_nemesis::{NodeId, View};
use tokio::sync::{Notify, watch};

use crate::arena::interrupts::Interrupts;
use crate::drawing::spans::LEADER;
use crate::run::drive::{Clock, Handle};
use crate::run::faults::State;
use crate::run::nodes::Nodes;
use crate::run::progress::{Progress, Snapshot};
use crate::run::watch::{PROBE_EVERY, view};
use crate::systems::Probe;

/// How often recorded events become visible to other processes.
const FLUSH_EVERY: Duration = Duration::from_millis(50);

/// Who looks, and at what.
pub(super) struct Look<S, C> {
    pub(super) probe: Arc<dyn Probe>,
    pub(super) nodes: Rc<RefCell<Nodes>>,
    pub(super) state: Rc<RefCell<State>>,
    pub(super) wake: Rc<Notify>,
    pub(super) interrupts: Interrupts,
    /// Turns true when the judge has found a violation.
    pub(super) alarm: watch::Receiver<bool>,
    pub(super) handle: Handle<S, C>,
    pub(super) clock: Clock,
    pub(super) duration: Duration,
}

impl<S: Sink, C: FnMut() -> Nanos> Look<S, C> {
    /// Looks until it is aborted.
    pub(super) async fn on(self) {
        let mut alarm = self.alarm.clone();
        let progress = RefCell::new(Progress::new(self.duration));
        let mut flush = tokio::time::interval(FLUSH_EVERY);
        let mut told = false;
        // One future throughout: a probe that is slow must not be begun anew at every tick of the others.
        let probing = async {
            let mut led = None;
            loop {
                self.look_once(&progress, &mut led).await;
            }
        };
        tokio::pin!(probing);
        loop {
            tokio::select! {
                _ = flush.tick() => self.handle.flush(),
                () = self.interrupts.reached(1), if !told => {
                    told = true;
                    progress.borrow_mut().say("asked to stop: healing, sealing and judging what there is");
                    self.state.borrow_mut().interrupted = true;
                    self.end_early();
                }
                Ok(()) = alarm.changed() => {
                    progress.borrow_mut().say("violation: stopping, the nodes are frozen");
                    self.state.borrow_mut().convicted = true;
                    if let Err(error) = self.nodes.borrow().freeze() {
                        progress.borrow_mut().say(&format!("a node could not be frozen: {error:#}"));
                    }
                    self.end_early();
                }
                () = &mut probing => {}
            }
        }
    }

    /// Probes all nodes once, and waits until it is time again. `led` is who was recorded as leader last.
    async fn look_once(&self, progress: &RefCell<Progress>, led: &mut Option<(NodeId, u64)>) {
        let seen = view(&*self.probe, &self.nodes).await;
        self.note_leader(&seen, led);
        self.take_in(seen, &mut progress.borrow_mut());
        tokio::time::sleep(PROBE_EVERY).await;
    }

    /// Notices who died, shows how things stand, and keeps what was seen for those who aim by it.
    fn take_in(&self, seen: View, progress: &mut Progress) {
        let deaths = self.nodes.borrow_mut().deaths();
        let mut state = self.state.borrow_mut();
        for (node, exit) in deaths {
            let words = self.nodes.borrow().last_words(node);
            progress.say(&format!("node {node} ended by itself: it {exit}"));
            state.deaths.push(format!("node {node} ended by itself: it {exit}; its log ends with\n{words}"));
        }
        progress.show(&Snapshot {
            elapsed: self.clock.now().into(),
            counts: self.handle.counts(),
            faults: state.in_force.clone(),
            leader: seen.leader().map(|node| node.to_string()),
            phase: state.phase,
        });
        state.view = seen;
    }

    /// Records a change of leader, for the report. A moment without one is no change: a probe may have been slow.
    fn note_leader(&self, seen: &View, led: &mut Option<(NodeId, u64)>) {
        let Some((node, seen)) = seen.leader().and_then(|node| seen.nodes.get_key_value(&node)) else {
            return;
        };
        if led.replace((*node, seen.term)) != Some((*node, seen.term)) {
            let mut value = BTreeMap::from([("node".into(), Value::from(node.to_string().as_str()))]);
            // Systems without terms say 0.
            if let Some(term) = i64::try_from(seen.term).ok().filter(|term| *term > 0) {
                value.insert("term".into(), Value::Int(term));
            }
            self.handle.note(LEADER, Value::Map(value));
        }
    }

    fn end_early(&self) {
        self.state.borrow_mut().stop = true;
        self.handle.end_phase();
        self.wake.notify_one();
    }
}
