//! Kept connections: HTTP/1.1, one request at a time on each, with the moments of the first byte out and the last byte in.

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{
    Result,
    clock::{Clock, Moment},
};

/// How many idle connections are kept to each address.
const KEPT: usize = 128;

type Connection = SendRequest<Full<Bytes>>;

/// What came back.
#[derive(Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: StatusCode,
    /// The body.
    pub body: Bytes,
}

/// A request that was sent, and what became of it.
#[derive(Debug)]
pub struct Exchange {
    /// Before its first byte was written.
    pub sent: Moment,
    /// After the last byte of the answer, or when it broke off.
    pub ended: Moment,
    /// The answer.
    pub reply: Result<Reply>,
}

/// The connections of the drill to its nodes.
#[derive(Debug, Clone)]
pub struct Connections {
    clock: Clock,
    idle: Arc<Mutex<HashMap<SocketAddr, Vec<Connection>>>>,
}

impl Connections {
    /// None yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            clock,
            idle: Arc::default(),
        }
    }

    /// The clock that the moments are of.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// Sends a request once. One that is not answered within `patience` is given up with its connection.
    pub async fn send(
        &self,
        to: SocketAddr,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Exchange {
        let mut sent = self.clock.now();
        let reply = tokio::time::timeout(patience, self.exchange(to, request, &mut sent)).await;
        Exchange {
            sent,
            ended: self.clock.now(),
            reply: reply.unwrap_or_else(|_| Err("no answer in time".into())),
        }
    }

    async fn exchange(
        &self,
        to: SocketAddr,
        request: Request<Full<Bytes>>,
        sent: &mut Moment,
    ) -> Result<Reply> {
        let mut connection = match self.take(to) {
            Some(connection) => connection,
            None => connect(to).await?,
        };
        connection.ready().await?;
        *sent = self.clock.now();
        let (head, body) = connection.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        self.keep(to, connection);
        Ok(Reply {
            status: head.status,
            body,
        })
    }

    fn take(&self, to: SocketAddr) -> Option<Connection> {
        let mut idle = self.idle();
        let kept = idle.get_mut(&to)?;
        // A node closes what has said nothing for a while, and a killed one everything.
        kept.retain(|connection| !connection.is_closed());
        kept.pop()
    }

    fn keep(&self, to: SocketAddr, connection: Connection) {
        let mut idle = self.idle();
        let kept = idle.entry(to).or_default();
        if kept.len() < KEPT {
            kept.push(connection);
        }
    }

    fn idle(&self) -> MutexGuard<'_, HashMap<SocketAddr, Vec<Connection>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn connect(to: SocketAddr) -> Result<Connection> {
    let stream = TcpStream::connect(to).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = handshake(TokioIo::new(stream)).await?;
    // It ends when the sender is dropped.
    tokio::spawn(connection);
    Ok(sender)
}
