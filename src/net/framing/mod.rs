//! Lets only requests with unambiguous framing reach the HTTP library, which is more lenient than the parsers behind it.
//!
//! The library has no setting for bare line feeds in heads, blanks in chunk sizes or two equal lengths, and hides the last.
//! Where a head is refused, the stream gives the library a byte that no head may hold, so that it answers 400 and closes;
//! where the framing of a body is refused, reading the body fails, and the handler answers 400.

mod grammar;

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use pin_project_lite::pin_project;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

pub use self::grammar::MAX_CONTENT_LENGTH;
use self::grammar::{Disallowed, RequestGrammar};

/// The end of a head that every parser refuses.
const REFUSED_HEAD: &[u8] = b"\0\r\n\r\n";

pin_project! {
    /// A stream of requests whose framing is checked before anything reads it.
    pub struct FramedRequests<I> {
        #[pin]
        inner: I,
        grammar: RequestGrammar,
        refused: Option<Refused>,
    }
}

/// What is still to be given after a byte was refused.
enum Refused {
    /// The rest of a head that no parser takes, and then the end.
    Head(&'static [u8]),
    /// A body that cannot be read on.
    Body,
}

impl<I> FramedRequests<I> {
    /// Checks what this stream gives.
    pub fn new(inner: I) -> Self {
        Self {
            inner,
            grammar: RequestGrammar::default(),
            refused: None,
        }
    }

    /// The stream inside.
    pub fn into_inner(self) -> I {
        self.inner
    }
}

impl<I: AsyncRead> AsyncRead for FramedRequests<I> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.project();
        if this.refused.is_none() {
            let before = buffer.filled().len();
            let polled = this.inner.poll_read(context, buffer);
            let arrived = buffer.filled().get(before..).unwrap_or_default();
            let Err(Disallowed { at, in_head }) = this.grammar.read(arrived) else {
                return polled;
            };
            buffer.set_filled(before + at);
            *this.refused = Some(match in_head {
                true => Refused::Head(REFUSED_HEAD),
                false => Refused::Body,
            });
            if at > 0 {
                return Poll::Ready(Ok(()));
            }
        }
        Poll::Ready(match this.refused {
            Some(Refused::Head(rest)) => {
                let (here, later) = rest.split_at(rest.len().min(buffer.remaining()));
                buffer.put_slice(here);
                *rest = later;
                Ok(())
            }
            Some(Refused::Body) | None => Err(io::ErrorKind::InvalidData.into()),
        })
    }
}

impl<I: AsyncWrite> AsyncWrite for FramedRequests<I> {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write(context, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().inner.poll_shutdown(context)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().inner.poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}
