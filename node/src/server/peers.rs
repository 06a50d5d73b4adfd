//! Between nodes: one connection to each peer for what goes out, one service for what comes in.
//!
//! Messages are one-way: a delivery is acknowledged when it has been posted, which bounds what is under way but says
//! nothing about what became of it. They keep their order on a connection and are sent on without waiting for
//! acknowledgements. When the peer does not keep up, or is away, messages are dropped: the protocol repeats what
//! matters, and a message that has waited long is of no use. A delivery that is not acknowledged in time ends the
//! connection; a new one is tried at short intervals, so that a healed link is in use again at once, however long TCP
//! has been backing off on the old one.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use serde::Serialize;
use tarpc::context;
use tarpc::server::{BaseChannel, Channel};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tracing::{debug, info};

use crate::api::NodeId;
use crate::protocol::Protocol;
use crate::server::clients::accept;
use crate::server::node::{Post, Posts};
use crate::wire::{self, Blob};

/// Messages that wait for a link; more are dropped.
const QUEUE_MAX: usize = 4_096;
/// Messages in one delivery.
const DELIVERY_MAX: usize = 256;
/// Deliveries that may be unacknowledged.
const WINDOW: usize = 64;
/// How long an acknowledgement may take before the connection counts as dead.
const DELIVERY_TIMEOUT: Duration = Duration::from_millis(1_000);
const CONNECT_TIMEOUT: Duration = Duration::from_millis(300);
const RECONNECT_PAUSE: Duration = Duration::from_millis(100);
/// Connections from peers at a time; every reconnect of every peer may leave an old one behind for a while.
const CONNECTIONS_MAX: usize = 256;

/// What nodes offer to each other.
#[allow(missing_docs, reason = "the service macro generates public items without docs")]
mod service {
    use crate::api::NodeId;
    use crate::wire::Blob;

    #[tarpc::service]
    pub trait Peer {
        /// Posts messages, one after the other in postcard.
        async fn deliver(from: NodeId, messages: Blob);
    }
}
use service::{Peer, PeerClient};

/// The queues of the links to all peers.
#[derive(Debug)]
pub struct Links<M> {
    queues: Vec<(NodeId, mpsc::Sender<M>)>,
}

impl<M> Links<M> {
    /// Queues messages; drops those for which there is no room.
    pub fn send(&self, messages: impl IntoIterator<Item = (NodeId, M)>) {
        for (to, message) in messages {
            if let Some((_, queue)) = self.queues.iter().find(|(node, _)| *node == to)
                && queue.try_send(message).is_err()
            {
                debug!("dropped a message to {to}: its queue is full");
            }
        }
    }
}

/// Starts a link to each of `peers`, from node `from`.
pub fn connect<M: Serialize + Send + 'static>(from: NodeId, peers: Vec<(NodeId, String)>) -> Links<M> {
    let start = |(peer, address)| {
        let (queue, messages) = mpsc::channel(QUEUE_MAX);
        tokio::spawn(keep_link(from, peer, address, messages));
        (peer, queue)
    };
    Links { queues: peers.into_iter().map(start).collect() }
}

async fn keep_link<M: Serialize>(from: NodeId, peer: NodeId, address: String, mut queue: mpsc::Receiver<M>) {
    let mut complained = false;
    while !queue.is_closed() {
        match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(&address)).await {
            Ok(Ok(stream)) => {
                info!("connected to {peer} at {address}");
                let reason = use_link(from, stream, &mut queue).await;
                info!("lost the connection to {peer}: {reason}");
                complained = false;
            }
            failure if !complained => {
                let reason = failure.map_or("no answer".into(), |refused| format!("{:?}", refused.err()));
                info!("cannot connect to {peer} at {address}: {reason}; trying on");
                complained = true;
            }
            _ => {}
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
        // What was meant for the time without a link is outdated.
        while queue.try_recv().is_ok() {}
    }
}

/// Sends until the connection fails; says why it did.
async fn use_link<M: Serialize>(from: NodeId, stream: TcpStream, queue: &mut mpsc::Receiver<M>) -> String {
    let transport = match wire::transport(stream) {
        Ok(transport) => transport,
        Err(error) => return error.to_string(),
    };
    let mut config = tarpc::client::Config::default();
    config.max_in_flight_requests = WINDOW;
    config.pending_request_buffer = WINDOW;
    let new_client = PeerClient::new(config, transport);
    let client = new_client.client;
    let mut dispatch = std::pin::pin!(new_client.dispatch);
    let mut under_way = FuturesUnordered::new();
    let mut messages = Vec::with_capacity(DELIVERY_MAX);
    loop {
        tokio::select! {
            ended = &mut dispatch => {
                return ended.err().map_or("closed".into(), |error| error.to_string());
            }
            Some(outcome) = under_way.next() => {
                if let Err(error) = outcome {
                    let error: tarpc::client::RpcError = error;
                    return error.to_string();
                }
            }
            count = queue.recv_many(&mut messages, DELIVERY_MAX), if under_way.len() < WINDOW => {
                if count == 0 {
                    return "this node is stopping".into();
                }
                let blob = encode(&mut messages);
                let client = &client;
                under_way.push(async move { client.deliver(deadline(), from, blob).await });
            }
        }
    }
}

fn encode<M: Serialize>(messages: &mut Vec<M>) -> Blob {
    let mut bytes = Vec::with_capacity(64 * messages.len());
    for message in messages.drain(..) {
        postcard::to_io(&message, &mut bytes)
            .expect("writing to memory does not fail, and messages are plain data");
    }
    Blob(bytes)
}

#[allow(
    clippy::disallowed_methods,
    reason = "a deadline on the wire is an instant: this is where it is made"
)]
fn deadline() -> context::Context {
    let mut context = context::current();
    context.deadline = std::time::Instant::now() + DELIVERY_TIMEOUT;
    context
}

/// Serves peers until the listener fails for good.
pub async fn serve<P: Protocol>(listener: TcpListener, posts: Posts<P::Message>)
where
    P::Message: Send + 'static,
{
    accept(listener, CONNECTIONS_MAX, move |stream| {
        let receiver = Receiver::<P::Message> { posts: posts.clone() };
        async move {
            let Ok(transport) = wire::transport(stream) else { return };
            let channel = BaseChannel::with_defaults(transport);
            // One after the other: the order of a connection is the order of its deliveries.
            channel.execute(receiver.serve()).for_each(|delivery| delivery).await;
        }
    })
    .await;
}

struct Receiver<M> {
    posts: Posts<M>,
}

impl<M> Clone for Receiver<M> {
    fn clone(&self) -> Self {
        Self { posts: self.posts.clone() }
    }
}

impl<M: serde::de::DeserializeOwned + Send + 'static> Peer for Receiver<M> {
    async fn deliver(self, _: context::Context, from: NodeId, messages: Blob) {
        let mut bytes = messages.0.as_slice();
        let mut decoded = Vec::new();
        while !bytes.is_empty() {
            match postcard::take_from_bytes(bytes) {
                Ok((message, rest)) => {
                    decoded.push(message);
                    bytes = rest;
                }
                Err(error) => {
                    info!("dropped what {from} sent: not messages of this protocol: {error}");
                    return;
                }
            }
        }
        if self.posts.try_send(Post::Messages(from, decoded)).is_err() {
            debug!("dropped messages of {from}: the inbox is full");
        }
    }
}
