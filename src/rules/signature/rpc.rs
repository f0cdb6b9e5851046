//! RPC style, `SignatureVersion=1.0`: an HMAC over all parameters of query and form.
//!
//! ```text
//! canonical    = percent_encode(name)=percent_encode(value) joined by &, sorted by name, without Signature
//! StringToSign = METHOD & percent_encode("/") & percent_encode(canonical)
//! Signature    = base64(HMAC(AccessKeySecret + "&", StringToSign))
//! ```
//! Source: the vendor's "RPC mechanism" page; clients in `docs/adr/0002-signature-schemes.md`.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Method;
use zeroize::Zeroizing;

use super::{
    CanonicalForm, CredentialHandling, Scheme, SignedPrint, freshness, mac::HashAlgorithm,
};
use crate::{
    access_key::{AccessKeySecret, SecurityToken},
    fault::Fault,
    request::{
        ApiRequest, OperationName, RequestParts, SignatureClaim,
        body::{BodyMember, BodyType},
        check_nonce,
        parameters::{Parameters, percent_encode},
        parse_access_key_id,
    },
};

/// The parameters that make a request one of this style.
pub(crate) const CREDENTIAL_PARAMETERS: [&str; 7] = [
    "AccessKeyId",
    "SecurityToken",
    "Signature",
    "SignatureMethod",
    "SignatureNonce",
    "SignatureType",
    "SignatureVersion",
];

/// Headers that would be credentials in another scheme: unsigned here, so they must not be there.
const FOREIGN_CREDENTIAL_HEADERS: [&str; 8] = [
    "x-acs-accesskey-id",
    "x-acs-content-sha256",
    "x-acs-date",
    "x-acs-security-token",
    "x-acs-signature-method",
    "x-acs-signature-nonce",
    "x-acs-signature-type",
    "x-acs-signature-version",
];

/// The calls that carry no AccessKey but an assertion of an identity provider.
const ANONYMOUS_ACTIONS: [&str; 2] = ["AssumeRoleWithOIDC", "AssumeRoleWithSAML"];

/// Which HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `HMAC-SHA1`, which every shipping client sends.
    HmacSha1,
    /// `HMAC-SHA256`.
    HmacSha256,
}

impl Algorithm {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::HmacSha1 => "rpc-v1-hmac-sha1",
            Self::HmacSha256 => "rpc-v1-hmac-sha256",
        }
    }
}

/// A request of this style.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Which HMAC it is signed with.
    pub algorithm: Algorithm,
    /// All parameters but `Signature`.
    pub parameters: Parameters,
}

pub(crate) fn parse(message: RequestParts<'_>) -> Result<ApiRequest, Fault> {
    let mut parameters = signed_parameters(&message)?;
    message.refuse_bearer(&parameters)?;
    for header in FOREIGN_CREDENTIAL_HEADERS {
        if message.headers.get(header)?.is_some() {
            return Err(Fault::parameter(header, "nothing signs this header"));
        }
    }
    if !matches!(message.method, Method::GET | Method::POST) {
        return Err(Fault::UnsupportedHttpMethod);
    }
    let operation = read_operation(&message, &parameters)?;
    let (algorithm, claim) = if is_anonymous(&operation, &parameters) {
        (Algorithm::HmacSha1, None)
    } else {
        let (algorithm, claim) = take_claim(&mut parameters)?;
        (algorithm, Some(claim))
    };
    Ok(ApiRequest {
        method: message.method,
        path: message.path.to_owned(),
        operation,
        claim,
        scheme: Scheme::Rpc(Request {
            algorithm,
            parameters,
        }),
    })
}

fn signed_parameters(message: &RequestParts<'_>) -> Result<Parameters, Fault> {
    if message.body_type == BodyType::Other && !message.body.is_empty() {
        return Err(Fault::parameter(
            "Content-Type",
            "the body must be a form (application/x-www-form-urlencoded): the RPC style does not sign other bodies",
        ));
    }
    // One client core sends JSON but signs its members as parameters.
    if let Some((name, _)) = message
        .members
        .iter()
        .find(|(_, member)| *member == BodyMember::Nested)
    {
        return Err(Fault::parameter(
            name,
            "a JSON member must be a string or an integer, because it is signed as a parameter",
        ));
    }
    message.all_parameters()
}

fn read_operation(
    message: &RequestParts<'_>,
    parameters: &Parameters,
) -> Result<OperationName, Fault> {
    let mandatory = |name: &'static str, header: &'static str| {
        let value = parameters
            .get(name)
            .filter(|value| !value.is_empty())
            .ok_or(Fault::Missing(name))?;
        match message.headers.get(header)? {
            Some(twin) if !twin.eq_ignore_ascii_case(value) => Err(Fault::parameter(
                header,
                format!("it is not the {name} that is signed"),
            )),
            Some(_) | None => Ok(value.to_owned()),
        }
    };
    // The signed parameter decides; pop-core's copy of it differs in the case of its first letter.
    let action = mandatory("Action", "x-acs-action")?;
    OperationName::new(mandatory("Version", "x-acs-version")?, Some(action))
}

fn is_anonymous(operation: &OperationName, parameters: &Parameters) -> bool {
    let named = operation
        .action
        .as_deref()
        .is_some_and(|action| ANONYMOUS_ACTIONS.contains(&action));
    let unsigned = ["AccessKeyId", "Signature", "SecurityToken"]
        .iter()
        .all(|name| parameters.get(name).is_none());
    named && unsigned
}

fn take_claim(parameters: &mut Parameters) -> Result<(Algorithm, SignatureClaim), Fault> {
    let signature = parameters.remove("Signature").unwrap_or_default();
    let mandatory = |name: &'static str| {
        parameters
            .get(name)
            .filter(|value| !value.is_empty())
            .ok_or(Fault::Missing(name))
    };
    let access_key_id = parse_access_key_id(mandatory("AccessKeyId")?)?;
    let algorithm = match mandatory("SignatureMethod")? {
        "HMAC-SHA1" => Algorithm::HmacSha1,
        "HMAC-SHA256" => Algorithm::HmacSha256,
        other => return Err(Fault::InvalidSignatureMethod(other.to_owned())),
    };
    if mandatory("SignatureVersion")? != "1.0" {
        return Err(Fault::parameter("SignatureVersion", "it must be 1.0"));
    }
    if signature.is_empty() {
        return Err(Fault::Missing("Signature"));
    }
    let signature = STANDARD
        .decode(signature)
        .map_err(|_| Fault::IncompleteSignature("The Signature is not in base64.".into()))?;
    let nonce = check_nonce(parameters.get("SignatureNonce"))?;
    let signed_at = freshness::parse_timestamp(mandatory("Timestamp")?)?;
    let security_token = parameters
        .get("SecurityToken")
        .filter(|token| !token.is_empty())
        .map(|token| SecurityToken::new(token.to_owned()));
    Ok((
        algorithm,
        SignatureClaim {
            access_key_id,
            security_token,
            nonce,
            signed_at,
            signature,
        },
    ))
}

impl Request {
    pub(super) fn canonical(&self, method: &Method) -> CanonicalForm {
        canonical_form(method.as_str(), &self.parameters)
    }

    pub(super) fn mac_key(&self, secret: &AccessKeySecret) -> (HashAlgorithm, Zeroizing<String>) {
        let hash = match self.algorithm {
            Algorithm::HmacSha1 => HashAlgorithm::Sha1,
            Algorithm::HmacSha256 => HashAlgorithm::Sha256,
        };
        (hash, Zeroizing::new(format!("{}&", secret.expose())))
    }

    pub(super) fn print(
        &self,
        method: &Method,
        credentials: CredentialHandling,
        signature: Option<&[u8]>,
    ) -> SignedPrint {
        let mut parameters = self.parameters.clone();
        if credentials == CredentialHandling::Drop {
            parameters.remove("SecurityToken");
        }
        if let Some(signature) = signature {
            parameters.insert("Signature", STANDARD.encode(signature));
        }
        let text = parameters.canonical();
        if *method == Method::GET {
            SignedPrint {
                method: method.clone(),
                target: format!("/?{text}"),
                headers: Vec::new(),
                body: Bytes::new(),
            }
        } else {
            SignedPrint {
                method: method.clone(),
                target: "/".to_owned(),
                headers: vec![(
                    "content-type".to_owned(),
                    "application/x-www-form-urlencoded".to_owned(),
                )],
                body: Bytes::from(text),
            }
        }
    }
}

/// The two stages before the MAC.
#[must_use]
pub fn canonical_form(method: &str, parameters: &Parameters) -> CanonicalForm {
    let canonical = parameters.canonical();
    CanonicalForm {
        string_to_sign: format!("{method}&%2F&{}", percent_encode(&canonical)),
        canonical_request: Some(canonical),
    }
}
