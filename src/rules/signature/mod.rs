//! Verifies that the claimed key signed the request: three schemes, one verifier.
//!
//! Each scheme's file reads what the scheme signs, writes the canonical forms in named stages, and
//! prints the request for upstream from the same value. [`VerifiedRequest`] is the only thing that prints, so
//! nothing unproven is ever forwarded. Scheme facts: the documents and client sources named in
//! `docs/adr/0002-signature-schemes.md`.

pub mod acs3;
pub mod freshness;
mod mac;
pub mod roa;
pub mod rpc;

use bytes::Bytes;
use http::Method;
use zeroize::Zeroizing;

use self::mac::HashAlgorithm;
use crate::{
    access_key::AccessKeySecret,
    fault::{Fault, SignatureMismatch},
    request::{ApiRequest, parameters::Parameters},
};

/// How a request is signed, with exactly what the signature covers.
#[derive(Debug, Clone, PartialEq)]
pub enum Scheme {
    /// HMAC in a `Signature` parameter.
    Rpc(rpc::Request),
    /// `Authorization: acs …`.
    Roa(roa::Request),
    /// `Authorization: ACS3-HMAC-… …`.
    Acs3(acs3::Request),
}

impl Scheme {
    /// The scheme's name in logs and output.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Rpc(request) => request.algorithm.name(),
            Self::Roa(_) => "roa-v1-hmac-sha1",
            Self::Acs3(request) => request.algorithm.name(),
        }
    }

    /// The hash of the MAC, and the key that it takes.
    fn mac_key(&self, secret: &AccessKeySecret) -> (HashAlgorithm, Zeroizing<String>) {
        let as_it_is = || Zeroizing::new(secret.expose().to_owned());
        match self {
            Self::Rpc(request) => request.mac_key(secret),
            Self::Roa(_) => (HashAlgorithm::Sha1, as_it_is()),
            Self::Acs3(request) => (request.algorithm.hash(), as_it_is()),
        }
    }
}

/// The stages of a signature, as text for people.
#[derive(Clone, PartialEq, Eq)]
pub struct CanonicalForm {
    /// Canonical query (RPC) or canonical request (ACS3); ROA has none.
    pub canonical_request: Option<String>,
    /// What the MAC is computed over.
    pub string_to_sign: String,
}

/// A request whose MAC matches, or that needs none.
#[derive(Clone)]
pub struct VerifiedRequest {
    request: ApiRequest,
    canonical: Option<CanonicalForm>,
    spelling: acs3::Spelling,
}

/// What happens to the caller's credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CredentialHandling {
    /// They are removed; the upstream trusts the identity header.
    Drop,
    /// They are printed again, for an upstream that verifies too.
    Keep,
}

/// A new request, printed from the parsed value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedPrint {
    /// The signed method.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Lower-case names in order. Without `host` unless the caller signed it and its credentials are
    /// kept: then upstream needs the signed one.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

/// Verifies the MAC.
///
/// # Errors
/// [`Fault::SignatureMismatch`] with our canonical forms. Where the MAC holds but does not bind the
/// body: [`Fault::Missing`] or [`Fault::ContentMd5NotMatched`] for `Content-MD5`,
/// [`Fault::InvalidParameter`] for `x-acs-content-sha256`.
pub fn verify_signature(
    request: ApiRequest,
    secret: &AccessKeySecret,
) -> Result<VerifiedRequest, Fault> {
    let Some(claim) = &request.claim else {
        return Err(Fault::Missing("AccessKeyId"));
    };
    let mut first: Option<CanonicalForm> = None;
    let mut proven = None;
    let (hash, key) = request.scheme.mac_key(secret);
    for (canonical, spelling) in canonical_candidates(&request) {
        let text = canonical.string_to_sign.as_bytes();
        let held = hash.hmac_holds(key.as_bytes(), text, &claim.signature);
        if held {
            proven = Some((canonical, spelling));
            break;
        }
        first.get_or_insert(canonical);
    }
    let Some((canonical, spelling)) = proven else {
        return Err(Fault::SignatureMismatch(first.map_or_else(
            || SignatureMismatch {
                canonical_request: None,
                string_to_sign: String::new(),
            },
            |canonical| SignatureMismatch {
                canonical_request: match request.scheme {
                    Scheme::Acs3(_) => canonical.canonical_request,
                    Scheme::Rpc(_) | Scheme::Roa(_) => None,
                },
                string_to_sign: canonical.string_to_sign,
            },
        )));
    };
    match &request.scheme {
        Scheme::Rpc(_) => {}
        Scheme::Roa(roa) => roa.check_body()?,
        Scheme::Acs3(acs3) => acs3.check_body()?,
    }
    Ok(VerifiedRequest {
        request,
        canonical: Some(canonical),
        spelling,
    })
}

/// Our canonical forms of a request, the usual one first. A client's variants follow where they differ.
#[must_use]
pub fn canonical_form(request: &ApiRequest) -> Option<CanonicalForm> {
    canonical_candidates(request)
        .next()
        .map(|(canonical, _)| canonical)
}

fn canonical_candidates(
    request: &ApiRequest,
) -> Box<dyn Iterator<Item = (CanonicalForm, acs3::Spelling)> + '_> {
    let plain = |canonical: CanonicalForm| (canonical, acs3::Spelling::default());
    match &request.scheme {
        Scheme::Rpc(rpc) => Box::new(std::iter::once(plain(rpc.canonical(&request.method)))),
        Scheme::Roa(roa) => Box::new(
            roa.canonicals(&request.method, &request.path)
                .into_iter()
                .map(plain),
        ),
        Scheme::Acs3(acs3) => Box::new(acs3.canonicals(&request.method, &request.path)),
    }
}

impl VerifiedRequest {
    /// Accepts a request without an AccessKey, if the configuration allows it.
    ///
    /// # Errors
    /// Gives the request back where it claims a key: then only [`verify_signature`] may make this value.
    pub fn anonymous(request: ApiRequest) -> Result<Self, Box<ApiRequest>> {
        if request.claim.is_some() {
            return Err(Box::new(request));
        }
        Ok(Self {
            request,
            canonical: None,
            spelling: acs3::Spelling::default(),
        })
    }

    /// Verifies the MAC of the same request with another secret, after the access key's secret was replaced.
    ///
    /// # Errors
    /// As [`verify_signature`]; nothing is changed then.
    pub fn verify_again(&mut self, secret: &AccessKeySecret) -> Result<(), Fault> {
        *self = verify_signature(self.request.clone(), secret)?;
        Ok(())
    }

    /// The request that was verified.
    #[must_use]
    pub fn request(&self) -> &ApiRequest {
        &self.request
    }

    /// The canonical forms that the MAC covered; `None` for an anonymous request.
    #[must_use]
    pub fn canonical(&self) -> Option<&CanonicalForm> {
        self.canonical.as_ref()
    }

    /// Prints the request that upstream gets: every byte of it was signed by the caller or is written
    /// here.
    #[must_use]
    pub fn print(&self, credentials: CredentialHandling) -> SignedPrint {
        let request = &self.request;
        let signature = request
            .claim
            .as_ref()
            .map(|claim| claim.signature.as_slice())
            .filter(|_| credentials == CredentialHandling::Keep);
        let mut printed = match &request.scheme {
            Scheme::Rpc(rpc) => rpc.print(&request.method, credentials, signature),
            Scheme::Roa(roa) => roa.print(
                &request.method,
                &request.path,
                request.claim.as_ref(),
                credentials,
            ),
            Scheme::Acs3(acs3) => acs3.print(
                &request.method,
                &request.path,
                self.spelling,
                request.claim.as_ref(),
                credentials,
            ),
        };
        printed.finish(request.parameters().get("Format").is_some());
        printed
    }
}

/// Path and query as they are printed.
fn format_target(path: &str, query: &Parameters) -> String {
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{}", query.canonical())
    }
}

impl SignedPrint {
    /// Adds what akgate itself writes: the length of the body, and `accept` where the caller signed no
    /// wish.
    fn finish(&mut self, format_signed: bool) {
        let signed = |name: &str| self.headers.iter().any(|(header, _)| header == name);
        let accept = !format_signed && !signed("accept");
        if accept {
            self.headers
                .push(("accept".into(), "application/json".into()));
        }
        if self.method != Method::GET {
            self.headers
                .push(("content-length".into(), self.body.len().to_string()));
        }
    }
}
