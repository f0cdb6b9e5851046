//! Reads a whole request within limits. A limit refuses; it never truncates.

use bytes::Bytes;
use http_body::Body;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use akgate_rules::{fault::Fault, request::RawRequest};

/// The limits of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BodyLimit {
    /// The longest body, in bytes.
    pub bytes: usize,
}

impl Default for BodyLimit {
    fn default() -> Self {
        Self { bytes: 1 << 20 }
    }
}

/// Reads a request's body to its end.
///
/// # Errors
/// [`Fault::BodyTooLarge`]; [`Fault::InvalidRequest`] for a body that ends early, is framed wrongly or
/// carries trailers, which nothing signs.
pub async fn read_whole_request<B>(
    request: http::Request<B>,
    limit: BodyLimit,
) -> Result<RawRequest, Fault>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (head, body) = request.into_parts();
    if body.size_hint().lower() > limit.bytes as u64 {
        return Err(Fault::BodyTooLarge(limit.bytes));
    }
    let collected = Limited::new(body, limit.bytes)
        .collect()
        .await
        .map_err(|fault| {
            if fault.is::<LengthLimitError>() {
                Fault::BodyTooLarge(limit.bytes)
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
