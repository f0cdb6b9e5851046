//! Reading a request's body whole: within a size, within a time, at a least rate, and within the memory that all callers
//! share who are not known yet.

use std::{pin::pin, sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    Request, StatusCode,
    header::{self, HeaderName},
    request::Parts,
};
use http_body::Body;
use http_body_util::BodyExt;
use tokio::time::Instant;

use crate::{
    fair_budget::{BudgetFault, BudgetShare, Claimant, FairBudget},
    peer::Peer,
    request_memory::memory_claimant,
    server::ConnectionSeat,
};

/// How a body has to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimits {
    /// The longest body, in bytes.
    pub bytes: usize,
    /// How long a body may take to arrive.
    pub timeout: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            bytes: 1 << 20,
            timeout: Duration::from_secs(30),
        }
    }
}

/// How long a body may take before its rate counts.
const GRACE: Duration = Duration::from_secs(10);

/// The least rate after that, in bytes a second.
const LEAST_RATE: u64 = 1024;

/// A body is joined of its pieces and read into values.
const MEMORY_PER_BYTE: u64 = 4;

/// Why a body is not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyFault {
    /// It is longer than the limit.
    TooLong,
    /// It arrives too slowly.
    TooSlow,
    /// It ends early or is framed wrongly.
    Broken,
    /// It has a trailer that belongs into the head.
    Trailers,
    /// No memory is left for it.
    NoMemory(BudgetFault),
}

impl BodyFault {
    /// The HTTP status of the admin API and the pages.
    #[must_use]
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken | Self::Trailers => StatusCode::BAD_REQUEST,
            Self::NoMemory(BudgetFault::Greedy) => StatusCode::TOO_MANY_REQUESTS,
            Self::NoMemory(BudgetFault::Exhausted) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// A body in memory.
#[derive(Debug)]
pub struct ReceivedBody {
    /// All of it.
    pub bytes: Bytes,
    /// Its part of the shared memory; `None` for an empty body.
    pub share: Option<BudgetShare<1>>,
}

/// Reads a body to its end. Memory is charged to the claimant as it arrives: who announces much and sends nothing holds
/// none.
///
/// # Errors
/// [`BodyFault`].
async fn receive_body<B>(
    body: B,
    limits: BodyLimits,
    memory: &Arc<FairBudget>,
    claimant: Claimant,
) -> Result<ReceivedBody, BodyFault>
where
    B: Body<Data = Bytes>,
{
    let mut body = pin!(body);
    let mut received = ReceivedBody {
        bytes: Bytes::new(),
        share: None,
    };
    if body.is_end_stream() {
        return Ok(received);
    }
    if body.size_hint().lower() > limits.bytes as u64 {
        return Err(BodyFault::TooLong);
    }
    let began = Instant::now();
    let mut joined: Option<BytesMut> = None;
    let mut length = 0_usize;
    loop {
        let in_rate = GRACE + Duration::from_secs(length as u64 / LEAST_RATE);
        let end = began + limits.timeout.min(in_rate);
        let frame = match tokio::time::timeout_at(end, body.frame()).await {
            Err(_) => return Err(BodyFault::TooSlow),
            Ok(None) => break,
            Ok(Some(Err(_))) => return Err(BodyFault::Broken),
            Ok(Some(Ok(frame))) => frame,
        };
        let chunk = match frame.into_data() {
            Ok(chunk) => chunk,
            Err(frame) => match frame.into_trailers() {
                // Any other trailer is dropped: it says nothing that anybody reads.
                Ok(trailers) if !trailers.keys().any(belongs_into_head) => continue,
                Ok(_) | Err(_) => return Err(BodyFault::Trailers),
            },
        };
        length = length.saturating_add(chunk.len());
        if length > limits.bytes {
            return Err(BodyFault::TooLong);
        }
        let more = (chunk.len() as u64).saturating_mul(MEMORY_PER_BYTE);
        match &mut received.share {
            Some(share) => share.grow(more).map_err(BodyFault::NoMemory)?,
            None => {
                let taken = memory.take([claimant], more);
                received.share = Some(taken.map_err(BodyFault::NoMemory)?);
            }
        }
        match &mut joined {
            Some(joined) => joined.extend_from_slice(&chunk),
            None if received.bytes.is_empty() => received.bytes = chunk,
            None => {
                let mut both = BytesMut::with_capacity(length);
                both.extend_from_slice(&received.bytes);
                both.extend_from_slice(&chunk);
                joined = Some(both);
            }
        }
    }
    if let Some(joined) = joined {
        received.bytes = joined.freeze();
    }
    Ok(received)
}

/// Whether a header decides about framing, routing, authentication or the form of the content, so that it cannot come
/// after the body (RFC 9110, section 6.5.1).
fn belongs_into_head(name: &HeaderName) -> bool {
    const NAMES: [HeaderName; 14] = [
        header::AUTHORIZATION,
        header::CONNECTION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_RANGE,
        header::CONTENT_TYPE,
        header::COOKIE,
        header::DATE,
        header::EXPECT,
        header::HOST,
        header::TE,
        header::TRAILER,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ];
    let family = ["proxy-", "x-acs-", "x-akgate-", "x-forwarded-", "x-http-"];
    NAMES.contains(name)
        || family
            .iter()
            .any(|prefix| name.as_str().starts_with(prefix))
}

/// Takes a request apart and reads its body to its end; meanwhile its connection can be closed to make room.
///
/// # Errors
/// [`BodyFault`].
pub async fn receive_request<B>(
    request: Request<B>,
    limits: BodyLimits,
    memory: &Arc<FairBudget>,
    claimant: Claimant,
) -> Result<(Parts, ReceivedBody), BodyFault>
where
    B: Body<Data = Bytes>,
{
    let (mut head, body) = request.into_parts();
    let seat = head.extensions.remove::<Arc<ConnectionSeat>>();
    let _receiving = seat.as_ref().map(ConnectionSeat::receive);
    let received = receive_body(body, limits, memory, claimant).await?;
    Ok((head, received))
}

/// Reads the bodies of requests for routers whose handlers take them as they come.
#[derive(Debug, Clone)]
pub struct BodyBuffer {
    /// How they have to arrive.
    pub limits: BodyLimits,
    /// Where their memory is charged.
    pub memory: Arc<FairBudget>,
}

impl BodyBuffer {
    /// Reads the body of a request; the same request, with its body in memory, and its part of the shared memory.
    ///
    /// # Errors
    /// [`BodyFault`].
    pub async fn fill(
        &self,
        request: Request<axum::body::Body>,
    ) -> Result<(Request<axum::body::Body>, Option<BudgetShare<1>>), BodyFault> {
        let peer: Peer = request.extensions().get().copied().unwrap_or_default();
        let claimant = memory_claimant(&self.memory, peer.ip);
        let receiving = receive_request(request, self.limits, &self.memory, claimant);
        let (head, received) = receiving.await?;
        Ok((
            Request::from_parts(head, received.bytes.into()),
            received.share,
        ))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::VecDeque,
        convert::Infallible,
        pin::Pin,
        task::{Context, Poll},
    };

    use http_body::Frame;

    use super::*;
    use crate::fair_budget::Part;

    /// Gives its pieces, and then nothing more without an end.
    struct Pieces(VecDeque<Bytes>, bool);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            match self.0.pop_front() {
                Some(piece) => Poll::Ready(Some(Ok(Frame::data(piece)))),
                None if self.1 => Poll::Ready(None),
                None => Poll::Pending,
            }
        }
    }

    #[tokio::test]
    async fn body_is_joined_charged_and_bounded_in_size_time_and_memory() {
        let memory = FairBudget::new(2000);
        let read = async |pieces: usize, ends: bool, bytes: usize| {
            let body = Pieces(vec![Bytes::from_static(&[7; 100]); pieces].into(), ends);
            let limits = BodyLimits {
                bytes,
                timeout: Duration::from_millis(50),
            };
            receive_body(body, limits, &memory, memory.claimant("one", Part::Whole)).await
        };
        let whole = read(4, true, 400).await.unwrap();
        assert_eq!((whole.bytes.len(), memory.used()), (400, 1600));
        drop(whole);
        assert_eq!(read(4, true, 399).await.unwrap_err(), BodyFault::TooLong);
        assert_eq!(read(4, false, 400).await.unwrap_err(), BodyFault::TooSlow);
        let exhausted = read(6, true, 600).await.unwrap_err();
        assert!(matches!(exhausted, BodyFault::NoMemory(_)), "{exhausted:?}");
        assert_eq!(memory.used(), 0);
    }
}
