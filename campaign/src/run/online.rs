//! Follows a run with the online judge and the measurer, from a thread of their own, once a second.
//!
//! What is judged, when again, and what may be forgotten is [`rashomon_checker::online`]'s; the run can stop at the first
//! violation, and at its end all but the last second is settled already. It reads no clock: the events' own times say when a
//! second is over.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use anyhow::Context as _;
use rashomon_checker::models::ForModel;
use rashomon_checker::online::{Followed, Online};
use rashomon_checker::{Decode, Options, Verdict};
use rashomon_histories::{Event, Header, Nanos, Sink};
use tokio::sync::watch;

use crate::page::traces::Traces;
use crate::run::judge::with_model;
use crate::run::measure::{Measurer, Measures};

/// How much of the run's time passes between two judgements.
const JUDGE_EVERY: Nanos = Nanos::from_secs(1);

/// How many events are handed over at once.
const BATCH: usize = 512;

/// What following a run came to.
pub struct Settled {
    /// Key by key, with witnesses; an error when the history could not be decoded.
    pub followed: anyhow::Result<Followed>,
    /// The figures.
    pub measures: Measures,
    /// The run over time, for its page.
    pub traces: Traces,
}

/// A judge that follows a run from a thread of its own.
pub struct Following {
    thread: JoinHandle<Settled>,
}

/// Where the recorder puts events for it.
#[derive(Debug)]
pub struct Feed {
    batch: Vec<Event>,
    events: Sender<Vec<Event>>,
}

/// Starts a judge by the model of this name. The receiver turns true at the first violation.
///
/// # Errors
/// When there is no such model, or no thread to be had.
pub fn start(model: &str) -> anyhow::Result<(Following, Feed, watch::Receiver<bool>)> {
    let (events, received) = channel();
    let (alarm, alarmed) = watch::channel(false);
    let follow = with_model(model, Start)?;
    let thread =
        std::thread::Builder::new().name("judge".to_owned()).spawn(move || follow(received, alarm))?;
    Ok((Following { thread }, Feed { batch: Vec::with_capacity(BATCH), events }, alarmed))
}

impl Following {
    /// Waits for the judge to settle what is open, once its [`Feed`] is gone.
    ///
    /// # Errors
    /// When the judge panicked.
    pub fn finish(self) -> anyhow::Result<Settled> {
        self.thread.join().ok().context("the online judge panicked; its message is above")
    }
}

impl Feed {
    fn hand_over(&mut self) {
        if !self.batch.is_empty() {
            let batch = std::mem::replace(&mut self.batch, Vec::with_capacity(BATCH));
            // A judge that is gone has panicked, which shows when it is waited for; the recording goes on.
            let _ = self.events.send(batch);
        }
    }
}

impl Sink for Feed {
    fn header(&mut self, _header: &Header) -> std::io::Result<()> {
        Ok(())
    }

    fn event(&mut self, event: &Event) -> std::io::Result<()> {
        self.batch.push(event.clone());
        if self.batch.len() == BATCH {
            self.hand_over();
        }
        Ok(())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.hand_over();
        Ok(())
    }
}

type Follow = Box<dyn FnOnce(Receiver<Vec<Event>>, watch::Sender<bool>) -> Settled + Send>;

struct Start;

impl ForModel for Start {
    type Output = Follow;

    fn run<M: Decode + Send + 'static>(self, model: M) -> Follow {
        Box::new(move |events, alarm| follow(&model, &events, &alarm))
    }
}

fn follow<M: Decode>(model: &M, events: &Receiver<Vec<Event>>, alarm: &watch::Sender<bool>) -> Settled {
    let mut online = Online::new(model, &Header::new("a run"));
    let (mut measurer, mut traces) = (Measurer::default(), Traces::default());
    let mut judged_at = Nanos(0);
    let mut is_convicted = false;
    let mut failure = None;
    while let Ok(batch) = events.recv() {
        let now = batch.last().map_or(Nanos(0), |event| event.time);
        for event in batch {
            measurer.admit(&event);
            traces.admit(&event);
            if let Err(error) = online.observe(event) {
                failure.get_or_insert(error);
            }
        }
        if !is_convicted && now.since(judged_at) >= JUDGE_EVERY {
            judged_at = now;
            is_convicted = online.judge_changed(&Options::default()) == Verdict::Invalid;
            alarm.send_if_modified(|alarm| std::mem::replace(alarm, is_convicted) != is_convicted);
        }
    }
    let followed = match failure {
        Some(error) => Err(error),
        None => online.finish(&Options::default()),
    };
    Settled { followed: followed.map_err(anyhow::Error::from), measures: measurer.finish(), traces }
}
