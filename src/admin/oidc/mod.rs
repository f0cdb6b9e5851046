//! A client of an identity provider (OpenID Connect Core 1.0), with the authorization code flow and PKCE (RFC 7636).
//! The browser is sent to the provider and back to the operator's own machine (RFC 8252); akgate redeems the code and
//! validates the ID token.

mod id_token;
pub mod sign_in;

use std::{fmt::Write, sync::Arc, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{
    HeaderValue, Method, Request, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE},
};
use jsonwebtoken::jwk::Jwk;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use time::OffsetDateTime;
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use self::id_token::ExpectedClaims;
pub use self::id_token::IdTokenFault;
use akgate_net::https::{BoundedClient, CallFault};

/// The longest answer, in bytes.
const MAX_RESPONSE_BYTES: usize = 1 << 20;

/// How long an answer may take.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the provider's metadata is cached.
const METADATA_TTL: time::Duration = time::Duration::minutes(5);

/// How long akgate waits after the metadata could not be fetched.
const FAILURE_TTL: time::Duration = time::Duration::seconds(5);

/// akgate's registration at the provider.
pub struct OidcSettings {
    /// The provider's issuer identifier.
    pub issuer: String,
    /// akgate's client id.
    pub client_id: String,
    /// The client secret, if there is one.
    pub client_secret: Option<Zeroizing<String>>,
    /// The scopes to request.
    pub scopes: String,
    /// The claim whose value is the operator's name.
    pub claim: String,
}

/// A provider.
pub struct OidcProvider {
    client: BoundedClient,
    settings: OidcSettings,
    /// Fetched by one request at a time, so that many callers do not cause many requests to the provider.
    metadata: Mutex<Option<CachedMetadata>>,
}

/// The provider's metadata, and when it was fetched.
type CachedMetadata = (OffsetDateTime, Result<Arc<ProviderMetadata>, OidcFault>);

/// Where the browser returns to, and the values that tie the response to this sign-in.
#[derive(Debug, Clone, Copy)]
pub struct AuthorizationRequest<'a> {
    /// On the operator's own machine.
    pub redirect_uri: &'a str,
    /// Comes back with the code.
    pub state: &'a str,
    /// Comes back in the ID token.
    pub nonce: &'a str,
    /// SHA-256 of what redeems the code, base64url.
    pub code_challenge: &'a str,
}

/// An authorization code that a browser returned with.
#[derive(Clone, Copy)]
pub struct AuthorizationResponse<'a> {
    /// The code.
    pub code: &'a str,
    /// The code verifier (RFC 7636).
    pub code_verifier: &'a str,
    /// As in the authorization request.
    pub nonce: &'a str,
    /// As in the authorization request.
    pub redirect_uri: &'a str,
}

/// Why a sign-in at the provider failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidcFault {
    /// The provider cannot be reached, or its response is not valid.
    #[error("{what} {reason}")]
    Provider {
        /// The request.
        what: &'static str,
        /// What is wrong.
        reason: String,
    },
    /// It does not accept the code.
    #[error("The provider does not accept the code ({0}).")]
    Refused(String),
    /// Its ID token is refused.
    #[error(transparent)]
    IdToken(#[from] IdTokenFault),
}

/// The metadata of a provider (OpenID Connect Discovery 1.0, section 3).
#[derive(Deserialize)]
struct ProviderMetadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct TokenResponse {
    id_token: ZeroizedText,
    access_token: Option<ZeroizedText>,
}

/// A secret text of an answer.
#[derive(Deserialize)]
#[serde(from = "String")]
struct ZeroizedText(Zeroizing<String>);

impl From<String> for ZeroizedText {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

/// RFC 6749, section 5.2.
#[derive(Deserialize)]
struct TokenErrorResponse {
    error: String,
}

/// Keys of unknown types are ignored.
#[derive(Deserialize)]
struct JsonWebKeys {
    keys: Vec<Value>,
}

impl OidcProvider {
    /// A provider that has not been asked yet.
    #[must_use]
    pub fn new(settings: OidcSettings, tls: rustls::ClientConfig) -> Self {
        Self {
            client: BoundedClient::new(tls, REQUEST_TIMEOUT, MAX_RESPONSE_BYTES),
            settings,
            metadata: Mutex::default(),
        }
    }

    /// The provider's issuer identifier.
    #[must_use]
    pub fn issuer(&self) -> &str {
        &self.settings.issuer
    }

    /// The address at which people sign in.
    ///
    /// # Errors
    /// [`OidcFault::Provider`].
    pub async fn authorization_url(
        &self,
        asked: AuthorizationRequest<'_>,
        now: OffsetDateTime,
    ) -> Result<String, OidcFault> {
        let mut url = self.metadata(now).await?.authorization_endpoint.clone();
        let mut query = form_urlencoded::Serializer::new(String::new());
        query
            .append_pair("response_type", "code")
            .append_pair("client_id", &self.settings.client_id)
            .append_pair("redirect_uri", asked.redirect_uri)
            .append_pair("scope", &self.settings.scopes)
            .append_pair("state", asked.state)
            .append_pair("nonce", asked.nonce)
            .append_pair("code_challenge", asked.code_challenge)
            .append_pair("code_challenge_method", "S256");
        let separator = if url.contains('?') { '&' } else { '?' };
        url.push(separator);
        url.push_str(&query.finish());
        Ok(url)
    }

    /// Redeems the code and returns the operator's name.
    ///
    /// # Errors
    /// [`OidcFault`].
    pub async fn operator_name(
        &self,
        returned: AuthorizationResponse<'_>,
        now: OffsetDateTime,
    ) -> Result<String, OidcFault> {
        let metadata = self.metadata(now).await?;
        let tokens = self.redeem(&metadata, returned).await?;
        let keys: JsonWebKeys = self.get("its keys", &metadata.jwks_uri).await?;
        let keys: Vec<Jwk> = keys
            .keys
            .into_iter()
            .filter_map(|key| serde_json::from_value(key).ok())
            .collect();
        let expected = ExpectedClaims {
            issuer: &self.settings.issuer,
            client_id: &self.settings.client_id,
            nonce: returned.nonce,
        };
        let claims = id_token::verify_id_token(&tokens.id_token.0, &keys, expected, now)?;
        let claim = &self.settings.claim;
        match id_token::operator_name(&claims, claim) {
            // Some providers return requested claims only from the userinfo endpoint (OpenID Connect Core 1.0, section
            // 5.4).
            Err(IdTokenFault::NoName(_)) => {
                let told = self.user_info(&metadata, &tokens, &claims).await?;
                Ok(id_token::operator_name(&told, claim)?)
            }
            named => Ok(named?),
        }
    }

    /// Fetches the claims of the userinfo endpoint (section 5.3).
    async fn user_info(
        &self,
        metadata: &ProviderMetadata,
        tokens: &TokenResponse,
        claims: &Map<String, Value>,
    ) -> Result<Map<String, Value>, OidcFault> {
        const WHAT: &str = "its userinfo endpoint";
        let (Some(url), Some(token)) = (&metadata.userinfo_endpoint, &tokens.access_token) else {
            return Ok(Map::new());
        };
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", *token.0))
            .map_err(|_| provider_fault(WHAT, "cannot be sent the access token"))?;
        bearer.set_sensitive(true);
        let request = Request::get(url).header(AUTHORIZATION, bearer);
        let told: Map<String, Value> = self.read(WHAT, request).await?;
        match told.get("sub") {
            Some(subject) if claims.get("sub") == Some(subject) => Ok(told),
            _ => Err(provider_fault(WHAT, "describes another user")),
        }
    }

    /// Fetches the metadata.
    ///
    /// # Errors
    /// [`OidcFault::Provider`].
    pub async fn check(&self) -> Result<(), OidcFault> {
        self.read_metadata().await.map(drop)
    }

    async fn metadata(&self, now: OffsetDateTime) -> Result<Arc<ProviderMetadata>, OidcFault> {
        let mut last = self.metadata.lock().await;
        if let Some((at, read)) = &*last {
            let fresh = if read.is_ok() {
                METADATA_TTL
            } else {
                FAILURE_TTL
            };
            if (*at..*at + fresh).contains(&now) {
                return read.clone();
            }
        }
        let read = self.read_metadata().await.map(Arc::new);
        *last = Some((now, read.clone()));
        read
    }

    async fn read_metadata(&self) -> Result<ProviderMetadata, OidcFault> {
        const WHAT: &str = "its configuration";
        let issuer = &self.settings.issuer;
        let url = format!(
            "{}/.well-known/openid-configuration",
            issuer.trim_end_matches('/')
        );
        let metadata: ProviderMetadata = self.get(WHAT, &url).await?;
        if metadata.issuer != *issuer {
            return Err(provider_fault(WHAT, "is from another issuer"));
        }
        // A provider that is reached over TLS must not redirect people to an address without TLS.
        let endpoints = [
            Some(&metadata.authorization_endpoint),
            Some(&metadata.token_endpoint),
            Some(&metadata.jwks_uri),
            metadata.userinfo_endpoint.as_ref(),
        ];
        let is_secure = |url: &String| url.starts_with("https://");
        if is_secure(issuer) && !endpoints.into_iter().flatten().all(is_secure) {
            return Err(provider_fault(WHAT, "contains a URL that is not https"));
        }
        Ok(metadata)
    }

    async fn redeem(
        &self,
        metadata: &ProviderMetadata,
        returned: AuthorizationResponse<'_>,
    ) -> Result<TokenResponse, OidcFault> {
        const WHAT: &str = "its token endpoint";
        let (request, form) = self.token_request(metadata, returned)?;
        let (status, body) = self.ask(WHAT, request, form).await?;
        if status.is_success() {
            return parse_json(WHAT, &body);
        }
        match serde_json::from_slice::<TokenErrorResponse>(&body) {
            Ok(TokenErrorResponse { error }) if is_error_code(&error) => {
                Err(OidcFault::Refused(error))
            }
            _ => Err(provider_fault(
                WHAT,
                format!("responds with status {status}"),
            )),
        }
    }

    /// RFC 6749, section 4.1.3; RFC 7636, section 4.5.
    fn token_request(
        &self,
        metadata: &ProviderMetadata,
        returned: AuthorizationResponse<'_>,
    ) -> Result<(http::request::Builder, String), OidcFault> {
        let client_id = &self.settings.client_id;
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(&metadata.token_endpoint)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", returned.code)
            .append_pair("code_verifier", returned.code_verifier)
            .append_pair("redirect_uri", returned.redirect_uri);
        match &self.settings.client_secret {
            Some(secret) if metadata.takes_basic() => {
                request = request.header(AUTHORIZATION, basic_auth_header(client_id, secret)?);
            }
            Some(secret) => {
                form.append_pair("client_id", client_id)
                    .append_pair("client_secret", secret);
            }
            None => {
                form.append_pair("client_id", client_id);
            }
        }
        Ok((request, form.finish()))
    }

    async fn get<T: DeserializeOwned>(
        &self,
        what: &'static str,
        url: &str,
    ) -> Result<T, OidcFault> {
        self.read(what, Request::get(url)).await
    }

    async fn read<T: DeserializeOwned>(
        &self,
        what: &'static str,
        request: http::request::Builder,
    ) -> Result<T, OidcFault> {
        let (status, body) = self.ask(what, request, String::new()).await?;
        match status.is_success() {
            true => parse_json(what, &body),
            false => Err(provider_fault(
                what,
                format!("responds with status {status}"),
            )),
        }
    }

    async fn ask(
        &self,
        what: &'static str,
        request: http::request::Builder,
        body: String,
    ) -> Result<(StatusCode, Bytes), OidcFault> {
        let silent = |fault: CallFault| provider_fault(what, fault.to_string());
        let request = request.header(ACCEPT, "application/json");
        let answer = self.client.send(request, body).await.map_err(silent)?;
        let (head, body) = answer.into_parts();
        Ok((head.status, body.map_err(silent)?))
    }
}

impl ProviderMetadata {
    /// The default of the specification (OpenID Connect Discovery 1.0, section 3).
    fn takes_basic(&self) -> bool {
        let methods = self.token_endpoint_auth_methods_supported.as_ref();
        methods.is_none_or(|methods| methods.iter().any(|one| one == "client_secret_basic"))
    }
}

fn provider_fault(what: &'static str, reason: impl Into<String>) -> OidcFault {
    OidcFault::Provider {
        what,
        reason: reason.into(),
    }
}

fn parse_json<T: DeserializeOwned>(what: &'static str, body: &[u8]) -> Result<T, OidcFault> {
    serde_json::from_slice(body)
        .map_err(|fault| provider_fault(what, format!("sends an unexpected response: {fault}")))
}

/// As RFC 6749, section 2.3.1, has it: each form-encoded, then Basic.
fn basic_auth_header(client_id: &str, secret: &str) -> Result<HeaderValue, OidcFault> {
    let encoded =
        |text: &str| -> String { form_urlencoded::byte_serialize(text.as_bytes()).collect() };
    let mut both = Zeroizing::new(encoded(client_id));
    // Writing to a text does not fail.
    let _ = write!(both, ":{}", encoded(secret));
    let value = format!("Basic {}", BASE64_STANDARD.encode(both.as_bytes()));
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| provider_fault("its token endpoint", "cannot be sent the client's secret"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// An error code as RFC 6749 has them; anything else is not shown.
fn is_error_code(error: &str) -> bool {
    (1..=64).contains(&error.len())
        && error
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_credentials_are_form_encoded_first() {
        let value = basic_auth_header("akgate:eu", "a b+c%").unwrap();
        let encoded = value.to_str().unwrap().strip_prefix("Basic ").unwrap();
        let decoded = BASE64_STANDARD.decode(encoded).unwrap();
        assert_eq!(decoded, b"akgate%3Aeu:a+b%2Bc%25");
        assert!(value.is_sensitive());
    }
}
