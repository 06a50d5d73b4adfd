//! Clients and probes in any language: programs that speak JSON lines.
//!
//! # A client program
//! One is started per client process, with the command line of the system's file, when its first operation comes. When it is
//! ready it says so. Then it reads one line per operation from its standard input and answers with one line on its
//! standard output:
//!
//! ```text
//! < {"type":"ready"}
//! > {"type":"invoke","process":3,"node":"n2","f":"write","key":"k0","value":7}
//! < {"type":"ok"}
//! > {"type":"invoke","process":3,"node":"n2","f":"read","key":"k0","value":null}
//! < {"type":"ok","value":7}
//! > {"type":"invoke","process":3,"node":"n2","f":"cas","key":"k0","value":[6,8]}
//! < {"type":"fail","error":"precondition"}
//! > {"type":"invoke","process":3,"node":"n2","f":"write","key":"k0","value":9}
//! < {"type":"info","error":"timeout","text":"no answer from 10.0.0.2"}
//! ```
//!
//! - `ok`: it happened. A read says what it saw; `null`: the key is absent. Other operations need no value.
//! - `fail`: it **surely did not happen and never will**. A cas that was compared and refused says `precondition`.
//! - `info`: anything else. **In doubt, say `info`**: a wrong `fail` invents violations, a wrong `info` only loses evidence.
//! - `error` is a short code (`rashomon list codes`, or your own), `text` is for people and optional.
//! - One operation at a time; never repeat one on your own. After `info` the program is ended, and another one is started for
//!   the next process. When standard input ends, exit.
//! - Flush after each line. A line has at most 64 KiB. Standard error goes to the run's client log.
//! - Nothing is sent before `ready`, so starting slowly costs operations that surely did not happen, and no evidence.
//! - What happens if the program takes longer than the deadline (`{timeout_ms}`), dies, or writes something else: the
//!   open operation is `info`, and the program is killed.
//!
//! # A probe program
//! See [`super::watcher`].

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;

use rashomon_histories::{Invocation, Process, Value};
use rashomon_nemesis::NodeId;
use rashomon_workloads::{BoxedClient, CallError, Client, Connector, ErrorCode, Outcome, Reply};
use serde::{Deserialize, Serialize};
use smol_str::SmolStr;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio::time::Instant;

use super::ClientSettings;

/// Longest line that is read, in bytes, without its end.
pub const LINE_BYTES_MAX: u64 = 64 << 10;

/// Stands in an expanded command line for the process number, which is only known when a client is opened. Control
/// characters keep it apart from what people write.
pub(super) const PROCESS_MARK: &str = "\u{1}process\u{1}";

/// A program to run for a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The node that it speaks to.
    pub node: NodeId,
    /// The program, found.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Command {
    /// Starts it; it is killed when what is returned is dropped.
    pub(super) fn start(&self, process: Option<u64>, log: Stdio) -> Result<Child, String> {
        let process = process.map_or_else(String::new, |number| number.to_string());
        let arguments = self.arguments.iter().map(|argument| argument.replace(PROCESS_MARK, &process));
        tokio::process::Command::new(&self.program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| format!("cannot start {}: {error}", self.program.display()))
    }
}

/// Starts client programs.
#[derive(Debug)]
pub struct Programs {
    commands: BTreeMap<SmolStr, Command>,
    settings: ClientSettings,
}

impl Programs {
    /// One command line per node.
    pub fn new(commands: Vec<Command>, settings: ClientSettings) -> Self {
        let commands =
            commands.into_iter().map(|command| (command.node.to_string().into(), command)).collect();
        Programs { commands, settings }
    }
}

impl Connector for Programs {
    /// # Panics
    /// When there is no node of this name.
    fn open(&self, process: u64, node: &str) -> BoxedClient {
        let command = self.commands.get(node).expect("the layout names the cluster's nodes").clone();
        Box::new(ProgramClient { command, process, settings: self.settings.clone(), running: None })
    }
}

struct ProgramClient {
    command: Command,
    process: u64,
    settings: ClientSettings,
    running: Option<Running>,
}

struct Running {
    child: Child,
    input: ChildStdin,
    output: Lines,
    is_ready: bool,
}

#[derive(Serialize)]
struct Ask<'a> {
    r#type: &'static str,
    process: Process,
    node: Option<&'a str>,
    f: &'a str,
    key: Option<&'a str>,
    value: &'a Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    r#type: AnswerKind,
    #[serde(default, deserialize_with = "present")]
    value: Option<Value>,
    #[serde(default)]
    error: Option<SmolStr>,
    #[serde(default)]
    text: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum AnswerKind {
    Ready,
    Ok,
    Fail,
    Info,
}

/// A value that stands there is a value, null included.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

impl Client for ProgramClient {
    async fn call(&mut self, operation: &Invocation) -> Outcome {
        // A program that ended between two operations is started again: nothing of this operation was sent.
        let alive = self.running.take().and_then(|mut running| match running.child.try_wait() {
            Ok(None) => Some(running),
            _ => None,
        });
        let mut running = match alive {
            Some(running) => running,
            None => self.start().map_err(|text| ErrorCode::ConnectionRefused.with(text))?,
        };
        let end = Instant::now() + self.settings.call_timeout;
        if !running.is_ready {
            let until = Instant::now() + self.settings.call_timeout / 2;
            match tokio::time::timeout_at(until, running.become_ready()).await {
                Ok(ready) => ready.map_err(|text| ErrorCode::NotSent.with(text))?,
                Err(_) => {
                    self.running = Some(running);
                    return Err(ErrorCode::NotSent.with("the client program is still starting"));
                }
            }
        }
        let late = |_| ErrorCode::Timeout.with("the client program said nothing in time");
        let line = tokio::time::timeout_at(end, running.exchange(operation)).await.map_err(late)??;
        let answer = parse(&line).map_err(|text| ErrorCode::MalformedReply.with(text))?;
        self.running = Some(running);
        outcome(operation, answer)
    }
}

fn parse(line: &str) -> Result<Answer, String> {
    serde_json::from_str(line).map_err(|error| {
        let start: String = line.chars().take(100).collect();
        format!("the client program wrote {start:?}: {error}")
    })
}

impl ProgramClient {
    fn start(&self) -> Result<Running, String> {
        let log = match &self.settings.log {
            None => Stdio::null(),
            Some(path) => {
                let file = File::options().create(true).append(true).open(path);
                file.map_err(|error| format!("{}: {error}", path.display()))?.into()
            }
        };
        let mut child = self.command.start(Some(self.process), log)?;
        let input = child.stdin.take().expect("standard input is piped");
        let output = Lines::new(child.stdout.take().expect("standard output is piped"));
        Ok(Running { child, input, output, is_ready: false })
    }
}

impl Running {
    /// Waits for the program to say that it is ready. May be given up and taken up again.
    async fn become_ready(&mut self) -> Result<(), String> {
        let line = self.output.next().await.map_err(|text| format!("the client program {text}"))?;
        match parse(&line)?.r#type {
            AnswerKind::Ready => {
                self.is_ready = true;
                Ok(())
            }
            _ => Err(format!("the client program wrote {line:?} before it was ready")),
        }
    }

    async fn exchange(&mut self, operation: &Invocation) -> Result<String, CallError> {
        let lost = |text: String| ErrorCode::ConnectionLost.with(format!("the client program {text}"));
        let ask = Ask {
            r#type: "invoke",
            process: operation.process,
            node: operation.node.as_deref(),
            f: &operation.f,
            key: operation.key.as_deref(),
            value: &operation.value,
        };
        let mut line =
            serde_json::to_string(&ask).map_err(|error| ErrorCode::NotSent.with(error.to_string()))?;
        line.push('\n');
        let write = async {
            self.input.write_all(line.as_bytes()).await?;
            self.input.flush().await
        };
        write.await.map_err(|error| lost(format!("stopped reading: {error}")))?;
        self.output.next().await.map_err(lost)
    }
}

/// What a program prints, line by line, bounded.
pub(super) struct Lines {
    output: BufReader<ChildStdout>,
    /// What has come of the next line.
    partial: Vec<u8>,
}

impl Lines {
    pub(super) fn new(output: ChildStdout) -> Self {
        Lines { output: BufReader::new(output), partial: Vec::new() }
    }

    /// The next line without its end. May be given up and taken up again: nothing is lost. The error continues
    /// "the program …".
    pub(super) async fn next(&mut self) -> Result<String, String> {
        let left = (LINE_BYTES_MAX + 1).saturating_sub(self.partial.len() as u64);
        let mut bounded = (&mut self.output).take(left);
        let read = bounded.read_until(b'\n', &mut self.partial).await;
        read.map_err(|error| format!("stopped writing: {error}"))?;
        let mut line = std::mem::take(&mut self.partial);
        match line.pop() {
            Some(b'\n') => String::from_utf8(line).map_err(|_| "wrote what is not UTF-8".to_owned()),
            Some(_) if line.len() as u64 >= LINE_BYTES_MAX => {
                Err(format!("wrote a line longer than {LINE_BYTES_MAX} bytes"))
            }
            Some(_) => Err("ended within a line".to_owned()),
            None => Err("ended without an answer".to_owned()),
        }
    }
}

fn outcome(operation: &Invocation, answer: Answer) -> Outcome {
    if answer.r#type == AnswerKind::Ready {
        return Err(ErrorCode::MalformedReply.with("the client program said that it is ready, again"));
    }
    if answer.r#type == AnswerKind::Ok {
        return match (&*operation.f, answer.value) {
            ("read", None) => {
                Err(ErrorCode::MalformedReply.with("ok to a read, but no value: write null for absent"))
            }
            (_, value) => Ok(Reply { value }),
        };
    }
    let definite = answer.r#type == AnswerKind::Fail;
    let code = answer.error.unwrap_or_else(|| SmolStr::new_static(ErrorCode::Unknown.name()));
    Err(CallError { definite, code, text: answer.text })
}
