//! `PUT /admin/v1/accounts/{id}/profile`: what the restricted keys of one account are refused.

use axum::{Json as Answer, extract::State};
use serde::{Deserialize, Serialize};

use super::{
    Admin, Problem,
    auth::Acting,
    extract::{Json, Path},
};
use crate::{
    directory::within,
    registry::profile::{self, SetProfile},
    verdict::Profile,
};

/// The profile; `null` for the configured default.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body {
    profile: Option<Profile>,
}

/// Sets the profile.
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
