//! ROA style: `Authorization: acs AccessKeyId:base64(HMAC-SHA1(AccessKeySecret, StringToSign))`.
//!
//! ```text
//! StringToSign = METHOD \n Accept \n Content-MD5 \n Content-Type \n Date \n
//!                x-acs-name:value \n for each, sorted
//!                path?sorted decoded query
//! ```
//! The body is bound by `Content-MD5` alone, so a body without it is refused although its MAC holds.
//! Source: the vendor's "ROA request syntax and signature" page.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::Method;

use super::{
    CanonicalForm, CredentialHandling, Scheme, SignedPrint, format_target, freshness,
    mac::md5_digest,
};
use crate::{
    fault::Fault,
    request::{
        ApiRequest, RequestParts, SignatureClaim, check_nonce, parameters::Parameters,
        parse_access_key_id,
    },
};

/// A request of this style. A header that is absent and one that is empty are signed alike, so both
/// are read as empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// `Accept`.
    pub accept: String,
    /// `Content-MD5`.
    pub content_md5: String,
    /// `Content-Type`.
    pub content_type: String,
    /// `Date`.
    pub date: String,
    /// All `x-acs-*` headers, sorted.
    pub acs_headers: Vec<(String, String)>,
    /// The query.
    pub query: Parameters,
    /// Query and body members.
    pub parameters: Parameters,
    /// The body as received.
    pub body: Bytes,
}

pub(crate) fn parse(message: &RequestParts<'_>, credentials: &str) -> Result<ApiRequest, Fault> {
    let headers = &message.headers;
    let parameters = message.all_parameters()?;
    message.refuse_bearer(&parameters)?;
    message.refuse_rpc_credentials(&parameters)?;
    let query = Parameters::collect(message.query.clone())?;
    for (name, value) in query.iter() {
        // The signed resource holds the query decoded: a & inside would be two parameters.
        if name.contains(['&', '=', '?']) || value.contains('&') {
            return Err(Fault::parameter(
                name,
                "the ROA style cannot sign a query parameter with & in its value, or with &, = or ? in its name",
            ));
        }
    }
    let operation = message.operation_from_headers(&parameters)?;
    let mandatory =
        |header: &'static str, name: &'static str| headers.get(header)?.ok_or(Fault::Missing(name));
    match mandatory("x-acs-signature-method", "SignatureMethod")? {
        "HMAC-SHA1" => {}
        other => return Err(Fault::InvalidSignatureMethod(other.to_owned())),
    }
    if mandatory("x-acs-signature-version", "SignatureVersion")? != "1.0" {
        return Err(Fault::parameter(
            "x-acs-signature-version",
            "it must be 1.0",
        ));
    }
    let incomplete =
        || Fault::IncompleteSignature("Write Authorization as: acs AccessKeyId:Signature.".into());
    let (id, signature) = credentials.split_once(':').ok_or_else(incomplete)?;
    let access_key_id = parse_access_key_id(id)?;
    let signature_bytes = STANDARD.decode(signature).map_err(|_| incomplete())?;
    if signature_bytes.is_empty() {
        return Err(Fault::Missing("Signature"));
    }
    let nonce = match headers.get("x-acs-signature-nonce")? {
        // One client core sends none: then the MAC itself makes the request unique.
        None => signature.to_owned(),
        given => check_nonce(given)?,
    };
    let date = mandatory("date", "Timestamp")?;
    let claim = SignatureClaim {
        security_token: message.token_from_headers(&access_key_id)?,
        access_key_id,
        nonce,
        signed_at: freshness::parse_http_date(date)?,
        signature: signature_bytes,
    };
    let optional =
        |header: &str| Ok::<_, Fault>(headers.get(header)?.unwrap_or_default().to_owned());
    Ok(ApiRequest {
        method: message.method.clone(),
        path: message.path.to_owned(),
        operation,
        claim: Some(claim),
        scheme: Scheme::Roa(Request {
            accept: optional("accept")?,
            content_md5: optional("content-md5")?,
            content_type: optional("content-type")?,
            date: date.to_owned(),
            acs_headers: headers.acs()?,
            query,
            parameters,
            body: message.body.clone(),
        }),
    })
}

impl Request {
    /// The clients disagree on a parameter without value: `name` (most) or `name=` (Python, Node).
    pub(super) fn canonicals(&self, method: &Method, path: &str) -> Vec<CanonicalForm> {
        let mut spellings = vec![self.canonical(method, path, "")];
        if self.query.iter().any(|(_, value)| value.is_empty()) {
            spellings.push(self.canonical(method, path, "="));
        }
        spellings
    }

    fn canonical(&self, method: &Method, path: &str, after_empty: &str) -> CanonicalForm {
        let mut text = format!(
            "{method}\n{}\n{}\n{}\n{}\n",
            self.accept, self.content_md5, self.content_type, self.date
        );
        for (name, value) in &self.acs_headers {
            text.push_str(name);
            text.push(':');
            text.push_str(value);
            text.push('\n');
        }
        text.push_str(path);
        let query: Vec<String> = self
            .query
            .iter()
            .map(|(name, value)| match value {
                "" => format!("{name}{after_empty}"),
                value => format!("{name}={value}"),
            })
            .collect();
        if !query.is_empty() {
            text.push('?');
            text.push_str(&query.join("&"));
        }
        CanonicalForm {
            canonical_request: None,
            string_to_sign: text,
        }
    }

    /// Refuses a body that the signature does not bind.
    pub(super) fn check_body(&self) -> Result<(), Fault> {
        if self.content_md5.is_empty() {
            return if self.body.is_empty() {
                Ok(())
            } else {
                Err(Fault::Missing("ContentMD5"))
            };
        }
        match STANDARD.decode(&self.content_md5) {
            Ok(digest) if digest == md5_digest(&self.body) => Ok(()),
            Ok(_) | Err(_) => Err(Fault::ContentMd5NotMatched),
        }
    }

    pub(super) fn print(
        &self,
        method: &Method,
        path: &str,
        claim: Option<&SignatureClaim>,
        credentials: CredentialHandling,
    ) -> SignedPrint {
        let mut headers: Vec<(String, String)> = [
            ("accept", &self.accept),
            ("content-md5", &self.content_md5),
            ("content-type", &self.content_type),
            ("date", &self.date),
        ]
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .collect();
        headers.extend(
            self.acs_headers
                .iter()
                .filter(|(name, _)| {
                    credentials == CredentialHandling::Keep || name != "x-acs-security-token"
                })
                .cloned(),
        );
        if let (Some(claim), CredentialHandling::Keep) = (claim, credentials) {
            headers.push((
                "authorization".to_owned(),
                format!(
                    "acs {}:{}",
                    claim.access_key_id.as_str(),
                    STANDARD.encode(&claim.signature)
                ),
            ));
        }
        SignedPrint {
            method: method.clone(),
            target: format_target(path, &self.query),
            headers,
            body: self.body.clone(),
        }
    }
}
