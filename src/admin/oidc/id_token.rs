//! Validates an ID token (OpenID Connect Core 1.0, section 3.1.3.7).

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode, decode_header,
    errors::ErrorKind,
    jwk::{Jwk, PublicKeyUse},
};
use serde::Deserialize;
use serde_json::{Map, Value};
use time::OffsetDateTime;

/// How far the provider's clock may be from ours, in seconds.
const CLOCK_LEEWAY_SECONDS: i64 = 60;

/// The accepted algorithms: those with a key pair. With a shared key, anyone who knows the key could sign.
const ALLOWED_ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// The claims that akgate checks.
#[derive(Debug, Clone, Copy)]
pub(super) struct ExpectedClaims<'a> {
    pub issuer: &'a str,
    pub client_id: &'a str,
    pub nonce: &'a str,
}

/// Why an ID token is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdTokenFault {
    /// It is not an ID token.
    #[error("The provider's ID token cannot be read.")]
    Unreadable,
    /// It is signed with an algorithm that akgate does not accept.
    #[error("The provider's ID token is not signed with a key pair.")]
    Algorithm,
    /// None of the provider's keys has signed it.
    #[error("The provider's ID token is not signed by any of its keys.")]
    Signature,
    /// It was issued by another provider.
    #[error("The ID token is from another issuer.")]
    Issuer,
    /// It was issued for another client.
    #[error("The ID token is not for admin.oidc.client_id.")]
    Audience,
    /// It has expired or is not valid yet.
    #[error("The ID token has expired or is not yet valid: compare the clocks.")]
    NotNow,
    /// It belongs to another sign-in.
    #[error("The ID token belongs to another request: sign in again.")]
    Nonce,
    /// It lacks the claim with the operator's name.
    #[error("The provider sends no claim `{0}`: check admin.oidc.claim and admin.oidc.scopes.")]
    NoName(String),
    /// The provider has not verified the e-mail address.
    #[error("The provider has not verified the e-mail address.")]
    Unverified,
}

#[derive(Deserialize)]
struct IdTokenClaims {
    exp: i64,
    iat: i64,
    nbf: Option<i64>,
    nonce: Option<String>,
    azp: Option<String>,
    aud: OneOrMany,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(#[allow(dead_code, reason = "the library compares it")] String),
    Many(Vec<String>),
}

/// Returns the claims of a valid ID token.
///
/// # Errors
/// [`IdTokenFault`].
pub(super) fn verify_id_token(
    id_token: &str,
    keys: &[Jwk],
    expected: ExpectedClaims<'_>,
    now: OffsetDateTime,
) -> Result<Map<String, Value>, IdTokenFault> {
    let claims = verify_signature(id_token, keys, expected)?;
    // What is for several has to be asked for by us.
    let is_ours = match (&claims.azp, &claims.aud) {
        (Some(azp), _) => azp == expected.client_id,
        (None, OneOrMany::Many(many)) => many.len() == 1,
        (None, OneOrMany::One(_)) => true,
    };
    if !is_ours {
        return Err(IdTokenFault::Audience);
    }
    let now = now.unix_timestamp();
    let begins = claims.nbf.unwrap_or(claims.iat).max(claims.iat);
    if now >= claims.exp.saturating_add(CLOCK_LEEWAY_SECONDS)
        || begins > now.saturating_add(CLOCK_LEEWAY_SECONDS)
    {
        return Err(IdTokenFault::NotNow);
    }
    if claims.nonce.as_deref() != Some(expected.nonce) {
        return Err(IdTokenFault::Nonce);
    }
    Ok(claims.others)
}

/// The name that a claim gives.
///
/// # Errors
/// [`IdTokenFault::NoName`] and [`IdTokenFault::Unverified`].
pub(super) fn operator_name(
    claims: &Map<String, Value>,
    claim: &str,
) -> Result<String, IdTokenFault> {
    let named = claims.get(claim).and_then(Value::as_str);
    let name = named
        .filter(|name| !name.is_empty())
        .ok_or_else(|| IdTokenFault::NoName(claim.to_owned()))?;
    let is_verified = match claims.get("email_verified") {
        Some(Value::Bool(verified)) => *verified,
        // As some providers write it.
        Some(Value::String(verified)) => verified == "true",
        _ => false,
    };
    if claim == "email" && !is_verified {
        return Err(IdTokenFault::Unverified);
    }
    Ok(name.to_owned())
}

/// The claims of a token that one of the keys has signed, for us.
fn verify_signature(
    id_token: &str,
    keys: &[Jwk],
    expected: ExpectedClaims<'_>,
) -> Result<IdTokenClaims, IdTokenFault> {
    let header = decode_header(id_token).map_err(|fault| match fault.kind() {
        // What the library does not know, such as `none`.
        ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName | ErrorKind::Json(_) => {
            IdTokenFault::Algorithm
        }
        _ => IdTokenFault::Unreadable,
    })?;
    if !ALLOWED_ALGORITHMS.contains(&header.alg) {
        return Err(IdTokenFault::Algorithm);
    }
    let mut validation = Validation::new(header.alg);
    validation.set_audience(&[expected.client_id]);
    validation.set_issuer(&[expected.issuer]);
    validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
    // By our own clock, below.
    validation.validate_exp = false;
    let may_sign = |key: &&Jwk| {
        let common = &key.common;
        let is_named = header.kid.is_none() || common.key_id == header.kid;
        is_named && common.public_key_use != Some(PublicKeyUse::Encryption)
    };
    for key in keys.iter().filter(may_sign) {
        let Ok(key) = DecodingKey::from_jwk(key) else {
            continue;
        };
        match decode::<IdTokenClaims>(id_token, &key, &validation) {
            Ok(token) => return Ok(token.claims),
            Err(fault) => match fault.kind() {
                ErrorKind::InvalidIssuer => return Err(IdTokenFault::Issuer),
                ErrorKind::InvalidAudience => return Err(IdTokenFault::Audience),
                ErrorKind::MissingRequiredClaim(_) | ErrorKind::Json(_) => {
                    return Err(IdTokenFault::Unreadable);
                }
                // Another key may have signed it.
                _ => {}
            },
        }
    }
    Err(IdTokenFault::Signature)
}
