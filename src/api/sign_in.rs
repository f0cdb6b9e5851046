//! Signing in with the identity provider.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::values::{BoundedText, check_plain, checked_text, text_schema};

/// The path of the redirect address, on the operator's own machine (RFC 8252, section 7.3).
pub const REDIRECT_PATH: &str = "/signed-in";

checked_text! {
    /// 32 random bytes or more, in base64url.
    pub RandomValue, |text| check_plain(text, 43..=128, "-_")
}

checked_text! {
    /// A redirect address on the operator's own machine.
    pub LoopbackUri, check_loopback_uri
}

fn check_loopback_uri(text: &str) -> Result<(), String> {
    let port = ["http://127.0.0.1:", "http://[::1]:"]
        .into_iter()
        .find_map(|start| text.strip_prefix(start)?.strip_suffix(REDIRECT_PATH));
    let is_port = |port: &str| {
        let has_digits_alone = port.bytes().all(|byte| byte.is_ascii_digit());
        has_digits_alone && !port.starts_with('0') && port.parse::<u16>().is_ok()
    };
    match port.is_some_and(is_port) {
        true => Ok(()),
        false => {
            Err("must be http://127.0.0.1:PORT/signed-in or http://[::1]:PORT/signed-in".to_owned())
        }
    }
}

/// Where the browser returns to.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SignInQuery {
    /// On the operator's machine: `http://127.0.0.1:PORT/signed-in`.
    #[param(
        value_type = String,
        min_length = 24,
        max_length = 32,
        pattern = "^http://(127\\.0\\.0\\.1|\\[::1\\]):(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})/signed-in$"
    )]
    pub redirect_uri: LoopbackUri,
    /// Returned with the code: 32 random bytes, base64url.
    #[param(value_type = String, min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    pub state: RandomValue,
    /// Returned in the ID token: 32 random bytes, base64url.
    #[param(value_type = String, min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    pub nonce: RandomValue,
    /// SHA-256 of the code verifier, base64url (RFC 7636).
    #[param(value_type = String, min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    pub code_challenge: RandomValue,
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
    #[schema(schema_with = text_schema::<4096>)]
    pub code: BoundedText<4096>,
    /// The code verifier that the challenge was made of (RFC 7636).
    #[schema(value_type = String, min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    pub code_verifier: RandomValue,
    /// The nonce that the sign-in page was requested with.
    #[schema(value_type = String, min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    pub nonce: RandomValue,
    /// The redirect address that the sign-in page was requested with.
    #[schema(
        value_type = String,
        min_length = 24,
        max_length = 32,
        pattern = "^http://(127\\.0\\.0\\.1|\\[::1\\]):(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})/signed-in$"
    )]
    pub redirect_uri: LoopbackUri,
}
