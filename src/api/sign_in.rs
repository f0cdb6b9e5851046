//! Signing in with the identity provider.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::values::text_schema;

/// The longest code that a provider may give, in characters.
pub const LONGEST_CODE: usize = 4096;

/// Where the browser returns to.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SignInQuery {
    /// On the operator's machine: `http://127.0.0.1:PORT/signed-in`.
    #[param(
        min_length = 24,
        max_length = 32,
        pattern = "^http://(127\\.0\\.0\\.1|\\[::1\\]):(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})/signed-in$"
    )]
    pub redirect_uri: String,
    /// Returned with the code: 32 random bytes, base64url.
    #[param(min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    pub state: String,
    /// Returned in the ID token: 32 random bytes, base64url.
    #[param(min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    pub nonce: String,
    /// SHA-256 of the code verifier, base64url (RFC 7636).
    #[param(min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    pub code_challenge: String,
}

/// The provider's sign-in page.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SignInPage {
    /// Where the operator signs in.
    pub authorization_url: String,
    /// The provider's issuer identifier.
    pub issuer: String,
}

/// What the browser returned with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInRequest {
    /// The authorization code.
    #[schema(schema_with = text_schema::<LONGEST_CODE>)]
    pub code: String,
    /// The code verifier that the challenge was made of (RFC 7636).
    #[schema(min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    pub code_verifier: String,
    /// The nonce that the sign-in page was requested with.
    #[schema(min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    pub nonce: String,
    /// The redirect address that the sign-in page was requested with.
    #[schema(
        min_length = 24,
        max_length = 32,
        pattern = "^http://(127\\.0\\.0\\.1|\\[::1\\]):(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})/signed-in$"
    )]
    pub redirect_uri: String,
}
