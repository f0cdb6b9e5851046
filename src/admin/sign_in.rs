//! `GET` and `POST /admin/v1/sign-in`: a token for who is an operator by the word of a provider (OpenID Connect). Whoever
//! comes here is not known yet.

use axum::{Json as Answer, extract::State};
use http::{Extensions, StatusCode};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    Admin, Problem,
    extract::{Json, Query, text, text_schema},
    openapi::Faults,
    operators::Receipt,
    problem::Details,
};
use crate::{
    oidc::sign_in::{SignIn, SignInRefused},
    oidc::{Asked, OidcFault, Returned},
};
use akgate_net::peer::Peer;

/// The path of the redirect address, on the operator's own machine (RFC 8252, section 7.3).
pub const REDIRECT_PATH: &str = "/signed-in";

/// The longest code that a provider may give, in characters.
const LONGEST_CODE: usize = 4096;

/// Where the browser returns to.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// On the operator's machine: `http://127.0.0.1:PORT/signed-in`.
    #[param(
        min_length = 24,
        max_length = 32,
        pattern = "^http://(127\\.0\\.0\\.1|\\[::1\\]):(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})/signed-in$"
    )]
    redirect_uri: String,
    /// Returned with the code: 32 random bytes, base64url.
    #[param(min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    state: String,
    /// Returned in the ID token: 32 random bytes, base64url.
    #[param(min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    nonce: String,
    /// SHA-256 of the code verifier, base64url (RFC 7636).
    #[param(min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    code_challenge: String,
}

/// The provider's sign-in page.
#[derive(Serialize, ToSchema)]
#[schema(as = SignInPage)]
pub struct PageView {
    /// Where the operator signs in.
    authorization_url: String,
    /// The provider's issuer identifier.
    issuer: String,
}

/// Get the sign-in page
///
/// The page of the identity provider. No token is needed. 404 if no provider is configured.
#[utoipa::path(
    get,
    path = "/admin/v1/sign-in",
    operation_id = "findSignIn",
    tag = "operators",
    params(Wanted),
    responses(
        (status = 200, description = "The sign-in page.", body = PageView),
        (status = 404, description = "No provider is configured.", body = Details, content_type = "application/problem+json"),
        (status = 502, description = "The provider failed.", body = Details, content_type = "application/problem+json"),
        Faults,
    ),
    security(())
)]
pub async fn page(
    State(admin): State<Admin>,
    Query(wanted): Query<Wanted>,
) -> Result<Answer<PageView>, Problem> {
    redirect(&wanted.redirect_uri)?;
    random("state", &wanted.state)?;
    random("nonce", &wanted.nonce)?;
    random("code_challenge", &wanted.code_challenge)?;
    let provider = &sign_in(&admin)?.provider;
    let asked = Asked {
        redirect_uri: &wanted.redirect_uri,
        state: &wanted.state,
        nonce: &wanted.nonce,
        code_challenge: &wanted.code_challenge,
    };
    let authorization_url = provider.page(asked, admin.clock.now()).await?;
    Ok(Answer(PageView {
        authorization_url,
        issuer: provider.issuer().to_owned(),
    }))
}

/// What the browser returned with.
#[derive(Deserialize, ToSchema)]
#[schema(as = SignIn)]
#[serde(deny_unknown_fields)]
pub struct Redeemed {
    /// The authorization code.
    #[schema(schema_with = text_schema::<LONGEST_CODE>)]
    code: String,
    /// The code verifier that the challenge was made of (RFC 7636).
    #[schema(min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    code_verifier: String,
    /// The nonce that the sign-in page was requested with.
    #[schema(min_length = 43, max_length = 128, pattern = "^[A-Za-z0-9_-]+$")]
    nonce: String,
    /// The redirect address that the sign-in page was requested with.
    #[schema(
        min_length = 24,
        max_length = 32,
        pattern = "^http://(127\\.0\\.0\\.1|\\[::1\\]):(6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3})/signed-in$"
    )]
    redirect_uri: String,
}

/// Sign in
///
/// Redeems the code at the provider. The operator whom the provider names gets a token for some hours, shown only this
/// once. No token is needed. 404 if no provider is configured.
#[utoipa::path(
    post,
    path = "/admin/v1/sign-in",
    operation_id = "signIn",
    tag = "operators",
    request_body = Redeemed,
    responses(
        (status = 201, description = "The token.", body = Receipt),
        (status = 404, description = "No provider is configured.", body = Details, content_type = "application/problem+json"),
        (status = 502, description = "The provider failed.", body = Details, content_type = "application/problem+json"),
        Faults,
    ),
    security(())
)]
pub async fn redeem(
    State(admin): State<Admin>,
    extensions: Extensions,
    Json(body): Json<Redeemed>,
) -> Result<(StatusCode, Answer<Receipt>), Problem> {
    text("code", &body.code, LONGEST_CODE)?;
    random("code_verifier", &body.code_verifier)?;
    random("nonce", &body.nonce)?;
    redirect(&body.redirect_uri)?;
    let sign_in = sign_in(&admin)?;
    let returned = Returned {
        code: &body.code,
        code_verifier: &body.code_verifier,
        nonce: &body.nonce,
        redirect_uri: &body.redirect_uri,
    };
    let peer = extensions.get::<Peer>().copied().unwrap_or_default();
    let now = admin.clock.now();
    let mut rng = admin.randomness.rng();
    let database = (&admin.pool, admin.timeout);
    let signed_in = sign_in
        .redeem(database, returned, peer.ip, now, &mut rng)
        .await
        .map_err(|refused| match refused {
            SignInRefused::Provider(fault) => fault.into(),
            SignInRefused::Nobody(name) => Problem::no_operator(&name),
            SignInRefused::TooMany { until } => Problem::too_many_guesses(until - now),
            SignInRefused::State(fault) => fault.into(),
        })?;
    let receipt = Receipt::new(signed_in.name, signed_in.role, Some(&signed_in.made));
    Ok((StatusCode::CREATED, Answer(receipt)))
}

fn sign_in(admin: &Admin) -> Result<&SignIn, Problem> {
    admin.settings.sign_in.as_deref().ok_or_else(|| {
        Problem::not_found(
            "Sign-in is not configured (admin.oidc): get a token with `akgate operators add`.",
        )
    })
}

impl From<OidcFault> for Problem {
    fn from(fault: OidcFault) -> Self {
        match fault {
            OidcFault::Provider { .. } => Self::provider(fault),
            OidcFault::Refused(_) | OidcFault::IdToken(_) => Self::unauthorized(fault.to_string()),
        }
    }
}

/// Nowhere but on the operator's own machine.
fn redirect(given: &str) -> Result<(), Problem> {
    let port = ["http://127.0.0.1:", "http://[::1]:"]
        .into_iter()
        .find_map(|start| given.strip_prefix(start)?.strip_suffix(REDIRECT_PATH));
    let is_port = |port: &str| {
        let has_digits_alone = port.bytes().all(|byte| byte.is_ascii_digit());
        has_digits_alone && !port.starts_with('0') && port.parse::<u16>().is_ok()
    };
    match port.is_some_and(is_port) {
        true => Ok(()),
        false => Err(Problem::invalid(
            "`redirect_uri` must be http://127.0.0.1:PORT/signed-in or http://[::1]:PORT/signed-in.",
        )),
    }
}

fn random(name: &str, given: &str) -> Result<(), Problem> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match (43..=128).contains(&given.len()) && given.bytes().all(fits) {
        true => Ok(()),
        false => Err(Problem::invalid(format!(
            "`{name}` must be 43 to 128 characters of base64url: 32 random bytes or more."
        ))),
    }
}
