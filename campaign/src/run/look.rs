//! Looks on while a run goes: probes roles, keeps the shared view fresh, shows progress, makes what was recorded
//! visible, and turns Ctrl-C into an early heal.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use rashomon_histories::{Nanos, Sink};
use tokio::sync::Notify;

use crate::arena::interrupts::Interrupts;
use crate::run::drive::{Clock, Handle};
use crate::run::faults::State;
use crate::run::nodes::Nodes;
use crate::run::progress::{Progress, Snapshot};
use crate::run::watch::{self, PROBE_EVERY};
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
    pub(super) handle: Handle<S, C>,
    pub(super) clock: Clock,
    pub(super) duration: Duration,
}

impl<S: Sink, C: FnMut() -> Nanos> Look<S, C> {
    /// Looks until it is aborted.
    pub(super) async fn on(self) {
        let mut progress = Progress::new(self.duration);
        let mut flush = tokio::time::interval(FLUSH_EVERY);
        let mut told = false;
        loop {
            tokio::select! {
                _ = flush.tick() => self.handle.flush(),
                () = self.interrupts.reached(1), if !told => {
                    told = true;
                    progress.say("asked to stop: healing, sealing and judging what there is");
                    self.end_early();
                }
                () = self.look_once(&mut progress) => {}
            }
        }
    }

    async fn look_once(&self, progress: &mut Progress) {
        let seen = watch::view(&*self.probe, &self.nodes).await;
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
        drop(state);
        tokio::time::sleep(PROBE_EVERY).await;
    }

    fn end_early(&self) {
        let mut state = self.state.borrow_mut();
        state.stop = true;
        state.interrupted = true;
        self.handle.end_phase();
        self.wake.notify_one();
    }
}
