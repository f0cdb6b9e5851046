//! `GET` and `POST /admin/v1/sign-in`: a token for who is an operator by the word of a provider (OpenID Connect). Whoever
//! comes here is not known yet.

use axum::{Json as Answer, extract::State};
use http::{Extensions, StatusCode};

use crate::oidc::{
    AuthorizationRequest, AuthorizationResponse, OidcFault,
    sign_in::{SignInFault, SignInService},
};
use crate::{
    context::AdminApi,
    http::{
        extract::{Json, Query, check_text},
        problem::Problem,
        responses::CommonFaults,
    },
    v1::operators::token_receipt,
};
use akgate_api::{
    operators::NewTokenReceipt,
    problem::ProblemDetails,
    sign_in::{LONGEST_CODE, SignInPage, SignInQuery, SignInRequest},
};
use akgate_net::peer::Peer;

/// The path of the redirect address, on the operator's own machine (RFC 8252, section 7.3).
pub const REDIRECT_PATH: &str = "/signed-in";

/// Get the sign-in page
///
/// The page of the identity provider. No token is needed. 404 if no provider is configured.
#[utoipa::path(
    get,
    path = "/admin/v1/sign-in",
    operation_id = "findSignIn",
    tag = "operators",
    params(SignInQuery),
    responses(
        (status = 200, description = "The sign-in page.", body = SignInPage),
        (status = 404, description = "No provider is configured.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 502, description = "The provider failed.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    ),
    security(())
)]
pub async fn get_sign_in_page(
    State(admin): State<AdminApi>,
    Query(wanted): Query<SignInQuery>,
) -> Result<Answer<SignInPage>, Problem> {
    check_redirect_uri(&wanted.redirect_uri)?;
    check_random_value("state", &wanted.state)?;
    check_random_value("nonce", &wanted.nonce)?;
    check_random_value("code_challenge", &wanted.code_challenge)?;
    let provider = &configured_sign_in(&admin)?.provider;
    let asked = AuthorizationRequest {
        redirect_uri: &wanted.redirect_uri,
        state: &wanted.state,
        nonce: &wanted.nonce,
        code_challenge: &wanted.code_challenge,
    };
    let authorization_url = provider.page(asked, admin.clock.now()).await?;
    Ok(Answer(SignInPage {
        authorization_url,
        issuer: provider.issuer().to_owned(),
    }))
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
    request_body = SignInRequest,
    responses(
        (status = 201, description = "The token.", body = NewTokenReceipt),
        (status = 404, description = "No provider is configured.", body = ProblemDetails, content_type = "application/problem+json"),
        (status = 502, description = "The provider failed.", body = ProblemDetails, content_type = "application/problem+json"),
        CommonFaults,
    ),
    security(())
)]
pub async fn sign_in_with_code(
    State(admin): State<AdminApi>,
    extensions: Extensions,
    Json(body): Json<SignInRequest>,
) -> Result<(StatusCode, Answer<NewTokenReceipt>), Problem> {
    check_text("code", &body.code, LONGEST_CODE)?;
    check_random_value("code_verifier", &body.code_verifier)?;
    check_random_value("nonce", &body.nonce)?;
    check_redirect_uri(&body.redirect_uri)?;
    let sign_in = configured_sign_in(&admin)?;
    let returned = AuthorizationResponse {
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
            SignInFault::Provider(fault) => fault.into(),
            SignInFault::Nobody(name) => Problem::no_operator(&name),
            SignInFault::TooMany { until } => Problem::too_many_guesses(until - now),
            SignInFault::State(fault) => fault.into(),
        })?;
    let receipt = token_receipt(signed_in.name, signed_in.role, Some(&signed_in.made));
    Ok((StatusCode::CREATED, Answer(receipt)))
}

fn configured_sign_in(admin: &AdminApi) -> Result<&SignInService, Problem> {
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
fn check_redirect_uri(given: &str) -> Result<(), Problem> {
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

fn check_random_value(name: &str, given: &str) -> Result<(), Problem> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match (43..=128).contains(&given.len()) && given.bytes().all(fits) {
        true => Ok(()),
        false => Err(Problem::invalid(format!(
            "`{name}` must be 43 to 128 characters of base64url: 32 random bytes or more."
        ))),
    }
}
