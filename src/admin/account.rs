//! `PUT /admin/v1/accounts/{id}/profile`: what the restricted keys of one account are refused.

use axum::{Json as Answer, extract::State};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    Admin, Problem,
    auth::Acting,
    extract::{Json, Path},
    openapi::Faults,
    problem::Details,
};
use crate::{
    directory::within,
    registry::profile::{self, SetProfile},
    verdict::Profile,
};

/// The profile; `null` for the configured default.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = AccountProfile)]
#[serde(deny_unknown_fields)]
pub struct Body {
    /// What restricted keys of the account are refused; null for the configured default.
    #[schema(value_type = Option<ProfileName>)]
    profile: Option<Profile>,
}

/// A profile.
#[derive(ToSchema)]
#[schema(as = Profile, rename_all = "lowercase")]
#[expect(dead_code, reason = "the schema of a text")]
enum ProfileName {
    Mutations,
    Strict,
}

/// Set an account's profile
///
/// What its restricted keys are refused: `mutations`, `strict`, or null for the configured default. It is enforced on
/// this node before the answer.
#[utoipa::path(
    put,
    path = "/admin/v1/accounts/{id}/profile",
    operation_id = "setAccountProfile",
    tag = "policy",
    params(("id" = String, Path, description = "The account.")),
    request_body = Body,
    responses(
        (status = 200, description = "It is set.", body = Body),
        (status = 404, description = "The directory knows no such account.", body = Details, content_type = "application/problem+json"),
        Faults,
    )
)]
pub async fn set_profile(
    State(admin): State<Admin>,
    Acting(actor): Acting,
    Path(account_id): Path<String>,
    Json(body): Json<Body>,
) -> Result<Answer<Body>, Problem> {
    let wanted = SetProfile {
        account_id: &account_id,
        profile: body.profile,
        actor: &actor,
    };
    let set = profile::set(&admin.pool, wanted, admin.clock.now());
    let revision = within(admin.timeout, set)
        .await?
        .ok_or_else(|| Problem::not_found("The directory knows no account of this id."))?;
    admin.enforce(revision).await;
    Ok(Answer(body))
}
