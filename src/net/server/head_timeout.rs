//! A timeout for the head of a request, counted from its first byte and not from when the connection became idle. hyper
//! has only one limit for both, which is used for the idle time.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use axum_server::accept::Accept;
use futures_core::future::BoxFuture;
use pin_project_lite::pin_project;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep},
};
use tower::Service;

/// Accepts connections whose heads have to arrive in time.
#[derive(Clone)]
pub(super) struct HeadTimeoutAcceptor<A> {
    pub inner: A,
    pub head_timeout: Duration,
}

impl<A, I, S> Accept<I, S> for HeadTimeoutAcceptor<A>
where
    A: Accept<I, S, Future: Send + 'static>,
{
    type Stream = HeadTimeoutStream<A::Stream>;
    type Service = PhaseService<A::Service>;
    type Future = BoxFuture<'static, io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: I, service: S) -> Self::Future {
        let accepting = self.inner.accept(stream, service);
        let head_timeout = self.head_timeout;
        Box::pin(async move {
            let (io, service) = accepting.await?;
            let phase = Phase::default();
            let stream = HeadTimeoutStream {
                io,
                head_timeout,
                phase: phase.clone(),
                begun_in: None,
                end: None,
            };
            Ok((stream, PhaseService { service, phase }))
        })
    }
}

/// Counts the beginnings and ends of calls on a connection: even while a head is waited for, odd while a call is served.
#[derive(Clone, Default)]
struct Phase(Arc<AtomicU64>);

impl Phase {
    fn advance(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection that fails where a head takes too long.
pub(super) struct HeadTimeoutStream<I> {
    io: I,
    head_timeout: Duration,
    phase: Phase,
    /// The phase in which the head began that is waited for.
    begun_in: Option<u64>,
    /// Made with the first head that does not arrive at once, and used again.
    end: Option<Pin<Box<Sleep>>>,
}

impl<I> HeadTimeoutStream<I> {
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
        let end = Instant::now() + self.head_timeout;
        match &mut self.end {
            Some(sleep) => sleep.as_mut().reset(end),
            None => self.end = Some(Box::pin(tokio::time::sleep_until(end))),
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for HeadTimeoutStream<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.io).poll_read(context, buffer);
        let phase = self.phase.now();
        if !phase.is_multiple_of(2) {
            return polled;
        }
        if polled.is_pending() {
            ready!(self.poll_end(phase, context));
            return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
        }
        if buffer.filled().len() > before && self.begun_in != Some(phase) {
            self.begin_head(phase);
        }
        polled
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for HeadTimeoutStream<I> {
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

/// Tells the connection when a call begins and when it is answered.
#[derive(Clone)]
pub(super) struct PhaseService<S> {
    service: S,
    phase: Phase,
}

impl<S: Service<R>, R> Service<R> for PhaseService<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = PhaseFuture<S::Future>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.phase.advance();
        PhaseFuture {
            call: self.service.call(request),
            phase: self.phase.clone(),
        }
    }
}

pin_project! {
    /// A call that is under way.
    pub(super) struct PhaseFuture<F> {
        #[pin]
        call: F,
        phase: Phase,
    }
}

impl<F: Future> Future for PhaseFuture<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let answered = ready!(this.call.poll(context));
        this.phase.advance();
        Poll::Ready(answered)
    }
}
