//! The service for clients: each call is posted to the replica's task and waits for its answer.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tarpc::context;
use tarpc::server::{BaseChannel, Channel, Config};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, oneshot};
use tracing::warn;

use crate::api::{Answer, Refusal, RefusalCode, Request, Status, Store};
use crate::server::node::{Post, Posts, inbox_full};
use crate::wire;

/// Connections from clients at a time; more wait to be accepted.
const CONNECTIONS_MAX: usize = 4_096;
/// Calls of one connection at a time; more wait in its socket.
const CALLS_MAX: usize = 1_024;
/// Pause after a failed accept: the usual cause, too few file descriptors, does not go away by trying at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves clients as long as the runtime lives.
pub async fn serve<M: Send + 'static>(listener: TcpListener, posts: Posts<M>) {
    accept(listener, CONNECTIONS_MAX, move |stream| {
        let handler = Handler { posts: posts.clone() };
        async move {
            let Ok(transport) = wire::transport(stream) else { return };
            let config = Config { pending_response_buffer: CALLS_MAX };
            let calls = BaseChannel::new(config, transport).execute(handler.serve());
            calls.for_each_concurrent(CALLS_MAX, |call| call).await;
        }
    })
    .await;
}

/// Accepts connections, at most `connections_max` at a time, each served by a task of its own.
pub(super) async fn accept<F: Future<Output = ()> + Send + 'static>(
    listener: TcpListener,
    connections_max: usize,
    serve: impl Fn(TcpStream) -> F,
) {
    let room = Arc::new(Semaphore::new(connections_max));
    loop {
        let permit = Arc::clone(&room).acquire_owned().await.expect("the semaphore is never closed");
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = serve(stream);
                tokio::spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                warn!("cannot accept a connection: {error}");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

struct Handler<M> {
    posts: Posts<M>,
}

impl<M> Clone for Handler<M> {
    fn clone(&self) -> Self {
        Self { posts: self.posts.clone() }
    }
}

impl<M: Send + 'static> Store for Handler<M> {
    async fn operate(self, _: context::Context, request: Request) -> Answer {
        let (reply, answer) = oneshot::channel();
        let refused = |refusal| Answer { position: 0, outcome: Err(refusal) };
        if self.posts.try_send(Post::Request(request, reply)).is_err() {
            return refused(inbox_full());
        }
        answer.await.unwrap_or_else(|_| refused(stopping()))
    }

    async fn status(self, _: context::Context) -> Status {
        let (reply, status) = oneshot::channel();
        let is_posted = self.posts.send(Post::Status(reply)).await.is_ok();
        match status.await {
            Ok(status) if is_posted => status,
            // The replica's task is gone and the process about to end, and with it this connection.
            _ => std::future::pending().await,
        }
    }
}

fn stopping() -> Refusal {
    Refusal::indefinite(RefusalCode::Stopping, "the node is stopping")
}
