//! Which form the caller wants akgate's own answers in. Nothing else hangs on it, so it may be read
//! from unsigned and even from malformed requests.

use http::HeaderMap;

/// The form of an error body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorFormat {
    /// `application/json;charset=utf-8`, the default: two of the main clients read nothing else.
    Json,
    /// `text/xml;charset=utf-8`, for a caller that asks for it.
    Xml,
}

impl ErrorFormat {
    /// The `ErrorFormat` parameter of query or form, else `Accept`, else JSON.
    #[must_use]
    pub fn asked_for(query: &[u8], body: &[u8], headers: &HeaderMap) -> Self {
        let parameter = [query, body]
            .into_iter()
            .flat_map(|pairs| pairs.split(|byte| *byte == b'&'))
            .find_map(|pair| pair.strip_prefix(b"Format="));
        let wants_xml = match parameter {
            Some(format) => format.eq_ignore_ascii_case(b"xml"),
            None => headers
                .get(http::header::ACCEPT)
                .and_then(|accept| accept.to_str().ok())
                .is_some_and(|accept| accept.contains("xml") && !accept.contains("json")),
        };
        if wants_xml { Self::Xml } else { Self::Json }
    }
}
