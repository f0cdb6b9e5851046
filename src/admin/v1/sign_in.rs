//! `GET` and `POST /admin/v1/sign-in`: a token for who is an operator by the word of a provider (OpenID Connect). Whoever
//! comes here is not known yet.

use axum::{Json as Answer, extract::State};
use http::{Extensions, StatusCode};

use crate::oidc::{
    Asked, OidcFault, Returned,
    sign_in::{SignIn, SignInRefused},
};
use crate::{
    context::Admin,
    http::{
        extract::{Json, Query, text},
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
pub async fn page(
    State(admin): State<Admin>,
    Query(wanted): Query<SignInQuery>,
) -> Result<Answer<SignInPage>, Problem> {
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
pub async fn redeem(
    State(admin): State<Admin>,
    extensions: Extensions,
    Json(body): Json<SignInRequest>,
) -> Result<(StatusCode, Answer<NewTokenReceipt>), Problem> {
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
    let receipt = token_receipt(signed_in.name, signed_in.role, Some(&signed_in.made));
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
