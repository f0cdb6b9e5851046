//! Connections to one server that are kept between calls.

use std::{
    collections::VecDeque,
    error::Error,
    io::{self, ErrorKind},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::{Frame, SizeHint};
use hyper::{
    body::Incoming,
    client::conn::http1::{SendRequest, handshake},
};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use tower::ServiceExt;

use super::Deadline;

/// Why a request has no answer.
#[derive(Debug)]
pub(super) enum ConnectionError {
    /// The deadline passed before a byte was sent.
    TooLate,
    /// The server or the connection failed.
    Failed(Box<dyn Error + Send + Sync>),
}

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for ConnectionError {
    fn from(fault: E) -> Self {
        Self::Failed(fault.into())
    }
}

/// The connections to one server. A clone shares them.
#[derive(Clone)]
pub(super) struct Connections {
    connector: HttpsConnector<HttpConnector>,
    server: Uri,
    idle_timeout: Duration,
    idle: Arc<Mutex<VecDeque<Idle>>>,
}

/// The idle connections; the one used last is at the end and is reused first.
struct Idle {
    connection: SendRequest<Body>,
    since: Instant,
}

impl Connections {
    /// A pool without connections yet. Only scheme and authority of `server` count. A connection that was idle for
    /// `idle_timeout` is not used again: a firewall in between may have dropped it.
    pub fn new(
        connector: HttpsConnector<HttpConnector>,
        server: Uri,
        idle_timeout: Duration,
    ) -> Self {
        Self {
            connector,
            server,
            idle_timeout,
            idle: Arc::default(),
        }
    }

    /// Connections of their own to the same server.
    pub fn with_own_pool(&self) -> Self {
        Self::new(
            self.connector.clone(),
            self.server.clone(),
            self.idle_timeout,
        )
    }

    /// Sends a request, with a target in origin form and a `Host`. If no byte could be sent because the server had
    /// closed the idle connection, another connection is used. If a reused connection is closed instead of answering,
    /// `again` is sent on a new one; no other request is sent twice.
    pub async fn send(
        &self,
        mut request: Request<Body>,
        again: Option<Request<Body>>,
        deadline: Deadline,
    ) -> Result<Response<Body>, ConnectionError> {
        let in_time = || match deadline.has_passed() {
            true => Err(ConnectionError::TooLate),
            false => Ok(()),
        };
        while let Some(mut connection) = self.take_idle(Instant::now()) {
            in_time()?;
            match connection.try_send_request(request).await {
                Ok(answer) => return Ok(self.pool_body(connection, answer)),
                Err(mut fault) => match fault.take_message() {
                    Some(unsent) => request = unsent,
                    None => {
                        let fault = fault.into_error();
                        let Some(again) = again.filter(|_| is_closed(&fault)) else {
                            return Err(fault.into());
                        };
                        // A call that was sent is not cleared again.
                        if deadline.has_passed() {
                            return Err(fault.into());
                        }
                        request = again;
                        break;
                    }
                },
            }
        }
        // Boxed: inline, it would make the future of every request large.
        let mut connection = Box::pin(self.connect()).await?;
        in_time()?;
        let answer = connection.send_request(request).await?;
        Ok(self.pool_body(connection, answer))
    }

    async fn connect(&self) -> Result<SendRequest<Body>, ConnectionError> {
        let io = self.connector.clone().oneshot(self.server.clone()).await?;
        let (connection, driver) = handshake(io).await?;
        // A call in progress gets the error itself.
        tokio::spawn(async move { driver.await.ok() });
        Ok(connection)
    }

    /// The connection that was used last. Those that are too old or closed are dropped.
    fn take_idle(&self, now: Instant) -> Option<SendRequest<Body>> {
        let mut idle = self.idle();
        while idle
            .front()
            .is_some_and(|oldest| now.duration_since(oldest.since) >= self.idle_timeout)
        {
            idle.pop_front();
        }
        // A request that was answered before its end is still being sent.
        let mut busy = Vec::new();
        let mut ready = None;
        while let Some(last) = idle.pop_back() {
            if last.connection.is_ready() {
                ready = Some(last.connection);
                break;
            }
            if !last.connection.is_closed() {
                busy.push(last);
            }
        }
        idle.extend(busy.into_iter().rev());
        ready
    }

    fn give_back(&self, connection: SendRequest<Body>, now: Instant) {
        if !connection.is_closed() {
            self.idle().push_back(Idle {
                connection,
                since: now,
            });
        }
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<Idle>> {
        // Each change is one push or pop: a panic elsewhere leaves the queue whole.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pool_body(
        &self,
        connection: SendRequest<Body>,
        answer: Response<Incoming>,
    ) -> Response<Body> {
        answer.map(|body| {
            Body::new(PooledBody {
                body,
                has_ended: false,
                connection: Some(connection),
                to: self.clone(),
            })
        })
    }
}

/// Whether a connection was closed, and not by us, before an answer came.
fn is_closed(fault: &hyper::Error) -> bool {
    let cause = fault.source().and_then(|cause| cause.downcast_ref());
    let is_reset = cause.is_some_and(|cause: &io::Error| {
        matches!(
            cause.kind(),
            ErrorKind::ConnectionReset
                | ErrorKind::ConnectionAborted
                | ErrorKind::BrokenPipe
                | ErrorKind::UnexpectedEof
        )
    });
    is_reset || fault.is_incomplete_message() || fault.is_closed() || fault.is_canceled()
}

/// The body of an answer: its connection goes back when it was read to its end, and is closed otherwise.
struct PooledBody {
    body: Incoming,
    has_ended: bool,
    connection: Option<SendRequest<Body>>,
    to: Connections,
}

impl http_body::Body for PooledBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        self.has_ended = matches!(polled, Poll::Ready(None));
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for PooledBody {
    fn drop(&mut self) {
        if (self.has_ended || http_body::Body::is_end_stream(&self.body))
            && let Some(connection) = self.connection.take()
        {
            self.to.give_back(connection, Instant::now());
        }
    }
}

#[cfg(test)]
mod tests;
