//! etcd as keyed registers, by its v3 JSON gateway: a read is a range, a write a put, a cas a txn that compares the value.
//!
//! One HTTP request per call, on a connection of the client's own, and never a second one: a library that repeats
//! a request behind the caller's back turns one write into two. What is sure about an error:
//!
//! | where it arose | definite | why |
//! | --- | --- | --- |
//! | connecting | yes | nothing was sent |
//! | the request never left this process | yes | hyper hands it back |
//! | the connection broke, the deadline passed, the answer is not readable | no | etcd may have it, and may apply it yet |
//! | etcd's own errors | see `classify`, below | |
//!
//! Read next: `http`, the connection.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use rashomon_histories::{Invocation, Value};
use rashomon_nemesis::{NodeId, NodeView, Role};
use rashomon_workloads::client::BoxedFuture;
use rashomon_workloads::{BoxedClient, CallError, Client, Connector, ErrorCode, Outcome, Reply};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use smol_str::SmolStr;
use tokio::time::Instant;

use super::ClientSettings;
use super::probe::{Addresses, NodeStatus, Probe, address, within};

mod http;

use http::{Connection, Failure, Response};

/// Opens clients of etcd members.
#[derive(Debug)]
pub struct Gateways {
    addresses: BTreeMap<SmolStr, SocketAddr>,
    settings: ClientSettings,
    serializable_reads: bool,
}

impl Gateways {
    /// Members by name. With `serializable_reads` a member answers reads from what it has, however old.
    pub fn new(
        addresses: BTreeMap<SmolStr, SocketAddr>,
        settings: ClientSettings,
        serializable_reads: bool,
    ) -> Self {
        Gateways { addresses, settings, serializable_reads }
    }
}

impl Connector for Gateways {
    /// # Panics
    /// When there is no node of this name.
    fn open(&self, _process: u64, node: &str) -> BoxedClient {
        let address = *self.addresses.get(node).expect("the layout names the cluster's nodes");
        let (settings, serializable_reads) = (self.settings.clone(), self.serializable_reads);
        Box::new(EtcdClient { address, settings, serializable_reads, connection: None })
    }
}

struct EtcdClient {
    address: SocketAddr,
    settings: ClientSettings,
    serializable_reads: bool,
    connection: Option<Connection>,
}

impl Client for EtcdClient {
    async fn call(&mut self, operation: &Invocation) -> Outcome {
        let request = request(operation, self.serializable_reads)?;
        let end = Instant::now() + self.settings.call_timeout;
        let mut connection = match self.connection.take().filter(Connection::is_open) {
            Some(connection) => connection,
            None => {
                let timeout = self.settings.connect_timeout.min(self.settings.call_timeout);
                let connection = Connection::open(self.address, timeout).await;
                connection.map_err(|error| ErrorCode::ConnectionRefused.with(error))?
            }
        };
        let body = request.body.to_string();
        let answered = tokio::time::timeout_at(end, connection.post(request.path, body)).await;
        let late = |_| ErrorCode::Timeout.with(format!("no answer within {:?}", self.settings.call_timeout));
        let response = answered.map_err(late)?.map_err(|failure| match failure {
            Failure::NotSent(text) => ErrorCode::NotSent.with(text),
            Failure::Lost(text) => ErrorCode::ConnectionLost.with(text),
            Failure::TooLong => ErrorCode::MalformedReply.with("the answer is too long"),
        })?;
        self.connection = Some(connection);
        (request.read_answer)(&response)
    }
}

struct Request {
    path: &'static str,
    body: Json,
    read_answer: fn(&Response) -> Outcome,
}

fn request(operation: &Invocation, serializable: bool) -> Result<Request, CallError> {
    let unsupported =
        || ErrorCode::Unsupported.with(format!("no such operation on registers: {operation:?}"));
    let key = BASE64.encode(operation.key.as_deref().ok_or_else(unsupported)?);
    match (&*operation.f, &operation.value) {
        ("read", _) => {
            let body = json!({ "key": key, "serializable": serializable });
            Ok(Request { path: "/v3/kv/range", body, read_answer: range_answer })
        }
        ("write", Value::Int(value)) => {
            let body = json!({ "key": key, "value": encoded(*value) });
            Ok(Request { path: "/v3/kv/put", body, read_answer: put_answer })
        }
        ("cas", Value::List(pair)) => match &pair[..] {
            [old, Value::Int(new)] => {
                let compare = match old {
                    // A key that was never written has version 0.
                    Value::Null => json!({ "key": key, "target": "VERSION", "version": "0" }),
                    Value::Int(old) => json!({ "key": key, "target": "VALUE", "value": encoded(*old) }),
                    _ => return Err(unsupported()),
                };
                let put = json!({ "request_put": { "key": key, "value": encoded(*new) } });
                let body = json!({ "compare": [compare], "success": [put] });
                Ok(Request { path: "/v3/kv/txn", body, read_answer: txn_answer })
            }
            _ => Err(unsupported()),
        },
        _ => Err(unsupported()),
    }
}

fn encoded(value: i64) -> String {
    BASE64.encode(value.to_string())
}

/// An answer without a header is no answer of etcd's, whatever its HTTP status says.
#[derive(Deserialize)]
struct Range {
    #[serde(rename = "header")]
    _header: Json,
    #[serde(default)]
    kvs: Vec<KeyValue>,
}

#[derive(Deserialize)]
struct KeyValue {
    #[serde(default)]
    value: String,
}

fn range_answer(response: &Response) -> Outcome {
    let range: Range = decoded(response)?;
    let Some(found) = range.kvs.first() else { return Ok(Reply::value(Value::Null)) };
    let number =
        BASE64.decode(&found.value).ok().and_then(|bytes| String::from_utf8(bytes).ok()?.parse().ok());
    let malformed =
        || ErrorCode::MalformedReply.with(format!("a value that no client wrote: {:?}", found.value));
    Ok(Reply::value(Value::Int(number.ok_or_else(malformed)?)))
}

#[derive(Deserialize)]
struct Put {
    #[serde(rename = "header")]
    _header: Json,
}

fn put_answer(response: &Response) -> Outcome {
    decoded::<Put>(response).map(|_| Reply::done())
}

#[derive(Deserialize)]
struct Txn {
    #[serde(rename = "header")]
    _header: Json,
    #[serde(default)]
    succeeded: bool,
}

fn txn_answer(response: &Response) -> Outcome {
    match decoded::<Txn>(response)?.succeeded {
        true => Ok(Reply::done()),
        false => Err(ErrorCode::Precondition.with("the compare failed")),
    }
}

fn decoded<'a, T: Deserialize<'a>>(response: &'a Response) -> Result<T, CallError> {
    if response.status != 200 {
        let told: ErrorBody = serde_json::from_slice(&response.body).unwrap_or_default();
        let text = if told.error.is_empty() { told.message } else { told.error };
        return Err(classify(&text).with(format!("HTTP {}: {text}", response.status)));
    }
    serde_json::from_slice(&response.body).map_err(|error| ErrorCode::MalformedReply.with(error.to_string()))
}

#[derive(Default, Deserialize)]
struct ErrorBody {
    #[serde(default)]
    error: String,
    #[serde(default)]
    message: String,
}

/// What etcd's error texts (`etcdserver/api/v3rpc/rpctypes/error.go`, `raft/raft.go`) say about the operation.
///
/// Definite are those that etcd gives before it proposes anything: *no leader* (the interceptor), *too many requests*
/// (its queue is full), *request is too large*, *raft proposal dropped* (the member's own Raft turned the proposal away),
/// and complaints about the request itself. All the *request timed out* variants, *leader changed*, *server stopped*
/// and *raft: stopped* come after a proposal may have left, and so does everything that is not listed.
fn classify(text: &str) -> ErrorCode {
    let text = text.strip_prefix("etcdserver: ").unwrap_or(text);
    match text {
        "no leader" => ErrorCode::NoLeader,
        "raft proposal dropped" => ErrorCode::NoLeader,
        "too many requests" => ErrorCode::Overloaded,
        "request is too large" | "key is not provided" | "not capable" => ErrorCode::Unsupported,
        "leader changed" => ErrorCode::LeaderChanged,
        "server stopped" | "raft: stopped" => ErrorCode::Stopping,
        _ if text.starts_with("request timed out") => ErrorCode::Timeout,
        _ => ErrorCode::Unknown,
    }
}

/// Asks etcd members for their maintenance status.
#[derive(Debug)]
pub struct StatusProbe {
    addresses: Addresses,
    timeout: Duration,
}

impl StatusProbe {
    /// A probe of these members.
    pub fn new(addresses: BTreeMap<NodeId, SocketAddr>, timeout: Duration) -> Self {
        StatusProbe { addresses, timeout }
    }
}

/// Numbers are strings in this dialect of JSON, and zeros are left out.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    header: StatusHeader,
    #[serde(default)]
    leader: String,
    #[serde(default)]
    raft_term: String,
    #[serde(default)]
    raft_applied_index: String,
}

#[derive(Deserialize)]
struct StatusHeader {
    member_id: String,
}

impl Probe for StatusProbe {
    fn status(&self, node: NodeId) -> BoxedFuture<'_, Result<NodeStatus, String>> {
        Box::pin(within(self.timeout, async move {
            let address = address(&self.addresses, node)?;
            let mut connection = Connection::open(address, self.timeout).await?;
            let response = connection.post("/v3/maintenance/status", "{}".to_owned()).await;
            let response = response.map_err(|failure| failure.to_string())?;
            if response.status != 200 {
                return Err(format!("HTTP {}: {}", response.status, String::from_utf8_lossy(&response.body)));
            }
            let status: Status = serde_json::from_slice(&response.body).map_err(|error| error.to_string())?;
            let knows_leader = !matches!(&*status.leader, "" | "0");
            let role = match (knows_leader, status.leader == status.header.member_id) {
                (true, true) => Role::Leader,
                (true, false) => Role::Follower,
                (false, _) => Role::Candidate,
            };
            Ok(NodeStatus {
                view: NodeView { role, term: status.raft_term.parse().unwrap_or(0) },
                is_ready: knows_leader,
                applied: status.raft_applied_index.parse().ok(),
                ..NodeStatus::default()
            })
        }))
    }
}

#[cfg(test)]
mod tests;
