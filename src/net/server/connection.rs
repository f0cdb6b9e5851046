//! One connection: its heads have to arrive in time and within memory, and it closes where another needs its room.
//!
//! How long a head may take counts from its first byte, whatever time the connection lay idle before. hyper has one limit
//! for both, and it is used for the idle time.

use std::{
    future::{Future, poll_fn},
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use axum_server::accept::Accept;
use futures_core::future::BoxFuture;
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::{Instant, Sleep},
};
use tower::Service;

use super::{
    connections::{ConnectionSeat, ConnectionTable, OpenConnection},
    peers::TrustedProxies,
};
use crate::{framing::FramedRequests, metrics::Metrics};

/// Accepts connections within the limits of a listener.
#[derive(Clone)]
pub(super) struct ConnectionAcceptor<A> {
    pub inner: A,
    pub head_timeout: Duration,
    pub table: Arc<ConnectionTable>,
    pub proxies: TrustedProxies,
    pub metrics: Arc<Metrics>,
}

impl<A> ConnectionAcceptor<A> {
    /// The same limits around another acceptor.
    pub fn with_inner<B>(self, inner: B) -> ConnectionAcceptor<B> {
        ConnectionAcceptor {
            inner,
            head_timeout: self.head_timeout,
            table: self.table,
            proxies: self.proxies,
            metrics: self.metrics,
        }
    }
}

impl<A, S> Accept<TcpStream, S> for ConnectionAcceptor<A>
where
    A: Accept<TcpStream, S, Future: Send + 'static>,
{
    type Stream = FramedRequests<ConnectionStream<A::Stream>>;
    type Service = PhaseService<A::Service>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let admitted = stream.peer_addr().and_then(|socket| {
            let ip = socket.ip().to_canonical();
            let admitted = self.table.admit(ip, self.proxies.contains(ip));
            admitted.map_err(|fault| {
                self.metrics.turned_away("connections", fault);
                io::ErrorKind::ConnectionRefused.into()
            })
        });
        let accepting = self.inner.accept(stream, service);
        let head_timeout = self.head_timeout;
        Box::pin(async move {
            let open = admitted?;
            let seat = Arc::clone(&open.seat);
            let (io, service) = tokio::select! {
                accepted = accepting => accepted?,
                fault = poll_fn(|context| seat.poll_close(context)) => return Err(fault),
            };
            let stream = ConnectionStream {
                io,
                head_timeout,
                open,
                begun_in: None,
                end: None,
            };
            Ok((FramedRequests::new(stream), PhaseService { service, seat }))
        })
    }
}

/// A connection that fails where a head takes too long, where it takes too much memory, and where it has to make room.
pub(super) struct ConnectionStream<I> {
    io: I,
    head_timeout: Duration,
    open: OpenConnection,
    /// The phase in which the head began that is waited for.
    begun_in: Option<u64>,
    /// Made with the first head that does not arrive at once, and used again.
    end: Option<Pin<Box<Sleep>>>,
}

impl<I> ConnectionStream<I> {
    /// Whether the head that has begun is too late.
    fn poll_end(&mut self, begun_in: u64, context: &mut Context<'_>) -> Poll<()> {
        if self.begun_in != Some(begun_in) {
            return Poll::Pending;
        }
        match &mut self.end {
            Some(end) => end.as_mut().poll(context),
            None => Poll::Pending,
        }
    }

    fn begin_head(&mut self, phase: u64) {
        self.begun_in = Some(phase);
        self.open.begin_head();
        let end = Instant::now() + self.head_timeout;
        match &mut self.end {
            Some(sleep) => sleep.as_mut().reset(end),
            None => self.end = Some(Box::pin(tokio::time::sleep_until(end))),
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for ConnectionStream<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(context, buffer);
        if polled.is_pending()
            && let Poll::Ready(fault) = self.open.seat.poll_close(context)
        {
            return Poll::Ready(Err(fault));
        }
        let phase = self.open.seat.phase();
        if !phase.is_multiple_of(2) {
            return polled;
        }
        if polled.is_pending() {
            ready!(self.poll_end(phase, context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        let arrived = buffer.filled().len() - before;
        if arrived > 0 && self.begun_in != Some(phase) {
            self.begin_head(phase);
        }
        match self.open.charge_head(arrived) {
            Ok(()) => polled,
            Err(fault) => Poll::Ready(Err(fault)),
        }
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for ConnectionStream<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }
}

/// Tells the connection when a call begins and when it is answered, and the call of its connection.
#[derive(Clone)]
pub(super) struct PhaseService<S> {
    service: S,
    seat: Arc<ConnectionSeat>,
}

impl<S, B> Service<http::Request<B>> for PhaseService<S>
where
    S: Service<http::Request<B>>,
    B: Body,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = PhaseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        self.seat.advance_phase();
        if !request.body().is_end_stream() {
            request.extensions_mut().insert(Arc::clone(&self.seat));
        }
        PhaseFuture {
            call: self.service.call(request),
            seat: Arc::clone(&self.seat),
        }
    }
}

pin_project! {
    /// A call that is under way.
    pub(super) struct PhaseFuture<F> {
        #[pin]
        call: F,
        seat: Arc<ConnectionSeat>,
    }
}

impl<F: Future> Future for PhaseFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answered = ready!(this.call.poll(context));
        this.seat.advance_phase();
        Poll::Ready(answered)
    }
}
