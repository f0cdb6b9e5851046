//! First station: the whole request in memory, bounded.

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use crate::{fault::Fault, request::RawRequest};

/// How much of a request is taken in. A limit refuses; it never truncates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest body, in bytes.
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 1 << 20 }
    }
}

/// Reads a request's body to its end.
///
/// # Errors
/// [`Fault::BodyTooLarge`]; [`Fault::InvalidRequest`] for a body that ends early, is framed wrongly or
/// carries trailers, which nothing signs.
pub async fn receive<B>(request: http::Request<B>, limits: Limits) -> Result<RawRequest, Fault>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    if body.size_hint().lower() > limits.body as u64 {
        return Err(Fault::BodyTooLarge(limits.body));
    }
    let collected = Limited::new(body, limits.body)
        .collect()
        .await
        .map_err(|fault| {
            if fault.is::<LengthLimitError>() {
                Fault::BodyTooLarge(limits.body)
            } else {
                Fault::InvalidRequest("its body ends early or is framed wrongly".into())
            }
        })?;
    if collected.trailers().is_some() {
        return Err(Fault::InvalidRequest("it carries trailers".into()));
    }
    Ok(RawRequest {
        head,
        body: collected.to_bytes(),
    })
}
