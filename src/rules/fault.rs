//! Every fault that a caller can get: one enum defines code, status and message.
//!
//! Codes and messages are those of the service that the SDKs know (POP's gateway wording for RAM, IMS
//! and STS), so that an unmodified client raises its own exception. The faults stand here in the
//! order in which they are reported; `docs/faults.md` prints the same table and a test holds the two
//! together.

use std::borrow::Cow;

use http::StatusCode;

/// Why a request is refused: by verification, by policy, or because akgate or an upstream failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The bytes are no HTTP/1.1 request, or one that two readers could read differently.
    InvalidRequest(Cow<'static, str>),
    /// The body is longer than the limit, in bytes.
    BodyTooLarge(usize),
    /// A method that no API operation uses.
    UnsupportedHttpMethod,
    /// A parameter or header that is malformed, given twice, or given where it does not count.
    InvalidParameter {
        /// The parameter or header, as the caller wrote it.
        name: String,
        /// What is wrong with it, and what to do.
        reason: Cow<'static, str>,
    },
    /// The signature algorithm is not one of those that are verified here.
    InvalidSignatureMethod(String),
    /// A mandatory parameter is absent; its name in the RPC style.
    Missing(&'static str),
    /// The signature or its header does not have the form it should have.
    IncompleteSignature(Cow<'static, str>),
    /// The signed time is not of the form `yyyy-MM-ddTHH:mm:ssZ`, or an HTTP date in the ROA style.
    TimestampFormat,
    /// The signed time is more than 15 minutes away from ours.
    TimestampExpired,
    /// The AccessKeyId is unknown.
    AccessKeyNotFound,
    /// The key is disabled.
    AccessKeyInactive,
    /// The session has ended.
    SecurityTokenExpired,
    /// The token is not the one that was issued with this AccessKeyId.
    SecurityTokenMismatch,
    /// The MAC does not match.
    SignatureMismatch(SignatureMismatch),
    /// The MAC matches, but the body's MD5 does not: ROA signs only `Content-MD5`.
    ContentMd5NotMatched,
    /// A request with this nonce was seen before.
    NonceUsed,
    /// The caller has caused too many lookups or used too many nonces.
    Throttled,
    /// No upstream for this API version.
    InvalidVersion,
    /// No upstream of this API version has this action.
    ActionNotFound,
    /// More than one product has this version and action, and the request does not say which is meant.
    AmbiguousProduct,
    /// No API at this path.
    ApiNotFound,
    /// The key is restricted: the one refusal that this gateway exists for.
    LeakRisk,
    /// The registry's state is unknown, or an upstream does not answer.
    Unavailable,
    /// akgate itself failed.
    Internal(&'static str),
}

/// What akgate computed for a MAC that does not match. Only the caller gets it, because it may contain the caller's own
/// passwords; it is never logged.
#[derive(Clone, PartialEq, Eq)]
pub struct SignatureMismatch {
    /// The canonical request of ACS3; `None` where the scheme has none.
    pub canonical_request: Option<String>,
    /// The string that should have been signed.
    pub string_to_sign: String,
}

impl std::fmt::Debug for SignatureMismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mismatch(…)")
    }
}

impl Fault {
    /// A parameter that is refused, with the reason.
    pub fn parameter(name: impl Into<String>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::InvalidParameter {
            name: name.into(),
            reason: reason.into(),
        }
    }

    /// The `Code` on the wire.
    #[must_use]
    pub fn code(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::InvalidRequest(_) => "InvalidRequest",
            Self::BodyTooLarge(_) => "RequestEntityTooLarge",
            Self::UnsupportedHttpMethod => "UnsupportedHTTPMethod",
            Self::InvalidParameter { .. } => "InvalidParameter",
            Self::InvalidSignatureMethod(_) => "InvalidSignatureMethod",
            Self::Missing(name) => return Cow::Owned(format!("Missing{name}")),
            Self::IncompleteSignature(_) => "IncompleteSignature",
            Self::TimestampFormat => "InvalidTimeStamp.Format",
            Self::TimestampExpired => "InvalidTimeStamp.Expired",
            Self::AccessKeyNotFound => "InvalidAccessKeyId.NotFound",
            Self::AccessKeyInactive => "InvalidAccessKeyId.Inactive",
            Self::SecurityTokenExpired => "InvalidSecurityToken.Expired",
            Self::SecurityTokenMismatch => "InvalidSecurityToken.MismatchWithAccessKey",
            Self::SignatureMismatch(_) => "SignatureDoesNotMatch",
            Self::ContentMd5NotMatched => "ContentMD5NotMatched",
            Self::NonceUsed => "SignatureNonceUsed",
            Self::Throttled => "Throttling.User",
            Self::InvalidVersion => "InvalidVersion",
            Self::ActionNotFound => "InvalidAction.NotFound",
            Self::AmbiguousProduct => "InvalidProduct.Ambiguous",
            Self::ApiNotFound => "InvalidApi.NotFound",
            Self::LeakRisk => "Forbidden",
            Self::Unavailable => "ServiceUnavailable",
            Self::Internal(_) => "InternalError",
        })
    }

    /// The HTTP status on the wire.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        match self {
            Self::InvalidRequest(_)
            | Self::UnsupportedHttpMethod
            | Self::InvalidParameter { .. }
            | Self::InvalidSignatureMethod(_)
            | Self::Missing(_)
            | Self::IncompleteSignature(_)
            | Self::TimestampFormat
            | Self::TimestampExpired
            | Self::AccessKeyInactive
            | Self::SecurityTokenExpired
            | Self::SecurityTokenMismatch
            | Self::SignatureMismatch(_)
            | Self::ContentMd5NotMatched
            | Self::NonceUsed
            | Self::Throttled
            | Self::InvalidVersion
            | Self::AmbiguousProduct => StatusCode::BAD_REQUEST,
            Self::BodyTooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::AccessKeyNotFound | Self::ApiNotFound | Self::ActionNotFound => {
                StatusCode::NOT_FOUND
            }
            Self::LeakRisk => StatusCode::FORBIDDEN,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The `Message` on the wire: for the caller, in the caller's words, with nothing of ours in it.
    #[must_use]
    pub fn message(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::InvalidRequest(reason) => {
                return Cow::Owned(format!("The request is not well formed: {reason}."));
            }
            Self::BodyTooLarge(limit) => {
                return Cow::Owned(format!("The request body is longer than {limit} bytes."));
            }
            Self::UnsupportedHttpMethod => "This HTTP method is not supported.",
            Self::InvalidParameter { name, reason } => {
                return Cow::Owned(format!(
                    "The specified parameter \"{name}\" is not valid: {reason}."
                ));
            }
            Self::InvalidSignatureMethod(method) => {
                return Cow::Owned(format!(
                    "The signature method \"{method}\" is not supported; use HMAC-SHA1, HMAC-SHA256, \
                     ACS3-HMAC-SHA256 or ACS3-HMAC-SM3."
                ));
            }
            Self::Missing(name) => {
                return Cow::Owned(format!("{name} is mandatory for this action."));
            }
            Self::IncompleteSignature(reason) => {
                return Cow::Owned(format!(
                    "The request signature does not conform to Aliyun standards. {reason}"
                ));
            }
            Self::TimestampFormat => "Specified time stamp or date value is not well formatted.",
            Self::TimestampExpired => "Specified time stamp or date value is expired.",
            Self::AccessKeyNotFound => "Specified access key is not found.",
            Self::AccessKeyInactive => "Specified access key is disabled.",
            Self::SecurityTokenExpired => "Specified SecurityToken is expired.",
            Self::SecurityTokenMismatch => "Specified SecurityToken mismatch with the AccessKey.",
            Self::SignatureMismatch(mismatch) => return Cow::Owned(mismatch.message()),
            Self::ContentMd5NotMatched => {
                "Specified Content-MD5 does not match the body that was received."
            }
            Self::NonceUsed => "Specified signature nonce was used already.",
            Self::Throttled => "Request was denied due to user flow control.",
            Self::InvalidVersion => "Specified parameter Version is not valid.",
            Self::ActionNotFound => {
                "Specified action is not found, please check your action and version."
            }
            Self::AmbiguousProduct => {
                "More than one product has this Version and Action; sign with ACS3, which signs the Host of the product."
            }
            Self::ApiNotFound => "Specified api is not found, please check your url and method.",
            Self::LeakRisk => "There is a risk of leakage of this AccessKey.",
            Self::Unavailable => "The request has failed due to a temporary failure of the server.",
            Self::Internal(_) => {
                "The request processing has failed due to some unknown error, exception or failure."
            }
        })
    }
}

impl SignatureMismatch {
    /// The wording that SDKs search for their own string to sign: `server string to sign is:` only in
    /// the older schemes, two bracketed texts in ACS3.
    fn message(&self) -> String {
        match &self.canonical_request {
            Some(canonical_request) => format!(
                "Specified signature does not match our calculation. server StringToSign is [{}] \
                 server CanonicalRequest is [{canonical_request}]",
                self.string_to_sign
            ),
            None => format!(
                "Specified signature is not matched with our calculation. server string to sign \
                 is:{}",
                self.string_to_sign
            ),
        }
    }
}
