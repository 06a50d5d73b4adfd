//! The recorder: what it writes is well formed, and a sink that fails fails for good.

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use std::io;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use rashomon_histories::{
    Completion, Event, Header, History, Invocation, Kind, Nanos, Process, RecordError, Recorder, Sink, Token,
    Value, WellFormed, Writer,
};

fn ticking() -> impl FnMut() -> Nanos {
    let mut now = 0;
    move || {
        now += 10;
        Nanos(now)
    }
}

fn recorder() -> Recorder<Vec<Event>, impl FnMut() -> Nanos> {
    Recorder::new(Vec::new(), Header::new("test"), ticking())
}

fn write(process: u64, value: i64) -> Invocation {
    Invocation::new(Process::client(process), "write").key("x").value(value).node("n1")
}

#[test]
fn a_completion_says_again_what_was_asked_unless_it_knows_better() {
    let mut recorder = recorder();
    let token = recorder.invoke(write(0, 7)).unwrap();
    recorder.complete(token, Completion::ok()).unwrap();
    let token = recorder.invoke(Invocation::new(Process::client(0), "read").key("x")).unwrap();
    recorder.complete(token, Completion::ok_with(8)).unwrap();
    let token = recorder.invoke(write(0, 9)).unwrap();
    recorder.complete(token, Completion::fail("no-leader")).unwrap();
    let events = recorder.seal().unwrap();
    let said = |event: &Event| (event.kind, event.value.clone(), event.error.clone().map(String::from));
    assert_eq!(said(&events[1]), (Kind::Ok, Value::Int(7), None));
    assert_eq!(said(&events[3]), (Kind::Ok, Value::Int(8), None));
    assert_eq!(said(&events[5]), (Kind::Fail, Value::Int(9), Some("no-leader".into())));
    assert!(events.iter().all(|event| event.key.as_deref() == Some("x")), "the key is on both events");
    assert_eq!(events[1].node.as_deref(), Some("n1"));
    assert!(events.iter().enumerate().all(|(place, event)| event.index == place as u64));
}

#[test]
fn tokens_still_open_become_info_in_the_order_of_their_invocations() {
    let mut recorder = recorder();
    let tokens: Vec<Token> = [5, 3, 4].map(|process| recorder.invoke(write(process, 1)).unwrap()).into();
    let [_five, three, _four] = <[Token; 3]>::try_from(tokens).unwrap();
    recorder.complete(three, Completion::ok()).unwrap();
    assert_eq!(recorder.open_count(), 2);
    let events = recorder.seal().unwrap();
    let ends: Vec<_> = events[4..].iter().map(|event| (event.process, event.kind)).collect();
    assert_eq!(ends, [(Process::client(5), Kind::Info), (Process::client(4), Kind::Info)]);
    assert!(events[4..].iter().all(|event| event.error.as_deref() == Some("open-at-end")));
    History::from_events(Header::new("test"), events).unwrap();
}

#[test]
fn time_never_goes_back_even_when_the_clock_does() {
    let mut times = [50, 20, 60, 10].into_iter();
    let mut recorder = Recorder::new(Vec::new(), Header::new("test"), move || Nanos(times.next().unwrap()));
    let token = recorder.invoke(write(0, 1)).unwrap();
    recorder.complete(token, Completion::ok()).unwrap();
    recorder.note("kill", Value::Null).unwrap();
    recorder.note("restart", Value::Null).unwrap();
    let times: Vec<u64> = recorder.seal().unwrap().iter().map(|event| event.time.0).collect();
    assert_eq!(times, [50, 50, 60, 60]);
}

#[test]
#[should_panic(expected = "process 3 invokes while an operation of it is open")]
fn a_process_asks_one_thing_at_a_time() {
    let mut recorder = recorder();
    let _token = recorder.invoke(write(3, 1)).unwrap();
    let _ = recorder.invoke(write(3, 2));
}

#[test]
#[should_panic(expected = "process 3 invokes after its info")]
fn a_process_retires_after_info() {
    let mut recorder = recorder();
    let token = recorder.invoke(write(3, 1)).unwrap();
    recorder.complete(token, Completion::info("timeout")).unwrap();
    let _ = recorder.invoke(write(3, 2));
}

#[test]
#[should_panic(expected = "a token goes back to the recorder that gave it")]
fn a_token_is_no_good_elsewhere() {
    let (mut one, mut other) = (recorder(), recorder());
    let token = one.invoke(write(0, 1)).unwrap();
    let _own = other.invoke(write(0, 1)).unwrap();
    let _ = other.complete(token, Completion::ok());
}

/// Takes so many bytes in all, in pieces as a disk does, and then is full for good.
#[derive(Clone)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    room: usize,
}

impl io::Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut written = self.bytes.lock().expect("no writer panicked");
        let taken = bytes.len().min(self.room - written.len());
        if taken == 0 {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "no space left"));
        }
        written.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_full_disk_keeps_what_was_recorded_and_takes_nothing_after_half_a_line() {
    for room in [0, 1, 40, 100, 150, 700, 70_000, 131_072, 131_073] {
        let bytes = Arc::new(Mutex::new(Vec::new()));
        let disk = Disk { bytes: Arc::clone(&bytes), room };
        let mut recorder = Recorder::new(Writer::new(disk), Header::new("test"), ticking());
        let mut flushed = 0;
        let error = loop {
            let step = |recorder: &mut Recorder<_, _>| -> Result<(), RecordError> {
                let token = recorder.invoke(write(0, 1))?;
                recorder.complete(token, Completion::ok())?;
                recorder.flush()
            };
            match step(&mut recorder) {
                Ok(()) => flushed += 2,
                Err(error) => break error,
            }
        };
        assert_eq!(error.to_string(), "the history could not be written: no space left", "room {room}");
        // The failure stays, whatever is tried, without a panic about the processes it concerned.
        for _ in 0..3 {
            assert!(recorder.invoke(write(0, 1)).is_err(), "room {room}");
            assert!(recorder.note("kill", Value::Null).is_err(), "room {room}");
            assert!(recorder.flush().is_err(), "room {room}");
        }
        assert!(recorder.seal().is_err(), "room {room}");
        let bytes = bytes.lock().unwrap().clone();
        assert!(bytes.len() <= room);
        if flushed > 0 {
            let history = History::read_from("disk", io::Cursor::new(bytes)).unwrap();
            assert!(history.events().len() >= flushed, "room {room}: everything flushed is there");
        }
    }
}

/// Refuses the event of one index, once; a recorder must not go on as if nothing had been.
#[derive(Default)]
struct Hiccup {
    taken: Vec<Event>,
    refused: bool,
}

impl Sink for Hiccup {
    fn header(&mut self, _header: &Header) -> io::Result<()> {
        Ok(())
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        if event.index == 2 && !self.refused {
            self.refused = true;
            return Err(io::Error::other("a hiccup"));
        }
        self.taken.push(event.clone());
        Ok(())
    }
}

#[test]
fn a_sink_that_failed_once_is_asked_nothing_more() {
    let mut recorder = Recorder::new(Hiccup::default(), Header::new("test"), ticking());
    let token = recorder.invoke(write(0, 1)).unwrap();
    let other = recorder.invoke(write(1, 1)).unwrap();
    assert!(recorder.complete(token, Completion::ok()).is_err());
    let again = recorder.complete(other, Completion::ok()).unwrap_err().to_string();
    assert_eq!(again, "the history could not be written: a hiccup");
    assert!(recorder.seal().is_err());
}

struct Mute;

impl Sink for Mute {
    fn header(&mut self, _header: &Header) -> io::Result<()> {
        Err(io::Error::other("no header"))
    }

    fn event(&mut self, _event: &Event) -> io::Result<()> {
        panic!("an event before its header");
    }
}

#[test]
fn a_header_that_cannot_be_written_shows_at_the_first_event() {
    let mut recorder = Recorder::new(Mute, Header::new("test"), ticking());
    let error = recorder.invoke(write(0, 1)).unwrap_err();
    assert_eq!(error.to_string(), "the history could not be written: no header");
}

#[test]
fn an_event_too_long_for_a_reader_is_refused_whole() {
    let mut output = Vec::new();
    let mut recorder = Recorder::new(Writer::new(&mut output), Header::new("test"), ticking());
    let token = recorder.invoke(write(0, 1)).unwrap();
    let long = "a".repeat(rashomon_histories::jsonl::LINE_BYTES_MAX as usize);
    let error = recorder.complete(token, Completion::ok_with(long.as_str())).unwrap_err().to_string();
    assert!(error.ends_with("a line has at most 4194304"), "{error}");
    drop(recorder);
    let history = History::read_from("memory", io::Cursor::new(output)).unwrap();
    assert_eq!(history.events().len(), 1, "no half of it is in the file");
}

#[test]
fn two_sinks_take_the_same() {
    let mut recorder = Recorder::new((Vec::new(), Vec::new()), Header::new("test"), ticking());
    let token = recorder.invoke(write(0, 1)).unwrap();
    recorder.complete(token, Completion::ok()).unwrap();
    let (one, other): (Vec<Event>, Vec<Event>) = recorder.seal().unwrap();
    assert_eq!(one.len(), 2);
    assert_eq!(one, other);
}

/// Threads record through one lock; order by index is order by time, and each client's story is whole.
#[test]
fn threads_behind_one_lock_make_a_well_formed_history() {
    let recorder = Mutex::new(recorder());
    std::thread::scope(|scope| {
        for process in 0..4 {
            let recorder = &recorder;
            scope.spawn(move || {
                for value in 0..500 {
                    let token = recorder.lock().unwrap().invoke(write(process, value)).unwrap();
                    recorder.lock().unwrap().complete(token, Completion::ok()).unwrap();
                }
            });
        }
    });
    let events = recorder.into_inner().unwrap().seal().unwrap();
    let history = History::from_events(Header::new("test"), events).unwrap();
    assert_eq!(history.operations().count(), 2_000);
    assert!(history.operations().all(|operation| operation.outcome() == Kind::Ok));
    assert!(history.events().is_sorted_by_key(|event| event.time));
}

#[derive(Clone, Debug)]
enum Step {
    Invoke(u64),
    Complete(usize, u8),
    Note,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u64..6).prop_map(Step::Invoke),
        (any::<usize>(), 0_u8..3).prop_map(|(which, how)| Step::Complete(which, how)),
        Just(Step::Note),
    ]
}

proptest! {
    /// Whatever is asked of it, within its contract, the rules hold at every event.
    #[test]
    fn what_it_records_is_well_formed(steps in proptest::collection::vec(step(), 0..80)) {
        let mut recorder = recorder();
        let mut open: Vec<(u64, Token)> = Vec::new();
        let mut retired = std::collections::BTreeSet::new();
        for step in steps {
            match step {
                Step::Invoke(process) => {
                    if !retired.contains(&process) && open.iter().all(|(busy, _)| *busy != process) {
                        open.push((process, recorder.invoke(write(process, 1)).unwrap()));
                    }
                }
                Step::Complete(which, how) if !open.is_empty() => {
                    let (process, token) = open.swap_remove(which % open.len());
                    let completion = match how {
                        0 => Completion::ok(),
                        1 => Completion::fail("refused"),
                        _ => Completion::info("timeout"),
                    };
                    if completion.kind() == Kind::Info {
                        retired.insert(process);
                    }
                    recorder.complete(token, completion).unwrap();
                }
                Step::Complete(..) => {}
                Step::Note => recorder.note("kill", Value::Null).unwrap(),
            }
            prop_assert_eq!(recorder.open_count(), open.len());
        }
        let mut rules = WellFormed::new();
        for event in recorder.seal().unwrap() {
            rules.admit(&event).unwrap();
        }
        prop_assert_eq!(rules.open().count(), 0, "sealing closes everything");
    }
}
