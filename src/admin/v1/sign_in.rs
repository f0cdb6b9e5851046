//! `GET` and `POST /admin/v1/sign-in`: an operator signs in at an OpenID Connect provider and gets a token. Callers are
//! not authenticated yet.

use axum::{Json as Answer, extract::State};
use http::{Extensions, StatusCode};

use crate::oidc::{
    AuthorizationRequest, AuthorizationResponse, OidcFault,
    sign_in::{SignInFault, SignInService},
};
use crate::{
    context::AdminApi,
    http::{
        extract::{Json, Query},
        problem::Problem,
        responses::CommonFaults,
    },
    v1::operators::token_receipt,
};
use akgate_api::{
    operators::NewTokenReceipt,
    problem::ProblemDetails,
    sign_in::{SignInPage, SignInQuery, SignInRequest},
};
use akgate_net::peer::Peer;

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
    let provider = &configured_sign_in(&admin)?.provider;
    let asked = AuthorizationRequest {
        redirect_uri: &wanted.redirect_uri,
        state: &wanted.state,
        nonce: &wanted.nonce,
        code_challenge: &wanted.code_challenge,
    };
    let authorization_url = provider.authorization_url(asked, admin.clock.now()).await?;
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
