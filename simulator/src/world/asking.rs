//! Clients: the generator's operations on their way to the nodes and back, recorded as in a real run.

use std::time::Duration;

use rashomon_histories::{Invocation, Kind, Process};
use rashomon_node::api::attempts::{Attempts, Step};
use rashomon_node::api::{CallError, Reply};
use rashomon_workloads::client::Outcome as Called;
use rashomon_workloads::{Answer as Asked, Context, ErrorCode, Generator as _, completion};

use super::errands::NEMESIS;
use super::{Due, World};
use crate::clients::{Answer, Attempt, Client, Open, Parcel, moment};
use crate::invariants::{self, Inspect, SYSTEM_IMAGE};
use crate::node::{Post, Process as NodeProcess};
use crate::setup::Habits;
use crate::vocabulary;

impl<P: Inspect> World<P> {
    /// Asks the generator until it has nothing more for now.
    pub(super) fn ask(&mut self) {
        while !self.idle.is_empty() && self.stage.asks() {
            let context = Context { now: self.now, free: &self.idle, layout: &self.layout };
            match self.generator.ask(&context) {
                Asked::Operation(invocation) => self.begin(invocation),
                Asked::Pending { until } => {
                    if let Some(until) = until
                        && self.ask_planned.is_none_or(|planned| until < planned)
                    {
                        self.ask_planned = Some(until);
                        self.queue.plan(until, Due::Ask);
                    }
                    return;
                }
                Asked::Done => return self.stage.done_asking(),
            }
        }
    }

    fn begin(&mut self, mut invocation: Invocation) {
        let Process::Client(process) = invocation.process else {
            unreachable!("generators ask for clients only")
        };
        self.idle.retain(|idle| *idle != process);
        let thread = self.layout.thread_of(process);
        let index = usize::try_from(thread).expect("threads are counted in memory");
        invocation.node = self.layout.nodes().get(self.clients[index].node).cloned();
        let token = self.recorder.invoke(invocation.clone()).expect("memory refuses nothing");
        let operation = vocabulary::translate(self.setup.workload.objects(), &invocation);
        let client = &mut self.clients[index];
        let timeout = self.setup.timeout;
        let end = self.now.plus(timeout);
        let (call, step) = match operation {
            Ok(operation) => client.attempts.begin(operation, moment(self.now), timeout.into()),
            Err(error) => {
                return self.record(index, &invocation, token, &Err(error));
            }
        };
        client.open = Some(Open { invocation, token, call, end, connected: false });
        self.advance(index, step);
    }

    fn advance(&mut self, index: usize, step: Step<Duration>) {
        let client = &mut self.clients[index];
        let attempt = client.next_attempt(index);
        match step {
            Step::Send(request, end) => {
                let (node, connection) = (client.node, client.connection);
                let slot = self.parcels.put(Parcel::Request { attempt, node, request, connection });
                let at = self.now.plus(self.network.latency());
                self.queue.plan(at, Due::Parcel(slot));
                self.queue.plan_deadline(end.into(), Due::Expired(attempt));
            }
            Step::Pause(until) => self.queue.plan(until.into(), Due::Retry(attempt)),
            Step::Done(called) => self.finish(index, called),
        }
    }

    /// A request or an answer arrives.
    pub(super) fn deliver(&mut self, parcel: Parcel) {
        let (attempt, node, request, connection) = match parcel {
            Parcel::Answer { attempt, answer } => return self.answered(attempt, answer),
            Parcel::Request { attempt, node, request, connection } => (attempt, node, request, connection),
        };
        if attempt.client == NEMESIS {
            return self.deliver_errand(attempt, request);
        }
        let client = &mut self.clients[attempt.client as usize];
        let host = &mut self.nodes[node];
        let answer = match (&host.process, connection) {
            (NodeProcess::Up(_), None) => None,
            (NodeProcess::Up(_), Some(start)) if start == host.start => None,
            (_, Some(_)) => Some(Answer::Lost),
            (_, None) => Some(Answer::Refused),
        };
        match answer {
            Some(answer) => self.answer(attempt, answer),
            None => {
                if client.waits_for(attempt) {
                    client.connect(host.start);
                }
                host.post(Post::Request(attempt, request));
                self.handle_if_free(node);
            }
        }
    }

    /// Sends an answer to a client.
    pub(super) fn answer(&mut self, attempt: Attempt, answer: Answer) {
        let slot = self.parcels.put(Parcel::Answer { attempt, answer });
        let at = self.now.plus(self.network.latency());
        self.queue.plan(at, Due::Parcel(slot));
    }

    /// The connections to a node's process break: it died.
    pub(super) fn disconnect(&mut self, node: usize, start: u32) {
        for index in 0..self.clients.len() {
            let client = &self.clients[index];
            if client.node == node && client.connection == Some(start) && client.open.is_some() {
                let attempt = client.current_attempt(index);
                self.answer(attempt, Answer::Lost);
            }
        }
    }

    fn answered(&mut self, attempt: Attempt, answer: Answer) {
        if attempt.client == NEMESIS {
            return self.errand_answered(attempt, answer);
        }
        let index = attempt.client as usize;
        let client = &mut self.clients[index];
        if !client.waits_for(attempt) {
            return;
        }
        let was_connected = client.open.as_ref().is_some_and(|open| open.connected);
        if matches!(answer, Answer::Refused) && !was_connected {
            // As the real client, which connects before it begins.
            let error = ErrorCode::ConnectionRefused.with("nobody listens there");
            return self.close(index, &Err(error), false);
        }
        let (seen, node) = (client.attempts.seen(), client.node);
        if self.setup.clients_roam()
            && let Answer::Said(said) = &answer
            && said.outcome.is_ok()
            && said.position < seen
        {
            let detail = format!(
                "a client that has seen position {seen} is served by {} at {}",
                invariants::name(node),
                said.position
            );
            self.invariants.report(self.now, SYSTEM_IMAGE, detail);
        }
        let called = self.clients[index].hear(answer);
        self.ended(index, called);
    }

    /// A client gives an attempt up.
    pub(super) fn expire(&mut self, attempt: Attempt) {
        let index = attempt.client as usize;
        if self.clients[index].waits_for(attempt) {
            self.ended(index, Err(CallError::NoReply("the deadline has passed".into())));
        }
    }

    /// A client goes on after a pause.
    pub(super) fn retry(&mut self, attempt: Attempt) {
        let index = attempt.client as usize;
        let client = &self.clients[index];
        if let Some(open) = client.open.as_ref().filter(|_| client.waits_for(attempt)) {
            let step = client.attempts.resume(&open.call, moment(self.now));
            self.advance(index, step);
        }
    }

    fn ended(&mut self, index: usize, called: Result<Reply, CallError>) {
        let client = &mut self.clients[index];
        if called.is_err() && client.attempts.reconnects() {
            client.connection = None;
            if self.setup.habits.changes_node {
                client.move_to(self.layout.node_after(client.node));
            }
        }
        let Some(open) = &mut client.open else { return };
        let step = client.attempts.ended(&mut open.call, called, moment(self.now));
        self.advance(index, step);
    }

    fn finish(&mut self, index: usize, called: Result<Reply, CallError>) {
        let keeps_connection = vocabulary::keeps_connection(&called);
        let client = &self.clients[index];
        if let Err(error) = &called
            && error.is_definite()
            && let Some(sessioned) =
                client.open.as_ref().and_then(|open| client.attempts.sessioned(&open.call))
        {
            self.invariants.refused(self.now, sessioned);
        }
        let is_late = self.clients[index].open.as_ref().is_some_and(|open| self.now >= open.end);
        let outcome = match &called {
            Ok(reply) => vocabulary::outcome(Ok(reply.clone()), is_late),
            Err(error) => vocabulary::outcome(Err(error), is_late),
        };
        self.close(index, &outcome, keeps_connection);
    }

    fn close(&mut self, index: usize, outcome: &Called, keeps_connection: bool) {
        let client = &mut self.clients[index];
        if !keeps_connection {
            client.connection = None;
            if !self.setup.habits.keeps_session {
                client.attempts = Attempts::new(self.setup.retries);
            }
            if self.setup.habits.changes_node {
                client.move_to(self.layout.node_after(client.node));
            }
        }
        let Some(Open { invocation, token, .. }) = client.open.take() else { return };
        self.record(index, &invocation, token, outcome);
        self.ask();
    }

    fn record(
        &mut self,
        index: usize,
        invocation: &Invocation,
        token: rashomon_histories::Token,
        outcome: &Called,
    ) {
        let is_answered = outcome.as_ref().err().is_none_or(|error| error.is_refusal());
        self.stage.ended(self.now, outcome.is_ok(), is_answered);
        let completion = completion(outcome);
        let kind = completion.kind();
        self.recorder.complete(token, completion).expect("memory refuses nothing");
        self.generator.update(self.now, invocation, outcome);
        let client = &mut self.clients[index];
        let node = client.node;
        match kind {
            Kind::Ok => self.counts.ok += 1,
            Kind::Fail => self.counts.fail += 1,
            Kind::Info | Kind::Invoke => {
                self.counts.info += 1;
                let Habits { keeps_session, changes_node } = self.setup.habits;
                let process = self.layout.successor(client.process);
                let mut next = Client::new(process, &self.layout, self.setup.retries).after(client);
                if keeps_session {
                    next = next.in_session_of(client);
                }
                if changes_node {
                    next.move_to(node);
                }
                *client = next;
            }
        }
        if self.setup.clients_roam() {
            client.move_to(self.layout.node_after(node));
        }
        self.idle.push(client.process);
    }
}
