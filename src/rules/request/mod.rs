//! Parses a request, exactly once.
//!
//! [`ApiRequest::parse`] turns what was received into one value, or refuses it; everything later (the
//! MAC, the decision, the request that upstream gets) is made from that value and never from the
//! received bytes. Anything that two readers could read differently is refused, never resolved.

pub mod body;
pub mod format;
pub mod headers;
pub mod parameters;
pub mod reserved;
pub mod style;

use bytes::Bytes;
use http::Method;
use time::OffsetDateTime;

use self::{
    body::{BodyType, body_members},
    headers::Headers,
    parameters::{Parameters, decode_pairs},
};
use crate::{
    access_key::{AccessKeyId, SecurityToken},
    fault::Fault,
    signature::{Scheme, acs3, roa, rpc},
};

/// The longest nonce that is kept, in bytes. Clients send UUIDs and hashes.
const MAX_NONCE: usize = 256;

/// A request as received, with a parsed head and the whole body in memory.
#[derive(Debug, Clone)]
pub struct RawRequest {
    /// Method, target and headers.
    pub head: http::request::Parts,
    /// The body, after de-chunking.
    pub body: Bytes,
}

/// What a request claims, before it is verified.
#[derive(Debug, Clone, PartialEq)]
pub struct SignatureClaim {
    /// The AccessKeyId that it names.
    pub access_key_id: AccessKeyId,
    /// The session's token, where there is one.
    pub security_token: Option<SecurityToken>,
    /// What makes the request unique; ROA clients may leave it out, then the MAC takes its place.
    pub nonce: String,
    /// When it was signed, UTC.
    pub signed_at: OffsetDateTime,
    /// The MAC, decoded.
    pub signature: Vec<u8>,
}

/// Which API operation is meant, in the caller's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationName {
    /// API version, a date.
    pub version: String,
    /// Action; `None` where an ROA request names none.
    pub action: Option<String>,
}

/// The one canonical reading of a request.
#[derive(Debug, Clone, PartialEq)]
pub struct ApiRequest {
    /// The method, which every scheme signs.
    pub method: Method,
    /// The path as written.
    pub path: String,
    /// The operation that is judged and executed.
    pub operation: OperationName,
    /// Who is said to have signed it; `None` for the two calls that carry no AccessKey.
    pub claim: Option<SignatureClaim>,
    /// How it is signed, with exactly what that covers.
    pub scheme: Scheme,
}

/// The longest name of an action or a version, in bytes.
const MAX_OPERATION_NAME: usize = 128;

impl OperationName {
    /// Names an operation.
    ///
    /// # Errors
    /// [`Fault::InvalidParameter`] for a name that no operation has: 1 to 128 letters, digits, `.`, `_` and `-`.
    pub fn new(version: String, action: Option<String>) -> Result<Self, Fault> {
        let is_name = |text: &str| {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
            (1..=MAX_OPERATION_NAME).contains(&text.len()) && text.bytes().all(plain)
        };
        let wrong = match &action {
            Some(action) if !is_name(action) => Some("Action"),
            Some(_) | None => None,
        };
        match wrong.or((!is_name(&version)).then_some("Version")) {
            Some(name) => Err(Fault::parameter(
                name,
                "it must be 1 to 128 letters, digits, '.', '_' or '-'",
            )),
            None => Ok(Self { version, action }),
        }
    }
}

impl ApiRequest {
    /// Reads a request.
    ///
    /// # Errors
    /// The first [`Fault`] in the order of the table in `docs/faults.md`.
    pub fn parse(raw: &RawRequest) -> Result<Self, Fault> {
        let headers = Headers::read(&raw.head.headers)?;
        let (path, query) = split_target(&raw.head.uri)?;
        let method = check_method(&raw.head.method, &raw.body)?;
        if headers.get("content-encoding")?.is_some() {
            return Err(Fault::parameter(
                "Content-Encoding",
                "send the body uncompressed",
            ));
        }
        let content_type = headers.get("content-type")?;
        let body_type = BodyType::read(content_type)?;
        let message = RequestParts {
            method,
            path,
            query: decode_pairs(query.as_bytes())?,
            members: body_members(body_type, &raw.body)?,
            body_type,
            body: raw.body.clone(),
            headers,
        };
        match message.headers.get("authorization")? {
            Some(authorization) => match authorization.split_once(' ') {
                Some(("acs", credentials)) => roa::parse(&message, credentials),
                Some((algorithm, fields)) => acs3::parse(&message, algorithm, fields),
                None => Err(Fault::IncompleteSignature(
                    "The Authorization header names no signature.".into(),
                )),
            },
            None => rpc::parse(message),
        }
    }

    /// The headers that are forwarded: those that the caller signed. RPC signs none.
    #[must_use]
    pub fn forwarded_headers(&self) -> &[(String, String)] {
        match &self.scheme {
            Scheme::Rpc(_) => &[],
            Scheme::Roa(request) => &request.acs_headers,
            Scheme::Acs3(request) => &request.signed_headers,
        }
    }

    /// The `Host` that the caller signed; only ACS3 signs one.
    #[must_use]
    pub fn signed_host(&self) -> Option<&str> {
        match &self.scheme {
            Scheme::Acs3(request) => request.signed_header("host"),
            Scheme::Rpc(_) | Scheme::Roa(_) => None,
        }
    }

    /// Every parameter that the request carries, wherever it stands.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        match &self.scheme {
            Scheme::Rpc(request) => &request.parameters,
            Scheme::Roa(request) => &request.parameters,
            Scheme::Acs3(request) => &request.parameters,
        }
    }
}

/// A request taken apart but not yet understood: what the three schemes read from.
pub(crate) struct RequestParts<'r> {
    pub method: Method,
    pub path: &'r str,
    pub query: Vec<(String, String)>,
    pub members: Vec<(String, body::BodyMember)>,
    pub body_type: BodyType,
    pub body: Bytes,
    pub headers: Headers<'r>,
}

impl RequestParts<'_> {
    /// Query and body members as one list, each name once.
    pub fn all_parameters(&self) -> Result<Parameters, Fault> {
        Parameters::collect(
            self.query
                .iter()
                .cloned()
                .chain(
                    self.members
                        .iter()
                        .cloned()
                        .map(|(name, member)| (name, member.into_text())),
                )
                .collect(),
        )
    }

    /// Version and action of the schemes that carry both in signed headers.
    pub fn operation_from_headers(&self, parameters: &Parameters) -> Result<OperationName, Fault> {
        let one = |header: &'static str, name: &'static str| match (
            self.headers.get(header)?,
            parameters.get(name),
        ) {
            (Some(_), Some(_)) => Err(Fault::parameter(
                name,
                format!("it is given as a parameter and in {header}"),
            )),
            (Some(value), None) | (None, Some(value)) => Ok(Some(value.to_owned())),
            (None, None) => Ok(None),
        };
        OperationName::new(
            one("x-acs-version", "Version")?.ok_or(Fault::Missing("Version"))?,
            one("x-acs-action", "Action")?,
        )
    }

    /// Refuses credentials of the RPC style in a request that is signed in a header.
    pub fn refuse_rpc_credentials(&self, parameters: &Parameters) -> Result<(), Fault> {
        match rpc::CREDENTIAL_PARAMETERS
            .iter()
            .find(|name| parameters.get(name).is_some())
        {
            Some(name) => Err(Fault::parameter(
                *name,
                "the request is signed in the Authorization header",
            )),
            None => Ok(()),
        }
    }

    /// Token and key id of a session, from headers; the id must repeat the one that signs.
    pub fn token_from_headers(&self, signer: &AccessKeyId) -> Result<Option<SecurityToken>, Fault> {
        match self.headers.get("x-acs-accesskey-id")? {
            Some(id) if id != signer.as_str() => {
                return Err(Fault::parameter(
                    "x-acs-accesskey-id",
                    "it is not the AccessKeyId that signs",
                ));
            }
            Some(_) | None => {}
        }
        Ok(self
            .headers
            .get("x-acs-security-token")?
            .map(|token| SecurityToken::new(token.to_owned())))
    }

    /// Refuses a request with a bearer token.
    pub fn refuse_bearer(&self, parameters: &Parameters) -> Result<(), Fault> {
        let named = parameters
            .get("SignatureType")
            .or(self.headers.get("x-acs-signature-type")?)
            .filter(|named| !named.is_empty());
        let carried = self
            .headers
            .get("x-acs-bearer-token")?
            .map(|_| "BEARERTOKEN");
        match named.or(carried) {
            Some(name) => Err(Fault::InvalidSignatureMethod(name.to_owned())),
            None => Ok(()),
        }
    }
}

/// Checks a nonce's length; the client chooses its format.
pub(crate) fn check_nonce(text: Option<&str>) -> Result<String, Fault> {
    match text.unwrap_or_default() {
        "" => Err(Fault::Missing("SignatureNonce")),
        text if text.len() > MAX_NONCE => Err(Fault::parameter(
            "SignatureNonce",
            format!("it is longer than {MAX_NONCE} bytes"),
        )),
        text => Ok(text.to_owned()),
    }
}

/// Reads the AccessKeyId of a signature.
pub(crate) fn parse_access_key_id(text: &str) -> Result<AccessKeyId, Fault> {
    AccessKeyId::parse(text).map_err(|fault| Fault::parameter("AccessKeyId", fault.to_string()))
}

fn split_target(uri: &http::Uri) -> Result<(&str, &str), Fault> {
    if uri.authority().is_some() || uri.scheme().is_some() || !uri.path().starts_with('/') {
        return Err(Fault::InvalidRequest(
            "the target must be a path, not a URL".into(),
        ));
    }
    Ok((uri.path(), uri.query().unwrap_or_default()))
}

fn check_method(method: &Method, body: &Bytes) -> Result<Method, Fault> {
    match *method {
        Method::GET if !body.is_empty() => Err(Fault::InvalidRequest(
            "a GET request carries no body".into(),
        )),
        Method::GET | Method::POST | Method::PUT | Method::DELETE | Method::PATCH => {
            Ok(method.clone())
        }
        _ => Err(Fault::UnsupportedHttpMethod),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn name_that_no_operation_has_is_refused() {
        let named = |version: &str, action: &str| {
            OperationName::new(version.to_owned(), Some(action.to_owned())).is_ok()
        };
        assert!(named("2015-05-01", "CreateUser") && named("1.0", "a_b-c.D9"));
        let long = "a".repeat(129);
        for odd in ["", "a b", "a/b", "a\u{0}", "\u{202e}a", "张", long.as_str()] {
            assert!(
                !named("2015-05-01", odd) && !named(odd, "CreateUser"),
                "{odd}"
            );
        }
    }
}
