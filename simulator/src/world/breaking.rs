//! The nemesis' hands in this world: the same schedule and actions as in the real one, performed on simulated
//! processes, links, disks and clocks, with evidence measured from their state.

use std::collections::BTreeMap;

use rand::RngExt as _;
use rashomon_histories::{Nanos, Value};
use rashomon_nemesis::action::{Disturbance, Hindrance};
use rashomon_nemesis::evidence::{CutLink, Link, LinkEvidence, ProcessEvidence, ProcessSeen, WorldEvidence};
use rashomon_nemesis::executor::ExecutorError;
use rashomon_nemesis::record::{Record, combined};
use rashomon_nemesis::schedule::{Ending, Instance, Step, Steps as _};
use rashomon_nemesis::{
    Action, Capabilities, Evidence, Executor, NodeId as NodeName, NodeView, Outcome, ProcessIdentity, Report,
    Role, View,
};
use rashomon_node::api;
use rashomon_node::protocol::{Incarnation, View as CoreView};

use super::errands::Deed;
use super::{Due, World, position};
use crate::invariants::Inspect;
use crate::network;
use crate::trace::What;

/// What the history calls a change of leader, and the heal at the end: the words of real runs.
const LEADER: &str = "leader";
const HEALED: &str = "healed";

impl<P: Inspect> World<P> {
    /// Does what the schedule says until it says to wait.
    pub(super) fn follow_schedule(&mut self) {
        loop {
            let view = self.view();
            match self.schedule.next(self.now, &view) {
                Step::Begin(instance) => self.begin_fault(instance),
                Step::End(ending) => self.end_fault(ending),
                Step::Wait { until } => return self.queue.plan(until, Due::Faults),
                Step::Heal { actions } => self.restore(actions),
                Step::Done => return self.stage.healed(self.now),
            }
        }
    }

    fn begin_fault(&mut self, instance: Instance) {
        let deed = Deed::begin(&instance);
        self.send_out(deed, instance.decision.start.clone());
        self.faults.push(instance);
    }

    fn end_fault(&mut self, ending: Ending) {
        self.fault_is_over(ending.id);
        self.send_out(Deed::end(&ending), ending.actions);
    }

    /// Records what a deed came to, its first action begun at `since`.
    pub(super) fn note_deed(&mut self, deed: &Deed, since: Nanos, reports: &[Report]) {
        let (id, phase, name, story, replaces) = match deed {
            Deed::Begin { id, name, story, replaces } => (id, "begin", name, story.as_str(), *replaces),
            Deed::End { id, name } => (id, "end", name, "", None),
            Deed::Heal => {
                return self.note(HEALED, Value::from_data(&reports).expect("reports have text keys"));
            }
        };
        let record = Record {
            id: id.0,
            phase,
            outcome: &combined(reports),
            story,
            since,
            actions: reports,
            replaces: replaces.map(|id| id.0),
        };
        self.note(name, Value::from_data(&record).expect("a record has text keys"));
    }

    pub(super) fn perform_all(&mut self, actions: &[Action]) -> Vec<Report> {
        actions.iter().map(|action| self.perform_one(action)).collect()
    }

    pub(super) fn perform_one(&mut self, action: &Action) -> Report {
        if let Action::Start { node } = action {
            let node = position(*node);
            let outcome = match self.nodes[node].is_down() {
                false => Outcome::skipped("it runs"),
                true => {
                    self.start(node);
                    if self.nodes[node].is_down() {
                        Outcome::skipped("it refuses to start")
                    } else {
                        Outcome::Installed
                    }
                }
            };
            return Report { action: action.clone(), outcome, evidence: None };
        }
        let process = action.node().and_then(|node| self.identity(position(node)));
        self.perform(action, process)
    }

    /// Records a change of leader, as a real run's probe would.
    pub(super) fn note_leader(&mut self, node: usize, what: &What) {
        if let What::Leads { term } = what {
            let name = network::name(node).to_string();
            let mut value = BTreeMap::from([("node".into(), Value::from(name.as_str()))]);
            value.extend(i64::try_from(*term).ok().map(|term| ("term".into(), Value::Int(term))));
            self.note(LEADER, Value::Map(value));
        }
    }

    fn note(&mut self, f: &str, value: Value) {
        self.recorder.note(f, value).expect("memory refuses nothing");
    }

    /// The nodes as a probe that is never late would see them.
    pub(super) fn view(&self) -> View {
        let seen = |node: &crate::node::Node<P>| {
            let Some(live) = node.live() else {
                return NodeView { role: Role::Down, term: 0 };
            };
            let CoreView { role, term, .. } = live.replica.core().view();
            let role = match role {
                _ if node.paused => Role::Paused,
                api::Role::Leader => Role::Leader,
                api::Role::Follower => Role::Follower,
                api::Role::Candidate => Role::Candidate,
            };
            NodeView { role, term }
        };
        self.nodes.iter().enumerate().map(|(node, host)| (network::name(node), seen(host))).collect()
    }

    fn identity(&self, node: usize) -> Option<ProcessIdentity> {
        let host = &self.nodes[node];
        let pid = network::name(node).0;
        (!host.is_down()).then_some(ProcessIdentity { pid, started: u64::from(host.start) })
    }

    /// What `/proc` would show of a node.
    fn seen(&self, node: usize) -> ProcessSeen {
        let host = &self.nodes[node];
        if host.is_down() {
            return ProcessSeen::default();
        }
        let state = if host.paused { 'T' } else { 'S' };
        ProcessSeen { started: Some(u64::from(host.start)), threads: BTreeMap::from([(state, 1)]) }
    }

    fn signal(
        &mut self,
        node: NodeName,
        process: Option<ProcessIdentity>,
        signal: impl FnOnce(&mut Self, usize),
    ) -> Result<Evidence, ExecutorError> {
        let place = position(node);
        if place >= self.nodes.len() {
            return Err(ExecutorError::UnknownNode { node });
        }
        let process = process.ok_or(ExecutorError::NoProcess { node })?;
        let before = self.seen(place);
        signal(self, place);
        let after = self.seen(place);
        Ok(Evidence::Process(ProcessEvidence { process, before, after }))
    }

    fn kill(&mut self, node: usize) {
        let host = &mut self.nodes[node];
        host.disk.process_died(&mut host.rng);
        self.die(node, "killed".into());
    }

    fn pause(&mut self, node: usize) {
        self.nodes[node].paused = true;
        self.add(node, What::Paused);
    }

    fn resume(&mut self, node: usize) {
        if !std::mem::take(&mut self.nodes[node].paused) {
            return;
        }
        self.add(node, What::Resumed);
        self.write(node);
        self.handle_if_free(node);
        self.wake(node);
    }

    /// A deed on a node; on one that is down there is nothing to do, except to relieve it.
    fn deed(
        &mut self,
        node: NodeName,
        deed: impl FnOnce(&mut Self, usize) -> String,
    ) -> Result<Evidence, ExecutorError> {
        let place = position(node);
        if place >= self.nodes.len() {
            return Err(ExecutorError::UnknownNode { node });
        }
        let seen = deed(self, place);
        Ok(Evidence::World(WorldEvidence { changed: true, seen }))
    }

    fn lose_power(&mut self, node: usize) -> String {
        let host = &mut self.nodes[node];
        let damage = host.disk.power_lost(&mut host.rng);
        self.die(node, "power loss".into());
        format!("{} bytes lost, {} writes torn", damage.lost_bytes, damage.torn_count)
    }

    fn wipe(&mut self, node: usize) -> String {
        let now = self.now;
        let host = &mut self.nodes[node];
        host.disk.wipe();
        host.since = now;
        host.settings.first_incarnation = Incarnation(u64::from(host.start) + 1);
        self.die(node, "its disk was wiped".into());
        self.invariants.forgiven(node);
        "its disk is empty".into()
    }

    fn rot(&mut self, node: usize) -> String {
        self.kill(node);
        let host = &mut self.nodes[node];
        host.rotten = true;
        let flips = host.rng.random_bool(0.5);
        let changed = match flips {
            true => host.disk.flip_bit(&mut host.rng),
            false => host.disk.misplace_sector(&mut host.rng),
        };
        match (changed, flips) {
            (false, _) => "its disk was empty".into(),
            (true, true) => "a bit was flipped".into(),
            (true, false) => "a sector was lost or misplaced".into(),
        }
    }

    fn hamper(&mut self, node: usize, with: Hindrance) -> String {
        let now = self.now;
        let host = &mut self.nodes[node];
        match with {
            Hindrance::Disk => host.disk_slow = true,
            Hindrance::Load { busy_ms } => host.slow = Some(Nanos::from_millis(busy_ms)),
            Hindrance::Clock { ahead_ms, rate_ppm } => {
                host.step_clock(now, ahead_ms, i64::from(rate_ppm));
                self.plan_wake(node);
            }
        }
        with.to_string()
    }

    fn relieve(&mut self, node: usize, of: Hindrance) -> String {
        let now = self.now;
        let host = &mut self.nodes[node];
        match of {
            Hindrance::Disk => {
                if let Some(ends_at) = host.relieve_disk(now) {
                    self.queue.plan(ends_at, Due::Written(node, host.start));
                }
            }
            Hindrance::Load { .. } => host.slow = None,
            Hindrance::Clock { .. } => {
                host.step_clock(now, 0, 0);
                self.plan_wake(node);
            }
        }
        format!("no more {of}")
    }

    fn disturb(&mut self, by: Disturbance) -> Evidence {
        let changed = std::mem::replace(&mut self.network.disturbance, by) != by;
        let seen = if changed { by.to_string() } else { "it was so already".into() };
        Evidence::World(WorldEvidence { changed, seen })
    }

    /// Sends a probe along every link.
    fn probe(&self) -> LinkEvidence {
        let mut seen = LinkEvidence::default();
        let count = self.nodes.len();
        for (from, to) in
            (0..count).flat_map(|from| (0..count).map(move |to| (from, to))).filter(|(a, b)| a != b)
        {
            let link = Link { from: network::name(from), to: network::name(to) };
            let arrived = self.network.passes(from, to);
            if self.network.grudge.drops(link.to, link.from) {
                seen.cut.push(CutLink { link, dropped_count: u64::from(!arrived), arrived });
            } else {
                seen.open_count += 1;
                seen.open_lost.extend((!arrived).then_some(link));
            }
        }
        seen
    }
}

impl<P: Inspect> Executor for World<P> {
    fn capabilities(&self) -> Capabilities {
        Capabilities::simulator().with(P::ASKS.iter().copied())
    }

    fn measure(
        &mut self,
        action: &Action,
        process: Option<ProcessIdentity>,
    ) -> Result<Evidence, ExecutorError> {
        match action {
            Action::Kill { node } => self.signal(*node, process, Self::kill),
            Action::Pause { node } => self.signal(*node, process, Self::pause),
            Action::Resume { node } => self.signal(*node, process, Self::resume),
            Action::Start { .. } | Action::Lead { .. } | Action::Members { .. } => {
                Err(ExecutorError::NotMine)
            }
            Action::Cut { grudge } => {
                self.network.grudge = grudge.clone();
                Ok(Evidence::Links(self.probe()))
            }
            Action::Mend => {
                self.network.grudge = rashomon_nemesis::Grudge::default();
                Ok(Evidence::Links(self.probe()))
            }
            Action::PowerLoss { node } => self.deed(*node, Self::lose_power),
            Action::Wipe { node } => self.deed(*node, Self::wipe),
            Action::Rot { node } => self.deed(*node, Self::rot),
            Action::FailSync { node } => self.deed(*node, |world, node| {
                let host = &mut world.nodes[node];
                host.disk.fail_next_sync(&mut host.rng);
                "its next sync will fail".into()
            }),
            Action::Hamper { node, with } => self.deed(*node, |world, node| world.hamper(node, *with)),
            Action::Relieve { node, of } => self.deed(*node, |world, node| world.relieve(node, *of)),
            Action::Disturb { by } => Ok(self.disturb(*by)),
            Action::Calm => Ok(self.disturb(Disturbance::default())),
            Action::Handle { by } => Ok(self.handle(by)),
            Action::LetGo { of } => Ok(self.let_go(of)),
        }
    }

    fn heal(&mut self) -> Vec<Report> {
        self.let_all_go();
        let mut actions = vec![Action::Mend, Action::Calm];
        for (node, host) in self.nodes.iter().enumerate() {
            host.disk.mend();
            let node = network::name(node);
            actions.extend(host.paused.then_some(Action::Resume { node }));
            actions.extend((host.is_down() && !host.lost).then_some(Action::Start { node }));
        }
        self.perform_all(&actions)
    }
}
