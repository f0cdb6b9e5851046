//! One raw HTTP/1.1 request from bytes, read by the same server as those from the network.

use std::{
    convert::Infallible,
    io,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::body::read_whole_request;
use akgate_net::{
    fair_budget::{FairBudget, Part},
    framing::FramedRequests,
    received_body::BodyLimits,
    request_head::settle_head,
};
use akgate_rules::{fault::Fault, request::RawRequest};

/// Reads exactly one request: nothing may be missing, and nothing may follow it.
///
/// # Errors
/// [`Fault::InvalidRequest`] where the server does not take the bytes for one whole request, or bytes
/// are left over; else as [`read_whole_request`].
pub async fn read_single_request(bytes: Bytes, limits: BodyLimits) -> Result<RawRequest, Fault> {
    let received = Arc::new(Mutex::new(None));
    let memory = FairBudget::new(u64::MAX);
    let claimant = memory.claimant("the only one", Part::Whole);
    let service = service_fn(|mut request: http::Request<Incoming>| {
        let (received, memory) = (Arc::clone(&received), Arc::clone(&memory));
        async move {
            let outcome = match settle_head(&mut request) {
                Ok(()) => read_whole_request(request, limits, &memory, claimant).await,
                Err(fault) => Err(Fault::InvalidRequest(fault.to_string().into())),
            };
            let outcome = outcome.map(|(request, _)| request);
            if let Ok(mut slot) = received.lock() {
                *slot = Some(outcome);
            }
            Ok::<_, Infallible>(http::Response::new(Empty::<Bytes>::new()))
        }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        // The input ends with the request: that must not count as hanging up.
        .half_close(true)
        .serve_connection(TokioIo::new(FramedRequests::new(Script(bytes))), service)
        .without_shutdown()
        .await;
    let outcome = received.lock().ok().and_then(|mut slot| slot.take());
    match (outcome, connection) {
        (Some(Ok(request)), Ok(parts)) => {
            let unread = parts.io.into_inner().into_inner().0;
            if parts.read_buf.is_empty() && unread.is_empty() {
                Ok(request)
            } else {
                Err(Fault::InvalidRequest("bytes follow its body".into()))
            }
        }
        (Some(Err(fault)), _) => Err(fault),
        (Some(Ok(_)) | None, Err(fault)) => Err(Fault::InvalidRequest(
            format!("this is no whole HTTP/1.1 request ({fault})").into(),
        )),
        (None, Ok(_)) => Err(Fault::InvalidRequest("nothing was sent".into())),
    }
}

/// A peer that sends its bytes and discards the answer.
struct Script(Bytes);

impl AsyncRead for Script {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let some = self.0.len().min(buf.remaining());
        let next = self.0.split_to(some);
        buf.put_slice(&next);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Script {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<RawRequest, Fault> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(read_single_request(
            Bytes::copy_from_slice(text.as_bytes()),
            BodyLimits {
                bytes: 16,
                ..BodyLimits::default()
            },
        ))
    }

    #[test]
    fn chunked_body_is_joined() {
        let request = read(
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n1\r\nd\r\n0\r\n\r\n",
        );
        assert_eq!(request.unwrap().body, "abcd");
    }

    #[test]
    fn what_is_not_exactly_one_request_is_refused() {
        for text in [
            "",
            "\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nx",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nab",
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcd",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Acs-A: b\r\n\r\n",
            "SPEAK FRIEND",
        ] {
            assert_eq!(read(text).unwrap_err().code(), "InvalidRequest", "{text:?}");
        }
    }

    #[test]
    fn body_over_the_limit_is_refused_whether_announced_or_not() {
        for text in [
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 17\r\n\r\n12345678901234567",
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n11\r\n12345678901234567\r\n0\r\n\r\n",
        ] {
            assert_eq!(read(text).unwrap_err(), Fault::BodyTooLarge(16));
        }
    }
}
