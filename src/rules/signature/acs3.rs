//! `Authorization: ACS3-HMAC-SHA256 Credential=…,SignedHeaders=…,Signature=…` (V3), and its SM3 variant.
//!
//! ```text
//! CanonicalRequest = METHOD \n CanonicalURI \n CanonicalQuery \n CanonicalHeaders \n SignedHeaders \n hex(hash(body))
//! StringToSign     = ACS3-HMAC-SHA256 \n hex(hash(CanonicalRequest))
//! Signature        = hex(HMAC(AccessKeySecret, StringToSign))
//! ```
//! Source: the vendor's "V3 request structure and signature" page. Clients spell path and query in
//! their own ways; each spelling is tried, and what upstream gets is the spelling that was signed.

use bytes::Bytes;
use http::Method;

use super::{
    CanonicalForm, CredentialHandling, Scheme, SignedPrint, format_target, freshness,
    mac::HashAlgorithm,
};
use crate::{
    fault::Fault,
    request::{
        ApiRequest, RequestParts, SignatureClaim, check_nonce, parameters::Parameters,
        parse_access_key_id,
    },
};

/// At most this many MACs are computed for one request.
const MAX_SPELLINGS: usize = 8;

/// Headers that a hop or akgate itself writes: signing them would let a caller speak for either.
const FORBIDDEN_SIGNED_HEADERS: [&str; 11] = [
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "expect",
    "forwarded",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Families of the same.
const FORBIDDEN_SIGNED_PREFIXES: [&str; 3] = ["proxy-", "x-akgate-", "x-forwarded-"];

/// Which hash the scheme runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// `ACS3-HMAC-SHA256`.
    HmacSha256,
    /// `ACS3-HMAC-SM3`.
    HmacSm3,
}

impl Algorithm {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::HmacSha256 => "acs3-hmac-sha256",
            Self::HmacSm3 => "acs3-hmac-sm3",
        }
    }

    fn token(self) -> &'static str {
        match self {
            Self::HmacSha256 => "ACS3-HMAC-SHA256",
            Self::HmacSm3 => "ACS3-HMAC-SM3",
        }
    }

    pub(super) fn hash(self) -> HashAlgorithm {
        match self {
            Self::HmacSha256 => HashAlgorithm::Sha256,
            Self::HmacSm3 => HashAlgorithm::Sm3,
        }
    }
}

/// A request of this scheme.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Which hash it is signed with.
    pub algorithm: Algorithm,
    /// The signed headers, lower-case and trimmed, in the order of `SignedHeaders`.
    pub signed_headers: Vec<(String, String)>,
    /// The digest that the caller says the body has, hex.
    pub content_hash: String,
    /// The digest that it has, hex.
    pub body_hash: String,
    /// The query.
    pub query: Parameters,
    /// Query and body members.
    pub parameters: Parameters,
    /// The body as received.
    pub body: Bytes,
}

/// How the client that signed spells what can be spelt in several ways.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spelling {
    path: PathSpelling,
    names: NameSpelling,
    empty: EmptyValueSpelling,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum PathSpelling {
    #[default]
    AsWritten,
    /// Go and openapi-core: every `+`, `*` and `%7E` replaced.
    Replaced,
    /// Node's openapi-client: only the first of each.
    FirstReplaced,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum NameSpelling {
    /// Java, PHP.
    #[default]
    Encoded,
    /// Python, Node, Go leave names of the query as they are.
    Raw,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum EmptyValueSpelling {
    #[default]
    AsWritten,
    /// Java's core signs a header without value as the text `null`.
    Null,
}

pub(crate) fn parse(
    message: &RequestParts<'_>,
    algorithm: &str,
    fields: &str,
) -> Result<ApiRequest, Fault> {
    let algorithm = match algorithm {
        "ACS3-HMAC-SHA256" => Algorithm::HmacSha256,
        "ACS3-HMAC-SM3" => Algorithm::HmacSm3,
        other => {
            return Err(Fault::InvalidSignatureMethod(
                other.chars().take(64).collect(),
            ));
        }
    };
    let headers = &message.headers;
    let parameters = message.all_parameters()?;
    message.refuse_bearer(&parameters)?;
    message.refuse_rpc_credentials(&parameters)?;
    let authorization = Authorization::read(fields)?;
    let operation = message.operation_from_headers(&parameters)?;
    let access_key_id = parse_access_key_id(authorization.credential)?;
    let signed_headers = signed_headers(message, authorization.signed_headers)?;
    let signed_at = headers
        .get("x-acs-date")?
        .ok_or(Fault::Missing("Timestamp"))?;
    let content_hash = match (
        headers.get("x-acs-content-sha256")?,
        headers.get("x-acs-content-sm3")?,
    ) {
        (Some(hash), _) | (None, Some(hash)) => hash.to_owned(),
        (None, None) => return Err(Fault::Missing("ContentSha256")),
    };
    let claim = SignatureClaim {
        security_token: message.token_from_headers(&access_key_id)?,
        access_key_id,
        nonce: check_nonce(headers.get("x-acs-signature-nonce")?)?,
        signed_at: freshness::parse_timestamp(signed_at)?,
        signature: hex::decode(authorization.signature).map_err(|_| {
            Fault::IncompleteSignature("The Signature is not in hexadecimal.".into())
        })?,
    };
    Ok(ApiRequest {
        method: message.method.clone(),
        path: message.path.to_owned(),
        operation,
        claim: Some(claim),
        scheme: Scheme::Acs3(Request {
            algorithm,
            signed_headers,
            content_hash,
            body_hash: algorithm.hash().hex(&message.body),
            query: Parameters::collect(message.query.clone())?,
            parameters,
            body: message.body.clone(),
        }),
    })
}

/// The fields of the header, in whatever order the client writes them.
struct Authorization<'r> {
    credential: &'r str,
    signed_headers: &'r str,
    signature: &'r str,
}

impl<'r> Authorization<'r> {
    fn read(fields: &'r str) -> Result<Self, Fault> {
        let incomplete = || {
            Fault::IncompleteSignature(
                "Write Authorization as: ACS3-HMAC-SHA256 \
                 Credential=…,SignedHeaders=…,Signature=…, each once."
                    .into(),
            )
        };
        let (mut credential, mut signed_headers, mut signature) = (None, None, None);
        for field in fields.split(',') {
            let (name, value) = field.trim().split_once('=').ok_or_else(incomplete)?;
            let slot = match name {
                "Credential" => &mut credential,
                "SignedHeaders" => &mut signed_headers,
                "Signature" => &mut signature,
                _ => return Err(incomplete()),
            };
            if value.is_empty() || slot.replace(value).is_some() {
                return Err(incomplete());
            }
        }
        match (credential, signed_headers, signature) {
            (Some(credential), Some(signed_headers), Some(signature)) => Ok(Self {
                credential,
                signed_headers,
                signature,
            }),
            _ => Err(incomplete()),
        }
    }
}

fn signed_headers(message: &RequestParts<'_>, list: &str) -> Result<Vec<(String, String)>, Fault> {
    let mut signed: Vec<(String, String)> = Vec::new();
    for name in list.split(';') {
        let lower = !name.is_empty() && !name.bytes().any(|byte| byte.is_ascii_uppercase());
        if !lower || signed.iter().any(|(earlier, _)| earlier == name) {
            return Err(Fault::IncompleteSignature(
                "SignedHeaders names each header once, in lower case.".into(),
            ));
        }
        if FORBIDDEN_SIGNED_HEADERS.contains(&name)
            || FORBIDDEN_SIGNED_PREFIXES
                .iter()
                .any(|prefix| name.starts_with(prefix))
        {
            return Err(Fault::parameter(
                name,
                "SignedHeaders must not name this header",
            ));
        }
        let value = message.headers.get(name)?.ok_or_else(|| {
            Fault::parameter(name, "SignedHeaders names it, but the request has none")
        })?;
        signed.push((name.to_owned(), value.to_owned()));
    }
    let is_signed = |name: &str| signed.iter().any(|(header, _)| header == name);
    let must_be_signed = message
        .headers
        .acs()?
        .into_iter()
        .map(|(name, _)| name)
        .chain(std::iter::once("host".to_owned()))
        .chain((!message.body.is_empty()).then(|| "content-type".to_owned()));
    for name in must_be_signed {
        if !is_signed(&name) {
            return Err(Fault::IncompleteSignature(
                format!("SignedHeaders must name {name}.").into(),
            ));
        }
    }
    Ok(signed)
}

impl Request {
    /// The value of a signed header.
    #[must_use]
    pub fn signed_header(&self, name: &str) -> Option<&str> {
        let mut headers = self.signed_headers.iter();
        let found = headers.find(|(signed, _)| signed == name)?;
        Some(&found.1)
    }

    /// Each spelling is computed only when those before it did not hold: the first nearly always does.
    pub(super) fn canonicals<'r>(
        &'r self,
        method: &'r Method,
        path: &str,
    ) -> impl Iterator<Item = (CanonicalForm, Spelling)> + use<'r> {
        let has_empty = self
            .signed_headers
            .iter()
            .any(|(_, value)| value.is_empty());
        let empties: &[EmptyValueSpelling] = if has_empty {
            &[EmptyValueSpelling::AsWritten, EmptyValueSpelling::Null]
        } else {
            &[EmptyValueSpelling::AsWritten]
        };
        let mut queries = vec![(NameSpelling::Encoded, self.query.canonical())];
        queries.extend(
            self.query
                .canonical_with_raw_names()
                .filter(|raw| queries.iter().all(|(_, query)| query != raw))
                .map(|raw| (NameSpelling::Raw, raw)),
        );
        let mut paths: Vec<(PathSpelling, String)> = Vec::new();
        for spelling in [
            PathSpelling::AsWritten,
            PathSpelling::Replaced,
            PathSpelling::FirstReplaced,
        ] {
            let spelt = spelling.spell(path);
            if paths.iter().all(|(_, earlier)| *earlier != spelt) {
                paths.push((spelling, spelt));
            }
        }
        let mut spellings = Vec::new();
        for empty in empties {
            for (path_spelling, path) in &paths {
                for (names, query) in &queries {
                    let spelling = Spelling {
                        path: *path_spelling,
                        names: *names,
                        empty: *empty,
                    };
                    spellings.push((spelling, path.clone(), query.clone()));
                }
            }
        }
        spellings
            .into_iter()
            .take(MAX_SPELLINGS)
            .map(move |(spelling, path, query)| {
                let canonical = self.canonical(method, &path, &query, spelling.empty);
                (canonical, spelling)
            })
    }

    fn canonical(
        &self,
        method: &Method,
        path: &str,
        query: &str,
        empty: EmptyValueSpelling,
    ) -> CanonicalForm {
        let mut text = format!("{method}\n{path}\n{query}\n");
        for (name, value) in &self.signed_headers {
            text.push_str(name);
            text.push(':');
            text.push_str(empty.spell(value));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.signed_names());
        text.push('\n');
        text.push_str(&self.body_hash);
        let token = self.algorithm.token();
        let digest = self.algorithm.hash().hex(text.as_bytes());
        CanonicalForm {
            string_to_sign: format!("{token}\n{digest}"),
            canonical_request: Some(text),
        }
    }

    /// The MAC covers the body's own digest; the header must say the same.
    pub(super) fn check_body(&self) -> Result<(), Fault> {
        if self.content_hash == self.body_hash {
            Ok(())
        } else {
            Err(Fault::parameter(
                "x-acs-content-sha256",
                "it is not the digest of the body",
            ))
        }
    }

    pub(super) fn print(
        &self,
        method: &Method,
        path: &str,
        spelling: Spelling,
        claim: Option<&SignatureClaim>,
        credentials: CredentialHandling,
    ) -> SignedPrint {
        let mut headers: Vec<(String, String)> = self
            .signed_headers
            .iter()
            .filter(|(name, _)| {
                credentials == CredentialHandling::Keep
                    || !matches!(name.as_str(), "host" | "x-acs-security-token")
            })
            .map(|(name, value)| (name.clone(), spelling.empty.spell(value).to_owned()))
            .collect();
        if let (Some(claim), CredentialHandling::Keep) = (claim, credentials) {
            headers.push((
                "authorization".to_owned(),
                format!(
                    "{} Credential={},SignedHeaders={},Signature={}",
                    self.algorithm.token(),
                    claim.access_key_id.as_str(),
                    self.signed_names(),
                    hex::encode(&claim.signature),
                ),
            ));
        }
        // Names are always printed encoded: a raw one may hold what no target can, and the pairs that
        // the MAC covered are the same.
        SignedPrint {
            method: method.clone(),
            target: format_target(&spelling.path.spell(path), &self.query),
            headers,
            body: self.body.clone(),
        }
    }

    fn signed_names(&self) -> String {
        let names: Vec<&str> = self
            .signed_headers
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        names.join(";")
    }
}

impl PathSpelling {
    fn spell(self, path: &str) -> String {
        match self {
            Self::AsWritten => path.to_owned(),
            Self::Replaced => path
                .replace('+', "%20")
                .replace('*', "%2A")
                .replace("%7E", "~"),
            Self::FirstReplaced => path
                .replacen('+', "%20", 1)
                .replacen('*', "%2A", 1)
                .replacen("%7E", "~", 1),
        }
    }
}

impl EmptyValueSpelling {
    fn spell(self, value: &str) -> &str {
        match (self, value) {
            (Self::Null, "") => "null",
            (Self::Null | Self::AsWritten, value) => value,
        }
    }
}
