//! One HTTP/1.1 connection that carries one request at a time and never repeats one.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::header::{CONTENT_TYPE, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// Longest answer that is read, in bytes.
const BODY_BYTES_MAX: usize = 1 << 20;

/// Why there is no answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Failure {
    /// Not a byte of the request left this process.
    NotSent(String),
    /// The request, or part of it, may have arrived.
    Lost(String),
    /// An answer came that is longer than any of etcd's.
    TooLong,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::NotSent(text) => write!(f, "not sent: {text}"),
            Failure::Lost(text) => write!(f, "no answer: {text}"),
            Failure::TooLong => write!(f, "an answer longer than {BODY_BYTES_MAX} bytes"),
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) body: Bytes,
}

/// An open connection. Dropping it closes it, with whatever is under way on it.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
}

impl Connection {
    /// Connects. A failure is definite for whatever was to be sent.
    pub(super) async fn open(address: SocketAddr, timeout: Duration) -> Result<Self, String> {
        let connecting = async {
            let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
            stream.set_nodelay(true).map_err(|error| error.to_string())?;
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())
        };
        let connected = tokio::time::timeout(timeout, connecting).await;
        let (sender, driver) = connected
            .unwrap_or_else(|_| Err(format!("no connection within {timeout:?}")))
            .map_err(|error| format!("{address}: {error}"))?;
        // Ends when the sender is dropped or the peer hangs up; its error reaches the caller through the sender.
        tokio::spawn(async move { drop(driver.await) });
        Ok(Connection { sender, authority: address.to_string() })
    }

    /// Whether the peer has not hung up, as far as is known.
    pub(super) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    /// Posts JSON and reads the answer. Whoever drops the future must drop the connection.
    pub(super) async fn post(&mut self, path: &str, body: String) -> Result<Response, Failure> {
        let not_sent = |error: &dyn fmt::Display| Failure::NotSent(error.to_string());
        self.sender.ready().await.map_err(|error| not_sent(&error))?;
        let request = hyper::Request::post(path)
            .header(HOST, &self.authority)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| not_sent(&error))?;
        let response = self.sender.try_send_request(request).await.map_err(|mut error| {
            // hyper gives the request back if, and only if, it has not begun to write it.
            match error.take_message() {
                Some(_) => not_sent(error.error()),
                None => Failure::Lost(error.error().to_string()),
            }
        })?;
        let status = response.status().as_u16();
        let body = Limited::new(response.into_body(), BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| match error.is::<LengthLimitError>() {
            true => Failure::TooLong,
            false => Failure::Lost(error.to_string()),
        })?;
        Ok(Response { status, body: body.to_bytes() })
    }
}
